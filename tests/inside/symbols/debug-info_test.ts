// Debug information of programs that gcc has built, with binutils' objdump as the oracle.

import assert from "node:assert/strict";
import { DebugInfo, samePath } from "../../../src/inside/symbols/debug-info.ts";
import { compactSymbols } from "../../../src/inside/symbols/elf-symbols.ts";
import { LineTable } from "../../../src/kit/formats/dwarf/line-table.ts";
import { debugSections } from "../../../src/kit/formats/dwarf/sections.ts";
import { readElfSections } from "../../../src/kit/formats/elf-sections.ts";
import { type BuildOptions, buildProgram, native, sourceOf, withTempFolder } from "../../session/debug/programs.ts";

const BUILDS: readonly BuildOptions[] = [
  { dwarf: 2, optimize: "-O0" },
  { dwarf: 3, optimize: "-O2" },
  { dwarf: 4, optimize: "-O1" },
  { dwarf: 5, optimize: "-O2", more: ["-ffunction-sections"] },
  { dwarf: 5, optimize: "-O1", more: ["-gdwarf64"] },
];

/** Rows of `objdump --dwarf=decodedline`: file, line, address, statement. */
async function rowsOfObjdump(file: string): Promise<string[]> {
  const text = await native("aarch64-linux-gnu-objdump", "--dwarf=decodedline", file);
  const rows: string[] = [];
  for (const [, name, line, address, statement] of text.matchAll(/^(\S+) +(\d+|-) +(0x[0-9a-f]+|0)(?: +\d+)?( +x)? *$/gm)) {
    if (line !== "-") rows.push(`${name}:${line} ${BigInt(address)} ${statement ? "x" : ""}`);
    // A row at the end of a sequence has no code.
    else if (rows.at(-1)?.split(" ")[1] === `${BigInt(address)}`) rows.pop();
  }
  return rows.sort();
}

for (const build of BUILDS) {
  const { dwarf, optimize, more = [] } = build;
  Deno.test(`the line table of gcc's DWARF ${dwarf} ${[optimize, ...more].join(" ")} is objdump's`, async () => {
    await withTempFolder(async (folder) => {
      const path = `${folder}/calls.elf`, file = await buildProgram("calls", path, build);
      const sections = debugSections(readElfSections(file)), rows: string[] = [];
      // One table after the other, each with its length in front.
      const lines = sections.bytes(".debug_line"), view = new DataView(lines.buffer, lines.byteOffset);
      for (let at = 0; at < lines.length;) {
        const wide = view.getUint32(at, true) === 0xffff_ffff;
        const table = new LineTable(sections, at, "");
        for (const { file, line, start, statement } of table.ranges()) {
          rows.push(`${file.slice(file.lastIndexOf("/") + 1)}:${line} ${start} ${statement ? "x" : ""}`);
        }
        at += wide ? 12 + Number(view.getBigUint64(at + 4, true)) : 4 + view.getUint32(at, true);
      }
      const expected = await rowsOfObjdump(path);
      assert.ok(expected.length > 40, `${expected.length} rows`);
      assert.deepEqual(rows.sort(), expected);
    });
  });

  Deno.test(`functions, lines and inlined functions of DWARF ${dwarf} ${[optimize, ...more].join(" ")} are found, also in a compacted file`, async () => {
    await withTempFolder(async (folder) => {
      const file = await buildProgram("calls", `${folder}/calls.elf`, build);
      for (const one of [file, compactSymbols(file)!]) {
        const info = DebugInfo.of(one)!;
        assert.ok(info.files().includes(sourceOf("calls")), info.files().join());
        const source = (await Deno.readTextFile(sourceOf("calls"))).split("\n");
        const lineOf = (text: string) => source.findIndex((line) => line.includes(text)) + 1;
        const total = lineOf("total += (uint64_t)value");
        const code = info.codeOf("programs/calls.c", total)!;
        assert.equal(code.line, total);
        assert.equal(code.addresses.length, 1);
        const scope = info.scopeAt(code.addresses[0])!;
        assert.equal(info.nameOf(scope.function), "leaf");
        assert.deepEqual(scope.inlined, []);
        // A line without code: the next one with code.
        assert.equal(info.codeOf("calls.c", lineOf("return value + 1") + 2)!.line > total, true);
        const ticks = info.codeOf("calls.c", lineOf("ticks++"))!;
        const inlined = ticks.addresses.map((address) => info.scopeAt(address)!).filter((one) => one.inlined.length);
        assert.ok(inlined.length > 0);
        for (const one of inlined) {
          assert.equal(info.nameOf(one.function), "area");
          assert.equal(info.nameOf(one.inlined[0]), "twice");
          assert.equal(info.callOf(one.inlined[0])?.line, lineOf("twice(product)"));
        }
        assert.equal(info.codeOf("other.c", 1), undefined);
        assert.equal(info.lineAt(0x1000n), undefined);
        assert.ok(info.frames!.size >= 5);
        assert.deepEqual(info.defects, []);
        samePlaces(info, DebugInfo.of(one, MOVED)!, code.addresses[0]);
      }
    });
  });
}

const MOVED = 0xffff_8000_1234_0000n;

/** A program that has moved has the same lines, functions, frames and variables elsewhere. */
function samePlaces(linked: DebugInfo, moved: DebugInfo, around: bigint): void {
  let functions = 0;
  for (let address = around - 0x400n; address < around + 0x400n; address += 4n) {
    const line = linked.lineAt(address);
    assert.deepEqual(
      moved.lineAt(address + MOVED),
      line && { ...line, start: line.start + MOVED, end: line.end + MOVED },
    );
    const before = linked.scopeAt(address), after = moved.scopeAt(address + MOVED);
    assert.deepEqual(after && moved.nameOf(after.function), before && linked.nameOf(before.function));
    assert.deepEqual([after?.inlined.length, after?.blocks.length], [before?.inlined.length, before?.blocks.length]);
    if (before) functions++;
    assert.deepEqual(moved.frames!.at(address + MOVED)?.cfa, linked.frames!.at(address)?.cfa);
  }
  assert.ok(functions > 20);
  assert.equal(moved.lineAt(around), undefined);
  const line = linked.lineAt(around)!;
  assert.deepEqual(moved.codeOf(line.file, line.line)!.addresses, linked.codeOf(line.file, line.line)!.addresses.map((at) => at + MOVED));
  assert.deepEqual(moved.defects, []);
}

Deno.test("paths are the same file where one ends with the other", () => {
  assert.ok(samePath("/src/linux/kernel/sched/core.c", "sched/core.c"));
  assert.ok(samePath("/build/./a/../b/x.c", "b/x.c"));
  assert.ok(samePath("C:\\src\\b\\x.c", "b/x.c"));
  assert.ok(!samePath("/src/a/x.c", "/src/b/x.c"));
  assert.ok(!samePath("/src/ax.c", "x.c"));
  assert.ok(!samePath("", "x.c"));
});
