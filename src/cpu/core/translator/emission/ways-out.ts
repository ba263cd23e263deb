// The ways out of a region. Those that store few registers do it in place; others share code, which
// comes after the body of the region.

import { bitsOf } from "../../../../kit/support/values/bits.ts";
import type { FunctionBuilder, Label } from "../../wasm/module.ts";
import { add, noRegisters, type RegisterSet, without } from "../code/register-use.ts";
import type { StateLocals } from "./state-locals.ts";

/** A way out: the registers that it stores, and whether a region there is entered at once. */
interface WayOut {
  /** Of its label. */
  readonly name: string;
  readonly dirty: Readonly<RegisterSet>;
  readonly chains: boolean;
}

/**
 * Ways out of a region that stores at most this many registers share their stores. With more, the
 * values do not fit into the computer's registers, and where ways out meet they are moved between
 * memory and memory in the loops.
 */
const MOST_SHARED = 12;

/**
 * Ways out that store at most this many registers are not shared at all: where they meet, each
 * register is another value for TurboFan to place.
 */
const MOST_DIRECT = 4;

/** How many registers a set has. */
function sizeOf({ general, vector }: Readonly<RegisterSet>): number {
  return bitsOf(general) + bitsOf(vector);
}

/** Whether a set has all of another. */
const includes = (set: Readonly<RegisterSet>, part: Readonly<RegisterSet>): boolean =>
  (part.general & ~set.general) === 0 && (part.vector & ~set.vector) === 0;

/** The ways out that code shares. */
export class WaysOut {
  readonly #ways: WayOut[] = [];

  constructor(readonly state: StateLocals) {}

  /** The label of the way out that stores these registers; none if that is done in place. */
  labelFor(dirty: Readonly<RegisterSet>, chains: boolean): string | undefined {
    if (sizeOf(dirty) <= MOST_DIRECT) return undefined;
    const { general, vector } = dirty, ways = this.#ways;
    // Neighbors leave by the same one.
    for (let i = ways.length - 1; i >= 0; i--) {
      const { dirty, name } = ways[i];
      if (dirty.general === general && dirty.vector === vector && ways[i].chains === chains) return name;
    }
    const name = `exit${ways.length}`;
    ways.push({ name, dirty: { general, vector }, chains });
    return name;
  }

  /**
   * Appends the body and after it the ways out, of which each ends with `leave`. The block of what
   * is stored last is outermost.
   */
  emit(f: FunctionBuilder, body: FunctionBuilder, leave: (chains: boolean) => void): void {
    const ways = this.#ways.toSorted((a, b) => Number(b.chains) - Number(a.chains) || sizeOf(a.dirty) - sizeOf(b.dirty));
    const stored = noRegisters();
    for (const { dirty } of ways) add(stored, dirty);
    const shares = sizeOf(stored) <= MOST_SHARED, labels: Record<string, Label> = {};
    for (const { name } of ways) labels[name] = f.openBlock();
    f.append(body, labels).op("unreachable");
    for (let i = ways.length - 1; i >= 0; i--) {
      f.closeBlock();
      const rest = shares ? restOf(ways, i) : -1, { dirty, chains } = ways[i];
      if (rest >= 0) {
        this.state.store(f, without(dirty, ways[rest].dirty));
        if (rest < i - 1) f.br(labels[ways[rest].name]);
      } else {
        this.state.store(f, dirty);
        leave(chains);
      }
    }
  }
}

/**
 * The way out that stores the rest of what one stores, or -1. One that enters another region at
 * once does so without a detour, as loops over several regions go there in every turn.
 */
function restOf(ways: readonly WayOut[], index: number): number {
  const { dirty, chains } = ways[index];
  let rest = chains ? -1 : index - 1;
  while (rest >= 0 && (ways[rest].chains || !includes(dirty, ways[rest].dirty))) rest--;
  return rest;
}
