// A run of the hostile VMs as data: recorded, replayed on a fresh machine, and shrunk to the
// actions that a failure needs.

import { Random } from "../../../support/random.ts";
import { type Action, randomAccess, randomAction } from "./actions.ts";
import { HostileWorld } from "./world.ts";

/** An action with the vCPU that did it: the number of the vCPU's object in the epoch. */
export interface Entry {
  readonly vcpu: number;
  readonly action: Action;
}

/** A failure: what is broken, and the epoch's actions up to there. */
export interface Failure {
  readonly message: string;
  readonly script: readonly Entry[];
}

/** Actions of the hostile VMs: everything, or accesses to devices only. */
export type Appetite = "everything" | "devices";

/**
 * Runs one epoch of at most `length` actions.
 * @param prepare sabotage, for tests of the fuzzer itself
 * @returns how many actions were done, and the failure if there was one; an exception is one as
 * well
 */
export function runEpoch(world: HostileWorld, seed: number, length: number, appetite: Appetite): { actions: number; failure?: Failure } {
  const random = new Random(seed);
  const script: Entry[] = [];
  const message = attempt(() =>
    world.epoch((vcpu, ordinal) => {
      if (script.length >= length || !vcpu.attachments.cspace) return undefined;
      const action = appetite === "devices" && random.below(8) > 0 ? randomAccess(random) : randomAction(random, vcpu.attachments.cspace);
      script.push({ vcpu: ordinal, action });
      return action;
    })
  );
  return message === undefined ? { actions: script.length } : { actions: script.length, failure: { message, script } };
}

/**
 * Replays a script on a fresh machine: each vCPU does its own actions in order. Gives the message
 * of the failure.
 */
export function replay(script: readonly Entry[], world = new HostileWorld()): string | undefined {
  const queues = new Map<number, Action[]>();
  for (const { vcpu, action } of script) {
    const queue = queues.get(vcpu);
    if (queue) queue.push(action);
    else queues.set(vcpu, [action]);
  }
  let left = script.length;
  return attempt(() =>
    world.epoch((_vcpu, ordinal) => {
      const next = queues.get(ordinal)?.shift();
      if (next) left--;
      // A vCPU with nothing more to do sleeps, until all do.
      return next ?? (left > 0 ? { kind: "wfi", x: [], at: [] } : undefined);
    })
  );
}

/** Takes away actions as long as the script still fails: halves first, then ever smaller parts. */
export function shrink(script: readonly Entry[], fails: (script: readonly Entry[]) => boolean): readonly Entry[] {
  let best = script;
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.length;) {
      const without = [...best.slice(0, from), ...best.slice(from + size)];
      if (without.length < best.length && fails(without)) best = without;
      else from += size;
    }
  }
  return best;
}

/** A script as text, one line per action, for a bug report and for `parse`. */
export function format(script: readonly Entry[]): string {
  return script.map(({ vcpu, action: { kind, at, x } }) =>
    [vcpu, kind, at.join(","), ...x.map((value) => `0x${value.toString(16)}`)].join(" ")
  )
    .join("\n");
}

/** Reads what `format` wrote. */
export function parse(text: string): Entry[] {
  return text.trim().split("\n").map((line) => {
    const [vcpu, kind, at, ...x] = line.trim().split(" ");
    return { vcpu: Number(vcpu), action: { kind: kind as Action["kind"], at: at ? at.split(",").map(Number) : [], x: x.map(BigInt) } };
  });
}

/** The message of a failure, of either kind. */
function attempt(run: () => string | undefined): string | undefined {
  try {
    return run();
  } catch (error) {
    return `it threw: ${(error as Error).stack}`;
  }
}
