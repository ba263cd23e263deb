import assert from "node:assert/strict";
import { compactSymbols, readElfSymbols, writeElfSymbols } from "../../../src/inside/symbols/elf-symbols.ts";
import { SymbolTable } from "../../../src/inside/symbols/symbol-table.ts";
import { runNative } from "../../support/oracles.ts";

const SYMBOLS = [
  { name: "start", type: "T", address: 0xffff_8000_0000_1000n },
  { name: "helper", type: "t", address: 0xffff_8000_0000_1010n },
  { name: "table", type: "B", address: 0xffff_8000_0000_2000n },
  { name: "later", type: "W", address: 0xffff_8000_0000_3000n },
  { name: "size", type: "A", address: 0x40n },
];

Deno.test("symbols that are written are read again, and binutils read the same", async () => {
  const file = writeElfSymbols(SYMBOLS);
  const byName = (a: { name: string }, b: { name: string }) => a.name < b.name ? -1 : 1;
  assert.deepEqual(readElfSymbols(file).sort(byName), [...SYMBOLS].sort(byName));
  const path = await Deno.makeTempFile({ suffix: ".elf" });
  try {
    await Deno.writeFile(path, file);
    const { code, stdout, stderr } = await runNative("aarch64-linux-gnu-objdump", ["-t", path]);
    assert.equal(code, 0, stderr);
    // Address, binding, kind, section, size, name.
    const flags: Record<string, string> = { T: "g     F", t: "l     F", B: "g     O", W: " w    F", A: "g     O" };
    for (const { name, type, address } of SYMBOLS) {
      const place = `${address.toString(16).padStart(16, "0")} ${flags[type]} `;
      assert.ok(stdout.split("\n").some((line) => line.startsWith(place) && line.endsWith(` ${name}`)), `${place}${name}\n${stdout}`);
    }
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a file that has no symbols, is cut or is for another machine says so", () => {
  const file = writeElfSymbols(SYMBOLS);
  assert.throws(() => readElfSymbols(file.subarray(0, 40)), /not an ELF file, or truncated in its header/);
  assert.throws(() => readElfSymbols(file.subarray(0, file.length - 10)), /ELF section headers are truncated/);
  const other = file.slice();
  other[18] = 62;
  assert.throws(() => readElfSymbols(other), /for machine 62, not AArch64/);
  const stripped = file.slice();
  new DataView(stripped.buffer).setUint16(60, 0, true);
  assert.throws(() => readElfSymbols(stripped), /no symbols; it was stripped/);
  assert.equal(compactSymbols(stripped), undefined);
  assert.equal(compactSymbols(Uint8Array.of(1, 2, 3)), undefined);
});

Deno.test("a table names addresses by the first symbol at or before them, and resolves names with offsets", () => {
  const table = new SymbolTable([...SYMBOLS, { name: "$x", type: "t", address: SYMBOLS[1].address }], "test");
  assert.equal(table.nameOf(SYMBOLS[0].address), "start");
  assert.equal(table.nameOf(SYMBOLS[1].address + 4n), "helper+0x4");
  assert.equal(table.nameOf(0x20n), undefined);
  assert.equal(table.nameOf(SYMBOLS[3].address + 0x10_0000n), undefined, "too far behind the last");
  assert.equal(table.resolve("helper+0x10"), SYMBOLS[1].address + 16n);
  assert.equal(table.resolve("helper"), SYMBOLS[1].address);
  assert.equal(table.resolve("nobody"), undefined);
});

Deno.test("an address has data by the assembler's marks; without marks, by the symbol that it belongs to", () => {
  const marks = [["$x", 0n], ["$d.1", 8n], ["$x", 16n], ["$d", 16n]] as const, [{ address: start }, , { address: end }] = SYMBOLS;
  const marked = new SymbolTable([...SYMBOLS, ...marks.map(([name, at]) => ({ name, type: "t", address: start + at }))], "test");
  assert.deepEqual([0n, 4n, 8n, 12n, 16n].map((at) => marked.isData(start + at)), [false, false, true, true, true]);
  const table = new SymbolTable(SYMBOLS, "test");
  assert.deepEqual([start, end, end + 8n, 0x20n].map((at) => table.isData(at)), [false, true, true, false]);
});

Deno.test("an object names its address, not the label that ends what is before it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const source = ".data\n.globl end, object\nend:\nobject: .word 0\n.type object, %object\n.size object, 4\n";
    await Deno.writeTextFile(`${folder}/a.S`, source);
    const { code, stderr } = await runNative("aarch64-linux-gnu-as", ["-o", `${folder}/a.o`, `${folder}/a.S`]);
    assert.equal(code, 0, stderr);
    const file = await Deno.readFile(`${folder}/a.o`), compact = compactSymbols(file) ?? assert.fail("no symbols");
    for (const bytes of [file, compact]) assert.equal(new SymbolTable(readElfSymbols(bytes), "test").nameOf(0n), "object");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
