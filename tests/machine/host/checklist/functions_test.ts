// Lines 46 to 57 of the checklist of docs/spec/vm-manager.md §17: functions.

import assert from "node:assert/strict";
import { ResourceType, VM_GET_HYP_RESOURCES } from "../../../../src/machine/abi/rpc/messages/resources.ts";
import { encodeReply } from "../../../../src/machine/abi/rpc/message.ts";
import { VcpuRunState } from "../../../../src/machine/abi/words.ts";
import {
  FN_DESC,
  FN_IOEVENTFD_ARG,
  FN_IRQFD_ARG,
  FN_VCPU_ARG,
  FunctionType,
  GH,
  IoeventfdFlags,
  IrqfdFlags,
} from "../../../../src/machine/abi/ioctl/gunyah.ts";
import type { PersonaName } from "../../../../src/machine/abi/ioctl/personas.ts";
import { Client } from "../client.ts";
import { FakeHost } from "../fake-host.ts";
import { HostStack } from "../host-stack.ts";
import { vcpuCap, wakeup } from "../fake-platform.ts";

const BELL = 0x20, BELL_CAP = 0x77n;

/** A host, a VM with an eventfd, and short forms of what is added to it. */
function setUp(device: PersonaName = "v14") {
  const fake = new FakeHost(device);
  const none = { partner: 0x80, handle: 0, virq_handle: 0, base: 0n, size: 0n };
  fake.platform.answers.set(
    "VM_GET_HYP_RESOURCES",
    encodeReply(VM_GET_HYP_RESOURCES, {
      resources: [
        { ...none, type: ResourceType.Vcpu, label: 0, cap: vcpuCap(0), virq: wakeup(0) },
        { ...none, type: ResourceType.DoorbellSource, label: BELL, cap: BELL_CAP, virq: 0 },
      ],
    }),
  );
  const vmm = new Client(fake);
  const { vm } = vmm.loadedVm();
  const eventfd = vmm.kernel((kernel, pid) => kernel.eventfd(pid, 0));
  const irqfd = (changes: Partial<{ fd: number; label: number; flags: number }> = {}) =>
    vmm.add(vm, FunctionType.Irqfd, FN_IRQFD_ARG, { fd: eventfd, label: BELL, ...changes });
  type Io = { fd: number; addr: bigint; len: number; flags: number; datamatch: bigint };
  const ioeventfd = (changes: Partial<Io> = {}) =>
    vmm.add(vm, FunctionType.Ioeventfd, FN_IOEVENTFD_ARG, { fd: eventfd, addr: 0x6000n, len: 4, ...changes });
  const signal = () => vmm.kernel((kernel, pid) => kernel.write(pid, eventfd, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)));
  const counter = () => vmm.kernel((kernel, pid) => kernel.read(pid, eventfd, 8));
  const start = () => assert.equal(vmm.ioctl(vm, GH.START), 0);
  return { fake, vmm, vm, eventfd, irqfd, ioeventfd, signal, counter, start };
}

Deno.test("V46: an argument of 257 bytes is EINVAL before anything else, and so is 256 of a known type", () => {
  const { vmm, vm } = setUp();
  const add = (type: number, arg_size: number, arg: bigint) => vmm.call(vm, GH.ADD_FUNCTION, FN_DESC, { type, arg_size, arg });
  vmm.refused(add(99, 257, 0n), "EINVAL", /at most 256/);
  const place = BigInt(vmm.place(new Uint8Array(256)));
  for (const type of [FunctionType.Vcpu, FunctionType.Irqfd, FunctionType.Ioeventfd]) {
    vmm.refused(add(type, 256, place), "EINVAL", /is its structure/);
  }
});

Deno.test("V47: an unknown type is ENOENT", () => {
  const { vmm, vm } = setUp();
  for (const type of [0, 4, 99, 0xffff_ffff]) vmm.refused(vmm.add(vm, type, FN_VCPU_ARG, { id: 0 }), "ENOENT", /VCPU 1, IRQFD 2/);
});

Deno.test("V48: a vCPU's number is used once", () => {
  const { vmm, vm } = setUp();
  const vcpu = vmm.vcpu(vm, 3);
  vmm.refused(vmm.vcpu(vm, 3), "EEXIST", /used once/);
  vmm.close(vcpu);
  vmm.refused(vmm.vcpu(vm, 3), "EEXIST", /used once/);
});

Deno.test("V49: an irqfd with flag 2 or without an eventfd is EINVAL, with a closed descriptor EBADF", () => {
  const { vmm, vm, irqfd } = setUp();
  vmm.refused(irqfd({ flags: 2 }), "EINVAL", /LEVEL 1/);
  vmm.refused(irqfd({ fd: vm }), "EINVAL", /eventfd/);
  vmm.refused(irqfd({ fd: 99 }), "EBADF", /open/);
  vmm.refused(irqfd({ fd: 99, flags: 2 }), "EINVAL", /LEVEL 1/);
});

Deno.test("V50: two irqfds on one label are EEXIST, one eventfd on two labels is fine", () => {
  const { vmm, irqfd } = setUp();
  assert.equal(irqfd(), 0);
  vmm.refused(irqfd(), "EEXIST", /doorbell's label/);
  assert.equal(irqfd({ label: BELL + 1 }), 0);
});

Deno.test("V51: a signal before the doorbell is there is dropped, not queued", () => {
  const { fake, irqfd, signal, counter, start } = setUp();
  assert.equal(irqfd(), 0);
  assert.equal(signal(), 8);
  start();
  assert.deepEqual(fake.platform.calls.filter((call) => call.startsWith("send")), []);
  assert.equal(signal(), 8);
  assert.deepEqual(fake.platform.calls.filter((call) => call.startsWith("send")), ["send 0x77 1"]);
  assert.deepEqual(counter(), Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0));
  const stack = new HostStack({ scripts: {} });
  const shown: string[] = [];
  stack.hypervisor.trace.listen(["ioctl"], ({ name }) => shown.push(name));
  const seen = new Client(stack);
  const fd = seen.kernel((kernel, pid) => kernel.eventfd(pid, 0));
  assert.equal(seen.add(seen.createVm(), FunctionType.Irqfd, FN_IRQFD_ARG, { fd, label: BELL }), 0);
  seen.kernel((kernel, pid) => kernel.write(pid, fd, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)));
  assert.ok(shown.includes("irqfd signal dropped: its doorbell is not bound"), shown.join("\n"));
});

Deno.test("V52: a LEVEL irqfd sets the doorbell's masks to 1 and 1 when it is bound, an edge one does not", () => {
  for (const [flags, masks] of [[0, []], [IrqfdFlags.Level, ["mask 0x77 1 1"]]] as const) {
    const { fake, irqfd, start } = setUp();
    assert.equal(irqfd({ flags }), 0);
    start();
    assert.deepEqual(fake.platform.calls.filter((call) => call.startsWith("mask")), masks);
  }
});

Deno.test("V53: an ioeventfd of length 3, one that wraps where that is checked, and length 0 with DATAMATCH are EINVAL", () => {
  const { vmm, ioeventfd } = setUp();
  vmm.refused(ioeventfd({ len: 3 }), "EINVAL", /1, 2, 4, 8/);
  vmm.refused(ioeventfd({ flags: 2 }), "EINVAL", /DATAMATCH 1/);
  vmm.refused(ioeventfd({ len: 0, flags: IoeventfdFlags.Datamatch }), "EINVAL", /no data to match/);
  assert.equal(ioeventfd({ addr: 0xffff_ffff_ffff_ffffn }), 0);
  const later = new Client(new FakeHost("ack-6.6"));
  const vm = later.createVm(), fd = later.kernel((kernel, pid) => kernel.eventfd(pid, 0));
  const result = later.add(vm, FunctionType.Ioeventfd, FN_IOEVENTFD_ARG, { fd, addr: 0xffff_ffff_ffff_ffffn, len: 4 });
  later.refused(result, "EINVAL", /may not wrap/);
});

Deno.test("V54: ioeventfds at one address collide unless both match data that differs or lengths that differ", () => {
  const { vmm, ioeventfd } = setUp();
  const flags = IoeventfdFlags.Datamatch;
  assert.equal(ioeventfd({ flags, datamatch: 1n }), 0);
  vmm.refused(ioeventfd({ flags, datamatch: 1n }), "EEXIST", /one ioeventfd/);
  assert.equal(ioeventfd({ flags, datamatch: 2n }), 0);
  assert.equal(ioeventfd({ flags, datamatch: 1n, len: 2 }), 0);
  vmm.refused(ioeventfd(), "EEXIST");
  vmm.refused(ioeventfd({ len: 0 }), "EEXIST");
  assert.equal(ioeventfd({ addr: 0x6004n, len: 0 }), 0);
  vmm.refused(ioeventfd({ addr: 0x6004n, flags, datamatch: 9n }), "EEXIST");
  // Where the length counts without DATAMATCH too, other lengths do not collide.
  const later = setUp("ack-6.6");
  assert.deepEqual([later.ioeventfd(), later.ioeventfd({ len: 2 })], [0, 0]);
  for (const same of [{}, { flags, datamatch: 1n }, { len: 0 }]) later.vmm.refused(later.ioeventfd(same), "EEXIST", /one ioeventfd/);
});

Deno.test("V55: an ioeventfd takes matching writes without an exit, never loads, and leaves other writes to user space", () => {
  const { fake, vmm, vm, ioeventfd, counter, start } = setUp();
  assert.equal(ioeventfd({ flags: IoeventfdFlags.Datamatch, datamatch: 7n }), 0);
  const vcpu = vmm.vcpu(vm);
  vmm.runPage(vcpu);
  start();
  const { task } = vmm.begin(vcpu, GH.RUN);
  fake.returnRun(VcpuRunState.AddrspaceVmmioWrite, 0x6000n, 4n, 0xabcd_0000_0000_0007n);
  assert.equal(fake.await(task), undefined, "the guest goes on");
  assert.deepEqual(counter(), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
  fake.returnRun(VcpuRunState.AddrspaceVmmioWrite, 0x6000n, 4n, 8n);
  assert.equal(fake.await(task), 0, "other data");
  const second = vmm.begin(vcpu, GH.RUN).task;
  fake.returnRun(VcpuRunState.AddrspaceVmmioRead, 0x6000n, 4n);
  assert.equal(fake.await(second), 0, "a load");
  assert.equal(counter(), -11);
});

Deno.test("V56: REMOVE_FUNCTION without a match is ENOENT, and takes what matches by its key once", () => {
  const { vmm, vm, irqfd, eventfd } = setUp();
  const remove = (label: number) => vmm.remove(vm, FunctionType.Irqfd, FN_IRQFD_ARG, { fd: eventfd, label, flags: 0xff });
  vmm.refused(remove(BELL), "ENOENT", /has to match/);
  assert.equal(irqfd(), 0);
  assert.equal(remove(BELL), 0);
  vmm.refused(remove(BELL), "ENOENT", /has to match/);
});

Deno.test("ack-6.1 removes what was added with the very same argument, and answers 0 where there is none", () => {
  const { vmm, vm, irqfd, ioeventfd, eventfd, fake } = setUp("ack-6.1");
  const left = () => fake.visit(({ gunyah }) => Object.values(gunyah.state.vms)[0]);
  assert.deepEqual([irqfd(), ioeventfd()], [0, 0]);
  const other = { fd: eventfd, label: BELL, flags: IrqfdFlags.Level };
  assert.equal(vmm.remove(vm, FunctionType.Irqfd, FN_IRQFD_ARG, other), 0);
  assert.equal(vmm.remove(vm, FunctionType.Ioeventfd, FN_IOEVENTFD_ARG, { addr: 0x6000n, len: 8, fd: eventfd }), 0);
  assert.deepEqual([left().irqfds.length, left().ioeventfds.length], [1, 1]);
  assert.equal(vmm.remove(vm, FunctionType.Irqfd, FN_IRQFD_ARG, { ...other, flags: 0 }), 0);
  assert.deepEqual([left().irqfds.length, left().ioeventfds.length], [0, 1]);
});

Deno.test("V57: a function that is added after START is bound at once", () => {
  const { fake, vmm, vm, irqfd, ioeventfd, signal, counter, start } = setUp();
  start();
  assert.equal(irqfd(), 0);
  signal();
  assert.deepEqual(fake.platform.calls.filter((call) => call.startsWith("send")), ["send 0x77 1"]);
  assert.equal(ioeventfd(), 0);
  assert.equal(vmm.begin(vmm.vcpu(vm), GH.RUN).result, undefined);
  assert.equal(fake.platform.inside.get(0)?.cap, vcpuCap(0));
  counter();
  fake.returnRun(VcpuRunState.AddrspaceVmmioWrite, 0x6000n, 4n, 1n);
  assert.deepEqual(counter(), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), "the ioeventfd as well");
});
