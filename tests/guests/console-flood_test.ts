// A guest that writes 64 MiB to its virtio console in one notification: the output comes in turns,
// the machine can be saved between them, and its copies end as it does.

import assert from "node:assert/strict";
import { assemble } from "../../src/session/assembly/assemble.ts";
import { VirtioMmioRegister as R } from "../../src/machine/devices/virtio-mmio-registers.ts";
import { RAM_BASE, VIRTIO_MMIO_BASE } from "../../src/machine/hardware/memory-map.ts";
import { MiB } from "../../src/kit/support/values/sizes.ts";
import { buildAccesses, type Step } from "./accesses/accesses.ts";
import { checkSaves, primaryPlan, valuesOf } from "./accesses/primary.ts";
import { PRIMARY_CONSOLE } from "../../src/model/plans/plan.ts";

const TRANSMIT = 1, ENTRIES = 16, LENGTH = 4 * MiB;
const QUEUE = RAM_BASE + 16 * MiB, AVAIL = QUEUE + 0x1000, USED = QUEUE + 0x2000, BUFFER = RAM_BASE + 20 * MiB;

const register = (at: number, value: number): Step => ({ do: "store", at: VIRTIO_MMIO_BASE + at, size: 4, value });
const word = (at: number, value: number, size = 4): Step => ({ do: "store", at, size, value });

/** One descriptor, which all entries of the ring name. */
const STEPS: readonly Step[] = [
  ...[0, 1, 3].map((status) => register(R.Status, status)),
  ...[register(R.DriverFeaturesSel, 1), register(R.DriverFeatures, 1), register(R.Status, 11)],
  ...[register(R.QueueSel, TRANSMIT), register(R.QueueNum, ENTRIES)],
  ...[register(R.QueueDescLow, QUEUE), register(R.QueueDriverLow, AVAIL), register(R.QueueDeviceLow, USED)],
  ...[register(R.QueueReady, 1), register(R.Status, 15)],
  ...[word(QUEUE, BUFFER, 8), word(QUEUE + 8, LENGTH), word(AVAIL + 2, ENTRIES, 2)],
  register(R.QueueNotify, TRANSMIT),
  { do: "load", at: USED + 2, size: 2 },
  { do: "wait", ns: 200e6 },
  { do: "load", at: USED + 2, size: 2 },
];

Deno.test("64 MiB of console output in one notification come in turns, and a machine that is saved between them continues", async () => {
  const plan = primaryPlan(await buildAccesses(), STEPS, { devices: [{ kind: "console", ports: ["hvc0"] }] });
  const system = assemble(plan), text = new TextDecoder();
  let output = 0, most = 0, shown = "";
  while (!system.ended()) {
    const result = system.machine.run(Infinity, 8);
    most = Math.max(most, system.consoles.waiting);
    for (const { console, bytes } of system.consoles.drain()) {
      if (console === PRIMARY_CONSOLE) shown += text.decode(bytes);
      else output += bytes.length;
    }
    if (result.kind === "idle") system.machine.skipTo(result.next);
  }
  assert.equal(output, ENTRIES * LENGTH);
  assert.ok(most <= MiB, `${most} bytes waited between two turns`);
  assert.deepEqual(valuesOf(shown), [0, ENTRIES], "the first chain took more than one turn");
  checkSaves(() => assemble(plan), plan, system);
});
