// The code of kernel modules in a run that is counted or sampled. A kernel loads a module anywhere,
// again at another place, and frees the code that initialized it: other code is there later. So
// each build of a module has its own place here, for its counts wherever it was.

import type { CountedPage } from "../../../cpu/core/interface.ts";
import type { DebugInfo } from "../../../inside/symbols/debug-info.ts";
import type { LoadedSymbols } from "../../../inside/symbols/module-file.ts";
import { type ModulePart, partAt, SymbolTable } from "../../../inside/symbols/symbol-table.ts";
import type { VmSymbols } from "../../../inside/symbols/vm-symbols.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { hashOfBytes } from "../../../kit/support/values/word-hash.ts";
import { type ExecutedBlock, executedBlocks } from "./executed.ts";

/**
 * Places of builds: at addresses that no CPU has (`isNowhere` has others). The same build has the
 * same place in each run.
 */
const PLACES = 0x00e0_0000_0000_0000n, PLACES_COUNT = 1 << 16, PLACE_BITS = 36n, PART_BITS = 32n;
/** Builds of one VM whose code is told apart. */
const BUILDS_MAX = 1024;
const PAGE = BigInt(PAGE_SIZE), WORD = 4n;

export interface CodeNames {
  readonly tables: readonly SymbolTable[];
  readonly infos: readonly DebugInfo[];
  /** Code that was counted elsewhere than where it is named (`ModuleCode`), and where it was. */
  readonly pages: readonly CountedPage[];
  readonly blocks: readonly ExecutedBlock[];
}

/** A core that counts. */
interface Counters {
  takeExecuted(vm: string, start: bigint, end: bigint): readonly CountedPage[];
}

/** A build of a module. */
interface Build {
  readonly place: bigint;
  /** Its parts as they were loaded, with those that are freed later. */
  loaded: LoadedSymbols;
  /** The same at its place. */
  placed: LoadedSymbols;
  /** By address there. */
  readonly pages: Map<bigint, CountedPage>;
}

interface OfVm {
  readonly builds: Map<string, Build>;
  modules: readonly LoadedSymbols[];
  readonly blocks: ExecutedBlock[];
}

const partsOf = ({ table }: Pick<LoadedSymbols, "table">): readonly ModulePart[] => table.module?.parts ?? [];

export class ModuleCode {
  readonly #vms = new Map<string, OfVm>();

  /** @param counters of the core, if it counts */
  constructor(readonly symbols: Pick<VmSymbols, "placedModule">, readonly counters?: Counters) {}

  /** The modules that a VM's kernel has now. Counts of others are theirs. */
  now(vm: string, modules: readonly LoadedSymbols[]): void {
    const of = this.#of(vm), before = of.modules;
    if (modules === before) return;
    for (const one of before) if (!modules.includes(one)) this.#take(vm, of, one);
    of.modules = modules;
    for (const one of modules) if (!before.includes(one)) note(of, one);
  }

  /** The same address within the place that the module's build has here. */
  addressOf(vm: string, address: bigint): bigint {
    const of = this.#vms.get(vm);
    for (const one of of?.modules ?? []) {
      const part = partAt(partsOf(one), address), build = part && of?.builds.get(keyOf(one));
      if (part && build) return placeOf(build.place, partsOf(one).indexOf(part)) + (address - part.start);
    }
    return address;
  }

  /** Names and counts of all modules that the VM has had. */
  namesOf(vm: string): CodeNames {
    const of = this.#of(vm), builds = [...of.builds.values()];
    for (const one of of.modules) this.#take(vm, of, one);
    const files = builds.map(({ placed }) => this.symbols.placedModule(vm, placed));
    return {
      tables: builds.map(({ placed: { table } }, index) => files[index]?.table ?? table),
      infos: files.flatMap((file) => file?.info ?? []),
      pages: builds.flatMap(({ pages }) => [...pages.values()]),
      blocks: of.blocks,
    };
  }

  #of(vm: string): OfVm {
    let of = this.#vms.get(vm);
    if (!of) this.#vms.set(vm, of = { builds: new Map(), modules: [], blocks: [] });
    return of;
  }

  #take(vm: string, { builds, blocks }: OfVm, module: LoadedSymbols): void {
    const build = builds.get(keyOf(module));
    if (!build || !this.counters) return;
    for (const [index, { start, end }] of partsOf(module).entries()) {
      const place = placeOf(build.place, index);
      for (const taken of this.counters.takeExecuted(vm, start, end)) {
        for (const block of executedBlocks(taken)) blocks.push(block);
        add(build.pages, taken, place + (taken.address - start));
      }
    }
  }
}

const keyOf = ({ table, buildId }: LoadedSymbols) => `${table.module?.name} ${buildId ?? partsOf({ table }).length}`;

const placeOf = (place: bigint, part: number): bigint => place + (BigInt(part) << PART_BITS);

/** Gives a build its place. */
function note({ builds }: OfVm, loaded: LoadedSymbols): void {
  const key = keyOf(loaded), known = builds.get(key);
  if (known && partsOf(known.loaded).length >= partsOf(loaded).length || !known && builds.size >= BUILDS_MAX) return;
  const taken = new Set([...builds.values()].map(({ place }) => place));
  let number = hashOfBytes(new TextEncoder().encode(key)) % PLACES_COUNT;
  const at = () => PLACES + (BigInt(number) << PLACE_BITS);
  while (!known && taken.has(at())) number = (number + 1) % PLACES_COUNT;
  const place = known?.place ?? at(), placed = placedAt(loaded, place);
  if (known) Object.assign(known, { loaded, placed });
  else builds.set(key, { place, loaded, placed, pages: new Map() });
}

/** A module with all addresses at a place. */
function placedAt({ table, buildId, sections }: LoadedSymbols, place: bigint): LoadedSymbols {
  const { name = "", parts = [] } = table.module ?? {};
  const moved = (address: bigint): bigint | undefined => {
    const part = partAt(parts, address);
    return part && placeOf(place, parts.indexOf(part)) + (address - part.start);
  };
  const placed = parts.map(({ start, end }, index) => ({ start: placeOf(place, index), end: placeOf(place, index) + (end - start) }));
  const symbols = table.symbols.flatMap((symbol) => {
    const address = moved(symbol.address);
    return address === undefined ? [] : [{ ...symbol, address }];
  });
  const all = Array.from(sections, ([section, address]) => [section, moved(address)] as const);
  return {
    table: new SymbolTable(symbols, table.source, { name, parts: placed }),
    buildId,
    sections: new Map(all.filter((one): one is readonly [string, bigint] => one[1] !== undefined)),
  };
}

/** Adds counts to the pages at an address. */
function add(pages: Map<bigint, CountedPage>, { vm, counts, departures, conditional }: CountedPage, at: bigint): void {
  for (let index = 0; index < counts.length; index++) {
    if (counts[index] === 0) continue;
    const address = at + BigInt(index) * WORD, start = address - address % PAGE, word = Number((address - start) / WORD);
    let page = pages.get(start);
    if (!page) {
      const length = PAGE_SIZE / Number(WORD);
      page = {
        vm,
        address: start,
        counts: new Float64Array(length),
        departures: new Float64Array(length),
        conditional: new Uint8Array(length),
      };
      pages.set(start, page);
    }
    page.counts[word] += counts[index];
    page.departures[word] += departures[index];
    page.conditional[word] |= conditional[index];
  }
}
