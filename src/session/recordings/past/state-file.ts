// States of a recorded run in a file of the user's cache: the next replay begins with one of them
// and goes back to the others, instead of running from the start.
//
// The file has slots of a page. The first has a magic number, then come the pages of all states,
// each once, then the index: what each state changes in the one before it. The last bytes say where
// the index is. Checksums find accidents; nobody else can write to the cache.

import { decodeMemory, encodeMemory } from "../../assembly/system/run-memory.ts";
import { sameBytes } from "../../../kit/support/values/bytes.ts";
import { files } from "../../../kit/support/files/files.ts";
import { node } from "../../../kit/support/node-modules.ts";
import { readPart } from "../../../kit/support/files/open-file.ts";
import { decodePlain, encodePlain } from "../../../kit/support/values/plain-json.ts";
import { problemText } from "../../../kit/support/problem.ts";
import { GiB, MiB, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { unlessUnusable } from "../../../kit/support/files/unusable.ts";
import { warn } from "../../../kit/support/warn.ts";
import { FROM_START } from "../../snapshots/begin.ts";
import { SnapshotError } from "../../snapshots/file.ts";
import { Page, PageMap, type PageStore } from "../../state/page-map.ts";
import { SlotReader } from "../../state/slot-reader.ts";
import { type KeptMilestone, KeptState } from "./history.ts";
import type { RunMemory } from "../../assembly/system/system.ts";
import type { Moment } from "./past.ts";

const MAGIC = new TextEncoder().encode("EL2STATES/1\n");
/** The place of the index, its length and CRC-32. */
const TRAILER = 24;
/** Pages that are written at a time. */
const CHUNK = 256;
/** A page that is all zero now. */
const NO_SLOT = 0;

/** Files that the cache keeps, and their bytes together. */
const KEPT = 4, KEPT_BYTES = 4 * GiB;
/**
 * Least wall time (ms) of the run between two states, and its share of the way to the end. A run
 * that took no longer is as quick without them.
 */
export const NEAR = 1000;
const SHARE = 1 / 8;

/**
 * Bytes of pages that a file gets at the end of a session, which waits for it: written within a
 * second or so.
 */
const AT_END_BYTES = 512 * MiB;

/** A state as the index has it. */
interface IndexedState {
  readonly at: number;
  readonly instructions: number;
  readonly moment: Moment;
  readonly inputs: number;
  readonly spent: number;
  /** Compressed. */
  readonly fields: Uint8Array;
  readonly tlbs?: Uint8Array | undefined;
  readonly memory: Uint8Array | undefined;
  /** Changed pages and their slots, 32 bits each. */
  readonly changes: Uint8Array;
}

interface Index {
  readonly states: readonly IndexedState[];
  /** CRC-32 of each slot from the first page on. */
  readonly sums: Uint8Array;
}

/** A file of states that is damaged, or not one. */
class StateFileError extends SnapshotError {}

/**
 * The states that a file keeps: the nearer to the end of the run, the denser. Going back from there
 * is quick, and a run of hours takes some dozens.
 */
export function denserToEnd<T extends Pick<KeptMilestone, "spent">>(all: readonly T[]): T[] {
  const chosen: T[] = [], end = all.at(-1)?.spent ?? 0;
  for (const one of all.toReversed()) {
    const last = chosen.at(-1);
    if (!last || last.spent - one.spent >= Math.max(NEAR, SHARE * (end - one.spent))) chosen.push(one);
  }
  return chosen.reverse();
}

/** The last of these states, as many as a session can write at its end. */
export function writableAtEnd<T extends Pick<KeptMilestone, "state">>(states: readonly T[], limit = AT_END_BYTES): T[] {
  let bytes = 0, after = PageMap.EMPTY;
  const first = states.findLastIndex(({ state: { pages } }) => {
    for (const _ of pages.apartFrom(after)) bytes += PAGE_SIZE;
    after = pages;
    return bytes > limit;
  });
  return states.slice(first + 1);
}

/**
 * Writes states of a run, the earliest first, in pieces; each yields how many states are done. The
 * file gets its name when it is complete.
 * @throws Error if it cannot be written
 */
export function* writeStates(path: string, states: readonly KeptMilestone[]): Generator<number> {
  using file = files().whole(path, { durable: false, newest: KEPT, newestBytes: KEPT_BYTES });
  const first = new Uint8Array(PAGE_SIZE);
  first.set(MAGIC);
  file.write(first);
  const slots = new Map<Page, number>(), sums: number[] = [], indexed: IndexedState[] = [];
  let before = PageMap.EMPTY;
  for (const { at, instructions, moment, inputs, spent, state, memory } of states) {
    const changes: number[] = [];
    for (const [page, content] of state.pages.changesFrom(before)) {
      changes.push(page, content === undefined ? NO_SLOT : slots.get(content) ?? slots.set(content, slots.size + 1).size);
    }
    const fresh = [...slots.keys()].slice(sums.length);
    for (let index = 0; index < fresh.length; index += CHUNK) {
      const pages = fresh.slice(index, index + CHUNK), bytes = new Uint8Array(pages.length * PAGE_SIZE);
      for (const [place, page] of pages.entries()) {
        const content = page.bytes;
        bytes.set(content, place * PAGE_SIZE);
        sums.push(node.zlib.crc32(content));
      }
      file.write(bytes);
      yield indexed.length;
    }
    const packed = memory && new Uint8Array(node.zlib.deflateRawSync(encodeMemory(memory()), { level: 1 }));
    indexed.push({
      at,
      instructions,
      moment,
      inputs,
      spent,
      fields: state.packed,
      tlbs: state.packedTlbs,
      memory: packed,
      changes: wordsOf(changes),
    });
    before = state.pages;
  }
  const index = new TextEncoder().encode(encodePlain({ states: indexed, sums: wordsOf(sums) } satisfies Index));
  file.write(index);
  const trailer = new DataView(new ArrayBuffer(TRAILER));
  trailer.setFloat64(0, (sums.length + 1) * PAGE_SIZE, true);
  trailer.setFloat64(8, index.length, true);
  trailer.setUint32(16, node.zlib.crc32(index), true);
  file.write(new Uint8Array(trailer.buffer));
  file.commit();
}

/** The states of a file; none without one, and with a warning if it is damaged. */
export function openStates(path: string): StateFile | undefined {
  // Opening a pipe would wait for its writer.
  const file = unlessUnusable("a recording's states are not read", () => Deno.statSync(path).isFile ? Deno.openSync(path) : undefined);
  if (!file) return undefined;
  try {
    return new StateFile(path, file);
  } catch (error) {
    file.close();
    if (!(error instanceof StateFileError)) throw error;
    warn(`${problemText(error.problem)}; ${FROM_START}`);
    return undefined;
  }
}

const wordsOf = (words: readonly number[]) => new Uint8Array(Uint32Array.from(words).buffer);

/** Numbers that `wordsOf` made. */
function numbersOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.slice().buffer);
}

/** An open file of states. */
export class StateFile implements PageStore {
  readonly states: readonly KeptMilestone[];
  readonly #sums: Uint32Array;
  readonly #reader: SlotReader;

  /** @throws StateFileError; the system's error on the file */
  constructor(readonly path: string, readonly file: Deno.FsFile) {
    const { states, sums } = this.#index();
    this.#reader = new SlotReader(file);
    this.#sums = numbersOf(sums);
    const pages: Page[] = [];
    let map = PageMap.EMPTY;
    this.states = states.map(({ changes, fields, tlbs, memory, ...place }) => {
      const words = numbersOf(changes);
      map = map.with(Array.from({ length: words.length / 2 }, (_, index) => {
        const page = words[2 * index], slot = words[2 * index + 1];
        return [page, slot === NO_SLOT ? undefined : pages[slot] ??= Page.stored(this, slot)] as const;
      }));
      let known: RunMemory | undefined;
      const remembered = memory && (() => known ??= decodeMemory(node.zlib.inflateRawSync(memory)));
      return { ...place, state: new KeptState(fields, map, tlbs), ...remembered && { memory: remembered } };
    });
  }

  #index(): Index {
    const { size } = this.file.statSync(), trailer = readPart(this.file, Math.max(0, size - TRAILER), TRAILER);
    if (!sameBytes(readPart(this.file, 0, MAGIC.length), MAGIC) || trailer.length < TRAILER) this.#fail("not a file of states");
    const view = new DataView(trailer.buffer), at = view.getFloat64(0, true), length = view.getFloat64(8, true);
    if (at + length + TRAILER !== size) this.#fail("it is truncated");
    const bytes = readPart(this.file, at, length);
    if (node.zlib.crc32(bytes) !== view.getUint32(16, true)) this.#fail("a checksum is wrong");
    return decodePlain(new TextDecoder().decode(bytes)) as Index;
  }

  #fail(what: string): never {
    throw new StateFileError(`${this.path}: ${what}`);
  }

  /** @throws StateFileError if the page is damaged */
  read(slot: number): Uint8Array {
    const page = this.#reader.read(slot);
    if (page.length < PAGE_SIZE || node.zlib.crc32(page) !== this.#sums[slot - 1]) this.#fail(`page ${slot} is damaged`);
    return page;
  }
}
