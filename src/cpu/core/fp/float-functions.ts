// Functions of floating point in a library, with what they read and set in FPCR and FPSR.

import { CPU } from "../state/cpu-state.ts";
import { Code, constant, type Local, type Operand, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import type { FunctionBuilder, ValueType } from "../wasm/module.ts";
import { defaultNaN, type Format, Fpcr, RMODE_SHIFT } from "./formats.ts";
import { flushModes } from "./modes.ts";

/** log2 of FPCR.AH. */
const AH_SHIFT = 1;

export class FloatFunctions {
  /** @param alternate whether the CPU has FEAT_AFP */
  constructor(readonly library: Library, readonly alternate: boolean) {}

  /** FPCR as an i32. */
  fpcr(code: Code): Value {
    return code.load("i32.load", CPU.FPCR);
  }

  /** Not zero where FPCR.AH is set; asked for with FEAT_AFP alone. */
  alternates(code: Code): Value {
    return this.fpcr(code).and(Fpcr.AH);
  }

  /** Not zero where FPCR changes operands or results that are subnormal, zeros or NaNs. */
  flushes(code: Code): Value {
    return this.fpcr(code).and(flushModes(this.alternate));
  }

  /** Not zero where FPCR makes subnormal single and double inputs zero, at least without AH. */
  flushesInputs(code: Code): Value {
    return this.fpcr(code).and(Fpcr.FZ | (this.alternate ? Fpcr.FIZ : 0));
  }

  /** The default NaN, as an i64. */
  defaultNaN(code: Code, format: Format): Value {
    const positive = constant("i64", defaultNaN(format));
    return this.alternate ? this.alternates(code).wide().shl(format.width - 1 - AH_SHIFT).or(positive) : positive;
  }

  /**
   * A function that with FPCR.AH flushes subnormal numbers, rounds to nearest and leaves FPSR as it
   * is: reciprocals and their steps, and conversions to BFloat16.
   */
  defineQuiet(
    name: string,
    parameters: ValueType[],
    result: ValueType,
    body: (code: Code, ...parameters: Local[]) => void,
  ): FunctionBuilder {
    if (!this.alternate) return this.define(name, parameters, result, body);
    const plain = this.define(`${name}Plain`, parameters, result, body);
    return this.define(name, parameters, result, (code, ...operands) => {
      code.if(this.alternates(code).not(), () => code.return(code.call(plain, ...operands)));
      const fpcr = code.let(this.fpcr(code)), fpsr = code.let(code.load("i32.load", CPU.FPSR));
      code.store("i32.store", CPU.FPCR, fpcr.and(~Fpcr.RMode).or(Fpcr.FZ | Fpcr.FIZ));
      const value = code.let(code.call(plain, ...operands));
      code.store("i32.store", CPU.FPCR, fpcr);
      code.store("i32.store", CPU.FPSR, fpsr);
      code.result(value);
    });
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
}
