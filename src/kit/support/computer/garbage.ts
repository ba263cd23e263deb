// Bounds of the garbage in a process that runs for hours. V8 lets the old generation become a
// multiple of what lives before it collects it, and the young one grow with everything that ever
// survived in it. It does not count memory outside its heap, such as a connection's, which is freed
// with the object that holds it. Resident memory would rise for hours although nothing leaks.

import { MiB } from "../values/sizes.ts";

/**
 * Time between two checks of the heap, ms. Short runs never pay for one. V8 itself keeps the old
 * generation within twice of what lives; a collection costs a session at rest a fifth of a second.
 */
const LOOK = 60_000;
/**
 * The first check: after this time (ms) a session has started, and leaves tens of MiB of garbage
 * behind. A thread that is busy then is asked again after `again`, and at `limit` it is
 * interrupted.
 */
const FIRST_LOOK: FirstLook = { after: 6000, again: 1000, limit: 30_000 };
/**
 * Garbage that may gather outside the young generation: this much, or this share of what lives.
 * Memory of the process beside it may grow by the least.
 */
const LEAST = 2 * MiB;
const SHARE = 0.1;
/**
 * While collections free little of what has gathered, such as events that are kept or the memory of
 * another thread, the next one waits for twice as much, up to so many times: each takes a tenth of
 * a second of CPU time for nothing.
 */
const MOST_PATIENCE = 16;
/**
 * Environment variables with which launchers start Deno, for memory outside of V8's heap. Each
 * thread has its own arena there. The GNU C library returns the free end of an arena to the system
 * only when tens of MiB are free; other systems ignore these variables. V8's compiler allocates and
 * frees MiB at a time: lower thresholds cost a boot several percent of its CPU time. With huge
 * pages, files of many MiB (kernels, snapshots) are read with a page fault for 2 MiB instead of
 * 4 KiB, which takes 15 us in a virtual machine: Debian's prompt from its snapshot comes in two
 * thirds of the time.
 */
export const MALLOC_SETTINGS: Readonly<Record<string, string>> = {
  MALLOC_TRIM_THRESHOLD_: `${4 * MiB}`,
  MALLOC_MMAP_THRESHOLD_: `${MiB}`,
  GLIBC_TUNABLES: "glibc.malloc.hugetlb=1",
};

/** The heap of this thread. */
interface Heap {
  collect(): void;
  /** Bytes outside the young generation, which V8 empties often by itself. */
  held(): number;
}

/** Memory at some time, in bytes. */
interface Sizes {
  /** `Heap.held`. */
  readonly held: number;
  /** Resident memory of the process, other than that. */
  readonly beside: number;
}

/**
 * Whether there may be much garbage now, as memory was `last` after a collection.
 * @param patience how many times the usual garbage may gather
 */
export function isCollectionDue({ held, beside }: Sizes, last: Sizes, patience = 1): boolean {
  return held > last.held + Math.max(LEAST, last.held * SHARE) * patience || beside > last.beside + LEAST * patience;
}

/**
 * The patience after a collection.
 * @param last bytes held after the one before, `before` and `after` bytes held around this one
 */
export function patienceAfter(patience: number, last: number, before: number, after: number): number {
  const isWorthIt = before - after >= Math.max((before - last) / 2, LEAST);
  return isWorthIt ? 1 : Math.min(patience * 2, MOST_PATIENCE);
}

/** When the first check happens, in ms. */
interface FirstLook {
  readonly after: number;
  readonly again: number;
  readonly limit: number;
}

/** Calls `look` once this thread has settled. */
export function whenSettled(isBusy: () => boolean, look: () => void, { after, again, limit }: FirstLook = FIRST_LOOK): void {
  const begin = performance.now();
  const ask = () => {
    if (isBusy() && performance.now() - begin < limit) later(again);
    else look();
  };
  const later = (delay: number) => Deno.unrefTimer(setTimeout(ask, delay));
  later(after);
}

/**
 * From now on this thread collects its garbage before there is much of it.
 * @param isBusy whether a collection would delay work
 */
export function boundGarbage(isBusy: () => boolean = () => false): void {
  let heap: Promise<Heap> | undefined, last: Sizes = { held: 0, beside: 0 }, patience = 1;
  const look = async () => {
    const { collect, held } = await (heap ??= ownHeap());
    const sizes = (): Sizes => {
      const own = held();
      return { held: own, beside: Deno.memoryUsage().rss - own };
    };
    const before = sizes();
    if (!isCollectionDue(before, last, patience)) return;
    collect();
    const after = sizes();
    patience = patienceAfter(patience, last.held, before.held, after.held);
    last = after;
  };
  whenSettled(isBusy, look);
  Deno.unrefTimer(setInterval(look, LOOK));
}

async function ownHeap(): Promise<Heap> {
  const [{ getHeapSpaceStatistics }, collect] = await Promise.all([import("node:v8"), ownCollector()]);
  const held = () =>
    getHeapSpaceStatistics().reduce((sum, { space_name, space_used_size }) => space_name === "new_space" ? sum : sum + space_used_size, 0);
  return { collect, held };
}

/** The function that collects all garbage of this thread. */
export async function ownCollector(): Promise<() => void> {
  const [{ setFlagsFromString }, { runInNewContext }] = await Promise.all([import("node:v8"), import("node:vm")]);
  // Only a new context has the function, and only while V8 has the flag. The flag is one for all
  // threads: another that has its function may take it back in between.
  let collect: (() => void) | undefined;
  while (!collect) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("globalThis.gc");
  }
  setFlagsFromString("--no-expose-gc");
  return collect;
}
