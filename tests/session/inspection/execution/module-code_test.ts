// Counts of modules that are loaded again, at other places, whose initialization is freed, and
// whose memory another module has then.

import assert from "node:assert/strict";
import type { CountedPage } from "../../../../src/cpu/core/interface.ts";
import type { LoadedSymbols } from "../../../../src/inside/symbols/module-file.ts";
import { type ModulePart, SymbolTable } from "../../../../src/inside/symbols/symbol-table.ts";
import { ModuleCode } from "../../../../src/session/inspection/execution/module-code.ts";
import { readExecuted } from "../../../../src/session/inspection/execution/read-executed.ts";

const VM = "d", PAGE = 0x1000n;
const TEXT = 0xffff_8000_0100_0000n, OTHER_TEXT = 0xffff_8000_0105_0000n, INIT = 0xffff_8000_0200_0000n;

const partAt = (start: bigint): ModulePart => ({ start, end: start + PAGE });

/** A module with a function at 0x10 of its code, and one at 0x20 of its initialization. */
function module(name: string, text: bigint, init: bigint | undefined): LoadedSymbols {
  const parts = [partAt(text), ...init === undefined ? [] : [partAt(init)]];
  const symbols = [
    { name: `${name}_work`, address: text + 0x10n, type: "t", module: name },
    ...init === undefined ? [] : [{ name: `${name}_init`, address: init + 0x20n, type: "t", module: name }],
  ];
  return { table: new SymbolTable(symbols, `module ${name}`, { name, parts }), buildId: `build of ${name}`, sections: new Map() };
}

/** The counts of a core's pages. */
class Counts {
  readonly pages = new Map<bigint, CountedPage>();

  executed(address: bigint, count: number): void {
    const start = address - address % PAGE;
    let page = this.pages.get(start);
    if (!page) {
      page = {
        vm: VM,
        address: start,
        counts: new Float64Array(1024),
        departures: new Float64Array(1024),
        conditional: new Uint8Array(1024),
      };
      this.pages.set(start, page);
    }
    page.counts[Number(address - start) / 4] += count;
  }

  takeExecuted(_vm: string, start: bigint, _end: bigint): CountedPage[] {
    const page = this.pages.get(start);
    if (!page) return [];
    const taken = { ...page, counts: page.counts.slice() };
    page.counts.fill(0);
    return [taken];
  }
}

Deno.test("the code of a module counts as one wherever it was loaded, and is not another's", () => {
  const counts = new Counts(), modules = new ModuleCode({ placedModule: () => undefined }, counts);
  const loaded = (...now: LoadedSymbols[]) => modules.now(VM, now);

  loaded(module("scribe", TEXT, INIT));
  counts.executed(INIT + 0x20n, 1);
  counts.executed(TEXT + 0x10n, 3);
  const first = modules.addressOf(VM, TEXT + 0x14n);
  // Its initialization is over; another module begins where that was.
  loaded(module("scribe", TEXT, undefined), module("twin", OTHER_TEXT, INIT));
  counts.executed(INIT + 0x20n, 5);
  counts.executed(TEXT + 0x10n, 4);
  // It is unloaded, and loaded where nothing was; the other takes its place.
  loaded(module("twin", TEXT, undefined), module("scribe", OTHER_TEXT, INIT));
  counts.executed(INIT + 0x20n, 1);
  counts.executed(OTHER_TEXT + 0x10n, 10);
  counts.executed(TEXT + 0x10n, 100);
  assert.equal(modules.addressOf(VM, OTHER_TEXT + 0x14n), first);
  assert.notEqual(modules.addressOf(VM, TEXT + 0x14n), first);
  assert.equal(modules.addressOf(VM, 0x1000n), 0x1000n);
  assert.equal(modules.addressOf("other", TEXT), TEXT);
  // Code outside of modules.
  counts.executed(0xffff_8000_0000_0000n, 1000);

  const [{ instructions, functions, blocks }] = readExecuted([...counts.pages.values()], () => modules.namesOf(VM));
  assert.deepEqual([...functions.values()].map(({ name, calls }) => `${name} ${calls}`).sort(), [
    "scribe_init [scribe] 2",
    "scribe_work [scribe] 17",
    "twin_init [twin] 5",
    "twin_work [twin] 100",
  ]);
  assert.equal(instructions, 1124);
  // Blocks are where the code was.
  const places = [0xffff_8000_0000_0000n, TEXT + 0x10n, OTHER_TEXT + 0x10n, INIT + 0x20n];
  assert.deepEqual(blocks.map(({ address, size }) => [address, size]), places.map((address) => [address, 4]));
});
