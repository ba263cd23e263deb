// Inputs of a kind, one after the other in one process: each is accepted, or refused with a
// message; none ends in another exception, takes more steps than its size explains, a second of
// CPU time three times, or memory beyond its plan. A failure names kind and seed:
// EL2_FUZZ=KIND:SEED runs that one alone.

import assert from "node:assert/strict";
import { MiB } from "../../src/kit/support/values/sizes.ts";
import { Work } from "../../src/kit/support/values/work.ts";
import { cpuTime } from "../support/cpu-time.ts";
import { Random } from "../support/random.ts";
import { LONG } from "../support/long.ts";

/** Gives an input to what reads it: returns where that takes it, throws where it refuses. */
export type Kind = (random: Random) => unknown;

/** Inputs of a kind, and of a reader of files. */
const ROUNDS = LONG ? 50_000 : 500, READER_ROUNDS = LONG ? 100_000 : 1000;
/** A guard against loops that count nothing. A busy computer may exceed it once. */
const MOST_CPU_MS = 1000, TRIES = 3;
const MOST_MEMORY = 256 * MiB;

/** A reader of bytes that anybody may have written. */
export interface Reader<I extends Uint8Array | string = Uint8Array | string> {
  input(random: Random): I;
  /**
   * Reads an input to the end.
   * @param random for what a user may ask of it
   */
  read(input: I, random: Random): unknown;
  /**
   * Most steps for an input of this many bytes, as `Work` counts them; without it, none are
   * counted.
   */
  steps?(size: number): number;
  /** Most bytes of heap and buffers that one input may leave, before they are collected. */
  heap?(size: number): number;
}

/** Bytes of heap for an input: constant, and in proportion. */
const HEAP_LEAST = 64 * MiB, HEAP_FACTOR = 512;

const memory = () => Deno.memoryUsage().rss;

/**
 * A test of a kind of input.
 * @param isRefusal an error with one of el2's messages
 * @param prepare work that no input counts
 */
export function fuzzTest(
  name: string,
  read: Kind,
  isRefusal: (error: unknown) => boolean,
  rounds = ROUNDS,
  prepare: () => Promise<unknown> = () => Promise.resolve(),
): void {
  Deno.test(`fuzz: ${name}: accepted, or refused with a message`, async () => {
    const { seeds, only } = seedsOf(name, rounds);
    if (seeds.length === 0) return;
    await prepare();
    let accepted = 0;
    for (const seed of seeds) {
      const before = memory();
      accepted += Number(await tried(name, seed, isRefusal, read));
      const grown = memory() - before;
      assert.ok(grown < MOST_MEMORY, `EL2_FUZZ="${name}:${seed}": ${Math.round(grown / MiB)} MiB more`);
    }
    if (!only) assert.ok(accepted > 0 && accepted < rounds, `${accepted} of ${rounds} accepted`);
  });
}

/** A test of a reader: steps and heap per byte, and its refusals. */
export function readerTest<I extends Uint8Array | string>(
  name: string,
  reader: Reader<I>,
  isRefusal: (error: unknown) => boolean,
  prepare: () => Promise<unknown> = () => Promise.resolve(),
): void {
  Deno.test(`fuzz: reader of ${name}: its own refusals, and steps and heap in proportion to the input`, async () => {
    const { seeds, only } = seedsOf(name, READER_ROUNDS);
    if (seeds.length === 0) return;
    await prepare();
    let accepted = 0;
    for (const seed of seeds) {
      accepted += Number(
        await tried(name, seed, isRefusal, async (random) => {
          const input = reader.input(random), { length } = input;
          const steps = Work.spent, heap = heapUsed();
          try {
            return await reader.read(input, random);
          } finally {
            checkCosts(`EL2_FUZZ="${name}:${seed}", ${length} bytes`, reader, length, Work.spent - steps, heapUsed() - heap);
          }
        }),
      );
    }
    if (!only) assert.ok(accepted > 0 && accepted < READER_ROUNDS, `${accepted} of ${READER_ROUNDS} accepted`);
  });
}

/** Kinds whose readers return what is wrong instead of throwing it. */
export function refuseUnless(ok: boolean): void {
  if (!ok) throw new Error("refused");
}

/** Heap and the buffers that it holds. A collection in between makes it less, and never more. */
function heapUsed(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** @throws CostError, which no reader throws */
function checkCosts(place: string, { steps, heap }: Pick<Reader, "steps" | "heap">, size: number, taken: number, grown: number): void {
  const mostSteps = steps?.(size) ?? 0, mostHeap = heap?.(size) ?? HEAP_LEAST + HEAP_FACTOR * size;
  if (taken > mostSteps) throw new CostError(`${place}: ${taken} steps; at most ${mostSteps}`);
  if (grown > mostHeap) throw new CostError(`${place}: ${Math.round(grown / MiB)} MiB of heap; at most ${Math.round(mostHeap / MiB)}`);
}

class CostError extends Error {}

/** The seeds that are wanted: of EL2_FUZZ one alone. */
function seedsOf(name: string, rounds: number): { readonly seeds: readonly number[]; readonly only: boolean } {
  const wanted = Deno.env.get("EL2_FUZZ");
  if (wanted === undefined) return { seeds: Array.from({ length: rounds }, (_, seed) => seed), only: false };
  const only = wanted.startsWith(`${name}:`) ? Number(wanted.slice(name.length + 1)) : NaN;
  return { seeds: Number.isNaN(only) ? [] : [only], only: true };
}

/** Reads the input of a seed; whether it was accepted. */
async function tried(name: string, seed: number, isRefusal: (error: unknown) => boolean, read: Kind): Promise<boolean> {
  for (let left = TRIES;; left--) {
    const begun = cpuTime();
    let isAccepted = true;
    try {
      await read(new Random(seed));
    } catch (error) {
      if (error instanceof CostError) throw error;
      if (!isRefusal(error)) throw new Error(`EL2_FUZZ="${name}:${seed}": ${error instanceof Error ? error.stack : error}`);
      assert.ok((error as Error).message.length > 0);
      isAccepted = false;
    }
    const took = cpuTime() - begun;
    if (took < MOST_CPU_MS) return isAccepted;
    assert.ok(left > 1, `EL2_FUZZ="${name}:${seed}": ${took} ms of CPU time, ${TRIES} times`);
  }
}
