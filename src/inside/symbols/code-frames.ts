// Call frame information of functions whose symbols are known and which no file describes.

import { type FrameDescription, frameInstructions, type FrameRange } from "../../kit/formats/dwarf/frame-writer.ts";
import { FrameRegister, type FrameRow } from "../../kit/formats/dwarf/frames.ts";
import { KiB } from "../../kit/support/values/sizes.ts";
import { type CodePiece, type CodeRow, FrameAnalysis } from "./code-analysis.ts";
import { isCode, type SymbolTable } from "./symbol-table.ts";
import type { ReadGuest } from "../expressions/values.ts";
import type { FrameRules } from "./unwind.ts";

/** Larger gaps between symbols are not functions. */
const FUNCTION_MAX = BigInt(256 * KiB);
/** Bytes of a table's last function, whose end is unknown. */
const LAST_SIZE = BigInt(4 * KiB);
const INSTRUCTION = 4n;
/** The part of a function that a compiler puts elsewhere, as it is executed rarely. */
const COLD = /^(.+)\.cold(\.\d+)?$/;
const { X29, X30 } = FrameRegister;

/** The rules of a frame record, where nothing better is known. */
const BY_POINTER: FrameRow = {
  cfa: { register: X29, offset: 16n },
  rules: new Map([[X29, { kind: "offset", offset: -16n }], [X30, { kind: "offset", offset: -8n }]]),
  returns: X30,
  signal: false,
  signed: false,
};

/** The code between two symbols. */
interface CodeRange {
  readonly name: string;
  readonly start: bigint;
  readonly end: bigint;
}

/** Rules from the instructions of functions. */
export class CodeFrames implements FrameRules {
  /** By start: a stack has several frames of one function. */
  readonly #known = new Map<bigint, FrameAnalysis | undefined>();

  /** @param read memory that does not change in the life of this object */
  constructor(readonly tables: readonly SymbolTable[], readonly read: ReadGuest) {}

  /** The rules at an address; undefined if only the frame pointer can tell. */
  at(address: bigint): FrameRow | undefined {
    for (const table of this.tables) {
      const range = rangeAt(table, address);
      if (!range) continue;
      if (!this.#known.has(range.start)) this.#known.set(range.start, this.#analyze(table, range));
      return this.#known.get(range.start)?.at(address);
    }
    return undefined;
  }

  /**
   * All functions by address, but for those that are described otherwise.
   * @param described whether an address has other rules
   */
  *all(described: (address: bigint) => boolean): Generator<FrameDescription> {
    const seen = new Set<bigint>();
    for (const table of this.tables) {
      for (const { address, type } of table.symbols) {
        if (!isCode(type) || seen.has(address)) continue;
        seen.add(address);
        const range = rangeAt(table, address);
        if (!range || described(address)) continue;
        const rows = this.#analyze(table, range)?.rows().filter(({ start }) => start >= range.start && start < range.end);
        yield* describe(rows ?? [{ start: range.start, row: undefined }], range.end);
      }
    }
  }

  /** The function of a range, which is its last piece. */
  #analyze(table: SymbolTable, range: CodeRange): FrameAnalysis | undefined {
    const piece = this.#piece(range), cold = COLD.exec(range.name);
    if (!piece) return undefined;
    if (!cold) return new FrameAnalysis([piece]);
    const symbol = table.find(cold[1]), whole = symbol && rangeAt(table, symbol.address), first = whole && this.#piece(whole);
    return first && new FrameAnalysis([first, piece]);
  }

  #piece({ start, end }: CodeRange): CodePiece | undefined {
    const size = Number((end - start) / INSTRUCTION), bytes = this.read(start, 4 * size);
    if (!bytes || size === 0) return undefined;
    return { start, words: new Uint32Array(bytes.slice().buffer) };
  }
}

function rangeAt(table: SymbolTable, address: bigint): CodeRange | undefined {
  const { symbol } = table.at(address) ?? {};
  if (!symbol || !isCode(symbol.type) || symbol.address % INSTRUCTION) return undefined;
  const start = symbol.address, end = table.next(start) ?? start + LAST_SIZE;
  return end - start <= FUNCTION_MAX ? { name: symbol.name, start, end } : undefined;
}

/** A description for each run of rows that are alike in what descriptions say for all of them. */
function* describe(rows: readonly CodeRow[], end: bigint): Generator<FrameDescription> {
  const whole = rows.map(({ start, row }) => ({ start, row: row ?? BY_POINTER }));
  for (let first = 0; first < whole.length;) {
    const { start, row: { signal, returns } } = whole[first];
    let next = first + 1;
    while (next < whole.length && whole[next].row.signal === signal && whole[next].row.returns === returns) next++;
    const range: FrameRange = { start, end: whole[next]?.start ?? end, rows: whole.slice(first, next) };
    yield { start, size: Number(range.end - start), signal, returns, instructions: frameInstructions(range) };
    first = next;
  }
}
