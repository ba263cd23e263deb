// `--instant`: the first run of a plan leaves a snapshot of its first prompt in the cache, and later runs begin with it. The snapshot follows
// from plan and program alone: nothing enters before it is made.

import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { encodePlain } from "../../machine/plain.ts";
import { cacheFolder } from "../cache.ts";
import { bare, type SessionPlan } from "../plan.ts";
import { programDigest } from "../program-identity.ts";
import type { System } from "../system.ts";
import { writeSnapshot } from "./file.ts";
import { snapshotOf } from "./save.ts";

/** What a console shows last when somebody may type: a shell's prompt, or a login's. */
export const PROMPT = /(?:[#$>]|login:) $/;
/** What asks a terminal something, or colours: shells put it around their prompts. */
const ESCAPES = /\x1b\[[0-9;?]*[A-Za-z]/g;
/** Bytes of the end of output that are looked at. */
const TAIL = 64;

/** Seconds by which a clock may differ from this computer's and show the time. */
const NOW = 60;

/** Where the snapshot of a plan's first prompt belongs. */
export function instantPath(plan: SessionPlan): string {
  const wanted = withoutNow({ ...bare(plan), inject: plan.inject });
  const hash = createHash("sha256").update(programDigest()).update(encodePlain(wanted));
  return `${cacheFolder()}/instant/${hash.digest("hex")}.snapshot`;
}

/** The plan without a clock that shows the time: plans of the same machine differ in it whenever they are made. */
function withoutNow(plan: SessionPlan): SessionPlan {
  const { what } = plan;
  if (what.kind !== "boot" || what.clock === undefined || Math.abs(what.clock - Date.now() / 1000) > NOW) return plan;
  return { ...plan, what: { ...what, clock: NaN } };
}

/** The plan of a file that is only loaded by who has the plan. */
function withoutImages(plan: SessionPlan): SessionPlan {
  return { ...plan, root: undefined, what: { kind: "boot", image: undefined, initrd: undefined, dtb: undefined, append: undefined } };
}

/** The making of one. */
export class InstantSnapshot {
  #tail = "";
  #made = false;
  #kept: { readonly console: string; readonly bytes: Uint8Array }[] = [];

  constructor(readonly system: System, readonly plan: SessionPlan, readonly path: string) {}

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

  /** Keeps what is typed before the prompt; false when there is nothing to wait for any more. */
  keep(console: string, bytes: Uint8Array): boolean {
    if (this.#made) return false;
    this.#kept.push({ console, bytes });
    return true;
  }

  /** Whether somebody has typed, who must not wait for ever. */
  get urged(): boolean {
    return this.#kept.length > 0;
  }

  /** There will be no snapshot. */
  giveUp(): void {
    this.#made = true;
  }

  /** Takes the state now, and writes it in pieces. */
  write(): Generator<number> {
    this.#made = true;
    Deno.mkdirSync(dirname(this.path), { recursive: true });
    // Not compressed: reading it is what must be quick.
    return writeSnapshot(this.path, snapshotOf(this.system, withoutImages(this.plan), "instant"), false);
  }

  /** What was typed meanwhile, in order. */
  release(): readonly { readonly console: string; readonly bytes: Uint8Array }[] {
    return this.#kept.splice(0);
  }
}
