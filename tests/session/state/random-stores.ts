// Stores of random words to registers of devices, and what holds after them: a state can be saved,
// its copy has the same state, and each state that was kept can be gone back to.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { assembleEmpty } from "../../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { SessionRun } from "../../../src/session/engine/session-run.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { type Moment, momentOf } from "../../../src/session/recordings/past/past.ts";
import type { System } from "../../../src/session/assembly/system/system.ts";
import type { SystemState } from "../../../src/session/state/system-state.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import type { DevicePlan } from "../../../src/machine/virtio/plan.ts";
import { hashesOf } from "../snapshots/systems.ts";
import type { Random } from "../../support/random.ts";

/** Functions of PCI and their BARs are this far from each other, or closer. */
const FUNCTION_SPAN = 0x8000, FUNCTIONS = 12;
/** Places of a run that are gone back to. */
const PLACES = 10;

/** A store into registers of `size` bytes: mostly where they are dense, often of an edge. */
export function randomStore(random: Random, size: number): { readonly offset: number; readonly size: number; readonly value: bigint } {
  const bytes = random.pick([1, 2, 4, 4, 4, 8]);
  const base = size > MiB ? random.below(FUNCTIONS) * FUNCTION_SPAN : 0;
  const offset = random.below(Math.min(size, random.pick([size, 0x20, 0x200]))) & -bytes;
  const words = [0n, 1n, 0xffn, 0xd0n, 0xe8n, 0xffffn, 0xffff_ffffn, ~0n, BigInt(random.below(2 ** 31)), BigInt(random.below(64))];
  return { offset: base + offset < size ? base + offset : offset, size: bytes, value: BigInt.asUintN(8 * bytes, random.pick(words)) };
}

/** Each kind of virtio device. */
export async function allDevices(folder: string): Promise<DevicePlan[]> {
  const image = `${folder}/disk.img`;
  await Deno.writeFile(image, new Uint8Array(MiB));
  return [
    { kind: "block", image, mode: "overlay" },
    { kind: "rng" },
    { kind: "console", ports: ["hvc", "log"] },
    { kind: "net", backend: "none", forward: [] },
    { kind: "balloon" },
    { kind: "vsock", cid: 3, path: undefined },
    { kind: "input", type: "keyboard" },
    { kind: "input", type: "tablet" },
    { kind: "9p", folder, tag: "share", mode: "ro" },
  ];
}

export const running = (system: GuestSystem) => system.ended() === undefined && system.machine.stopReason === undefined;

/** Runs a machine for some turns. */
export function run(system: GuestSystem, turns: number): void {
  for (let turn = 0; turn < turns && running(system); turn++) {
    const result = system.machine.run(Infinity, 8);
    system.consoles.drain();
    system.events.drain();
    if (result.kind === "idle" && result.next !== Infinity) system.machine.skipTo(result.next);
  }
}

/** A copy that loads the machine's state has the same state. */
export function checkState(system: GuestSystem, plan: SessionPlan, what: string): void {
  const state = system.save(), copy = assembleEmpty(plan);
  try {
    copy.load(state, false);
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
  assert.equal(Buffer.compare(copy.save().fields, state.fields), 0, what);
  assert.equal(hashesOf(copy), hashesOf(system), what);
  copy.outside.close();
}

/**
 * Runs a machine to its end, keeps its state on the way, and goes back to places of the run.
 * @param again another machine of the same plan, at its start or in a state
 * @param interval instructions between two kept states, at least; 0 keeps one after each turn
 */
export function goesBack(system: GuestSystem, again: (state?: SystemState) => System, interval = 0): void {
  const history = new SessionRun(system, again, undefined);
  history.observe({
    problem: (error) => {
      throw error;
    },
  });
  const kept: { moment: Moment; hashes: string }[] = [];
  for (let next = 0; running(system);) {
    system.stopAt(interval ? next : Infinity);
    run(system, 1);
    if (!running(system)) break;
    if (system.instructions() < next) continue;
    next = system.instructions() + interval;
    history.keepNow();
    kept.push({ moment: momentOf(system), hashes: hashesOf(system) });
  }
  assert.ok(kept.length > 7, `${kept.length}`);
  for (let index = 1; index < kept.length; index += Math.ceil(kept.length / PLACES)) {
    const { moment, hashes } = kept[index], past = history.pastAt(history.milestone(moment));
    while (!past.advance(moment, Infinity));
    assert.equal(hashesOf(past.system), hashes, `place ${index}`);
    past.system.outside.close();
  }
}
