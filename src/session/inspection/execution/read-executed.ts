// Names for the counts of executed instructions (cpu/core/execution-counts.ts): functions by
// symbols, lines by debug information.

import type { CountedPage } from "../../../cpu/core/interface.ts";
import type { LineRange } from "../../../inside/symbols/debug-info.ts";
import { type GuestSymbol, nameWithModule } from "../../../inside/symbols/symbol-table.ts";
import { placeIn } from "../../../inside/symbols/vm-symbols.ts";
import { node } from "../../../kit/support/node-modules.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { executedBlocks, type ExecutedFunction, type ExecutedLine, type ExecutedVm, joined } from "./executed.ts";
import type { CodeNames } from "./module-code.ts";

const WORD = 4n, PAGE = BigInt(PAGE_SIZE);

/** Which parts of the executed code are wanted besides counts. */
export interface ExecutedParts {
  /** Functions that were not executed. */
  readonly unexecuted: boolean;
  readonly blocks: boolean;
}

/** The executed code, by VM. */
export function readExecuted(
  pages: readonly CountedPage[],
  names: (vm: string) => CodeNames,
  parts: ExecutedParts = { unexecuted: true, blocks: true },
): ExecutedVm[] {
  const byVm = Map.groupBy(pages, ({ vm }) => vm);
  return Array.from(byVm, ([vm, pages]) => new VmReader(vm, pages, names(vm)).read(parts));
}

/** The most executions of a line by the functions that have it. */
type LineCounts = Map<ExecutedLine, Map<bigint, number>>;

class VmReader {
  /** By address, ascending. */
  readonly #pages: ReadonlyMap<bigint, CountedPage>;
  readonly #executed: ExecutedVm;
  #range: LineRange | undefined;

  constructor(readonly vm: string, readonly own: readonly CountedPage[], readonly names: CodeNames) {
    this.#pages = new Map([...own, ...names.pages].sort((a, b) => a.address < b.address ? -1 : 1).map((page) => [page.address, page]));
    this.#executed = { vm, instructions: 0, functions: new Map(), unexecuted: new BigUint64Array(), files: new Map(), blocks: [] };
  }

  read(parts: ExecutedParts): ExecutedVm {
    const executed = this.#executed;
    this.#readLines();
    for (const page of this.#pages.values()) this.#count(page);
    if (parts.unexecuted) this.#readUnexecuted();
    if (parts.blocks) executed.blocks = joined([...this.own.flatMap(executedBlocks), ...this.names.blocks]);
    return executed;
  }

  #readUnexecuted(): void {
    const { functions } = this.#executed, unexecuted: bigint[] = [], { tables, infos } = this.names;
    for (const table of tables) {
      let last: bigint | undefined;
      for (let index = 0; index < table.size; index++) {
        if (!table.isCodeAt(index)) continue;
        const address = table.addressOf(index);
        if (address === last || functions.has(address)) continue;
        last = address;
        const isNamed = infos.length > 0 && this.#lineAt(address) !== undefined || tables.length > 1 && this.#executions(address) > 0;
        if (isNamed) this.#function(table.symbolAt(index));
        else unexecuted.push(address);
      }
    }
    this.#executed.unexecuted = BigUint64Array.from(tables.length > 1 ? new Set(unexecuted) : unexecuted);
  }

  #count(page: CountedPage): void {
    const { address: base, counts } = page, executed = this.#executed, hasLines = this.names.infos.length > 0;
    let place: ExecutedFunction | undefined, end = 0;
    for (let index = 0; index < counts.length; index++) {
      const count = counts[index];
      if (count === 0) continue;
      executed.instructions += count;
      const address = index >= end || hasLines ? base + BigInt(index) * WORD : 0n;
      if (index >= end) {
        place = this.#functionAt(address);
        end = this.#lastOf(base, address);
      }
      if (place) place.instructions += count;
      if (hasLines) this.#countLine(address, count, page, index);
    }
  }

  #function(symbol: GuestSymbol): ExecutedFunction {
    const { address } = symbol, known = this.#executed.functions.get(address);
    if (known) return known;
    const line = this.#lineAt(address);
    const made = {
      // A file tells which module's it is, too.
      name: line ? symbol.name : nameWithModule(symbol),
      address,
      file: line && node.path.posix.normalize(line.file),
      line: line?.line,
      calls: this.#executions(address),
      instructions: 0,
    };
    this.#executed.functions.set(address, made);
    return made;
  }

  /** The function that an address belongs to. */
  #functionAt(address: bigint): ExecutedFunction | undefined {
    const found = placeIn(this.names.tables, address);
    return found && this.#function(found.symbol);
  }

  /**
   * The index in a page of the first instruction that may belong to another symbol than an address.
   */
  #lastOf(base: bigint, address: bigint): number {
    const ends = this.names.tables.map((table) => table.next(address)).filter((end) => end !== undefined);
    return Number((ends.reduce((a, b) => a < b ? a : b, base + PAGE) - base + WORD - 1n) / WORD);
  }

  /**
   * Every line that has code, with its executions: those of its most frequent statement, summed
   * over the functions that have the line, as a header's may be in several. A statement's first
   * instruction counts: code that belongs to no line may follow it. Where compilers have mixed the
   * code of lines, one may have instructions and no statement: then those count.
   */
  #readLines(): void {
    const { tables, infos } = this.names, statements: LineCounts = new Map(), others: LineCounts = new Map();
    for (const info of infos) {
      for (const { file, line: number, statement, start } of info.lines()) {
        if (number === 0) continue;
        // Of several rows at one address, the others have no code.
        const own = info.lineAt(start);
        if (own?.line !== number || own.file !== file) continue;
        const line = this.#line(file, number), inside = placeIn(tables, start)?.symbol.address ?? 0n;
        const most = statement ? statements : others;
        let byFunction = most.get(line);
        if (!byFunction) most.set(line, byFunction = new Map());
        byFunction.set(inside, Math.max(byFunction.get(inside) ?? 0, this.#executions(start)));
      }
    }
    for (const [line, byFunction] of [...others, ...statements]) {
      line.executions = [...byFunction.values()].reduce((sum, count) => sum + count, 0);
    }
  }

  #countLine(address: bigint, count: number, { departures, conditional }: CountedPage, index: number): void {
    const range = this.#lineAt(address);
    if (!range || range.line === 0) return;
    const line = this.#line(range.file, range.line);
    line.instructions += count;
    if (conditional[index]) line.branches.set(address, { taken: departures[index], passed: Math.max(0, count - departures[index]) });
  }

  /** Compilers of several files may name one file in two ways, such as `a/../b.h`. */
  #line(path: string, number: number): ExecutedLine {
    const { files } = this.#executed, file = node.path.posix.normalize(path);
    let lines = files.get(file);
    if (!lines) files.set(file, lines = new Map());
    let line = lines.get(number);
    if (!line) lines.set(number, line = { executions: 0, instructions: 0, branches: new Map() });
    return line;
  }

  #executions(address: bigint): number {
    const offset = address % PAGE;
    return this.#pages.get(address - offset)?.counts[Number(offset / WORD)] ?? 0;
  }

  #lineAt(address: bigint): LineRange | undefined {
    const last = this.#range;
    if (last && address >= last.start && address < last.end) return last;
    for (const info of this.names.infos) {
      const range = info.lineAt(address);
      if (range) return this.#range = range;
    }
    return undefined;
  }
}
