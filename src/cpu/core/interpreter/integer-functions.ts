// Integer operations of A64 that take more than a few Wasm instructions: functions that the
// semantics call by name.

import { CRC_TABLES, CRC_TABLES_SIZE } from "../state/layout.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { hasWideMultiplication } from "../wasm/wide-multiplication.ts";

/** The two checksums; polynomials with their bits reversed. */
const CRC_POLYNOMIALS = [{ name: "crc32", polynomial: 0xedb88320 }, { name: "crc32c", polynomial: 0x82f63b78 }] as const;

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
      // The smallest number by -1 gives itself; dividing by -1 as a negation keeps Wasm from
      // trapping there.
      const c = new Code(library.define(`signedDivide${bits}`, [type, type], [type]));
      c.if(c.parameter(1).not(), () => c.return(zero));
      c.if(c.parameter(1).eq(minusOne), () => c.return(zero.sub(c.parameter(0))));
      c.result(c.parameter(0).op(`${type}.div_s`, type, c.parameter(1)));
    }
  }

  if (hasWideMultiplication()) {
    for (const [name, product] of [["multiplyHighUnsigned", "i64.mul_wide_u"], ["multiplyHighSigned", "i64.mul_wide_s"]]) {
      const f = library.define(name, ["i64", "i64"], ["i64"]), high = f.local("i64");
      f.get(0).get(1).op(product).set(high).op("drop").get(high);
    }
  } else defineHighMultiplication(library);

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

  // (crc, data, bytes) -> crc. Eight bytes go through eight tables at once.
  CRC_POLYNOMIALS.forEach(({ name }, index) => {
    const tables = CRC_TABLES + index * CRC_TABLES_SIZE / 2;
    const c = new Code(library.define(name, ["i32", "i64", "i32"], ["i32"]));
    const crc = c.parameter(0), data = c.parameter(1), bytes = c.parameter(2);
    const lookup = (table: number, byte: Value) => c.load("i32.load", byte.shl(2), tables + 1024 * table);
    c.if(bytes.eq(8), () => {
      const mixed = c.let(data.xor(crc.wide()));
      const [low, high] = [c.let(mixed.wrap()), c.let(mixed.shrU(32).wrap())];
      const byte = (i: number) => (i < 4 ? low : high).shrU(8 * (i & 3)).and(0xff);
      c.return([0, 1, 2, 3, 4, 5, 6, 7].map((i) => lookup(7 - i, byte(i))).reduce((a, b) => a.xor(b)));
    });
    c.doWhile(() => {
      c.set(crc, crc.shrU(8).xor(lookup(0, crc.xor(data.wrap()).and(0xff))));
      c.set(data, data.shrU(8));
      c.set(bytes, bytes.sub(1));
    }, () => bytes);
    c.result(crc);
  });
}

/** The high half of a product, by halves of the factors. */
function defineHighMultiplication(library: Library): void {
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
}

/**
 * Fills the tables that CRC32 and CRC32C look up: `table[k]` is the CRC of a byte with k zero bytes
 * after it.
 */
export function writeCrcTables(memory: WebAssembly.Memory): void {
  CRC_POLYNOMIALS.forEach(({ polynomial }, index) => {
    const tables = new Uint32Array(memory.buffer, CRC_TABLES + index * CRC_TABLES_SIZE / 2, 8 * 256);
    for (let byte = 0; byte < 256; byte++) {
      let crc = byte;
      for (let bit = 0; bit < 8; bit++) crc = crc >>> 1 ^ (crc & 1 ? polynomial : 0);
      tables[byte] = crc;
    }
    for (let i = 256; i < tables.length; i++) tables[i] = tables[i - 256] >>> 8 ^ tables[tables[i - 256] & 0xff];
  });
}
