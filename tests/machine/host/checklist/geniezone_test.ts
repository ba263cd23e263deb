// The checklist of docs/spec/geniezone.md §13: /dev/gzvm, on the real hypervisor with scripted
// vCPUs, or with a scripted Resource Manager.

import assert from "node:assert/strict";
import { ExitType } from "../../../../src/machine/abi/rpc/messages/vm.ts";
import { VcpuRunState } from "../../../../src/machine/abi/words.ts";
import { findNode, readCells } from "../../../../src/machine/devicetree/tree.ts";
import { gzvmConfigTree } from "../../../../src/machine/host/geniezone/config-tree.ts";
import { unpackIrq } from "../../../../src/machine/host/geniezone/driver.ts";
import { callOf, functionId, GZVM_CALLS, type GzvmCallName, packTuple, unpackTuple } from "../../../../src/machine/abi/geniezone/calls.ts";
import { gzvmErrno } from "../../../../src/machine/host/geniezone/hypercalls.ts";
import {
  GZVM,
  GZVM_CREATE_DEVICE,
  GZVM_DTB_CONFIG,
  GZVM_ENABLE_CAP,
  GZVM_IOEVENTFD,
  GZVM_IRQ_LEVEL,
  GZVM_IRQFD,
  GZVM_ONE_REG,
  GZVM_RUN,
  GZVM_RUN_EXCEPTION,
  GZVM_RUN_MMIO,
  GZVM_RUN_SYSTEM_EVENT,
  GZVM_U64,
  GZVM_USER_MEMORY_REGION,
  GzvmCap,
  GzvmExit,
  GzvmIoeventfdFlags,
  GzvmIrqfdFlags,
} from "../../../../src/machine/abi/ioctl/geniezone.ts";
import { GH } from "../../../../src/machine/abi/ioctl/gunyah.ts";
import type { GzvmState } from "../../../../src/machine/host/geniezone/state.ts";
import { BASE, Client } from "../client.ts";
import { FakeHost } from "../fake-host.ts";
import { wakeup } from "../fake-platform.ts";
import { HostStack, type HostStackOptions, type Visitor } from "../host-stack.ts";
import type { Script } from "../scripted-core.ts";

const SIZE = 0x20_0000;
const EINTR = -4, ENODEV = -19;
const OFF = 0x8400_0008n, RESET = 0x8400_0009n;
/** Register ids of 64-bit core registers. */
const CORE = 0x6030_0000_0010_0000n, PC = CORE + 64n;

/** A process with /dev/gzvm open. */
class GzvmClient extends Client {
  readonly device = this.open("/dev/gzvm");

  state<T>(act: (state: GzvmState) => T): T {
    return this.host.visit(({ gzvm }) => act(gzvm!.state));
  }

  override createVm(): number {
    const vm = this.ioctl(this.device, GZVM.CREATE_VM);
    assert.ok(vm > 0, `${vm}`);
    return vm;
  }

  slot(
    vm: number,
    changes: Partial<{ slot: number; flags: number; guest_phys_addr: bigint; memory_size: bigint; userspace_addr: bigint }>,
  ): number {
    const values = { slot: 0, flags: 1, guest_phys_addr: BigInt(BASE), memory_size: BigInt(SIZE), userspace_addr: 0n, ...changes };
    return this.call(vm, GZVM.SET_USER_MEMORY_REGION, GZVM_USER_MEMORY_REGION, values);
  }

  setRegister(vcpu: number, id: bigint, value: bigint): number {
    const addr = BigInt(this.place(GZVM_U64.encode({ value })));
    return this.call(vcpu, GZVM.SET_ONE_REG, GZVM_ONE_REG, { id, addr });
  }

  /** A VM with memory, devices and one vCPU that starts at its memory. */
  loaded(options: { protected?: boolean; vcpus?: number } = {}): { vm: number; memory: number; vcpu: number; run: number } {
    const vm = this.createVm(), memory = this.memory(SIZE, true);
    assert.equal(this.slot(vm, { userspace_addr: BigInt(memory) }), 0);
    assert.equal(
      this.call(vm, GZVM.CREATE_DEVICE, GZVM_CREATE_DEVICE, { dev_type: 0, dev_addr: 0x3fff_0000n, dev_reg_size: 0x1_0000n }),
      0,
    );
    assert.equal(
      this.call(vm, GZVM.CREATE_DEVICE, GZVM_CREATE_DEVICE, { dev_type: 1, dev_addr: 0x3ffb_0000n, dev_reg_size: 0x2_0000n }),
      0,
    );
    const vcpus = Array.from({ length: options.vcpus ?? 1 }, (_, id) => this.ioctl(vm, GZVM.CREATE_VCPU, id));
    assert.equal(this.setRegister(vcpus[0], PC, BigInt(BASE)), 0);
    if (options.protected) {
      assert.equal(this.call(vm, GZVM.ENABLE_CAP, GZVM_ENABLE_CAP, { cap: GzvmCap.ProtectedVm, args: [2n, 0n, 0n, 0n, 0n] }), 0);
    }
    return { vm, memory, vcpu: vcpus[0], run: this.place(new Uint8Array(GZVM_RUN.size)) };
  }
}

function onStack(script: Script | undefined = undefined, options: HostStackOptions = {}): { stack: HostStack; vmm: GzvmClient } {
  const stack = new HostStack({ scripts: script ? { [BASE]: script } : {}, ...options });
  return { stack, vmm: new GzvmClient(stack) };
}

function faked(options: { firmware?: Uint8Array } = {}): { fake: FakeHost; vmm: GzvmClient } {
  const fake = new FakeHost("v14", options);
  return { fake, vmm: new GzvmClient(fake) };
}

/** The exit that RUN left. */
function exitOf(vmm: Client, run: number): { reason: number; bytes: Uint8Array } {
  const bytes = vmm.read(run, GZVM_RUN.size);
  return { reason: GZVM_RUN.decode(bytes).exit_reason, bytes };
}

const calls = (vmm: GzvmClient, name: GzvmCallName) => vmm.state((state) => state.calls[name] ?? 0);

Deno.test("G1: codes equal section 3 bit for bit", () => {
  assert.deepEqual(Object.fromEntries(Object.entries(GZVM).map(([name, { code }]) => [name, code])), {
    ...{
      CREATE_VM: 0x9201,
      CHECK_EXTENSION: 0x9203,
      SET_MEMORY_REGION: 0x4018_9240,
      CREATE_VCPU: 0x9241,
      SET_USER_MEMORY_REGION: 0x4020_9246,
    },
    ...{ CREATE_IRQCHIP: 0x9260, IRQ_LINE: 0x4008_9261, IRQFD: 0x4020_9276, IOEVENTFD: 0x4040_9279, RUN: 0x9280, ENABLE_CAP: 0x4030_92a3 },
    ...{ GET_ONE_REG: 0x4010_92ab, SET_ONE_REG: 0x4010_92ac, CREATE_DEVICE: 0xc030_92e0, SET_DTB_CONFIG: 0x4010_92ff },
  });
});

Deno.test("G2: unknown requests are ENOTTY on all three descriptors, and so is SET_MEMORY_REGION", () => {
  const { vmm } = onStack();
  const { vm, vcpu } = vmm.loaded();
  for (const fd of [vmm.device, vm, vcpu]) {
    vmm.refused(vmm.ioctl(fd, 0x92ff), "ENOTTY", /is not a GenieZone request/);
    vmm.refused(vmm.ioctl(fd, GH.CREATE_VM), "ENOTTY", /GH_CREATE_VM of v9/);
  }
  vmm.refused(vmm.ioctl(vm, GZVM.SET_MEMORY_REGION), "ENOTTY", /does not answer/);
});

Deno.test("G3: CHECK_EXTENSION with a null pointer is EINVAL, a bad one EFAULT, an unsupported capability EOPNOTSUPP", () => {
  const { vmm } = onStack();
  vmm.refused(vmm.ioctl(vmm.device, GZVM.CHECK_EXTENSION, 0), "EINVAL", /null/);
  vmm.refused(vmm.ioctl(vmm.device, GZVM.CHECK_EXTENSION, 0xffff_8000_0000_0000n), "EFAULT", /readable/);
  vmm.refused(vmm.call(vmm.device, GZVM.CHECK_EXTENSION, GZVM_U64, { value: 7n }), "EOPNOTSUPP", /not supported/);
});

/** CHECK_EXTENSION's answer. */
function extension(vmm: GzvmClient, fd: number, value: bigint): bigint {
  const place = vmm.place(GZVM_U64.encode({ value }));
  assert.equal(vmm.ioctl(fd, GZVM.CHECK_EXTENSION, place), 0);
  return GZVM_U64.decode(vmm.read(place, 8)).value;
}

Deno.test("G4: CHECK_EXTENSION gives the address bits, and 1 for protected VMs", () => {
  const { vmm } = onStack();
  assert.deepEqual([extension(vmm, vmm.device, GzvmCap.VmGpaSize), extension(vmm, vmm.device, GzvmCap.ProtectedVm)], [36n, 1n]);
});

Deno.test("G5: CHECK_EXTENSION works on a VM's descriptor", () => {
  const { vmm } = onStack();
  assert.equal(extension(vmm, vmm.createVm(), GzvmCap.VmGpaSize), 36n);
});

Deno.test("G6: a host without GenieZone has no /dev/gzvm", () => {
  const stack = new HostStack({ scripts: {}, gzvm: false });
  assert.equal(new Client(stack).open("/dev/gzvm"), -2);
});

Deno.test("G7: function numbers 0 to 19 are recognized in both forms, and no other", () => {
  for (const name of Object.keys(GZVM_CALLS) as GzvmCallName[]) {
    assert.equal(functionId(name), 0xfb00_1000 + GZVM_CALLS[name].number);
    assert.deepEqual([callOf(functionId(name)), callOf(functionId(name, false))], [name, name]);
  }
  assert.deepEqual(Object.values(GZVM_CALLS).map(({ number }) => number), Array.from({ length: 20 }, (_, n) => n));
  for (const id of [0xfb00_1014, 0xfb00_0fff, 0xbb00_1014, 0xc600_8000]) assert.equal(callOf(id), undefined);
});

Deno.test("G8: a tuple has the VM in its upper half-word", () => {
  assert.equal(packTuple(0x8001, 3), 0x8001_0003);
  assert.deepEqual(unpackTuple(0x8001_0003), { vm: 0x8001, vcpu: 3 });
});

Deno.test("G9: errors of EL2 become the errnos of section 2, others EINVAL", () => {
  assert.deepEqual([0, -5, -8, -24, -27, -40, -1, -99].map(gzvmErrno), [0, 12, 22, 95, 95, 14, 22, 22]);
});

Deno.test("G10: ids of VMs are not used again while they are in use", () => {
  const { vmm } = onStack();
  const ids = () => vmm.state((state) => Object.values(state.vms).map(({ el2Id }) => el2Id));
  const first = vmm.createVm();
  vmm.createVm();
  assert.deepEqual(ids(), [1, 2]);
  vmm.close(first);
  vmm.createVm();
  assert.deepEqual(ids().sort(), [1, 2]);
});

Deno.test("G11: INFORM_EXIT is sent once when a signal ends RUN", () => {
  const { stack, vmm } = onStack(function* () {
    for (;;) yield { do: "work", count: 1000 };
  });
  const { vcpu, run } = vmm.loaded();
  const { task } = vmm.begin(vcpu, GZVM.RUN, run);
  stack.pass(1e7);
  vmm.kernel((kernel) => kernel.signal(task));
  assert.equal(stack.await(task, 1e8), EINTR);
  assert.equal(calls(vmm, "INFORM_EXIT"), 1);
});

Deno.test("a VM whose descriptors are closed while RUN waits goes with it: RUN is ENODEV with its reason, and nothing is left", () => {
  const { stack, vmm } = onStack(function* () {
    for (;;) yield { do: "wfi" };
  });
  const { vm, vcpu, run } = vmm.loaded();
  const { task } = vmm.begin(vcpu, GZVM.RUN, run);
  stack.pass(1e7);
  vmm.close(vcpu);
  vmm.close(vm);
  assert.equal(stack.await(task, 1e8), ENODEV);
  assert.match(stack.hypervisor.trace.reasons.list().at(-1)!.rule, /function was removed, or its VM was destroyed/);
  vmm.exit();
  stack.pass(1e8);
  stack.visit(({ kernel, gunyah }) => assert.deepEqual([gunyah.state.vcpus, kernel.memory.state.objects], [{}, {}]));
});

Deno.test("G12: slot 9 is fine, slot 10 is EINVAL", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm(), userspace_addr = BigInt(vmm.memory(SIZE));
  assert.equal(vmm.slot(vm, { slot: 9, userspace_addr }), 0);
  vmm.refused(vmm.slot(vm, { slot: 10, userspace_addr }), "EINVAL", /10 slots/);
});

Deno.test("G13: an unaligned address or size, and a range that wraps, are EINVAL", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm(), userspace_addr = BigInt(vmm.memory(SIZE));
  vmm.refused(vmm.slot(vm, { guest_phys_addr: 8n, userspace_addr }), "EINVAL", /whole pages/);
  vmm.refused(vmm.slot(vm, { memory_size: 0x1001n, userspace_addr }), "EINVAL", /whole pages/);
  vmm.refused(vmm.slot(vm, { guest_phys_addr: 0xffff_ffff_ffff_f000n, userspace_addr }), "EINVAL", /wrap/);
  vmm.refused(vmm.slot(vm, { memory_size: 1n << 44n, userspace_addr }), "EINVAL", /2\^31/);
});

Deno.test("G14: a size that is not the mapping's is EINVAL, no mapping EFAULT", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm(), userspace_addr = BigInt(vmm.memory(SIZE));
  vmm.refused(vmm.slot(vm, { memory_size: 0x1000n, userspace_addr }), "EINVAL", /whole of a mapping/);
  vmm.refused(vmm.slot(vm, { userspace_addr: 0x1000n }), "EFAULT", /mapped/);
});

Deno.test("G15: a region or a purpose that EL2 refuses is EFAULT", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm(), userspace_addr = BigInt(vmm.memory(SIZE));
  vmm.refused(vmm.slot(vm, { guest_phys_addr: 0x1000_0000n, userspace_addr }), "EFAULT", /SET_MEMREGION/);
  vmm.refused(vmm.slot(vm, { flags: 8, userspace_addr }), "EFAULT", /MEMREGION_PURPOSE/);
});

Deno.test("pages in CMA areas cannot be a slot, and the reason says so", () => {
  const { vmm } = onStack(undefined, { quirks: { unpinnable: 100 } });
  const vm = vmm.createVm(), userspace_addr = BigInt(vmm.memory(SIZE));
  vmm.refused(vmm.slot(vm, { userspace_addr }), "ENOMEM", /lies in a CMA area/);
});

Deno.test("G16: overlapping slots are not the driver's to refuse", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm();
  for (const slot of [0, 1]) assert.equal(vmm.slot(vm, { slot, userspace_addr: BigInt(vmm.memory(SIZE)) }), 0);
});

Deno.test("G17: the region's constituents agree with the slot", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm(), other = vmm.memory(0x1000), memory = vmm.memory(0x8000);
  for (let page = 0; page < 8; page += 2) for (const at of [memory + page * 4096, other]) vmm.write(at, [1]);
  assert.equal(vmm.slot(vm, { memory_size: 0x8000n, userspace_addr: BigInt(memory) }), 0);
  const ranges = vmm.state((state) => Object.values(state.vms)[0].slots[0].pinned.ranges);
  assert.equal(ranges.reduce((sum, { count }) => sum + count, 0), 8);
});

Deno.test("G20: without lazy mode the call has all pages at once", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm(), memory = vmm.memory(SIZE);
  const free = () => vmm.kernel((kernel) => kernel.memory.pages.available);
  const before = free();
  assert.equal(vmm.slot(vm, { userspace_addr: BigInt(memory) }), 0);
  assert.ok(before - free() >= SIZE / 4096);
});

Deno.test("G22: size 0 is EINVAL on a mapped address, EFAULT on another, and leaves the slot", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm(), userspace_addr = BigInt(vmm.memory(SIZE));
  assert.equal(vmm.slot(vm, { userspace_addr }), 0);
  vmm.refused(vmm.slot(vm, { memory_size: 0n, userspace_addr }), "EINVAL");
  vmm.refused(vmm.slot(vm, { memory_size: 0n, userspace_addr: 0x1000n }), "EFAULT");
  assert.deepEqual(vmm.state((state) => Object.values(state.vms)[0].slots.map(({ size }) => size)), [BigInt(SIZE)]);
});

Deno.test("G23: the end of a VM unpins every page", () => {
  const { stack, vmm } = onStack(function* () {
    yield { do: "hvc", immediate: 0, x: [OFF] };
  });
  const { vcpu, run } = vmm.loaded();
  assert.equal(vmm.ioctl(vcpu, GZVM.RUN, run), 0);
  vmm.exit();
  stack.pass(1e9);
  stack.visit(({ kernel, gunyah, gzvm }) => {
    assert.deepEqual([gzvm!.state.vms, gunyah.state.vms, kernel.state.memory.objects, kernel.state.files], [{}, {}, {}, {}]);
    assert.equal(kernel.memory.pages.available, 32 * 2 ** 20 / 4096);
  });
});

/** ENABLE_CAP of PROTECTED_VM. */
function protect(vmm: GzvmClient, vm: number, command: bigint, value = 0n): { result: number; args: bigint[] } {
  const place = vmm.place(GZVM_ENABLE_CAP.encode({ cap: GzvmCap.ProtectedVm, args: [command, value, 0n, 0n, 0n] }));
  const result = vmm.ioctl(vm, GZVM.ENABLE_CAP, place);
  return { result, args: GZVM_ENABLE_CAP.decode(vmm.read(place, GZVM_ENABLE_CAP.size)).args };
}

Deno.test("G24: sub-commands of PROTECTED_VM from 3 on, and unknown capabilities, are EINVAL", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm();
  vmm.refused(protect(vmm, vm, 3n).result, "EINVAL", /0, 1 and 2/);
  vmm.refused(vmm.call(vm, GZVM.ENABLE_CAP, GZVM_ENABLE_CAP, { cap: 5n }), "EINVAL", /PROTECTED_VM/);
  vmm.refused(protect(vmm, vm, 1n).result, "EINVAL", /no firmware/);
});

Deno.test("G25: GET_PVMFW_SIZE writes the size to args[1]", () => {
  const { vmm } = onStack(undefined, { firmware: new Uint8Array(0x1234) });
  assert.deepEqual(protect(vmm, vmm.createVm(), 1n), { result: 0, args: [1n, 0x1234n, 0n, 0n, 0n] });
});

Deno.test("G26: the host cannot read the memory of a protected VM that runs", () => {
  const { vmm } = onStack(function* () {
    yield { do: "store", address: 0x6000, size: 4, value: 1n };
  });
  const { vcpu, run, memory } = vmm.loaded({ protected: true });
  assert.equal(vmm.ioctl(vcpu, GZVM.RUN, run), 0);
  assert.deepEqual(vmm.kernel((kernel, pid) => kernel.load(pid, memory, 4)), { ok: false, signal: 7 });
});

Deno.test("G27: a static swiotlb slot of a protected VM stays readable", () => {
  const { vmm } = onStack(function* () {
    yield { do: "store", address: 0x6000, size: 4, value: 1n };
  });
  const { vm, vcpu, run } = vmm.loaded({ protected: true });
  const swiotlb = vmm.memory(SIZE, true);
  assert.equal(vmm.slot(vm, { slot: 1, flags: 4, guest_phys_addr: BigInt(BASE + SIZE), userspace_addr: BigInt(swiotlb) }), 0);
  assert.equal(vmm.ioctl(vcpu, GZVM.RUN, run), 0);
  assert.ok(vmm.write(swiotlb, [1]).ok);
});

Deno.test("G28: vCPU 7 is fine, vCPU 8 is EINVAL", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm();
  assert.ok(vmm.ioctl(vm, GZVM.CREATE_VCPU, 7) > 0);
  vmm.refused(vmm.ioctl(vm, GZVM.CREATE_VCPU, 8), "EINVAL", /8 vCPUs/);
});

Deno.test("G29: a register of more than 8 bytes is EINVAL", () => {
  const { vmm } = onStack();
  const { vcpu } = vmm.loaded();
  vmm.refused(vmm.setRegister(vcpu, 0x6040_0000_0010_0000n, 1n), "EINVAL", /1, 2, 4 or 8/);
  vmm.refused(vmm.setRegister(vcpu, 0x6030_0000_0013_0000n, 1n), "EOPNOTSUPP", /core registers/);
  vmm.refused(vmm.call(vcpu, GZVM.SET_ONE_REG, GZVM_ONE_REG, { id: CORE, addr: 0n }), "EFAULT");
  for (const size of [0n, 1n, 2n, 3n]) assert.equal(vmm.setRegister(vcpu, 0x6000_0000_0010_0000n | size << 52n, 1n), 0);
});

Deno.test("G30: GET_ONE_REG is EOPNOTSUPP", () => {
  const { vmm } = onStack();
  vmm.refused(vmm.ioctl(vmm.loaded().vcpu, GZVM.GET_ONE_REG, 0), "EOPNOTSUPP");
});

Deno.test("G31: RUN with padding is EINVAL, with a bad pointer EFAULT", () => {
  const { vmm } = onStack();
  const { vcpu, run } = vmm.loaded();
  vmm.write(run + 5, [1]);
  vmm.refused(vmm.ioctl(vcpu, GZVM.RUN, run), "EINVAL", /padding/);
  vmm.refused(vmm.ioctl(vcpu, GZVM.RUN, 0), "EFAULT", /264 bytes/);
});

Deno.test("G32: immediate_exit is EINTR before any instruction", () => {
  let executed = false;
  const { vmm } = onStack(function* () {
    executed = true;
    yield { do: "work", count: 1 };
  });
  const { vcpu, run } = vmm.loaded();
  vmm.write(run + 4, [1]);
  assert.equal(vmm.ioctl(vcpu, GZVM.RUN, run), EINTR);
  assert.equal(executed, false);
});

Deno.test("G33: the run structure has section 4's offsets and 264 bytes", () => {
  assert.equal(GZVM_RUN.size, 264);
  const mmio = (["phys_addr", "data", "size", "reg_nr", "is_write"] as const).map((name) => GZVM_RUN_MMIO.at[name].offset);
  assert.deepEqual(mmio, [8, 16, 24, 32, 36]);
  assert.deepEqual((["type", "ndata", "data"] as const).map((name) => GZVM_RUN_SYSTEM_EVENT.at[name].offset), [8, 12, 16]);
  const exception = (["exception", "error_code", "fault_gpa", "reserved"] as const).map((name) => GZVM_RUN_EXCEPTION.at[name].offset);
  assert.deepEqual(exception, [8, 12, 16, 24]);
  assert.deepEqual([GZVM_RUN.at.exit_reason.offset, GZVM_RUN.at.immediate_exit.offset, GZVM_RUN.at.padding.offset], [0, 4, 5]);
});

Deno.test("G34: the data of a load reaches the guest's register with the access's size", () => {
  const seen: bigint[] = [];
  const { vmm } = onStack(function* () {
    for (const size of [1, 2, 4, 8]) seen.push(yield { do: "load", address: 0x6000, size });
    yield { do: "hvc", immediate: 0, x: [OFF] };
  });
  const { vcpu, run } = vmm.loaded();
  for (const size of [1, 2, 4, 8]) {
    assert.equal(vmm.ioctl(vcpu, GZVM.RUN, run), 0);
    const { reason, bytes } = exitOf(vmm, run);
    const { phys_addr, size: length, is_write } = GZVM_RUN_MMIO.decode(bytes);
    assert.deepEqual([reason, phys_addr, length, is_write], [0x9292_0001, 0x6000n, BigInt(size), 0]);
    vmm.write(run + 16, [1, 2, 3, 4, 5, 6, 7, 8]);
  }
  assert.equal(vmm.ioctl(vcpu, GZVM.RUN, run), 0);
  assert.deepEqual(seen, [1n, 0x0201n, 0x0403_0201n, 0x0807_0605_0403_0201n]);
});

/** IOEVENTFD with the usual values. */
function ioeventfd(
  vmm: GzvmClient,
  vm: number,
  fd: number,
  changes: Partial<{ datamatch: bigint; addr: bigint; len: number; flags: number }> = {},
) {
  return vmm.call(vm, GZVM.IOEVENTFD, GZVM_IOEVENTFD, { addr: 0x6000n, len: 4, fd, ...changes });
}

const newEventfd = (vmm: GzvmClient, counter = 0) => vmm.kernel((kernel, pid) => kernel.eventfd(pid, counter));
const counterOf = (vmm: GzvmClient, fd: number) => vmm.kernel((kernel, pid) => kernel.read(pid, fd, 8));

Deno.test("G35: a write that an ioeventfd matches never reaches user space, another does", () => {
  const { vmm } = onStack(function* () {
    for (const value of [7n, 8n]) yield { do: "store", address: 0x6000, size: 4, value };
  });
  const { vm, vcpu, run } = vmm.loaded();
  const fd = newEventfd(vmm);
  assert.equal(ioeventfd(vmm, vm, fd, { flags: GzvmIoeventfdFlags.Datamatch, datamatch: 7n }), 0);
  assert.equal(vmm.ioctl(vcpu, GZVM.RUN, run), 0);
  const { data, is_write } = GZVM_RUN_MMIO.decode(exitOf(vmm, run).bytes);
  assert.deepEqual([data[0], is_write], [8, 1]);
  assert.deepEqual(counterOf(vmm, fd), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
});

Deno.test("G36: exit reasons are 0x92920000 + n", () => {
  const { vmm } = onStack(function* () {
    yield { do: "store", address: 0x6000, size: 1, value: 1n };
    yield { do: "hvc", immediate: 0, x: [OFF] };
  });
  const { vcpu, run } = vmm.loaded();
  const reasons = [0, 0].map(() => (assert.equal(vmm.ioctl(vcpu, GZVM.RUN, run), 0), exitOf(vmm, run).reason));
  assert.deepEqual(reasons, [0x9292_0001, 0x9292_0008]);
  const { Unknown, Mmio, Hypercall, Irq, Exception, Debug, FailEntry, InternalError, SystemEvent, Shutdown } = GzvmExit;
  assert.deepEqual([Unknown, Mmio, Hypercall, Irq, Exception, Debug, FailEntry, InternalError, SystemEvent, Shutdown], [
    ...Array(10).keys(),
  ]);
});

/** A VM that runs on the scripted platform. */
function inside(): { fake: FakeHost; vmm: GzvmClient; task: number; run: number; vcpu: number } {
  const { fake, vmm } = faked();
  const { vcpu, run } = vmm.loaded();
  const { task } = vmm.begin(vcpu, GZVM.RUN, run);
  assert.ok(fake.platform.inside.has(0), fake.lastRule()?.rule);
  return { fake, vmm, task, run, vcpu };
}

Deno.test("G37: what is the host's to handle never reaches user space", () => {
  const { fake, task } = inside();
  for (const state of [VcpuRunState.Ready, VcpuRunState.Blocked, VcpuRunState.Ready]) {
    fake.returnRun(state);
    assert.equal(fake.await(task), undefined);
  }
});

Deno.test("G38: a page fault that nothing resolves is an EXCEPTION for user space", () => {
  const { fake, vmm, task, run } = inside();
  fake.returnRun(VcpuRunState.PageFault, 0x9000_0000n);
  assert.equal(fake.await(task), 0);
  const { reason, bytes } = exitOf(vmm, run);
  assert.equal(reason, 0x9292_0004);
  assert.equal(new DataView(bytes.buffer).getBigUint64(16, true), 0x9000_0000n);
});

Deno.test("G40: PSCI off is system event 1, reset is 2, a crash 3", () => {
  for (const [id, event] of [[OFF, 1], [RESET, 2]] as const) {
    const { vmm } = onStack(function* () {
      yield { do: "hvc", immediate: 0, x: [id] };
    });
    const { vcpu, run } = vmm.loaded();
    assert.equal(vmm.ioctl(vcpu, GZVM.RUN, run), 0);
    assert.equal(GZVM_RUN_SYSTEM_EVENT.decode(exitOf(vmm, run).bytes).type, event);
  }
  const { fake, vmm, task, run } = inside();
  fake.returnRun(VcpuRunState.ExpectsWakeup);
  fake.platform.exited(fake.guest, 0x80, ExitType.SoftwareError);
  assert.equal(fake.await(task), 0);
  assert.equal(GZVM_RUN_SYSTEM_EVENT.decode(exitOf(vmm, run).bytes).type, 3);
});

Deno.test("G41: IDLE blocks the thread without calls", () => {
  const { fake, task } = inside();
  fake.returnRun(VcpuRunState.ExpectsWakeup);
  fake.platform.settle(fake.guest);
  assert.deepEqual([fake.platform.inside.has(0), fake.await(task)], [false, undefined]);
});

Deno.test("G42: a wakeup from another vCPU makes a sleeping one continue", () => {
  const { fake, task } = inside();
  fake.returnRun(VcpuRunState.ExpectsWakeup);
  fake.guest.virq(fake.platform.vcpu(0), wakeup(0));
  assert.ok(fake.platform.inside.has(0));
  assert.equal(fake.await(task), undefined);
});

Deno.test("G43: IRQ_LINE's fields decode, the high part of the vCPU included", () => {
  assert.deepEqual(unpackIrq(0x2103_0020), { number: 0x20, type: 1, vcpu: 0x203 });
  assert.deepEqual(unpackIrq(0x0200_001b), { number: 27, type: 2, vcpu: 0 });
});

Deno.test("G44: user SPI 0 is the guest's INTID 32", () => {
  const config = {
    name: "x",
    vcpus: 1,
    memory: [{ base: BASE, size: SIZE }],
    base: BASE + SIZE,
    distributor: 0x3fff_0000,
    redistributor: 0x3ffb_0000,
  };
  const { root } = gzvmConfigTree(config);
  const bell = findNode(root, "/gunyah-vm-config/vdevices/bell-0")!;
  assert.deepEqual([readCells(bell, "qcom,label"), readCells(bell, "interrupts")], [[0], [0, 0, 1]]);
});

Deno.test("G45: an injection that EL2 refuses is EFAULT", () => {
  const { vmm } = onStack();
  const { vm } = vmm.loaded();
  const line = (irq: number) => vmm.call(vm, GZVM.IRQ_LINE, GZVM_IRQ_LEVEL, { irq, level: 1 });
  assert.equal(line(0x0100_0004), 0);
  vmm.refused(line(0x0100_0020), "EFAULT", /IRQ_LINE/);
  vmm.refused(line(0x0200_001b), "EFAULT", /shared interrupts only/);
});

/** IRQFD. */
function irqfd(vmm: GzvmClient, vm: number, fd: number, changes: Partial<{ gsi: number; flags: number }> = {}) {
  return vmm.call(vm, GZVM.IRQFD, GZVM_IRQFD, { fd, gsi: 4, ...changes });
}

Deno.test("G46: an irqfd with unknown flags is EINVAL, with a closed descriptor EBADF, twice on an eventfd EBUSY", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm(), fd = newEventfd(vmm);
  vmm.refused(irqfd(vmm, vm, fd, { flags: 4 }), "EINVAL", /DEASSIGN 1/);
  vmm.refused(irqfd(vmm, vm, 99), "EBADF", /open/);
  assert.equal(irqfd(vmm, vm, fd), 0);
  vmm.refused(irqfd(vmm, vm, fd, { gsi: 5 }), "EBUSY", /one irqfd/);
});

Deno.test("G47: DEASSIGN without a match is 0 for irqfds and ENOENT for ioeventfds", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm(), fd = newEventfd(vmm);
  assert.equal(irqfd(vmm, vm, fd, { flags: GzvmIrqfdFlags.Deassign }), 0);
  vmm.refused(ioeventfd(vmm, vm, fd, { flags: GzvmIoeventfdFlags.Deassign }), "ENOENT", /no such/);
  assert.deepEqual([ioeventfd(vmm, vm, fd), ioeventfd(vmm, vm, fd, { flags: GzvmIoeventfdFlags.Deassign })], [0, 0]);
});

Deno.test("G48: an eventfd that is signaled already injects when it is assigned", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm();
  assert.equal(irqfd(vmm, vm, newEventfd(vmm, 0)), 0);
  assert.equal(calls(vmm, "IRQ_LINE"), 0);
  assert.equal(irqfd(vmm, vm, newEventfd(vmm, 1), { gsi: 5 }), 0);
  assert.equal(calls(vmm, "IRQ_LINE"), 1);
});

Deno.test("G50: an ioeventfd of length 3, that wraps, of a port, of length 0 with data or with unknown flags is EINVAL; collisions are EEXIST", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm(), fd = newEventfd(vmm);
  const { Datamatch, Pio } = GzvmIoeventfdFlags;
  for (const bad of [{ len: 3 }, { addr: 0xffff_ffff_ffff_ffffn }, { flags: Pio }, { len: 0, flags: Datamatch }, { flags: 8 }]) {
    vmm.refused(ioeventfd(vmm, vm, fd, bad), "EINVAL");
  }
  assert.equal(ioeventfd(vmm, vm, fd, { flags: Datamatch, datamatch: 1n }), 0);
  assert.equal(ioeventfd(vmm, vm, fd, { flags: Datamatch, datamatch: 2n }), 0);
  for (const bad of [{}, { len: 0 }, { flags: Datamatch, datamatch: 1n }, { addr: 0x6002n }]) {
    vmm.refused(ioeventfd(vmm, vm, fd, bad), "EEXIST");
  }
});

Deno.test("G54: CREATE_DEVICE with attributes over a page is EINVAL, with unreadable ones EFAULT, of another type refused", () => {
  const { vmm } = onStack();
  const vm = vmm.createVm();
  const device = (values: Partial<{ dev_type: number; attr_addr: bigint; attr_size: bigint }>) =>
    vmm.call(vm, GZVM.CREATE_DEVICE, GZVM_CREATE_DEVICE, { dev_type: 0, dev_addr: 0x3fff_0000n, ...values });
  vmm.refused(device({ attr_size: 0x1001n }), "EINVAL", /at most a page/);
  vmm.refused(device({ attr_size: 8n, attr_addr: 0n }), "EFAULT", /attributes/);
  vmm.refused(device({ dev_type: 2 }), "EINVAL", /CREATE_DEVICE/);
});

Deno.test("G55: the end of a VM destroys its vCPUs, then the VM", () => {
  const { stack, vmm } = onStack(function* () {
    yield { do: "hvc", immediate: 0, x: [OFF] };
  });
  const names: string[] = [];
  stack.hypervisor.trace.listen(["hvc"], ({ name }) => name.startsWith("GZVM ") && names.push(name.slice(5)));
  const { vcpu, run } = vmm.loaded({ vcpus: 2 });
  assert.equal(vmm.ioctl(vcpu, GZVM.RUN, run), 0);
  vmm.exit();
  stack.pass(1e9);
  assert.deepEqual(names.slice(-3), ["DESTROY_VCPU", "DESTROY_VCPU", "DESTROY_VM"]);
});

Deno.test("G56: the VM goes with its own descriptor; a vCPU's that is still open is safe to use, and RUN of it an error", () => {
  const script: Script = function* () {
    for (;;) yield { do: "work", count: 1000 };
  };
  // Before its first RUN, while RUN waits for the start, while the guest runs, and between two
  // RUNs.
  for (const when of ["new", "starting", "running", "interrupted"] as const) {
    const { stack, vmm } = onStack(script);
    const { vm, vcpu, run } = vmm.loaded();
    const task = when === "new" ? undefined : vmm.begin(vcpu, GZVM.RUN, run).task;
    // Another thread waits for its turn.
    const second = when === "running" ? vmm.begin(vcpu, GZVM.RUN, vmm.place(new Uint8Array(GZVM_RUN.size))).task : undefined;
    if (when === "running" || when === "interrupted") stack.pass(1e7);
    if (when === "interrupted") vmm.kernel((kernel) => kernel.signal(task!));
    vmm.close(vm);
    if (task !== undefined) assert.equal(stack.await(task, 1e9), when === "interrupted" ? EINTR : -19, when);
    if (second !== undefined) assert.equal(stack.await(second, 1e9), -19);
    vmm.refused(vmm.ioctl(vcpu, GZVM.RUN, run), "ENODEV", /the VM is gone/);
    vmm.refused(vmm.setRegister(vcpu, PC, 0n), "ENODEV", /the VM is gone/);
    stack.pass(1e9);
    assert.deepEqual(vmm.state((state) => state.vms), {}, when);
    assert.equal(vmm.kernel((kernel, pid) => kernel.descriptorName(pid, vcpu)), "anon_inode:gzvm-vcpu:0");
    vmm.refused(vmm.ioctl(vcpu, GZVM.RUN, run), "ENODEV", /the VM is gone/);
    vmm.exit();
    stack.visit(({ kernel, gunyah }) => {
      const { files, tasks, memory } = kernel.state;
      assert.deepEqual([gunyah.state.vms, gunyah.state.vcpus, files, tasks, memory.objects], [{}, {}, {}, {}, {}], when);
    });
    assert.deepEqual(stack.problems, []);
  }
});

Deno.test("G57: crosvm's sequence of calls runs", () => {
  const { stack, vmm } = onStack(function* (cpu) {
    yield { do: "store", address: 0x6000, size: 8, value: cpu.getX(0) };
    yield { do: "hvc", immediate: 0, x: [OFF] };
  }, { firmware: new Uint8Array(64) });
  const vm = vmm.createVm();
  assert.equal(extension(vmm, vm, GzvmCap.VmGpaSize), 36n);
  const memory = vmm.memory(SIZE, true);
  assert.equal(vmm.slot(vm, { userspace_addr: BigInt(memory) }), 0);
  for (const [dev_type, dev_addr] of [[0, 0x3fff_0000n], [1, 0x3ffd_0000n]] as const) {
    assert.equal(vmm.call(vm, GZVM.CREATE_DEVICE, GZVM_CREATE_DEVICE, { dev_type, dev_addr, dev_reg_size: 0x2_0000n }), 0);
  }
  const vcpu = vmm.ioctl(vm, GZVM.CREATE_VCPU, 0);
  assert.equal(vmm.call(vm, GZVM.SET_DTB_CONFIG, GZVM_DTB_CONFIG, { dtb_addr: BigInt(BASE + 0x10_0000), dtb_size: 0x1000n }), 0);
  for (const [id, value] of [[PC, BigInt(BASE)], [CORE, BigInt(BASE + 0x10_0000)], [CORE + 66n, 0x3c5n]] as const) {
    assert.equal(vmm.setRegister(vcpu, id, value), 0);
  }
  assert.equal(irqfd(vmm, vm, newEventfd(vmm)), 0);
  assert.equal(ioeventfd(vmm, vm, newEventfd(vmm), { addr: 0x7000n }), 0);
  const run = vmm.place(new Uint8Array(GZVM_RUN.size));
  assert.equal(vmm.ioctl(vcpu, GZVM.RUN, run), 0, stack.lastRule()?.rule);
  const { data } = GZVM_RUN_MMIO.decode(exitOf(vmm, run).bytes);
  assert.equal(new DataView(Uint8Array.from(data).buffer).getBigUint64(0, true), BigInt(BASE + 0x10_0000));
  assert.equal(vmm.ioctl(vcpu, GZVM.RUN, run), 0);
  assert.equal(exitOf(vmm, run).reason, 0x9292_0008);
});

/** A guest's output on its console, as its VMM sees it. */
function consoleOf(run: (record: (byte: number) => void) => void): string {
  let text = "";
  run((byte) => text += String.fromCharCode(byte));
  return text;
}

Deno.test("G58: a guest prints the same under GenieZone as under Gunyah", () => {
  const hello: Script = function* () {
    for (const char of "hello") yield { do: "store", address: 0x900_0000, size: 1, value: BigInt(char.charCodeAt(0)) };
    yield { do: "hvc", immediate: 0, x: [OFF] };
  };
  const geniezone = consoleOf((record) => {
    const { vmm } = onStack(hello);
    const { vcpu, run } = vmm.loaded();
    while (vmm.ioctl(vcpu, GZVM.RUN, run) === 0 && exitOf(vmm, run).reason === 0x9292_0001) record(vmm.read(run + 16, 1)[0]);
  });
  const gunyah = consoleOf((record) => {
    const vmm = new Client(new HostStack({ scripts: { [BASE]: hello } }) as Visitor);
    const { vm } = vmm.loadedVm();
    const vcpu = vmm.vcpu(vm), page = vmm.runPage(vcpu);
    assert.equal(vmm.ioctl(vm, GH.START), 0);
    while (vmm.ioctl(vcpu, GH.RUN) === 0 && vmm.read(page + 8, 1)[0] === 1) record(vmm.read(page + 24, 1)[0]);
  });
  assert.deepEqual([geniezone, gunyah], ["hello", "hello"]);
});

Deno.test("a VM of each hypervisor's device run side by side in one host", () => {
  const script: Script = function* () {
    for (let turn = 0n; turn < 3n; turn++) yield { do: "store", address: 0x6000, size: 4, value: turn };
    yield { do: "hvc", immediate: 0, x: [OFF] };
  };
  const { stack, vmm } = onStack(script);
  const { vcpu, run } = vmm.loaded();
  const other = new Client(stack);
  const { vm } = other.loadedVm();
  const gunyah = other.vcpu(vm), page = other.runPage(gunyah);
  assert.equal(other.ioctl(vm, GH.START), 0);
  for (let turn = 0; turn < 3; turn++) {
    assert.deepEqual([vmm.ioctl(vcpu, GZVM.RUN, run), other.ioctl(gunyah, GH.RUN)], [0, 0]);
    assert.deepEqual([vmm.read(run + 16, 1)[0], other.read(page + 24, 1)[0]], [turn, turn]);
  }
  assert.deepEqual([vmm.ioctl(vcpu, GZVM.RUN, run), other.ioctl(gunyah, GH.RUN)], [0, 0]);
  assert.deepEqual([exitOf(vmm, run).reason, other.read(page + 8, 1)[0]], [0x9292_0008, 2]);
});

Deno.test("CREATE_VCPU and CREATE_VM without a free descriptor are EMFILE, by name, and leave nothing: the vCPU can be made then", () => {
  const { stack, vmm } = onStack();
  const vm = vmm.createVm();
  vmm.place(new Uint8Array(1));
  const copies = vmm.kernel((kernel, pid) => {
    const made: number[] = [];
    for (let fd = kernel.dup(pid, vm); fd >= 0; fd = kernel.dup(pid, vm)) made.push(fd);
    return made;
  });
  const objects = () => vmm.kernel((kernel) => Object.keys(kernel.state.memory.objects).length);
  const before = objects();
  vmm.refused(vmm.ioctl(vm, GZVM.CREATE_VCPU, 0), "EMFILE", /no free descriptor/);
  vmm.refused(vmm.ioctl(vmm.device, GZVM.CREATE_VM), "EMFILE", /no free descriptor/);
  assert.deepEqual([objects(), calls(vmm, "DESTROY_VCPU"), calls(vmm, "DESTROY_VM")], [before, 1, 1]);
  vmm.close(copies[0]);
  assert.equal(vmm.ioctl(vm, GZVM.CREATE_VCPU, 0), copies[0]);
  vmm.exit();
  stack.pass(1e9);
  stack.visit(({ kernel, gunyah, gzvm }) => {
    assert.deepEqual([gzvm!.state.vms, gunyah.state.vms, gunyah.state.vcpus, kernel.state.memory.objects], [{}, {}, {}, {}]);
  });
});

Deno.test("a first RUN for which the host has no memory is ENOMEM, and the VM starts when there is some", () => {
  const { vmm } = onStack(function* () {
    yield { do: "hvc", immediate: 0, x: [OFF] };
  });
  const { vcpu, run } = vmm.loaded();
  const taken: number[] = [];
  for (let at = vmm.memory(0x1000, true); at > 0; at = vmm.memory(0x1000, true)) taken.push(at);
  vmm.refused(vmm.ioctl(vcpu, GZVM.RUN, run), "ENOMEM", /no memory for the VM's configuration/);
  for (const at of taken) vmm.kernel((kernel, pid) => kernel.munmap(pid, at));
  assert.equal(vmm.ioctl(vcpu, GZVM.RUN, run), 0);
  assert.equal(exitOf(vmm, run).reason, 0x9292_0008);
});
