// Names for the counts of executed instructions (core/execution-counts.ts): functions by symbols,
// lines by debug information.

import type { CountedPage } from "../../core/interface.ts";
import type { LineRange } from "../../symbols/debug-info.ts";
import { isCode } from "../../symbols/symbol-table.ts";
import { placeIn } from "../../symbols/vm-symbols.ts";
import { node } from "../../support/node-modules.ts";
import { PAGE_SIZE } from "../../support/sizes.ts";
import type { CodeNames } from "./code-names.ts";
import { type ExecutedFunction, type ExecutedLine, type ExecutedVm, joined } from "./executed.ts";

const WORD = 4n, PAGE = BigInt(PAGE_SIZE);

/** The executed code, by VM. */
export function readExecuted(pages: readonly CountedPage[], names: (vm: string) => CodeNames): ExecutedVm[] {
  const byVm = Map.groupBy(pages, ({ vm }) => vm);
  return Array.from(byVm, ([vm, pages]) => new VmReader(vm, pages, names(vm)).read());
}

/** The function that an address belongs to, up to the next symbol. */
interface Place {
  readonly start: bigint;
  readonly end: bigint;
  readonly executed: ExecutedFunction;
}

class VmReader {
  readonly #pages: ReadonlyMap<bigint, CountedPage>;
  readonly #executed: ExecutedVm;
  #place: Place | undefined;
  #range: LineRange | undefined;

  constructor(readonly vm: string, pages: readonly CountedPage[], readonly names: CodeNames) {
    this.#pages = new Map([...pages].sort((a, b) => a.address < b.address ? -1 : 1).map((page) => [page.address, page]));
    this.#executed = { vm, instructions: 0, functions: new Map(), files: new Map(), blocks: [] };
  }

  read(): ExecutedVm {
    const executed = this.#executed;
    this.#readLines();
    for (const { symbols } of this.names.tables) {
      for (const { name, address, type } of symbols) if (isCode(type)) this.#function(name, address);
    }
    const blocks: { address: bigint; size: number }[] = [];
    for (const page of this.#pages.values()) {
      page.counts.forEach((count, index) => {
        if (count === 0) return;
        const address = page.address + BigInt(4 * index);
        executed.instructions += count;
        blocks.push({ address, size: Number(WORD) });
        this.#countIn(address, count);
        this.#countLine(address, count, page, index);
      });
    }
    executed.blocks = joined(blocks);
    return executed;
  }

  #function(name: string, address: bigint): ExecutedFunction {
    const known = this.#executed.functions.get(address);
    if (known) return known;
    const line = this.#lineAt(address);
    const made = {
      name,
      address,
      file: line && node.path.posix.normalize(line.file),
      line: line?.line,
      calls: this.#executions(address),
      instructions: 0,
    };
    this.#executed.functions.set(address, made);
    return made;
  }

  #countIn(address: bigint, count: number): void {
    const last = this.#place;
    const place = last && address >= last.start && address < last.end ? last : this.#place = this.#placeOf(address);
    if (place) place.executed.instructions += count;
  }

  #placeOf(address: bigint): Place | undefined {
    const found = placeIn(this.names.tables, address);
    if (!found) return undefined;
    const { symbol: { name, address: start } } = found;
    const ends = this.names.tables.map((table) => table.next(address)).filter((end) => end !== undefined);
    return { start: address, end: ends.reduce((a, b) => a < b ? a : b, address + PAGE), executed: this.#function(name, start) };
  }

  /**
   * Every line that has code, with its executions: those of its most frequent statement, summed
   * over the functions that have the line, as a header's may be in several. A statement's first
   * instruction counts: code that belongs to no line may follow it.
   */
  #readLines(): void {
    const { tables, infos } = this.names, most = new Map<ExecutedLine, Map<bigint, number>>();
    for (const info of infos) {
      for (const { file, line: number, statement, start } of info.lines()) {
        if (!statement || number === 0) continue;
        // Of several rows at one address, the others have no code.
        const own = info.lineAt(start);
        if (own?.line !== number || own.file !== file) continue;
        const line = this.#line(file, number), inside = placeIn(tables, start)?.symbol.address ?? 0n;
        let byFunction = most.get(line);
        if (!byFunction) most.set(line, byFunction = new Map());
        byFunction.set(inside, Math.max(byFunction.get(inside) ?? 0, this.#executions(start)));
      }
    }
    for (const [line, byFunction] of most) line.executions = [...byFunction.values()].reduce((sum, count) => sum + count, 0);
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
