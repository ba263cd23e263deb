// When a region is worth its translation: how hot the places are where one would begin, and how
// often the code of their pages changes.

import { DECODED_OWNERS } from "../state/layout.ts";
import type { CodeMemory, CodeView } from "./code/code-view.ts";
import type { Region } from "./changed-regions.ts";
import { Crowding } from "./crowding.ts";
import type { Block } from "./regions/region.ts";

/** When regions are compiled. */
export interface Hotness {
  /** Samples of a place that make it hot, whatever its size. */
  readonly samples: number;
  /**
   * Additional samples per instruction of the region: the time that the interpreter has spent at
   * the place must pay for translating it. 0 by default.
   */
  readonly price?: number;
  /** How often the interpreter has to land at a place (decoded/landings.ts). */
  readonly landings: number;
}

/** How hot a place is where a region would begin. */
interface Heat {
  samples: number;
  /** When the first was taken, in samples of the translator. */
  since: number;
  /** The region's instructions that are known so far. */
  size: number;
  /** Of `Hotness.landings` each. */
  landings: number;
}

const COLD: Readonly<Heat> = { samples: 0, since: 0, size: 0, landings: 0 };

/** A place where a region would begin, for an instruction that was sampled. */
export interface RegionPlace {
  readonly head: number;
  /** Address of the head's decoded instruction. */
  readonly decoded: number;
  readonly isLoop: boolean;
  readonly heat: Heat;
}

/** How much hotter a place can have to be because its page changes. */
const MOST_REWRITTEN = 64;

/** Places that are remembered. */
const PLACES_KEPT = 4096;

/**
 * A function that a hot region calls is compiled with it if it has this part of the samples that it
 * would need by itself, or no more instructions than this.
 */
const CALLEE_PART = 0.05, SMALL_CALLEE = 24;

/**
 * Samples after which a place must have the full price of its region: a place that gets hot sooner
 * will most likely be hot for longer.
 */
const HORIZON = 8000;

/** Instructions after a sample that are searched for the end of the loop around it. */
const LOOP_REACH = 256;

/** The heat of all places of a core. */
export class Heats {
  /** Samples that were taken, in slices of `Hotness`. */
  taken = 0;
  /** By the decoded instruction where a region would begin. */
  readonly #heats = new Map<number, Heat>();
  /**
   * By the address of the decoded instruction where a sample was taken; forgotten now and then, as
   * code changes.
   */
  readonly #places = new Map<number, RegionPlace>();
  /**
   * How often regions went because their code changed, by the address of the page: its next ones
   * have to be that much hotter.
   */
  readonly #rewritten = new Map<number, number>();
  readonly #crowding = new Crowding();

  constructor(readonly memory: CodeMemory, readonly hotness: Hotness) {}

  /** The heat at a decoded instruction. */
  at(decoded: number): Heat {
    let heat = this.#heats.get(decoded);
    if (!heat) {
      if (this.#heats.size >= PLACES_KEPT) {
        this.#heats.clear();
        this.#places.clear();
      }
      this.#heats.set(decoded, heat = { ...COLD });
    }
    return heat;
  }

  /** When the first sample was taken at a decoded instruction. */
  since(decoded: number): number {
    return this.#heats.get(decoded)?.since ?? 0;
  }

  /** A region begins there now. */
  cool(decoded: number): void {
    const heat = this.#heats.get(decoded);
    if (heat) Object.assign(heat, COLD);
  }

  /** The place for an instruction that was sampled before, by its decoded address. */
  known(decoded: number): RegionPlace | undefined {
    return this.#places.get(decoded);
  }

  /** The same for one that was not. */
  place(code: CodeView, at: number): RegionPlace {
    if (this.#places.size >= PLACES_KEPT) this.#places.clear();
    const { head, isLoop } = headFor(code, at), decoded = code.decodedAt(head);
    const place = { head, decoded, isLoop, heat: this.at(decoded) };
    // Of an instruction that was never executed it is not known yet whether it is in a loop.
    if (code.isKnown(at)) this.#places.set(code.decodedAt(at), place);
    return place;
  }

  /** How much hotter a decoded page has to be than one that stays and has room, by its index. */
  patience(page: number): number {
    return (1 + (this.#rewritten.get(this.#owner(page)) ?? 0)) * this.#crowding.factor(this.taken);
  }

  /** A region was made that begins at a decoded instruction. */
  made(head: number): void {
    this.#crowding.made(head);
  }

  /** Regions went to make room for others. */
  roomMade(regions: readonly Region[]): void {
    const { samples, price = 0 } = this.hotness, cost = regions.reduce((sum, { decoded }) => sum + samples + price * decoded.length, 0);
    this.#crowding.roomMade(regions.map(({ head }) => head), cost, this.taken);
  }

  /** Regions went because the code of a decoded page changed. */
  rewritten(page: number): void {
    const owner = this.#owner(page), count = this.#rewritten.get(owner) ?? 0;
    if (this.#rewritten.size >= PLACES_KEPT) this.#rewritten.clear();
    this.#rewritten.set(owner, Math.min(count + 1, MOST_REWRITTEN));
  }

  /** A region came back: code that alternates is worth translating. */
  restored(pages: Iterable<number>): void {
    for (const page of pages) this.#rewritten.delete(this.#owner(page));
  }

  #owner(page: number): number {
    return this.memory.words[(DECODED_OWNERS >> 2) + page];
  }

  /**
   * Whether the time spent at a place pays for a region of this many instructions, if other places
   * have to be hotter by `factor`.
   */
  pays(heat: Heat, instructions: number, factor: number): boolean {
    return heat.samples >= factor * this.#price(instructions, heat.since);
  }

  /** Samples that a region of this many instructions costs if the first was taken at `since`. */
  #price(instructions: number, since: number): number {
    const { samples, price = 0 } = this.hotness;
    return samples + price * instructions * Math.min(1, (this.taken - since) / HORIZON);
  }

  /**
   * Whether a function that a hot region calls is small, or has been seen often enough by itself
   * since the first sample of that region.
   */
  isWarm(code: CodeView, blocks: readonly Block[], count: number, since: number): boolean {
    if (!this.hotness.price || count <= SMALL_CALLEE) return true;
    const needed = CALLEE_PART * this.#price(count, since);
    let samples = 0;
    for (const { first, instructions } of blocks) {
      for (let at = first; at < first + instructions.length; at++) {
        const heat = this.#heats.get(code.decodedAt(at));
        if (heat && (samples += heat.samples) >= needed) return true;
      }
    }
    return false;
  }
}

/**
 * Where a region for an instruction would begin: the head of the innermost loop, or of straight
 * code.
 */
function headFor(code: CodeView, at: number): Pick<RegionPlace, "head" | "isLoop"> {
  let loop = -Infinity;
  const end = at + LOOP_REACH;
  for (let from = code.nextBranchBack(at, end); from < end; from = code.nextBranchBack(from + 1, end)) {
    const { offset } = code.instructions.flowOf(code.word(from));
    if (offset !== undefined && from + offset <= at) loop = Math.max(loop, from + offset);
  }
  const isLoop = loop > at - LOOP_REACH && code.has(loop) && code.isKnown(loop);
  let head = at;
  if (isLoop) head = loop;
  else while (code.has(head - 1) && code.isKnown(head - 1) && !code.instructions.flowOf(code.word(head - 1)).ends) head--;
  return { head, isLoop };
}
