// Integer operations of A64 that take more than a few Wasm instructions: functions that the semantics call by name.

import type { Library } from "../library.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";

/** Polynomials of CRC32 and CRC32C, bits reversed. */
const CRC32 = 0xedb88320;
const CRC32C = 0x82f63b78;

/** Defines division, high multiplication, bit reversal and CRC32 in the library. */
export function defineIntegerFunctions(library: Library): void {
  for (const bits of [32, 64] as const) {
    const type = `i${bits}` as const;
    const minusOne = constant(type, -1), zero = constant(type, 0);
    {
      // Division by zero gives zero.
      const c = new Code(library.define(`unsignedDivide${bits}`, [type, type], [type]));
      c.if(c.parameter(1).not(), () => c.return(zero));
      c.result(c.parameter(0).op(`${type}.div_u`, type, c.parameter(1)));
    }
    {
      // The smallest number by -1 gives itself; dividing by -1 as a negation keeps Wasm from trapping there.
      const c = new Code(library.define(`signedDivide${bits}`, [type, type], [type]));
      c.if(c.parameter(1).not(), () => c.return(zero));
      c.if(c.parameter(1).eq(minusOne), () => c.return(zero.sub(c.parameter(0))));
      c.result(c.parameter(0).op(`${type}.div_s`, type, c.parameter(1)));
    }
  }

  {
    const c = new Code(library.define("multiplyHighUnsigned", ["i64", "i64"], ["i64"]));
    const half = (value: Value) => [c.let(value.and(0xffffffff)), c.let(value.shrU(32))] as const;
    const [aLow, aHigh] = half(c.parameter(0)), [bLow, bHigh] = half(c.parameter(1));
    const middle = c.let(aHigh.mul(bLow).add(aLow.mul(bLow).shrU(32)));
    const cross = c.let(aLow.mul(bHigh).add(middle.and(0xffffffff)));
    c.result(aHigh.mul(bHigh).add(middle.shrU(32)).add(cross.shrU(32)));
  }
  {
    const c = new Code(library.define("multiplyHighSigned", ["i64", "i64"], ["i64"]));
    const a = c.parameter(0), b = c.parameter(1);
    const unsigned = c.call(library.named("multiplyHighUnsigned"), a, b);
    c.result(unsigned.sub(a.shrS(63).and(b)).sub(b.shrS(63).and(a)));
  }

  {
    const c = new Code(library.define("reverseBits", ["i64"], ["i64"]));
    const value = c.parameter(0);
    for (
      const [shift, mask] of [[1, 0x5555555555555555n], [2, 0x3333333333333333n], [4, 0x0f0f0f0f0f0f0f0fn], [8, 0x00ff00ff00ff00ffn], [
        16,
        0x0000ffff0000ffffn,
      ]] as const
    ) {
      c.set(value, value.shrU(shift).and(mask).or(value.and(mask).shl(shift)));
    }
    c.result(value.op("i64.rotl", "i64", 32));
  }

  // (crc, data, bytes) -> crc. Eight steps a byte by carry-less arithmetic on masks; no table has to be kept in memory.
  for (const [name, polynomial] of [["crc32", CRC32], ["crc32c", CRC32C]] as const) {
    const c = new Code(library.define(name, ["i32", "i64", "i32"], ["i32"]));
    const crc = c.parameter(0), data = c.parameter(1), bytes = c.parameter(2);
    c.doWhile(() => {
      c.set(crc, crc.xor(data.wrap().and(0xff)));
      for (let bit = 0; bit < 8; bit++) c.set(crc, crc.shrU(1).xor(constant("i32", 0).sub(crc.and(1)).and(polynomial)));
      c.set(data, data.shrU(8));
      c.set(bytes, bytes.sub(1));
    }, () => bytes);
    c.result(crc);
  }
}
