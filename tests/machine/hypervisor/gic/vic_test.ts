// VICs through their hypercalls (docs/spec/hypervisor.md §4.5).

import assert from "node:assert/strict";
import { errorName } from "../../../../src/machine/abi/errors.ts";
import type { AddressSpace } from "../../../../src/machine/hypervisor/memory/addrspace.ts";
import { SpaceMemory } from "../../../../src/machine/hypervisor/gic/its/table-memory.ts";
import { Vic } from "../../../../src/machine/hypervisor/gic/vic.ts";
import type { Doorbell } from "../../../../src/machine/hypervisor/ipc/doorbell.ts";
import { Rig } from "../checklist/rig.ts";
import { Caller } from "../caller.ts";

Deno.test("configuration of a VIC, and MPIDRs that follow from indices", () => {
  const caller = new Caller();
  const vic = caller.machine.create(Vic);
  const cap = caller.grant(vic);
  for (const args of [[0n, 0n, 0n, 0n], [9n, 0n, 0n, 0n], [1n, 989n, 0n, 0n], [1n, 0n, 4n, 0n], [1n, 0n, 1n, 1n]]) {
    assert.equal(caller.error("vic_configure", cap, ...args), "ARGUMENT_INVALID", `${args}`);
  }
  assert.equal(caller.error("vic_configure", cap, 8n, 988n, 2n, 77n), "OK", "84: max_msis is not valid here");
  const map = (mask: bigint, ...shift: bigint[]) => caller.error("vgic_set_mpidr_mapping", cap, mask, ...shift, 0n);
  assert.equal(map(0x0707n, 0n, 0n, 0n, 0n), "ARGUMENT_INVALID", "overlap");
  assert.equal(map(0x0007n, 1n, 0n, 0n, 0n), "ARGUMENT_INVALID", "a gap below");
  assert.equal(map(0x0007n, 0n, 32n, 0n, 0n), "ARGUMENT_INVALID");
  assert.equal(map(0x0103n, 0n, 2n, 8n, 8n), "OK");
  assert.equal(caller.error("object_activate", cap), "OK");
  assert.equal(vic.mpidr(6), 0x8000_0102n);
  assert.equal(vic.gic.indexOf(0x102), 6);
  assert.equal(vic.gic.indexOf(0x104), undefined);
});

Deno.test("a frame is attached once, and only for a vCPU that exists", () => {
  const { vm, vcpu } = new Caller();
  const attach = (index: number, flags: bigint, ipa = 0x1000_0000) =>
    errorName(vm.vic.attachVdevice(vm.addressSpace, index, flags, ipa, 0x2_0000));
  assert.equal(attach(0, 0n), "OK");
  assert.equal(attach(0, 0n), "BUSY");
  assert.equal(attach(0, 1n), "ARGUMENT_INVALID");
  assert.equal(attach(1, 4n), "ARGUMENT_INVALID");
  assert.equal(attach(2, 0n), "ARGUMENT_INVALID");
  assert.equal(attach(1, 3n, 0x2000_0000), "OK");
  assert.equal(vm.addressSpace.deviceAt(0x2000_0000)?.device.read(vcpu, 8, 8), 0x10n, "the last one");
});

Deno.test("a vCPU of another VIC does not find its SGIs in a distributor: an external abort", () => {
  const w = new Rig();
  const vcpu = w.object("thread");
  w.equip(vcpu, { without: "group" });
  vcpu.attachments.attachVic(w.get<Vic>(w.active("vic")), 3);
  assert.equal(vcpu.activate(), 0);
  assert.equal(w.gicd.read(w.caller, 4, 4), 0x0349_001fn);
  assert.equal(w.gicd.read(vcpu, 4, 4), undefined);
  assert.equal(w.gicd.write(vcpu, 0, 4, 3n), false);
});

Deno.test("at the platform's addresses there are frames of the vCPUs that there are, and the last of them is Last", () => {
  const w = new Rig();
  const { addressSpace } = w.caller;
  const frames = () => addressSpace!.devices.map(({ device }) => device.name.split(" of ")[0]);
  const isLast = (index: number) => w.gicr(index).read(w.caller, 8, 4)! >> 4n & 1n;
  assert.deepEqual([frames(), isLast(0)], [["GICD", "GICR 0"], 1n]);
  const second = w.vcpu();
  assert.deepEqual([frames(), isLast(0), isLast(1)], [["GICD", "GICR 0", "GICR 1"], 0n, 1n]);
  second.powerOn(0n, 0n);
  second.kill();
  // It exits when its turn comes, which is when the caller's slice is over.
  w.machine.run(10_000_000);
  w.ok("cspace_delete_cap_from", { cspace: w.self, cap: w.cap(second) });
  assert.equal(second.state, "destroying");
  assert.deepEqual([frames(), isLast(0)], [["GICD", "GICR 0"], 1n]);
});

Deno.test("a VIC that goes takes its frames out of the address spaces", () => {
  const w = new Rig();
  const vic = w.active("vic");
  const space = w.active("addrspace");
  w.ok("addrspace_attach_vdevice", { addrspace: space, vdevice: vic, index: 0n, vbase: 0x1000_0000n, size: 0x1_0000n, flags: 0n });
  assert.ok(w.get<AddressSpace>(space).deviceAt(0x1000_0000));
  w.ok("cspace_delete_cap_from", { cspace: w.self, cap: vic });
  assert.equal(w.get<AddressSpace>(space).deviceAt(0x1000_0000), undefined);
});

Deno.test("a VIC with MSIs has LPIs and an ITS, and each send of a doorbell that is bound to it is a message", () => {
  const w = new Rig({ msi: "its" });
  const vic = w.fresh("vic");
  const configure = (max_msis: bigint) => w.error("vic_configure", { vic, max_vcpus: 1n, max_virqs: 32n, vic_options: 1n, max_msis });
  assert.deepEqual([configure(57_345n), configure(8192n)], ["ARGUMENT_INVALID", "OK"]);
  w.ok("object_activate", { cap: vic });
  const { gic } = w.get<Vic>(vic);
  assert.deepEqual([gic.typer, gic.its !== undefined], [0x036b_001f, true]);
  const space = w.active("addrspace");
  const attach = (index: bigint, flags: bigint) =>
    w.error("addrspace_attach_vdevice", { addrspace: space, vdevice: vic, index, vbase: 0x1000_0000n, size: 0x2_0000n, flags });
  assert.deepEqual([attach(3n, 0n), attach(2n, 1n), attach(2n, 0n), attach(2n, 0n)], [
    "ARGUMENT_INVALID",
    "ARGUMENT_INVALID",
    "OK",
    "BUSY",
  ]);
  assert.equal(w.get<AddressSpace>(space).deviceAt(0x1000_0000)?.device.read(w.caller, 0, 4), 0x8000_0000n);

  const bell = w.active("doorbell"), messages: unknown[] = [];
  const bind = (to: bigint) => w.error("vic_bind_msi_source", { vic: to, msi_source: bell });
  assert.deepEqual([bind(w.vic), bind(vic), bind(vic)], ["DENIED", "OK", "VIRQ_BOUND"]);
  w.hypervisor.trace.listen(["virq"], (event) => {
    if (event.name === "ITS message") messages.push([event.fields.device, event.fields.event, event.fields.error]);
  });
  w.ok("doorbell_send", { doorbell: bell, new_flags: 8n << 32n | 3n });
  assert.deepEqual(messages, [[8, 3, "the ITS is disabled"]]);
  assert.equal(w.get<Doorbell>(bell).flags, 0n);
  w.ok("cspace_delete_cap_from", { cspace: w.self, cap: vic });
  w.ok("doorbell_send", { doorbell: bell, new_flags: 5n });
  assert.equal(w.get<Doorbell>(bell).flags, 5n, "it is an ordinary doorbell again");
});

Deno.test("tables of LPIs are read and written through stage 2, page by page, and nowhere else", () => {
  const pages = new Map([[0x1000, { pa: 0x8000, flags: 3 }], [0x2000, { pa: 0x4000, flags: 1 }], [0x3000, { pa: 0x10_0000, flags: 3 }]]);
  const bytes = new Uint8Array(0x9000), space = { state: "active", stage2: { lookup: (ipa: number) => pages.get(ipa) } };
  const memory = new SpaceMemory(space, {
    contains: (pa, size) => pa + size <= bytes.length,
    read: (pa, into) => into.set(bytes.subarray(pa, pa + into.length)),
    write: (pa, from) => bytes.set(from, pa),
  });
  bytes.set([1, 2], 0x8ffe);
  bytes.set([3, 4], 0x4000);
  const into = new Uint8Array(4);
  assert.ok(memory.read(0x1ffe, into));
  assert.deepEqual([...into], [1, 2, 3, 4]);
  assert.ok(memory.write(0x1ffe, Uint8Array.of(7, 8)));
  assert.deepEqual([bytes[0x8ffe], bytes[0x8fff]], [7, 8]);
  const one = new Uint8Array(1);
  const failures = [memory.write(0x2000, one), memory.read(0x3000, one), memory.read(0x9000, one), memory.read(2 ** 52, one)];
  assert.deepEqual(failures, [false, false, false, false]);
  space.state = "destroying";
  assert.equal(memory.read(0x1000, one), false);
});
