// Exits, calls and waits of a run, counted by its events, against the machine's own counts.

import assert from "node:assert/strict";
import { assemble } from "../../../src/assembly/assemble.ts";
import { eventProfileOf } from "../../../src/cli/commands/profile.ts";
import { COUNTED_KINDS, type CountedEvents, EventCounts } from "../../../src/inspection/execution/event-counts.ts";
import { vcpuId, vmOfName } from "../../../src/queries/ids.ts";
import { demoPlan, runTo } from "../../snapshots/systems.ts";

const LENGTH = 150_000;

Deno.test("a run's events are all its calls, nearly all its exits, and all the time for which its vCPUs did not run", async () => {
  const system = assemble(await demoPlan()), { hypervisor } = system, { trace, names, scheduler } = hypervisor;
  const [exits, calls, , waits] = COUNTED_KINDS.map((kind) => {
    const counts = new EventCounts(kind);
    trace.listen(counts.kinds, (event) => counts.see(event));
    return counts;
  });
  const began = new Map<string, number>();
  trace.listen(["sched"], ({ end, fields: { to } }) => {
    if (typeof to === "string" && !began.has(to)) began.set(to, end);
  });
  runTo(system, LENGTH);
  waits.end(hypervisor.now);
  const sum = (all: readonly CountedEvents[], field: "count" | "time") => all.reduce((sum, one) => sum + one[field], 0);
  const begun = [...trace.inProgress].filter(({ kind }) => kind === "hvc").length;
  assert.equal(sum(calls.all, "count") + begun, trace.calls);
  let compared = 0;
  for (const vcpu of scheduler.vcpus) {
    const id = vcpuId(names.vcpu(vcpu)), first = began.get(id);
    if (first === undefined) continue;
    const waited = sum(waits.all.filter((one) => one.vcpu === id), "time"), whole = hypervisor.now - first;
    // The time of an exit is its vCPU's, and that of a host's vCPU continues while its VM runs.
    assert.ok(Math.abs(waited + vcpu.usage.time - whole) < 1e6, `${id} waited ${waited} and ran ${vcpu.usage.time} of ${whole}`);
    compared++;
    if (vcpu.native) continue;
    const left = sum(exits.all.filter(({ vm }) => vm === vmOfName(names.vcpu(vcpu))), "count");
    assert.ok(left <= vcpu.usage.exits && left > 0.99 * vcpu.usage.exits, `${left} of ${vcpu.usage.exits} exits of ${id}`);
  }
  assert.ok(compared > 3, `${compared} vCPUs`);
  const [longest] = eventProfileOf(waits.all.filter(({ vm }) => vm === "pong"), "wait");
  assert.deepEqual([longest.name, longest.by], ["an interrupt (WFI), vcpu_run", "irq:pong/962 (mq:289, vcpu:ping/0)"]);
});
