// `--instant`: the first run of a plan leaves a snapshot of its first prompt in the cache, and
// later runs begin with it. The snapshot follows from plan and program alone: nothing enters before
// it is made.

import { encodePlain } from "../../machine/hardware/plain.ts";
import { cacheFolder } from "../../kit/support/files/cache.ts";
import { instantIn } from "../../kit/support/files/folder-names.ts";
import { bare, plannedImages, type SessionPlan } from "../../model/plans/plan.ts";
import { programDigest } from "../../kit/support/program-identity.ts";
import type { RememberingSystem, RunningSystem, SavableSystem } from "../assembly/system/system.ts";
import { writeSnapshot } from "./file.ts";
import { snapshotOf } from "./save.ts";
import { PROMPT } from "../../kit/support/text/shell.ts";
import { node } from "../../kit/support/node-modules.ts";

/** Queries of the terminal, and colors: shells put them around their prompts. */
const ESCAPES = /\x1b\[[0-9;?]*[A-Za-z]/g;
/** Bytes at the end of output that are searched. */
const TAIL = 64;

/**
 * Bytes that are hashed at a time, which takes some milliseconds: the machine's worker starts
 * meanwhile, and wants answers.
 */
const PIECE = 1 << 22;
/** Files that are kept: a machine has one for each version of el2. */
export const SNAPSHOTS_KEPT = 8;

/**
 * Folders of the sources that a machine is made of, which are those that its worker may import
 * (tests/layers_test.ts): commands and screens are a third of all, and every start waits for this.
 */
export const MACHINE: readonly string[] = [
  ...[
    "cpu/core",
    "cpu/isa",
    "inside/dumps",
    "inside/expressions",
    "inside/images",
    "inside/linux",
    "inside/symbols",
    "kit/formats",
    "kit/support",
    "machine/abi",
  ],
  ...["machine/devices", "machine/devicetree", "machine/hardware", "machine/host", "machine/hypervisor", "machine/platform"],
  ...[
    "machine/resource-manager",
    "machine/virtio",
    "model/commands",
    "model/plans",
    "model/protocol",
    "model/queries",
    "session/assembly",
    "session/engine",
    "session/inspection",
  ],
  ...["session/outside", "session/recordings", "session/snapshots", "session/state", "session/worker"],
];

/** Where the snapshot of a plan's first prompt belongs. @param ending of its name */
export async function instantPath(plan: SessionPlan, ending = "snapshot"): Promise<string> {
  const wanted = await withDigests(withoutNow({ ...bare(plan), inject: plan.inject }));
  const hash = node.crypto.createHash("sha256").update(programDigest(MACHINE)).update(encodePlain(wanted)).update(diskStates(plan));
  return `${instantIn(cacheFolder())}/${hash.digest("hex")}.${ending}`;
}

/**
 * The states of a plan's disks: a guest at its prompt has read them, and remembers their content.
 * To read them here takes too long.
 */
function diskStates(plan: SessionPlan): string {
  const states = plannedImages(plan).flatMap(({ image, content }) => {
    // A content is a part of the plan.
    if (content) return [];
    const status = node.fs.statSync(image, { bigint: true, throwIfNoEntry: false });
    return status ? `${status.size} ${status.mtimeNs} ${status.ino}` : "none";
  });
  return states.join();
}

/** Plain data with digests instead of bytes, which are many in a plan. */
export async function withDigests(value: unknown): Promise<unknown> {
  if (value instanceof Uint8Array) return { sha256: await digestInPieces(value) };
  if (typeof value !== "object" || value === null) return value;
  const parts: [string, unknown][] = [];
  for (const [name, part] of Object.entries(value)) parts.push([name, await withDigests(part)]);
  return Array.isArray(value) ? parts.map(([, part]) => part) : Object.fromEntries(parts);
}

async function digestInPieces(bytes: Uint8Array): Promise<string> {
  const hash = node.crypto.createHash("sha256");
  for (let at = 0; at < bytes.length; at += PIECE) {
    hash.update(bytes.subarray(at, at + PIECE));
    if (at + PIECE < bytes.length) await new Promise(node.timers.setImmediate);
  }
  return hash.digest("hex");
}

/**
 * The plan without a clock that shows the time: plans of the same machine differ in it whenever
 * they are made.
 */
function withoutNow(plan: SessionPlan): SessionPlan {
  const { what } = plan;
  return what.kind === "boot" && what.startsNow ? { ...plan, what: { ...what, clock: undefined } } : plan;
}

/** The plan without its table, for a file that is only loaded together with its plan. */
export function withoutTable(plan: SessionPlan): SessionPlan {
  return { ...plan, table: { keys: {}, files: {}, variables: {} } };
}

/** The making of one. */
export class InstantSnapshot {
  #tail = "";
  #made = false;
  #kept: { readonly console: string; readonly bytes: Uint8Array }[] = [];

  constructor(readonly system: RunningSystem & SavableSystem & RememberingSystem, readonly plan: SessionPlan, readonly path: string) {}

  /** Whether the prompt is still awaited. */
  get waiting(): boolean {
    return !this.#made;
  }

  /** Whether the last thing that was shown is a prompt. */
  atPrompt(): boolean {
    return PROMPT.test(this.#tail.replaceAll(ESCAPES, ""));
  }

  /** Console output. */
  see(bytes: Uint8Array): void {
    if (this.#made) return;
    this.#tail = (this.#tail + new TextDecoder("latin1").decode(bytes)).slice(-TAIL);
  }

  /** Keeps input typed before the prompt; false when nothing more is awaited. */
  keep(console: string, bytes: Uint8Array): boolean {
    if (this.#made) return false;
    this.#kept.push({ console, bytes });
    return true;
  }

  /** Whether input is waiting, which must not wait for ever. */
  get urged(): boolean {
    return this.#kept.length > 0;
  }

  giveUp(): void {
    this.#made = true;
  }

  /**
   * Takes the state now, and writes it in pieces. Removes files of other versions and plans when
   * there are many.
   */
  write(): Generator<number> {
    this.#made = true;
    // Not compressed: reading it is what must be quick.
    return writeSnapshot(this.path, snapshotOf(this.system, withoutTable(this.plan), "instant"), false, SNAPSHOTS_KEPT);
  }

  /** Input typed meanwhile, in order. */
  release(): readonly { readonly console: string; readonly bytes: Uint8Array }[] {
    return this.#kept.splice(0);
  }
}
