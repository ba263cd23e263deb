// A machine that waits for input alone has no turn after which it would be sampled.

import assert from "node:assert/strict";
import { eventually } from "../../support/eventually.ts";
import { A64, imageOf } from "../../app/cli/program.ts";
import type { MachineSample } from "../../../src/model/protocol/protocol.ts";
import { machinesOf, startEngine } from "./session-in-thread.ts";

/** `sub w0, w0, #1; cbnz w0, .-4`. */
const COUNT_DOWN = [0x51000400, 0x35ffffe0];

Deno.test("clients hear that a machine rests, and its rates of that time", async () => {
  const image = imageOf([...A64.loadW0(2_000_000), ...COUNT_DOWN, A64.wfi, A64.branch(-1)]);
  const what = { kind: "boot", image, initrd: undefined, dtb: undefined, append: undefined } as const;
  const plan = { cpus: 1, memory: 64 << 20, turbo: true, seed: 1, what };
  let sample: MachineSample | undefined, samples = 0;
  const engine = startEngine(plan, machinesOf(plan), (event) => {
    if (event.kind !== "sample") return;
    ({ sample } = event);
    samples++;
  });
  try {
    const shown = () => {
      const host = sample?.vms.find(({ name }) => name === "host");
      return Promise.resolve(`${host?.vcpus[0].state} ${sample?.mips} ${(sample?.instructions ?? 0) > 4_000_000}`);
    };
    assert.equal(await eventually(shown, (text) => text === "WFI 0 true"), "WFI 0 true");
    // No more samples follow.
    const before = samples;
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.equal(samples, before);
  } finally {
    engine.stop();
  }
});
