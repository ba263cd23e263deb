// Object files of modules: placed, they have the symbols, lines and variables that the linker gives
// the same object at the same addresses.

import assert from "node:assert/strict";
import { DebugInfo } from "../../../src/inside/symbols/debug-info.ts";
import { FrameValues } from "../../../src/inside/symbols/guest-values.ts";
import { isModuleFile, readElfSymbols, symbolsAlone } from "../../../src/inside/symbols/elf-symbols.ts";
import { isNowhere, type LoadedSymbols, ModuleFile } from "../../../src/inside/symbols/module-file.ts";
import { SymbolTable } from "../../../src/inside/symbols/symbol-table.ts";
import { Random } from "../../support/random.ts";
import { withTempFolder } from "../../session/debug/programs.ts";
import { BSS, type Built, built, DATA, INIT, SOURCE, TEXT } from "./built-module.ts";

/** The module as a kernel has it that keeps the names of functions alone. */
function loadedOf({ linked }: Built, buildId: string | undefined, sections: LoadedSymbols["sections"] = new Map()): LoadedSymbols {
  const parts = [{ start: TEXT, end: BSS + 0x1000n }, { start: INIT, end: INIT + 0x1000n }];
  const symbols = readElfSymbols(linked).filter(({ type }) => type === "t" || type === "T");
  return { table: new SymbolTable(symbols, "module poke", { name: "poke", parts }), buildId, sections };
}

const linesOf = (info: DebugInfo | undefined) =>
  [...info?.lines() ?? []].map(({ file, line, start, end }) => `${file}:${line} ${start.toString(16)} ${end.toString(16)}`).sort();

Deno.test("a module's file, placed by the names that the kernel has, has the lines and symbols that the linker gives it there", async () => {
  await withTempFolder(async (folder) => {
    const files = await built(folder, SOURCE);
    assert.ok(isModuleFile(files.module));
    assert.deepEqual(symbolsAlone(files.module), files.module);
    const file = new ModuleFile(files.module, "poke.ko");
    assert.equal(file.name, "poke");
    assert.match(file.buildId ?? "", /^[0-9a-f]{40}$/);

    const sections = new Map([[".data", DATA], [".bss", BSS]]), loaded = loadedOf(files, file.buildId, sections);
    assert.ok(file.fits(loaded));
    const { table, info } = file.at(loaded), oracle = DebugInfo.of(files.linked);
    assert.deepEqual(linesOf(info), linesOf(oracle));
    assert.ok(linesOf(info).length > 8);
    for (const name of ["twice", "poke_write", "poke_init", "count", "total"]) {
      const expected = readElfSymbols(files.linked).find((one) => one.name === name);
      assert.equal(table.find(name)?.address, expected?.address, name);
      assert.equal(table.find(name)?.module, "poke");
    }
    const scope = info?.scopeAt(INIT);
    assert.equal(scope && info?.nameOf(scope.function), "poke_init");

    // Its initialization is over: that code has no address, and nothing is named there, though the
    // kernel still lists the section.
    const symbols = loaded.table.symbols.filter(({ name }) => name !== "poke_init");
    const later = {
      ...loaded,
      sections: new Map([...sections, [".init.text", INIT]]),
      table: new SymbolTable(symbols, "module poke", { name: "poke", parts: [{ start: TEXT, end: BSS + 0x1000n }] }),
    };
    const placed = file.at(later), line = SOURCE.split("\n").findIndex((text) => text.includes("poke_write(count)")) + 1;
    assert.ok(placed.info?.codeOf("poke.c", line)?.addresses.every(isNowhere));
    assert.equal(placed.info?.lineAt(INIT), undefined);
    assert.equal(placed.table.find("poke_init"), undefined);
    assert.equal(placed.info?.lineAt(TEXT)?.file.endsWith("poke.c"), true);
    // Nor has the text about the module, which is not loaded.
    const frame = { pc: TEXT, at: TEXT, by: "pc", registers: [], cfa: undefined, record: undefined, note: undefined } as const;
    const values = placed.info && new FrameValues(placed.info, frame, 0, () => undefined, () => undefined);
    const statics = values?.variables().filter(({ kind }) => kind === "static").map(({ name }) => name).sort();
    assert.deepEqual(statics, ["count", "total"]);
    assert.ok(file.unplaced.info?.codeOf("poke.c", line)?.addresses.length);
  });
});

Deno.test("a module's file is of one build: for another it does not fit", async () => {
  await withTempFolder(async (folder) => {
    const files = await built(folder, SOURCE), file = new ModuleFile(files.module, "poke.ko");
    const other = await built(folder, SOURCE.replace("value * count", "value + count"));
    const loaded = loadedOf(other, new ModuleFile(other.module, "other.ko").buildId);
    assert.deepEqual([file.isOf(loaded), file.fits(loaded)], [true, false]);
    assert.deepEqual([file.isOf(loadedOf(files, undefined)), file.fits(loadedOf(files, undefined))], [true, false]);
  });
});

Deno.test("a damaged file of a module is refused or has less: nothing fails otherwise, nothing loops", async () => {
  await withTempFolder(async (folder) => {
    const files = await built(folder, SOURCE), loaded = loadedOf(files, new ModuleFile(files.module, "poke.ko").buildId);
    const random = new Random(7);
    let whole = 0;
    for (let count = 0; count < 400; count++) {
      const bytes = files.module.slice();
      for (let change = random.below(4); change >= 0; change--) bytes[64 + random.below(bytes.length - 64)] = random.below(256);
      try {
        const { info } = new ModuleFile(bytes, "poke.ko").at(loaded);
        linesOf(info);
        whole++;
      } catch (error) {
        assert.ok(error instanceof Error && !(error instanceof TypeError || error instanceof RangeError), String(error));
      }
    }
    assert.ok(whole > 100);
  });
});
