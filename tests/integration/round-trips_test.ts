// Two VMs of AArch64 code that pass a turn to and fro by doorbells and by message queues: nothing
// is lost, nothing comes twice, and every interrupt is one that was due. 1,500 round trips of each
// under the invariant checker, with EL2_LONG=1 a million.

import assert from "node:assert/strict";
import { buildRootGuest } from "../../bench/root-guests.ts";
import { Checker } from "../../src/machine/hypervisor/check/check.ts";
import { assemble } from "../../src/session/assembly/assemble.ts";
import type { RootPlan } from "../../src/model/plans/plan.ts";
import { LONG } from "../support/long.ts";

const ROUND_TRIPS = LONG ? 1_000_000 : 1500;
/** Messages of round i: 1 + i % BURST, as in the guest. */
const BURST = 5;
/** Fields of the guest's `struct data` after the capabilities, u64 each. */
const FIELDS = ["doorbells", "messages", "wrong", "woken", "ended"] as const;
const FIRST_FIELD = 5;

Deno.test("a run under the checker, which looks again after every exit who runs, is the same run", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-round-trips-" });
  try {
    const root = await build(folder, 200);
    const what = { kind: "boot", image: undefined, initrd: undefined, dtb: undefined, append: undefined } as const;
    const ends = [false, true].map((checked) => {
      const { machine, hypervisor, hash } = start({ cpus: 2, root, what });
      if (checked) hypervisor.checker = new Checker(hypervisor);
      machine.run(Infinity);
      return {
        time: machine.time,
        hash: hash(),
        exits: [...hypervisor.scheduler.vcpus].map((vcpu) => [vcpu.name, vcpu.usage.exits, vcpu.usage.time]),
      };
    });
    assert.deepEqual(ends[0], ends[1]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

for (const cpus of [1, 2]) {
  Deno.test(`${ROUND_TRIPS} round trips by doorbells and by messages on ${cpus} CPUs lose nothing and wake nobody in vain`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "el2-round-trips-" });
    try {
      const root = await build(folder, ROUND_TRIPS);
      const what = { kind: "boot", image: undefined, initrd: undefined, dtb: undefined, append: undefined } as const;
      const { machine, hypervisor, takeOutput } = start({ cpus, root, what });
      if (!LONG) hypervisor.checker = new Checker(hypervisor);
      assert.deepEqual(machine.run(Infinity), { kind: "idle", next: Infinity }, "everybody waits in the end");
      const text = takeOutput();
      const pages = [...text.matchAll(/^data (0x[0-9a-f]+)$/gm)].map(([, address]) => Number(address));
      assert.equal(pages.length, 2, text);
      const messages = Array.from({ length: ROUND_TRIPS }, (_, index) => 1 + index % BURST).reduce((sum, count) => sum + count, 0);
      for (const page of pages) {
        const bytes = machine.ram.bytes(page, 8 * (FIRST_FIELD + FIELDS.length));
        const words = new BigUint64Array(bytes.slice().buffer);
        const found = Object.fromEntries(FIELDS.map((field, index) => [field, Number(words[FIRST_FIELD + index])]));
        const { woken, ...counts } = found;
        assert.deepEqual(counts, { doorbells: ROUND_TRIPS, messages, wrong: 0, ended: 1 });
        // A doorbell wakes once; a burst of messages once or, where the receiver is quicker than
        // the sender, for some of them again.
        assert.ok(woken >= 2 * ROUND_TRIPS && woken <= ROUND_TRIPS + messages, `woken ${woken} times`);
      }
      assert.equal(hypervisor.trace.reasons.count, 0);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

async function build(folder: string, roundTrips: number): Promise<RootPlan> {
  const { runtime, app } = await buildRootGuest("round-trips", folder, [`ROUND_TRIPS=${roundTrips}`]);
  return { runtime: await Deno.readFile(runtime), app: await Deno.readFile(app) };
}

function start(plan: Pick<Parameters<typeof assemble>[0], "cpus" | "root" | "what">) {
  const system = assemble({ memory: 64 << 20, turbo: true, seed: 1, ...plan });
  const takeOutput = () => system.consoles.drain().map(({ bytes }) => new TextDecoder().decode(bytes)).join("");
  const hash = () => [system.hashes.registers(), system.hashes.memory()];
  return { machine: system.machine, hypervisor: system.hypervisor, takeOutput, hash };
}
