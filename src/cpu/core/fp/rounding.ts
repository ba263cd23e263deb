// FPRound (Arm ARM J1.2, shared/functions/float): a number of unbounded exponent, held as
// soft-float.ts says, in a format, with its cumulative flags.

import { type Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import type { FloatFunctions } from "./float-functions.ts";
import { type Format, Fpcr, Fpsr, infinity, Rounding } from "./formats.ts";

/** The bits of a significand that a format keeps, and those that it loses below `shift`. */
interface Split {
  readonly kept: Local;
  readonly lost: Local;
  readonly half: Value;
  readonly inexact: Local;
}

function split(code: Code, significand: Local, shift: Value): Split {
  const kept = code.let(significand.shrU(shift.wide()));
  const unit = code.let(constant("i64", 1).shl(shift.wide()));
  const lost = code.let(significand.and(unit.sub(1)));
  return { kept, lost, half: unit.shrU(1), inexact: code.let(lost.nonZero()) };
}

/** 1 where rounding goes up; rounding to odd never does. */
const roundsUp = ({ kept, lost, half, inexact }: Split, sign: Value, mode: Value): Value =>
  mode.eq(Rounding.TieEven).and(lost.gtU(half).or(lost.eq(half).and(kept.wrap())))
    .or(mode.eq(Rounding.PlusInfinity).and(inexact).and(sign.not()))
    .or(mode.eq(Rounding.MinusInfinity).and(inexact).and(sign))
    .or(mode.eq(Rounding.TieAway).and(lost.geU(half)))
    .and(1);

/**
 * Defines `FPRound16`, `FPRound32`, … and `FPRoundH` (`SoftFormat.FPRound`).
 * @param calculates whether a half-precision number is an operand, not a format to convert
 */
export function defineRound(soft: FloatFunctions, format: Format, calculates: boolean): FunctionBuilder {
  const { width, fraction, bias, maximum } = format, isHalf = width === 16;
  const flush = isHalf ? Fpcr.FZ16 : Fpcr.FZ;
  return soft.define(
    `FPRound${isHalf && calculates ? "H" : width}`,
    ["i32", "i32", "i64", "i32"],
    "i64",
    (code, sign, exponent, significand, mode) => {
      const signed = code.let(sign.wide().shl(width - 1));
      const biased = code.let(exponent.add(bias));
      const shift = code.let(constant("i32", 62 - fraction));
      // Whether the number is tiny after rounding, where FPCR.AH is set: else before it.
      const tiny = soft.alternate ? code.let(constant("i32", 1)) : undefined;
      code.if(biased.leS(0), () => {
        if (tiny) code.if(soft.alternates(code), () => alternateTiny(code, tiny));
        if (calculates) {
          const flushes = soft.fpcr(code).and(tiny ? flush | Fpcr.AH : flush);
          code.if(tiny ? flushes.eq(flush) : flushes.nonZero(), () => {
            soft.raise(code, Fpsr.UFC);
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
      const parts = split(code, significand, shift), { kept, inexact } = parts;
      const up = code.let(roundsUp(parts, sign, mode));
      code.if(mode.eq(Rounding.Odd).and(inexact), () => code.set(kept, kept.or(1)));
      code.set(kept, kept.add(up.wide()));
      // The hidden bit is in `kept`: it, or a carry into it, steps the exponent field.
      const packed = code.let(biased.sub(biased.nonZero()).wide().shl(fraction).add(kept));
      const raiseInexact = () => {
        const underflows = tiny ? biased.not().and(tiny) : biased.not();
        code.if(inexact, () => soft.raise(code, underflows.select(constant("i32", Fpsr.UFC | Fpsr.IXC), Fpsr.IXC)));
      };
      const tooLarge = (largest: number) => biased.gtS(largest).or(packed.geU(BigInt(largest + 1) << BigInt(fraction)));
      if (!calculates) {
        code.if(soft.fpcr(code).and(Fpcr.AHP).nonZero(), () => {
          code.if(tooLarge(maximum), () => {
            // The format has no infinity: this raises Invalid Operation, not Inexact.
            code.set(signed, signed.or(0x7fff));
            soft.raise(code, Fpsr.IOC);
            code.return(signed);
          });
          raiseInexact();
          code.return(signed.or(packed));
        });
      }
      raiseInexact();
      code.if(tooLarge(maximum - 1), () => {
        soft.raise(code, Fpsr.OFC | Fpsr.IXC);
        const toInfinity = mode.eq(Rounding.TieEven).or(mode.eq(Rounding.TieAway))
          .or(mode.eq(Rounding.PlusInfinity).and(sign.not())).or(mode.eq(Rounding.MinusInfinity).and(sign));
        code.return(signed.or(toInfinity.select(constant("i64", infinity(format)), infinity(format) - 1n)));
      });
      code.result(signed.or(packed));

      /** With an unbounded exponent, the largest subnormal numbers may round to a normal one. */
      function alternateTiny(code: Code, tiny: Local): void {
        code.if(biased.not(), () => {
          const unbounded = split(code, significand, shift), rounded = unbounded.kept.add(roundsUp(unbounded, sign, mode).wide());
          code.set(tiny, rounded.ltU(2n << BigInt(fraction)));
        });
        if (!calculates) return;
        code.if(tiny.and(soft.fpcr(code).and(flush).nonZero()), () => {
          soft.raise(code, Fpsr.UFC | Fpsr.IXC);
          code.return(signed);
        });
      }
    },
  );
}
