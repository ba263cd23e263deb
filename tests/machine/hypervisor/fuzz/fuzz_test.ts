// Three hostile VMs at once against the hypervisor, with a check after every call, a sweep after
// every thousand, and nothing left behind (docs/design/decisions.md §7). 50,000 actions, with
// EL2_LONG=1 a million. A failure prints the script that replays it.

import assert from "node:assert/strict";
import { Doorbell } from "../../../../src/machine/hypervisor/ipc/doorbell.ts";
import type { Behaviour } from "../../../../src/machine/hypervisor/services/behaviour.ts";
import { type Entry, format, parse, replay, runEpoch, shrink } from "./script.ts";
import { HostileWorld } from "./world.ts";
import { LONG } from "../../../support/long.ts";

const CALLS = LONG ? 1_000_000 : 15_000;
const ACCESSES = LONG ? 1_000_000 : 15_000;
/** Calls of a build with the recorded one's defects. */
const QUIRKY_CALLS = LONG ? 100_000 : 5000;
/** Actions between two sweeps. */
const EPOCH = 1000;
const SEED = 20_260_701;

/** Epochs until `count` actions are done. Fails with the shrunk script of the first failure. */
function fuzz(count: number, appetite: "everything" | "devices", behaviour: Partial<Behaviour> = {}): void {
  const world = new HostileWorld(behaviour);
  for (let done = 0, epoch = 0; done < count; epoch++) {
    const { actions, failure } = runEpoch(world, SEED + epoch, EPOCH, appetite);
    done += actions;
    if (!failure) continue;
    // A script that fails only after the epochs before it cannot be shrunk.
    const fails = (part: readonly Entry[]) => replay(part, new HostileWorld(behaviour)) !== undefined;
    const alone = fails(failure.script);
    const script = alone ? shrink(failure.script, fails) : failure.script;
    assert.fail(`epoch ${epoch}: ${failure.message}\n${alone ? "replays" : "needs the epochs before it"}:\n${format(script)}`);
  }
}

Deno.test(`${CALLS} random calls of three hostile VMs break no invariant, throw nothing and leave nothing`, () =>
  fuzz(CALLS, "everything"));

Deno.test(`${ACCESSES} random accesses to the pages of all virtual devices break no invariant, throw nothing and leave nothing`, () => {
  fuzz(ACCESSES, "devices");
});

Deno.test(`${QUIRKY_CALLS} random calls of three hostile VMs break nothing with quirks as observed either`, () => {
  fuzz(QUIRKY_CALLS, "everything", { quirks: "as-observed" });
});

Deno.test("a violation shrinks to a short script that replays", () => {
  const receive = Doorbell.prototype.receive;
  // A bug that needs two calls: a flag that is taken while it is set costs a reference.
  Doorbell.prototype.receive = function (clear) {
    const old = receive.call(this, clear);
    if (old & clear & 3n) this.retain();
    return old;
  };
  try {
    const world = new HostileWorld();
    let found;
    for (let seed = 0; !found && seed < 50; seed++) found = runEpoch(world, seed, EPOCH, "everything").failure;
    assert.ok(found, "the bug was found");
    const short = shrink(found.script, (part) => replay(part)?.includes("references") === true);
    assert.ok(short.length <= 3, `${short.length} actions:\n${format(short)}`);
    assert.match(replay(parse(format(short))) ?? "", /doorbell_receive.* breaks the invariant "references are its holders/);
  } finally {
    Doorbell.prototype.receive = receive;
  }
});
