// A root VM that makes the same calls and the same loads again and again: what the core answers by
// itself is counted, timed and remembered as if the hypervisor had answered each.

import assert from "node:assert/strict";
import { buildRootGuest } from "../../bench/root-guests.ts";
import { assemble } from "../../src/session/assembly/assemble.ts";
import type { RootPlan } from "../../src/model/plans/plan.ts";

const CALLS = 300;
/** Virtual time (ns) by which the guest has finished. */
const END = 20_000_000;

Deno.test("exits that repeat leave the state, the times and the counts of exits that are handled each", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-repeated-exits-" });
  try {
    const { runtime, app } = await buildRootGuest("calls", folder, [`CALLS=${CALLS}`]);
    const root = { runtime: await Deno.readFile(runtime), app: await Deno.readFile(app) };
    const [each, repeating] = [run(root, false), run(root, true)];
    assert.match(each.state.console, /^finished$/m);
    assert.deepEqual(repeating.state, each.state);
    // Three kinds of exits repeat, three times CALLS each, but for those at which a run begins.
    assert.equal(each.answered, 0);
    assert.ok(repeating.answered > 7 * CALLS && repeating.answered <= 9 * CALLS, `${repeating.answered}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** @param repeats whether the core may answer exits that repeat by itself */
function run(root: RootPlan, repeats: boolean) {
  const what = { kind: "boot", image: undefined, initrd: undefined, dtb: undefined, append: undefined } as const;
  const system = assemble({ memory: 64 << 20, turbo: true, seed: 1, cpus: 1, root, what });
  const { machine, hypervisor, hashes } = system;
  const { execution } = hypervisor.scheduler;
  if (!repeats) Object.defineProperty(execution, "repeats", { get: () => false });
  let answered = 0;
  const count = execution.repeated;
  execution.repeated = function (times, retired) {
    answered += times;
    count.call(this, times, retired);
  };
  machine.run(END);
  const { events: _, ...memory } = system.remember();
  return {
    answered,
    state: {
      memory,
      time: machine.time,
      hashes: [hashes.registers(), hashes.memory()],
      point: hypervisor.point(),
      exits: [...hypervisor.scheduler.vcpus].map((vcpu) => [vcpu.name, vcpu.usage.exits, vcpu.usage.time]),
      console: system.consoles.drain().map(({ bytes }) => new TextDecoder().decode(bytes)).join(""),
    },
  };
}
