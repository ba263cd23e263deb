// The fields of a saved state, changed one by one by somebody who knows the format: numbers at
// their limits or of another object, plain data with other values, bytes that are longer, shorter
// or different. Each part of the machine is changed as often as any other, however small it is.

import assert from "node:assert/strict";
import { assembleEmpty } from "../../src/session/assembly/assemble.ts";
import { decodePlain, encodePlain } from "../../src/machine/hardware/plain.ts";
import type { SessionPlan } from "../../src/model/plans/plan.ts";
import type { SystemState } from "../../src/session/state/system-state.ts";
import { joined } from "../../src/kit/support/values/bytes.ts";
import type { Random } from "../support/random.ts";
import { chance, damaged, edge, exchanged } from "./grammars.ts";

const FIELD_SIZE = 8;
const NUMBERS = [0, 1, 2, 7, 8, 15, 16, 31, 32, 255, 256, 1019, 1020, 8191, 8192, 4095, 4096, 2 ** 20, 2 ** 31, 2 ** 32, 2 ** 40, 2 ** 52]
  .concat([Number.MAX_SAFE_INTEGER, 2 ** 53, 2 ** 63, 2 ** 64, -1, -0, 0.5, NaN, Infinity, -Infinity]);

/** A field in the bytes of a state. */
interface Field {
  readonly at: number;
  readonly value: number | bigint | Uint8Array;
  /** Bytes that follow their length. */
  readonly counted: boolean;
}

/** The fields of a machine's state by kind: their paths without numbers. */
export class SavedFields {
  readonly #kinds = new Map<string, Field[]>();
  readonly #names: readonly string[];

  constructor(plan: SessionPlan, readonly state: SystemState) {
    let at = 0, length: { readonly path: string; readonly value: unknown } | undefined;
    assembleEmpty(plan).load(state, false, (path, value) => {
      const bytes = value instanceof Uint8Array;
      const counted = bytes && length?.path === path && length.value === value.length;
      const kind = `${path.replaceAll(/\d+/g, "0")} ${typeof value}`;
      const fields = this.#kinds.get(kind) ?? [];
      fields.push({ at, value: bytes ? value.slice() : value, counted });
      this.#kinds.set(kind, fields);
      length = { path, value };
      at += bytes ? value.length : FIELD_SIZE;
    });
    assert.equal(at, state.fields.length);
    this.#names = [...this.#kinds.keys()];
  }

  /** The state with a few fields changed. */
  changed(random: Random): SystemState {
    let { fields } = this.state;
    const changes = new Map<number, { readonly end: number; readonly bytes: Uint8Array }>();
    for (let left = 1 + random.below(3); left > 0; left--) {
      const all = this.#kinds.get(random.pick(this.#names))!;
      const { at, value, counted } = random.pick(all);
      if (!(value instanceof Uint8Array)) {
        changes.set(at, { end: at + FIELD_SIZE, bytes: otherNumber(random, value, random.pick(all).value) });
      } else if (!counted) changes.set(at, { end: at + value.length, bytes: sameSize(random, value) });
      else {
        const bytes = otherBytes(random, value);
        changes.set(at - FIELD_SIZE, { end: at + value.length, bytes: joined([numberBytes(bytes.length), bytes]) });
      }
    }
    for (const [at, { end, bytes }] of [...changes].sort(([a], [b]) => b - a)) {
      fields = joined([fields.subarray(0, at), bytes, fields.subarray(end)]);
    }
    return { fields, pages: this.state.pages };
  }
}

function numberBytes(value: number | bigint): Uint8Array {
  return new Uint8Array((typeof value === "bigint" ? BigUint64Array.of(value) : Float64Array.of(value)).buffer);
}

function otherNumber(random: Random, value: number | bigint, another: number | bigint | Uint8Array): Uint8Array {
  if (typeof value === "bigint") {
    const other = another as bigint;
    return numberBytes(
      BigInt.asUintN(64, random.pick([edge(random), value + 1n, value - 1n, value ^ 1n << BigInt(random.below(64)), other])),
    );
  }
  return numberBytes(
    random.pick([random.pick(NUMBERS), random.pick(NUMBERS), value + 1, value - 1, random.below(2000), another as number]),
  );
}

function sameSize(random: Random, value: Uint8Array): Uint8Array {
  const bytes = value.slice();
  if (bytes.length === 0) return bytes;
  if (chance(random, 4)) return bytes.fill(random.pick([0, 1, 0x80, 0xff]));
  for (let left = 1 + random.below(8); left > 0; left--) bytes[random.below(bytes.length)] = random.word();
  return bytes;
}

const KEYS = ["state", "mode", "pending", "queues", "size", "index", "head", "tail", "registers", "kind", "id", "length", "toString"];

/** Plain data with other values, or other bytes. */
function otherBytes(random: Random, value: Uint8Array): Uint8Array {
  let plain: unknown;
  try {
    plain = decodePlain(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return damaged(random, value);
  }
  return chance(random, 8) ? damaged(random, value) : encodePlain(exchangedPlain(random, plain));
}

/** A value with one part exchanged, also inside of maps and sets. */
function exchangedPlain(random: Random, value: unknown): unknown {
  if (value instanceof Map && value.size > 0) {
    const [key, one] = random.pick([...value]);
    return new Map([...value, chance(random, 4) ? [exchanged(random, key, KEYS), one] : [key, exchangedPlain(random, one)]]);
  }
  if (value instanceof Set && value.size > 0) return new Set([...value, exchangedPlain(random, random.pick([...value]))]);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || chance(random, 6)) return exchanged(random, value, KEYS);
  const keys = Object.keys(value);
  if (!keys.length) return exchanged(random, value, KEYS);
  const key = random.pick(keys), copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
  copy[key] = chance(random, 3) ? exchanged(random, copy[key], KEYS) : exchangedPlain(random, copy[key]);
  return copy;
}
