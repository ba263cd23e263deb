// Floating-point arithmetic in integers: every rounding mode, flushing to zero, NaN rule and
// cumulative flag of the architecture. Follows the pseudocode of Arm ARM J1.2
// (shared/functions/float) and has its names. It is the slow path: `arithmetic.ts` computes with
// the computer's floats where those give the same result and leaves the rest to this file.
//
// A finite number that is not zero is held as (sign, exponent, significand): the significand is an
// i64 whose highest set bit is bit 62, and the value is significand / 2^62 * 2^exponent. Its bit 0
// is sticky: it stands for all lower bits that were shifted out.

import { CPU } from "../state/cpu-state.ts";
import { Code, constant, type Local, type Operand, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import type { FunctionBuilder, ValueType } from "../wasm/module.ts";
import {
  defaultNaN,
  DOUBLE,
  type Format,
  Fpcr,
  Fpsr,
  HALF,
  infinity,
  quietBit,
  RMODE_SHIFT,
  Rounding,
  signBit,
  SINGLE,
} from "./formats.ts";
import {
  isInfinite,
  isNaN,
  isSignalling,
  isZero,
  multiply128,
  normalize,
  shiftRightSticky,
  shiftRightSticky128,
  unpack,
} from "./significands.ts";

/** The functions of one format. Operands and results are bit patterns in i64. */
interface SoftFormat {
  /**
   * (sign i32, exponent i32, significand i64, rounding mode i32): the number in this format.
   * Significand not zero.
   */
  readonly FPRound: FunctionBuilder;
  /** (x): the NaN that an operation with the NaN operand x gives. */
  readonly FPProcessNaN: FunctionBuilder;
  /** (a, b): the same for two operands, one of them a NaN. */
  readonly FPProcessNaNs: FunctionBuilder;
  /** (x): zero with the sign of x where x is subnormal and FPCR.FZ is set, else x. */
  readonly flushInput: FunctionBuilder;
}

/** The arithmetic of single and double precision. */
export interface SoftArithmetic extends SoftFormat {
  /** (a, b): a + b; and so on. */
  readonly FPAdd: FunctionBuilder;
  readonly FPMul: FunctionBuilder;
  readonly FPDiv: FunctionBuilder;
  /** (a). */
  readonly FPSqrt: FunctionBuilder;
  /** (addend, a, b): addend + a * b, rounded once. */
  readonly FPMulAdd: FunctionBuilder;
  /** (a, b): (3 - a * b) / 2, and 1.5 for infinity times zero. The caller has negated a. */
  readonly FPRSqrtStep: FunctionBuilder;
  /** (a, b): 2 - a * b, and 2.0 for infinity times zero. The caller has negated a. */
  readonly FPRecipStep: FunctionBuilder;
}

/** The slow path of all formats. */
export class SoftFloat {
  readonly half: SoftFormat;
  readonly single: SoftArithmetic;
  readonly double: SoftArithmetic;

  constructor(readonly library: Library) {
    this.half = this.#format(HALF);
    this.single = this.#arithmetic(SINGLE);
    this.double = this.#arithmetic(DOUBLE);
  }

  /** FPCR as an i32. */
  fpcr(code: Code): Value {
    return code.load("i32.load", CPU.FPCR);
  }

  /** The rounding mode of FPCR, 0 to 3. */
  roundingMode(code: Code): Value {
    return this.fpcr(code).shrU(RMODE_SHIFT).and(3);
  }

  /** Sets cumulative flags in FPSR. */
  raise(code: Code, flags: Operand): void {
    const fpsr = code.load("i32.load", CPU.FPSR);
    code.store("i32.store", CPU.FPSR, fpsr.or(flags));
  }

  /** A function of the library with its body. */
  define(name: string, parameters: ValueType[], result: ValueType, body: (code: Code, ...parameters: Local[]) => void): FunctionBuilder {
    const f = this.library.define(name, parameters, [result]);
    const code = new Code(f);
    body(code, ...parameters.map((_, i) => code.parameter(i)));
    return f;
  }

  /** The arithmetic of FEAT_FP16. */
  defineHalf(): SoftArithmetic {
    return this.#arithmetic(HALF, this.#format(HALF, true));
  }

  /** @param calculates whether a half-precision number is an operand, not a format to convert */
  #format(format: Format, calculates = format.width !== 16): SoftFormat {
    const width = format.width === 16 && calculates ? "H" : format.width;
    const flushInput = this.define(`flushInput${width}`, ["i64"], "i64", (code, x) => {
      const magnitude = x.and(signBit(format) - 1n);
      // Half precision has its own control, which says nothing in FPSR.
      if (width === "H") {
        code.if(this.fpcr(code).and(Fpcr.FZ16).nonZero().and(magnitude.ltU(1n << BigInt(format.fraction))), () => {
          code.return(x.and(signBit(format)));
        });
      } else if (width !== 16) {
        code.if(this.fpcr(code).and(Fpcr.FZ).nonZero().and(magnitude.sub(1).ltU((1n << BigInt(format.fraction)) - 1n)), () => {
          this.raise(code, Fpsr.IDC);
          code.return(x.and(signBit(format)));
        });
      }
      code.result(x);
    });

    const FPProcessNaN = this.define(`FPProcessNaN${width}`, ["i64"], "i64", (code, x) => {
      code.if(x.and(quietBit(format)).not(), () => this.raise(code, Fpsr.IOC));
      code.if(this.fpcr(code).and(Fpcr.DN).nonZero(), () => code.return(constant("i64", defaultNaN(format))));
      code.result(x.or(quietBit(format)));
    });

    const FPProcessNaNs = this.define(`FPProcessNaNs${width}`, ["i64", "i64"], "i64", (code, a, b) => {
      code.if(isSignalling(format, a), () => code.return(code.call(FPProcessNaN, a)));
      code.if(isSignalling(format, b), () => code.return(code.call(FPProcessNaN, b)));
      code.result(code.call(FPProcessNaN, isNaN(format, a).select(a, b)));
    });

    return { FPRound: this.#round(format, calculates), FPProcessNaN, FPProcessNaNs, flushInput };
  }

  #round(format: Format, calculates: boolean): FunctionBuilder {
    const { width, fraction, bias, maximum } = format, isHalf = width === 16;
    return this.define(
      `FPRound${isHalf && calculates ? "H" : width}`,
      ["i32", "i32", "i64", "i32"],
      "i64",
      (code, sign, exponent, significand, mode) => {
        const signed = code.let(sign.wide().shl(width - 1));
        const biased = code.let(exponent.add(bias));
        const shift = code.let(constant("i32", 62 - fraction));
        code.if(biased.leS(0), () => {
          if (calculates) {
            code.if(this.fpcr(code).and(isHalf ? Fpcr.FZ16 : Fpcr.FZ).nonZero(), () => {
              this.raise(code, Fpsr.UFC);
              code.return(signed);
            });
          }
          code.set(shift, shift.add(constant("i32", 1).sub(biased)));
          code.set(biased, 0);
          // Everything is below half of the last place: only that it is there counts.
          code.if(shift.gtS(63), () => {
            code.set(shift, 63);
            code.set(significand, 1);
          });
        });
        const kept = code.let(significand.shrU(shift.wide()));
        const unit = code.let(constant("i64", 1).shl(shift.wide()));
        const lost = code.let(significand.and(unit.sub(1)));
        const half = unit.shrU(1);
        const inexact = code.let(lost.nonZero());
        const up = code.let(
          mode.eq(Rounding.TieEven).and(lost.gtU(half).or(lost.eq(half).and(kept.wrap())))
            .or(mode.eq(Rounding.PlusInfinity).and(inexact).and(sign.not()))
            .or(mode.eq(Rounding.MinusInfinity).and(inexact).and(sign))
            .or(mode.eq(Rounding.TieAway).and(lost.geU(half)))
            .and(1),
        );
        code.if(mode.eq(Rounding.Odd).and(inexact), () => code.set(kept, kept.or(1)));
        code.set(kept, kept.add(up.wide()));
        // The hidden bit is in `kept`: it, or a carry into it, steps the exponent field.
        const packed = code.let(biased.sub(biased.nonZero()).wide().shl(fraction).add(kept));
        const raiseInexact = () =>
          code.if(inexact, () => this.raise(code, biased.not().select(constant("i32", Fpsr.UFC | Fpsr.IXC), Fpsr.IXC)));
        const tooLarge = (largest: number) => biased.gtS(largest).or(packed.geU(BigInt(largest + 1) << BigInt(fraction)));
        if (!calculates) {
          code.if(this.fpcr(code).and(Fpcr.AHP).nonZero(), () => {
            code.if(tooLarge(maximum), () => {
              // The format has no infinity: this raises Invalid Operation, not Inexact.
              code.set(signed, signed.or(0x7fff));
              this.raise(code, Fpsr.IOC);
              code.return(signed);
            });
            raiseInexact();
            code.return(signed.or(packed));
          });
        }
        raiseInexact();
        code.if(tooLarge(maximum - 1), () => {
          this.raise(code, Fpsr.OFC | Fpsr.IXC);
          const toInfinity = mode.eq(Rounding.TieEven).or(mode.eq(Rounding.TieAway))
            .or(mode.eq(Rounding.PlusInfinity).and(sign.not())).or(mode.eq(Rounding.MinusInfinity).and(sign));
          code.return(signed.or(toInfinity.select(constant("i64", infinity(format)), infinity(format) - 1n)));
        });
        code.result(signed.or(packed));
      },
    );
  }

  #arithmetic(format: Format, soft = this.#format(format)): SoftArithmetic {
    const FPMulAdd = this.#fused(format, soft, "FPMulAdd");
    return {
      ...soft,
      FPAdd: this.#add(format, soft),
      FPMul: this.#mul(format, soft),
      FPDiv: this.#div(format, soft),
      FPSqrt: this.#sqrt(format, soft),
      FPMulAdd,
      FPRecipStep: this.#fused(format, soft, "FPRecipStep"),
      FPRSqrtStep: this.#fused(format, soft, "FPRSqrtStep"),
    };
  }

  /** Ends the operation with the default NaN. */
  #invalid(code: Code, format: Format): void {
    this.raise(code, Fpsr.IOC);
    code.return(constant("i64", defaultNaN(format)));
  }

  /** Flushes both operands and ends the operation when one of them is a NaN. */
  #twoOperands(code: Code, format: Format, soft: SoftFormat, a: Local, b: Local): void {
    code.set(a, code.call(soft.flushInput, a));
    code.set(b, code.call(soft.flushInput, b));
    code.if(isNaN(format, a).or(isNaN(format, b)), () => code.return(code.call(soft.FPProcessNaNs, a, b)));
  }

  #add(format: Format, soft: SoftFormat): FunctionBuilder {
    return this.define(`softAdd${format.width}`, ["i64", "i64"], "i64", (code, a, b) => {
      this.#twoOperands(code, format, soft, a, b);
      const opposite = code.let(a.xor(b).and(signBit(format)).nonZero());
      code.if(isInfinite(format, a), () => {
        code.if(isInfinite(format, b).and(opposite), () => this.#invalid(code, format));
        code.return(a);
      });
      code.if(isInfinite(format, b), () => code.return(b));
      const roundsDown = this.roundingMode(code).eq(Rounding.MinusInfinity);
      const exactZero = roundsDown.wide().shl(format.width - 1);
      code.if(isZero(format, a), () => {
        code.if(isZero(format, b).and(opposite), () => code.return(exactZero));
        code.return(isZero(format, b).select(a, b));
      });
      code.if(isZero(format, b), () => code.return(a));

      // The larger magnitude first; bit patterns of numbers are ordered like the numbers.
      const magnitude = signBit(format) - 1n;
      code.if(a.and(magnitude).ltU(b.and(magnitude)), () => {
        const swap = code.let(a);
        code.set(a, b);
        code.set(b, swap);
      });
      const larger = unpack(code, format, a), smaller = unpack(code, format, b);
      const aligned = code.let(shiftRightSticky(code, smaller.significand, larger.exponent.sub(smaller.exponent)));
      const sum = larger.significand;
      code.if(opposite, () => {
        code.set(sum, sum.sub(aligned));
        code.if(sum.not(), () => code.return(exactZero));
      }, () => code.set(sum, sum.add(aligned)));
      normalize(code, sum, larger.exponent);
      code.result(code.call(soft.FPRound, larger.sign, larger.exponent, sum, this.roundingMode(code)));
    });
  }

  #mul(format: Format, soft: SoftFormat): FunctionBuilder {
    return this.define(`softMul${format.width}`, ["i64", "i64"], "i64", (code, a, b) => {
      this.#twoOperands(code, format, soft, a, b);
      const sign = code.let(a.xor(b).and(signBit(format)));
      code.if(isInfinite(format, a).or(isInfinite(format, b)), () => {
        code.if(isZero(format, a).or(isZero(format, b)), () => this.#invalid(code, format));
        code.return(sign.or(infinity(format)));
      });
      code.if(isZero(format, a).or(isZero(format, b)), () => code.return(sign));
      const x = unpack(code, format, a), y = unpack(code, format, b);
      const { high, low } = multiply128(code, x.significand.shl(1), y.significand.shl(1));
      const significand = code.let(high.or(low.nonZero().wide()));
      const exponent = code.let(x.exponent.add(y.exponent));
      normalize(code, significand, exponent);
      code.result(code.call(soft.FPRound, sign.nonZero(), exponent, significand, this.roundingMode(code)));
    });
  }

  #div(format: Format, soft: SoftFormat): FunctionBuilder {
    return this.define(`softDiv${format.width}`, ["i64", "i64"], "i64", (code, a, b) => {
      this.#twoOperands(code, format, soft, a, b);
      const sign = code.let(a.xor(b).and(signBit(format)));
      code.if(isInfinite(format, a), () => {
        code.if(isInfinite(format, b), () => this.#invalid(code, format));
        code.return(sign.or(infinity(format)));
      });
      code.if(isInfinite(format, b), () => code.return(sign));
      code.if(isZero(format, b), () => {
        code.if(isZero(format, a), () => this.#invalid(code, format));
        this.raise(code, Fpsr.DZC);
        code.return(sign.or(infinity(format)));
      });
      code.if(isZero(format, a), () => code.return(sign));
      const x = unpack(code, format, a), y = unpack(code, format, b);
      const exponent = code.let(x.exponent.sub(y.exponent));
      const rest = x.significand, divisor = y.significand;
      code.if(rest.ltU(divisor), () => {
        code.set(rest, rest.shl(1));
        code.set(exponent, exponent.sub(1));
      });
      // Long division, a bit at a time: 63 bits of the quotient, which is in [1, 2).
      const quotient = code.let(constant("i64", 0)), left = code.let(constant("i32", 63));
      code.doWhile(() => {
        code.set(quotient, quotient.shl(1));
        code.if(rest.geU(divisor), () => {
          code.set(rest, rest.sub(divisor));
          code.set(quotient, quotient.or(1));
        });
        code.set(rest, rest.shl(1));
        code.set(left, left.sub(1));
      }, () => left);
      const significand = quotient.or(rest.nonZero().wide());
      code.result(code.call(soft.FPRound, sign.nonZero(), exponent, significand, this.roundingMode(code)));
    });
  }

  #sqrt(format: Format, soft: SoftFormat): FunctionBuilder {
    return this.define(`softSqrt${format.width}`, ["i64"], "i64", (code, a) => {
      code.set(a, code.call(soft.flushInput, a));
      code.if(isNaN(format, a), () => code.return(code.call(soft.FPProcessNaN, a)));
      code.if(isZero(format, a), () => code.return(a));
      code.if(a.and(signBit(format)).nonZero(), () => this.#invalid(code, format));
      code.if(isInfinite(format, a), () => code.return(a));
      const { exponent, significand } = unpack(code, format, a);
      // A radicand in [1, 4) with two bits before the point, so that the exponent is even.
      const radicand = code.let(significand.shl(exponent.and(1).wide()));
      const root = code.let(constant("i64", 0)), rest = code.let(constant("i64", 0)), left = code.let(constant("i32", 61));
      code.doWhile(() => {
        code.set(rest, rest.shl(2).or(radicand.shrU(62)));
        code.set(radicand, radicand.shl(2));
        const trial = code.let(root.shl(2).or(1));
        code.set(root, root.shl(1));
        code.if(rest.geU(trial), () => {
          code.set(rest, rest.sub(trial));
          code.set(root, root.or(1));
        });
        code.set(left, left.sub(1));
      }, () => left);
      const result = root.shl(2).or(rest.nonZero().wide());
      code.result(code.call(soft.FPRound, 0, exponent.shrS(1), result, this.roundingMode(code)));
    });
  }

  /** Returns a NaN if the addend or a factor is one. */
  #answerNaN(code: Code, format: Format, soft: SoftFormat, [c, a, b]: readonly Local[], timesZero: Local): void {
    code.if(isNaN(format, c).or(isNaN(format, a)).or(isNaN(format, b)), () => {
      // A quiet addend does not hide that the product is invalid.
      code.if(timesZero.and(isSignalling(format, c).not()), () => this.#invalid(code, format));
      for (const x of [c, a, b]) code.if(isSignalling(format, x), () => code.return(code.call(soft.FPProcessNaN, x)));
      code.return(code.call(soft.FPProcessNaN, isNaN(format, c).select(c, isNaN(format, a).select(a, b))));
    });
  }

  /**
   * addend + a * b; the two step functions have a constant addend, and their own result for
   * infinity times zero.
   */
  #fused(format: Format, soft: SoftFormat, operation: "FPMulAdd" | "FPRecipStep" | "FPRSqrtStep"): FunctionBuilder {
    const step = operation !== "FPMulAdd";
    const one = BigInt(format.bias) << BigInt(format.fraction), two = one + (1n << BigInt(format.fraction));
    const onePointFive = one | quietBit(format), three = two | quietBit(format);
    const parameters: ValueType[] = step ? ["i64", "i64"] : ["i64", "i64", "i64"];
    return this.define(`soft${operation}${format.width}`, parameters, "i64", (code, ...operands) => {
      const [a, b] = operands.slice(-2);
      const c = step ? code.let(constant("i64", operation === "FPRecipStep" ? two : three)) : operands[0];
      for (const x of operands) code.set(x, code.call(soft.flushInput, x));
      const timesZero = code.let(
        isInfinite(format, a).and(isZero(format, b)).or(isZero(format, a).and(isInfinite(format, b))),
      );
      if (step) {
        code.if(isNaN(format, a).or(isNaN(format, b)), () => code.return(code.call(soft.FPProcessNaNs, a, b)));
        code.if(timesZero, () => code.return(constant("i64", operation === "FPRecipStep" ? two : onePointFive)));
      } else {
        this.#answerNaN(code, format, soft, [c, a, b], timesZero);
        code.if(timesZero, () => this.#invalid(code, format));
      }
      const productSign = code.let(a.xor(b).and(signBit(format)));
      const opposite = code.let(productSign.xor(c).and(signBit(format)).nonZero());
      code.if(isInfinite(format, a).or(isInfinite(format, b)), () => {
        code.if(isInfinite(format, c).and(opposite), () => this.#invalid(code, format));
        code.return(productSign.or(infinity(format)));
      });
      code.if(isInfinite(format, c), () => code.return(c));
      const exactZero = this.roundingMode(code).eq(Rounding.MinusInfinity).wide().shl(format.width - 1);

      const halved = (exponent: Value): Value => operation === "FPRSqrtStep" ? exponent.sub(1) : exponent;
      const round = (sign: Value, exponent: Value, significand: Value): Value =>
        code.call(soft.FPRound, sign, halved(exponent), significand, this.roundingMode(code));

      code.if(isZero(format, a).or(isZero(format, b)), () => {
        code.if(isZero(format, c), () => code.return(opposite.select(exactZero, c)));
        if (step) {
          const z = unpack(code, format, c);
          code.return(round(z.sign, z.exponent, z.significand));
        } else code.return(c);
      });

      const x = unpack(code, format, a), y = unpack(code, format, b);
      // The exact product in 128 bits, its highest bit at 126: the value is high:low / 2^126 *
      // 2^exponent.
      const { high, low } = multiply128(code, x.significand.shl(1), y.significand.shl(1));
      const exponent = code.let(x.exponent.add(y.exponent));
      code.if(high.ltS(0), () => {
        code.set(low, low.shrU(1).or(high.shl(63)));
        code.set(high, high.shrU(1));
        code.set(exponent, exponent.add(1));
      });
      code.if(isZero(format, c), () => {
        code.return(round(productSign.nonZero(), exponent, high.or(low.nonZero().wide())));
      });
      const z = unpack(code, format, c);
      const addend = { high: z.significand, low: code.let(constant("i64", 0)), exponent: z.exponent };
      const sign = code.let(productSign.nonZero());
      addWide(code, { high, low, exponent, sign }, addend, opposite, () => code.return(exactZero));
      normalizeWide(code, { high, low, exponent });
      code.result(round(sign, exponent, high.or(low.nonZero().wide())));
    });
  }
}

/** A number of 128 bits: high:low / 2^126 * 2^exponent. */
interface Wide {
  readonly high: Local;
  readonly low: Local;
  readonly exponent: Local;
}

/**
 * Adds an addend, or subtracts it if the signs are opposite.
 * @param cancelled emits what happens if nothing is left
 */
function addWide(
  code: Code,
  { high, low, exponent, sign }: Wide & { readonly sign: Local },
  addend: { readonly high: Local; readonly low: Local; readonly exponent: Value },
  opposite: Local,
  cancelled: () => void,
): void {
  const distance = code.let(exponent.sub(addend.exponent));
  code.if(distance.ltS(0), () => {
    shiftRightSticky128(code, high, low, constant("i32", 0).sub(distance));
    code.set(exponent, addend.exponent);
  }, () => shiftRightSticky128(code, addend.high, addend.low, distance));
  code.if(opposite, () => {
    // The larger minus the smaller, with the sign of the larger.
    code.if(high.ltU(addend.high).or(high.eq(addend.high).and(low.ltU(addend.low))), () => {
      code.set(sign, sign.xor(1));
      for (const [p, q] of [[high, addend.high], [low, addend.low]]) {
        const swap = code.let(p);
        code.set(p, q);
        code.set(q, swap);
      }
    });
    code.set(high, high.sub(addend.high).sub(low.ltU(addend.low).wide()));
    code.set(low, low.sub(addend.low));
    code.if(high.or(low).not(), () => cancelled());
  }, () => {
    code.set(low, low.add(addend.low));
    code.set(high, high.add(addend.high).add(low.ltU(addend.low).wide()));
  });
}

/** Moves the highest bit to 62, where a significand has it before it is rounded. */
function normalizeWide(code: Code, { high, low, exponent }: Wide): void {
  code.if(high.not(), () => {
    // 63, so that the highest bit is not a sign yet.
    code.set(high, low.shrU(1));
    code.set(low, low.shl(63));
    code.set(exponent, exponent.sub(63));
    code.if(high.not(), () => {
      code.set(high, low.shrU(1));
      code.set(low, 0);
      code.set(exponent, exponent.sub(63));
    });
  });
  code.if(high.ltS(0), () => {
    code.set(high, high.shrU(1).or(high.and(1)));
    code.set(exponent, exponent.add(1));
  }, () => {
    const shift = code.let(high.clz().wrap().sub(1));
    code.if(shift, () => {
      code.set(high, high.shl(shift.wide()).or(low.shrU(constant("i64", 64).sub(shift.wide()))));
      code.set(low, low.shl(shift.wide()));
      code.set(exponent, exponent.sub(shift));
    });
  });
}
