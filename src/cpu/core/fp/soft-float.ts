// Floating-point arithmetic in integers: every rounding mode, flushing to zero, NaN rule and
// cumulative flag of the architecture. Follows the pseudocode of Arm ARM J1.2
// (shared/functions/float) and has its names. It is the slow path: `arithmetic.ts` computes with
// the computer's floats where those give the same result and leaves the rest to this file.
//
// A finite number that is not zero is held as (sign, exponent, significand): the significand is an
// i64 whose highest set bit is bit 62, and the value is significand / 2^62 * 2^exponent. Its bit 0
// is sticky: it stands for all lower bits that were shifted out.

import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import type { FunctionBuilder, ValueType } from "../wasm/module.ts";
import { DOUBLE, type Format, Fpcr, Fpsr, HALF, infinity, quietBit, Rounding, signBit, SINGLE } from "./formats.ts";
import { FloatFunctions } from "./float-functions.ts";
import { ALTERNATE_FUNCTION } from "./modes.ts";
import { defineRound } from "./rounding.ts";
import {
  addWide,
  isInfinite,
  isNaN,
  isSignalling,
  isSubnormal,
  isZero,
  multiply128,
  normalize,
  normalizeWide,
  shiftRightSticky,
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
  /** (x): zero with the sign of x where x is subnormal and FPCR flushes inputs, else x. */
  readonly flushInput: FunctionBuilder;
  /**
   * (x): FPProcessDenorm: sets FPSR.IDC where x is subnormal and FPCR.AH is set; of single and
   * double precision with FEAT_AFP.
   */
  readonly denormalUsed?: FunctionBuilder;
  /** (x): FPRound of a number that is exact, with FEAT_AFP: FPCR.AH with FZ flushes it here. */
  readonly flushOutput?: FunctionBuilder;
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
export class SoftFloat extends FloatFunctions {
  readonly half: SoftFormat;
  readonly single: SoftArithmetic;
  readonly double: SoftArithmetic;

  /** @param alternate whether the CPU has FEAT_AFP */
  constructor(library: Library, alternate: boolean) {
    super(library, alternate);
    this.half = this.#format(HALF);
    this.single = this.#arithmetic(SINGLE);
    this.double = this.#arithmetic(DOUBLE);
  }

  /** FPProcessDenorms of operands that are bits. */
  useDenormals(code: Code, { denormalUsed }: SoftFormat, ...operands: Value[]): void {
    if (denormalUsed) { for (const x of operands) code.run(denormalUsed, x); }
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
        code.if(this.flushesInputs(code).nonZero().and(isSubnormal(format, x)), () => {
          if (this.alternate) {
            // FIZ alone says nothing in FPSR, and with AH, FZ is about outputs.
            code.if(this.fpcr(code).and(Fpcr.FZ | Fpcr.AH).ne(Fpcr.FZ), () => {
              code.return(this.fpcr(code).and(Fpcr.FIZ).select(x.and(signBit(format)), x));
            });
          }
          this.raise(code, Fpsr.IDC);
          code.return(x.and(signBit(format)));
        });
      }
      code.result(x);
    });

    const FPProcessNaN = this.define(`FPProcessNaN${width}`, ["i64"], "i64", (code, x) => {
      code.if(x.and(quietBit(format)).not(), () => this.raise(code, Fpsr.IOC));
      code.if(this.fpcr(code).and(Fpcr.DN).nonZero(), () => code.return(this.defaultNaN(code, format)));
      code.result(x.or(quietBit(format)));
    });

    const FPProcessNaNs = this.define(`FPProcessNaNs${width}`, ["i64", "i64"], "i64", (code, a, b) => {
      if (this.alternate) {
        // The first of two NaNs, whichever is signaling.
        code.if(this.alternates(code).nonZero().and(isNaN(format, a)).and(isNaN(format, b)), () => {
          code.if(isSignalling(format, b), () => this.raise(code, Fpsr.IOC));
          code.return(code.call(FPProcessNaN, a));
        });
      }
      code.if(isSignalling(format, a), () => code.return(code.call(FPProcessNaN, a)));
      code.if(isSignalling(format, b), () => code.return(code.call(FPProcessNaN, b)));
      code.result(code.call(FPProcessNaN, isNaN(format, a).select(a, b)));
    });

    const plain = { FPRound: defineRound(this, format, calculates), FPProcessNaN, FPProcessNaNs, flushInput };
    return this.alternate && calculates ? { ...plain, ...this.#alternate(format) } : plain;
  }

  #alternate(format: Format): Pick<SoftFormat, "denormalUsed" | "flushOutput"> {
    const { width } = format, flush = (width === 16 ? Fpcr.FZ16 : Fpcr.FZ) | Fpcr.AH;
    const flushOutput = this.define(`flushOutput${width}`, ["i64"], "i64", (code, x) => {
      code.if(this.fpcr(code).and(flush).eq(flush).and(isSubnormal(format, x)), () => {
        this.raise(code, Fpsr.UFC | Fpsr.IXC);
        code.return(x.and(signBit(format)));
      });
      code.result(x);
    });
    if (width === 16) return { flushOutput };
    const denormalUsed = this.library.define(width === 64 ? ALTERNATE_FUNCTION : `denormalUsed${width}`, ["i64"], []);
    const code = new Code(denormalUsed), x = code.parameter(0);
    code.if(this.alternates(code).nonZero().and(isSubnormal(format, x)), () => this.raise(code, Fpsr.IDC));
    return { flushOutput, denormalUsed };
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
    code.return(this.defaultNaN(code, format));
  }

  /** A number that is exact, as FPRound leaves it. */
  exact(code: Code, { flushOutput }: SoftFormat, x: Value): Value {
    return flushOutput ? code.call(flushOutput, x) : x;
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
      this.useDenormals(code, soft, a, b);
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
        code.return(this.exact(code, soft, isZero(format, b).select(a, b)));
      });
      code.if(isZero(format, b), () => code.return(this.exact(code, soft, a)));

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
      this.useDenormals(code, soft, a, b);
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
      // A division by zero uses no number.
      if (soft.denormalUsed) code.if(isZero(format, b).not(), () => this.useDenormals(code, soft, a, b));
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
      this.useDenormals(code, soft, a);
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
      if (this.alternate) {
        // A factor before the addend, and an addend hides that the product is invalid.
        code.if(this.alternates(code), () => {
          for (const x of [c, a, b]) code.if(isSignalling(format, x), () => this.raise(code, Fpsr.IOC));
          const first = isNaN(format, a).select(a, isNaN(format, b).select(b, c));
          code.return(code.call(soft.FPProcessNaN, first));
        });
      }
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
      // An invalid operation uses no number.
      const use = () => {
        if (!step) this.useDenormals(code, soft, c, a, b);
      };
      const productSign = code.let(a.xor(b).and(signBit(format)));
      const opposite = code.let(productSign.xor(c).and(signBit(format)).nonZero());
      code.if(isInfinite(format, a).or(isInfinite(format, b)), () => {
        code.if(isInfinite(format, c).and(opposite), () => this.#invalid(code, format));
        use();
        code.return(productSign.or(infinity(format)));
      });
      use();
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
        } else code.return(this.exact(code, soft, c));
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
