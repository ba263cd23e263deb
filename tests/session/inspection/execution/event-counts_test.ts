// Exits, calls and waits of a run, counted by its events, against the machine's own counts.

import assert from "node:assert/strict";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import { eventProfileOf } from "../../../../src/app/cli/commands/runs/profile.ts";
import { COUNTED_KINDS, type CountedEvents, EventCounts } from "../../../../src/session/inspection/execution/event-counts.ts";
import { vcpuId, vmOfName } from "../../../../src/model/queries/ids.ts";
import type { TraceKind } from "../../../../src/machine/abi/trace.ts";
import type { SessionPlan } from "../../../../src/model/plans/plan.ts";
import { catalogEntry } from "../../../../src/app/catalog/catalog.ts";
import { longTest } from "../../../support/long.ts";
import { bootPlan, demoPlan, runTo } from "../../snapshots/systems.ts";

const LENGTH = 150_000;

const sum = (all: readonly CountedEvents[], field: "count" | "time") => all.reduce((sum, one) => sum + one[field], 0);

/** Runs a machine: each VM's exits are the events of its vCPUs. */
function checkExits(plan: SessionPlan, length: number): void {
  const system = assemble(plan), { trace, names, scheduler } = system.hypervisor, counts = new EventCounts("exit");
  const kinds: ReadonlySet<TraceKind> = new Set(counts.kinds), exits = new Map<string, number>();
  trace.listen(counts.kinds, (event) => counts.see(event));
  runTo(system, length);
  for (const vcpu of scheduler.vcpus) {
    const vm = vmOfName(names.vcpu(vcpu));
    exits.set(vm, (exits.get(vm) ?? 0) + vcpu.usage.exits);
  }
  let compared = 0;
  for (const [vm, count] of exits) {
    // Calls that have not returned are events later.
    const begun = [...trace.inProgress].filter(({ kind, vcpu }) => kinds.has(kind) && vmOfName(vcpu) === vm).length;
    assert.equal(sum(counts.all.filter((one) => one.vm === vm), "count") + begun, count, vm);
    compared += count;
  }
  assert.ok(compared > 20, `${compared} exits`);
}

Deno.test("exits are events, of guests and of el2's own programs: the demo, a program that is the primary VM", async () => {
  checkExits(await demoPlan(), LENGTH);
  checkExits(await bootPlan(), 10_000);
});

longTest("exits are events: the boot of a Debian", async () => {
  const { folder } = await catalogEntry("debian");
  const [image, initrd] = await Promise.all(["Image", "initrd"].map((name) => Deno.readFile(`${folder}/${name}`)));
  const what = { kind: "boot", image, initrd, dtb: undefined, append: "console=ttyAMA0" } as const;
  checkExits({ cpus: 2, memory: 512 << 20, turbo: true, seed: 1, what }, 600e6);
});

Deno.test("a run's events are all its calls, and all the time for which its vCPUs did not run", async () => {
  const system = assemble(await demoPlan()), { hypervisor } = system, { trace, names, scheduler } = hypervisor;
  const [, calls, , waits] = COUNTED_KINDS.map((kind) => {
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
  }
  assert.ok(compared > 3, `${compared} vCPUs`);
  const [longest] = eventProfileOf(waits.all.filter(({ vm }) => vm === "pong"), "wait");
  assert.deepEqual([longest.name, longest.by], ["an interrupt (WFI), vcpu_run", "irq:pong/962 (mq:289, vcpu:ping/0)"]);
});
