// Objects that lose their last capability while something uses them (docs/spec/hypervisor.md §3.1,
// §3.4): holders of a reference keep them, others lose them, and in the end no trace is left.

import assert from "node:assert/strict";
import { virqSourcesOf } from "../../../src/machine/hypervisor/gic/vic-source.ts";
import { Checker } from "../../../src/machine/hypervisor/check/check.ts";
import type { AddressSpace } from "../../../src/machine/hypervisor/memory/addrspace.ts";
import type { Doorbell } from "../../../src/machine/hypervisor/ipc/doorbell.ts";
import type { HypervisorObject } from "../../../src/machine/hypervisor/capabilities/object.ts";
import type { Memextent } from "../../../src/machine/hypervisor/memory/memextent.ts";
import type { Vcpu } from "../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { bind, FREE_IPA, mapped } from "./errors/recipes.ts";
import { Rig } from "./checklist/rig.ts";

/** A rig that deletes, and looks afterwards whether all is well. */
class Deletion extends Rig {
  readonly #checker = new Checker(this.hypervisor);

  delete(cap: bigint): void {
    this.ok("cspace_delete_cap_from", { cspace: this.self, cap });
  }

  lives(object: HypervisorObject): boolean {
    return this.hypervisor.objects.has(object);
  }

  check(): void {
    assert.deepEqual(this.#checker.sweep(), []);
  }
}

Deno.test("a vIRQ's source that goes leaves the vIRQ to another", () => {
  const w = new Deletion();
  for (const type of ["doorbell", "msgqueue", "vpm_group", "virtio_mmio"] as const) {
    const cap = w.active(type);
    const object = w.get(cap);
    for (const [index, source] of virqSourcesOf(object).entries()) bind(w, source, 40 + index);
    w.delete(cap);
    assert.ok(!w.lives(object), type);
    assert.ok([40, 41].every((virq) => !w.gic.shared.sources.has(virq)), type);
    w.check();
  }
});

Deno.test("a VIC that goes leaves its sources unbound; they can be raised all the same", () => {
  const w = new Deletion();
  const vic = w.active("vic");
  const doorbell = w.active("doorbell");
  const hwirq = w.hwirq(50);
  w.ok("doorbell_bind_virq", { doorbell, vic, virq: 40n });
  w.ok("hwirq_bind_virq", { hwirq, vic, virq: 41n });
  const ppi = w.hwirq(20);
  w.ok("hwirq_bind_virq", { hwirq: ppi, vic, virq: 20n });
  const object = w.get(vic);
  w.delete(vic);
  assert.ok(!w.lives(object));
  assert.equal(w.get<Doorbell>(doorbell).virq.intid, undefined);
  w.ok("doorbell_send", { doorbell, new_flags: 1n });
  assert.equal(w.error("hwirq_unbind_virq", { hwirq }), "VIRQ_NOT_BOUND");
  w.ok("hwirq_bind_virq", { hwirq: ppi, vic: w.active("vic"), virq: 21n });
  w.check();
});

Deno.test("what a vCPU is attached to stays until the vCPU has exited, and goes with it", () => {
  const w = new Deletion();
  const space = w.active("addrspace"), vic = w.active("vic"), group = w.active("vpm_group");
  const cspace = w.active("cspace"), thread = w.fresh("thread");
  w.ok("cspace_attach_thread", { cspace, thread });
  w.ok("addrspace_attach_thread", { addrspace: space, thread });
  w.ok("vic_attach_vcpu", { vic, vcpu: thread, index: 0n });
  w.ok("vpm_group_attach_vcpu", { vpm_group: group, vcpu: thread, index: 0n });
  w.ok("vcpu_set_affinity", { cap: thread, affinity: 1n });
  w.ok("object_activate", { cap: thread });
  const vcpu = w.get<Vcpu>(thread);
  const objects = [space, vic, group, cspace, thread].map((cap) => w.get(cap));
  for (const cap of [space, vic, group, cspace]) w.delete(cap);
  w.ok("vcpu_poweron", { cap: thread, entry_point: 0n, context: 0n, flags: 0n });
  w.delete(thread);
  assert.ok(objects.every((object) => w.lives(object)), "a vCPU holds itself until it exits");
  w.check();
  vcpu.kill();
  w.machine.run(10_000);
  assert.ok(objects.every((object) => !w.lives(object)));
  w.check();
});

Deno.test("the caller may delete the last capability to its own cspace and continues", () => {
  const w = new Deletion();
  const doorbell = w.active("doorbell");
  w.delete(w.self);
  assert.equal(w.error("doorbell_send", { doorbell }), "OK");
  assert.equal(w.error("cspace_delete_cap_from", { cspace: w.self, cap: doorbell }), "CSPACE_CAP_NULL", "nobody can change it any more");
  w.check();
});

Deno.test("an extent that is mapped goes with its mappings, and its pages go back", () => {
  const w = new Deletion();
  const cap = mapped(w);
  const extent = w.get<Memextent>(cap);
  const { base, extentSize } = extent;
  w.delete(cap);
  assert.ok(!w.lives(extent));
  assert.equal(w.get<AddressSpace>(w.space).stage2.lookup(Number(FREE_IPA)), undefined);
  assert.ok(w.hypervisor.memory.owns(w.hypervisor.rootPartition, base, extentSize));
  w.check();
});

Deno.test("an extent with a child stays until the child goes", () => {
  const w = new Deletion();
  const parent = w.active("memextent");
  const extent = w.get<Memextent>(parent);
  const child = w.cap(w.child(extent, 0, 0, 4096));
  w.delete(parent);
  assert.ok(w.lives(extent));
  w.check();
  w.delete(child);
  assert.ok(!w.lives(extent));
  w.check();
});

Deno.test("an object whose activation failed can be deleted", () => {
  const w = new Deletion();
  const heap = w.hypervisor.rootPartition.heapUsed;
  for (const type of ["cspace", "addrspace", "memextent", "thread", "msgqueue", "virtio_mmio"] as const) {
    const cap = w.fresh(type);
    assert.notEqual(w.error("object_activate", { cap }), "OK", type);
    w.delete(cap);
  }
  assert.equal(w.hypervisor.rootPartition.heapUsed, heap);
  w.check();
});
