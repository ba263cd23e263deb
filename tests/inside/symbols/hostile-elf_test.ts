// ELF files of strangers: names and symbols that would cost the square of the file.

import assert from "node:assert/strict";
import { compactSymbols, readElfSymbols, writeElfSymbols } from "../../../src/inside/symbols/elf-symbols.ts";
import { type GuestSymbol, isCode, type SymbolList, SymbolTable } from "../../../src/inside/symbols/symbol-table.ts";
import { firstIndex } from "../../../src/kit/support/values/in-order.ts";
import { Work } from "../../../src/kit/support/values/work.ts";

/** A file with `count` symbols, each of which is a name in `strings` from its own number on. */
function fileOf(count: number, strings: Uint8Array): Uint8Array {
  const file = writeElfSymbols(Array.from({ length: count }, (_, index) => ({ name: "", type: "T", address: BigInt(index) })));
  const view = new DataView(file.buffer), sections = Number(view.getBigUint64(40, true));
  const joined = new Uint8Array(file.length + strings.length), out = new DataView(joined.buffer);
  joined.set(file);
  joined.set(strings, file.length);
  for (let at = sections; at < file.length; at += 64) {
    // The string table is the new part.
    if (view.getUint32(at + 4, true) !== 3 || out.getBigUint64(at + 32, true) > BigInt(count + 1)) continue;
    out.setBigUint64(at + 24, BigInt(file.length), true);
    out.setBigUint64(at + 32, BigInt(strings.length), true);
    break;
  }
  for (let index = 1; index <= count; index++) out.setUint32(64 + 24 * index, index, true);
  return joined;
}

function stepsOf(file: Uint8Array, refusal: RegExp): number {
  const before = Work.spent;
  assert.throws(() => readElfSymbols(file), refusal);
  assert.equal(compactSymbols(file), undefined);
  return Work.spent - before;
}

Deno.test("a name without an end is refused after 4 KiB", () => {
  assert.ok(stepsOf(fileOf(2000, new Uint8Array(100_000).fill(0x61)), /an ELF name at 1 has more than 4096 bytes/) < 20_000);
});

Deno.test("names that are parts of each other are refused when they are longer than their table explains", () => {
  const strings = new Uint8Array(100_000).fill(0x61);
  for (let at = 4095; at < strings.length; at += 4096) strings[at] = 0;
  assert.ok(stepsOf(fileOf(20_000, strings), /ELF names have more than 1448576 bytes; their string table has 100000/) < 4e6);
});

Deno.test("symbols that are in turn code and data keep their sections, up to what a file has", () => {
  const inTurn = (count: number): GuestSymbol[] =>
    Array.from({ length: count }, (_, index) => ({ name: `s${index}`, type: index % 2 ? "B" : "T", address: BigInt(0x1000 + 16 * index) }));
  const some = inTurn(20_000);
  assert.deepEqual(readElfSymbols(writeElfSymbols(some)), some);
  assert.throws(() => writeElfSymbols(inTurn(70_000)), /in turn of code and of data, more than 65024 times/);
});

Deno.test("many symbols at one address do not make a look-up longer", () => {
  const symbols = Array.from({ length: 200_000 }, (_, index): GuestSymbol => ({ name: `s${index}`, type: "T", address: 0x1000n }));
  let read = 0;
  const readSymbol = (index: number) => (read++, symbols[index]);
  const list: SymbolList = {
    length: symbols.length,
    address: (index) => readSymbol(index).address,
    after: (address) => firstIndex(symbols.length, (index) => readSymbol(index).address > address),
    isCode: (index) => isCode(readSymbol(index).type),
    symbol: readSymbol,
    find: () => undefined,
  };
  const table = new SymbolTable(list, "test");
  for (let round = 0; round < 100; round++) assert.equal(table.nameOf(0x1004n), "s0+0x4");
  assert.ok(read < 3 * symbols.length, `${read} symbols were read`);
});
