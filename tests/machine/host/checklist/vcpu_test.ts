// Lines 58 to 71 of the checklist of docs/spec/vm-manager.md §17: vCPUs.

import assert from "node:assert/strict";
import { VM_EXITED } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { ExitType } from "../../../../src/machine/abi/rpc/messages/vm.ts";
import { VcpuRunState } from "../../../../src/machine/abi/words.ts";
import { GH, RUN_MMIO, RUN_PAGE, RUN_PAGE_FAULT, RUN_STATUS } from "../../../../src/machine/abi/ioctl/gunyah.ts";
import type { PersonaName } from "../../../../src/machine/abi/ioctl/personas.ts";
import { BASE, Client } from "../client.ts";
import { FakeHost } from "../fake-host.ts";
import { wakeup } from "../fake-platform.ts";
import { HostStack } from "../host-stack.ts";
import { HoldingCell } from "../test-vmm/holding-cell.ts";
import type { Script } from "../scripted-core.ts";

const EINTR = -4;

/** A VM that runs on the scripted platform, with one vCPU. */
function running(device: PersonaName = "v14") {
  const fake = new FakeHost(device);
  const vmm = new Client(fake);
  const { vm } = device === "v17" ? vmm.guestMemoryVm() : vmm.loadedVm();
  const vcpu = vmm.vcpu(vm), page = vmm.runPage(vcpu);
  assert.equal(vmm.ioctl(vm, GH.START), 0);
  const run = () => vmm.begin(vcpu, GH.RUN).task;
  const inside = () => fake.platform.inside.get(0);
  return { fake, vmm, vm, vcpu, page, run, inside };
}

/** A VM whose vCPU executes a script on the real hypervisor. */
function scripted(script: Script) {
  const stack = new HostStack({ scripts: { [BASE]: script } });
  const vmm = new Client(stack);
  const { vm } = vmm.loadedVm();
  const vcpu = vmm.vcpu(vm), page = vmm.runPage(vcpu);
  assert.equal(vmm.ioctl(vm, GH.START), 0);
  return { stack, vmm, vm, vcpu, page };
}

const u32 = (bytes: Uint8Array, at: number) => new DataView(bytes.buffer).getUint32(at, true);

Deno.test("V58: RUN before START is ENODEV", () => {
  const vmm = new Client(new HostStack({ scripts: {} }));
  const { vm } = vmm.loadedVm();
  const vcpu = vmm.vcpu(vm);
  vmm.refused(vmm.ioctl(vcpu, GH.RUN), "ENODEV", /after START only/);
  assert.equal(vmm.ioctl(vm, GH.START), 0);
  vmm.refused(vmm.ioctl(vmm.vcpu(vm, 5), GH.RUN), "ENODEV", /vCPU of this number/);
});

Deno.test("V59: the run mapping is one page, and touching another raises SIGBUS", () => {
  const { vmm, vcpu } = running();
  assert.equal(vmm.ioctl(vcpu, GH.MMAP_SIZE), 4096);
  const map = (offset: number, size: number) =>
    vmm.kernel((kernel, pid) => kernel.mapFile(pid, vcpu, size, { read: true, write: true, private: false, offset }));
  assert.deepEqual(vmm.write(map(0, 0x2000) + 0x1000, [1]), { ok: false, signal: 7 });
  assert.deepEqual(vmm.write(map(0x1000, 0x1000), [1]), { ok: false, signal: 7 });
});

Deno.test("V60: the run page has the offsets of section 9, and 40 bytes", () => {
  assert.deepEqual([RUN_PAGE.at.immediate_exit.offset, RUN_PAGE.at.exit_reason.offset], [0, 8]);
  const mmio = (["phys_addr", "data", "len", "is_write", "resume_action"] as const).map((name) => RUN_MMIO.at[name].offset);
  assert.deepEqual(mmio, [16, 24, 32, 36, 37]);
  const status = (["status", "exit_type", "padding", "reason_size", "reason"] as const).map((name) => RUN_STATUS.at[name].offset);
  assert.deepEqual(status, [16, 20, 22, 24, 28]);
  assert.deepEqual((["phys_addr", "attempt", "resume_action"] as const).map((name) => RUN_PAGE_FAULT.at[name].offset), [16, 24, 28]);
  assert.deepEqual([RUN_MMIO.size, RUN_STATUS.size], [40, 40]);
});

Deno.test("V61: with immediate_exit RUN is EINTR, and the guest executes nothing", () => {
  const { fake, vmm, vcpu, page, inside } = running();
  vmm.write(page, [2]);
  assert.equal(vmm.ioctl(vcpu, GH.RUN), EINTR);
  assert.equal(inside(), undefined);
  vmm.write(page, [0]);
  assert.equal(vmm.begin(vcpu, GH.RUN).result, undefined);
  assert.ok(fake.platform.inside.has(0));
});

Deno.test("V62: a signal ends RUN with EINTR, and the vCPU continues where it was", () => {
  let count = 0;
  const { stack, vmm, vcpu } = scripted(function* () {
    for (;; count++) yield { do: "work", count: 1000 };
  });
  for (let turn = 1; turn <= 3; turn++) {
    const { task } = vmm.begin(vcpu, GH.RUN);
    stack.pass(1e6);
    vmm.kernel((kernel) => kernel.signal(task));
    assert.equal(stack.await(task, 1e8), EINTR);
  }
  const before = count;
  stack.pass(1e6);
  assert.equal(count, before, "outside RUN it makes no progress");
  assert.ok(count > 500);
});

Deno.test("V63: what user space puts into data reaches the register of a load, with the access's width", () => {
  const seen: bigint[] = [];
  const { vmm, vcpu, page } = scripted(function* () {
    for (const size of [1, 2, 4, 8]) seen.push(yield { do: "load", address: 0x6000, size });
    for (;;) yield { do: "work", count: 1000 };
  });
  for (
    const [length, bytes] of [[1, [0x11, 0xff]], [2, [0x22, 0x22, 0xff]], [4, [1, 2, 3, 4, 0xff]], [8, [8, 7, 6, 5, 4, 3, 2, 1]]] as const
  ) {
    assert.equal(vmm.ioctl(vcpu, GH.RUN), 0);
    const exit = vmm.read(page, 40);
    assert.deepEqual([u32(exit, 8), u32(exit, 16), u32(exit, 32), exit[36]], [1, 0x6000, length, 0]);
    vmm.write(page + 24, bytes);
  }
  const { task } = vmm.begin(vcpu, GH.RUN);
  vmm.host.await(task, 1e6);
  assert.deepEqual(seen, [0x11n, 0x2222n, 0x0403_0201n, 0x0102_0304_0506_0708n]);
});

Deno.test("V64: a store leaves its value in the first bytes of data, little endian", () => {
  const { vmm, vcpu, page } = scripted(function* () {
    for (const size of [8, 4, 2, 1]) yield { do: "store", address: 0x6000 + size, size, value: 0x1122_3344_5566_7788n };
  });
  for (
    const [size, bytes] of [[8, [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]], [4, [0x88, 0x77, 0x66, 0x55]], [2, [0x88, 0x77]], [1, [
      0x88,
    ]]] as const
  ) {
    assert.equal(vmm.ioctl(vcpu, GH.RUN), 0);
    const exit = vmm.read(page, 40);
    assert.deepEqual([u32(exit, 8), u32(exit, 16), u32(exit, 32), exit[36]], [1, 0x6000 + size, size, 1]);
    assert.deepEqual([...exit.subarray(24, 24 + bytes.length)], bytes);
  }
});

Deno.test("V65: the resume action FAULT injects an abort into the guest at the address of its access", () => {
  const cell = new HoldingCell();
  assert.equal(cell.start(), 0);
  for (const address of [0x6_0000n, 0x6_1008n]) {
    assert.deepEqual(cell.tryWrite(address, 7n).exit, { address, write: true, data: 7n });
    cell.vmm.write(cell.vcpus[0].page + RUN_MMIO.at.resume_action.offset, [1]);
    assert.deepEqual(cell.outcome(0), { result: 0n, faults: [address], exit: undefined });
  }
  assert.equal(cell.loopback(5n), 5n, "the guest goes on");
  const { fake, vmm, vcpu, page, run, inside } = running("v17");
  const first = run();
  fake.returnRun(VcpuRunState.AddrspaceVmmioWrite, 0x6000n, 4n, 1n);
  assert.equal(fake.await(first), 0);
  vmm.write(page + RUN_MMIO.at.resume_action.offset, [1]);
  assert.equal(vmm.begin(vcpu, GH.RUN).result, undefined);
  assert.equal(inside()?.action, 2n);
});

Deno.test("V66: resume value 2 after an MMIO exit, and any above, is EINVAL", () => {
  for (const action of [2, 3, 255]) {
    const { fake, vmm, vcpu, page, run } = running("v17");
    run();
    fake.returnRun(VcpuRunState.AddrspaceVmmioRead, 0x6000n, 4n);
    vmm.write(page + RUN_MMIO.at.resume_action.offset, [action]);
    vmm.refused(vmm.ioctl(vcpu, GH.RUN), "EINVAL", /resume_action/);
  }
});

Deno.test("V67: in WFI RUN sleeps without calls, and one wakeup makes it continue", () => {
  const { fake, run, inside } = running();
  const task = run();
  fake.returnRun(VcpuRunState.ExpectsWakeup);
  assert.equal(inside(), undefined);
  fake.platform.settle(fake.guest);
  assert.deepEqual([inside(), fake.await(task)], [undefined, undefined]);
  fake.guest.virq(fake.platform.vcpu(0), wakeup(0));
  assert.ok(inside());
});

Deno.test("V68: after the exit every RUN of every vCPU, also of one that never ran, gives STATUS with the same type and reason", () => {
  const fake = new FakeHost("v14");
  fake.platform.vcpusOf = () => 2;
  const vmm = new Client(fake);
  const { vm } = vmm.loadedVm();
  const vcpus = [0, 1].map((id) => vmm.vcpu(vm, id)), pages = vcpus.map((vcpu) => vmm.runPage(vcpu));
  assert.equal(vmm.ioctl(vm, GH.START), 0);
  const { task } = vmm.begin(vcpus[0], GH.RUN);
  fake.returnRun(VcpuRunState.ExpectsWakeup);
  const exited = { vmid: 0x80, exit_type: ExitType.PsciSystemReset2, reason_size: 4, reason: Uint8Array.of(9, 8, 7, 6) };
  fake.platform.notify(fake.guest, VM_EXITED.id, VM_EXITED.layout.encode(exited));
  assert.equal(fake.await(task), 0);
  for (let turn = 0; turn < 3; turn++) {
    for (const [index, vcpu] of vcpus.entries()) {
      assert.equal(vmm.ioctl(vcpu, GH.RUN), 0);
      const exit = vmm.read(pages[index], 40);
      assert.deepEqual([u32(exit, 8), u32(exit, 16), exit[20], u32(exit, 24)], [2, 2, 3, 4]);
      assert.deepEqual([...exit.subarray(28, 36)], [9, 8, 7, 6, 0, 0, 0, 0]);
    }
  }
  vmm.refused(vmm.ioctl(vmm.vcpu(vm, 5), GH.RUN), "ENODEV");
});

Deno.test("V69: SYSTEM_OFF, RESET and RESET2 give exit types 1, 2 and 3, a forced stop 7", () => {
  for (const [id, type] of [[0x8400_0008n, 1], [0x8400_0009n, 2], [0xc400_0012n, 3]] as const) {
    const { vmm, vcpu, page } = scripted(function* () {
      yield { do: "hvc", immediate: 0, x: [id, 0x8000_0000n] };
    });
    assert.equal(vmm.ioctl(vcpu, GH.RUN), 0);
    const exit = vmm.read(page, 40);
    assert.deepEqual([u32(exit, 8), u32(exit, 16), exit[20]], [2, 2, type]);
  }
  const { fake, run, vmm, page } = running();
  const task = run();
  fake.returnRun(VcpuRunState.ExpectsWakeup);
  fake.platform.exited(fake.guest, 0x80, ExitType.VmStopForced);
  assert.equal(fake.await(task), 0);
  assert.equal(vmm.read(page, 40)[20], 7);
});

Deno.test("V70: of two threads in RUN of one vCPU the second waits, and a signal ends that", () => {
  const { fake, vmm, run } = running();
  const first = run(), second = run();
  assert.deepEqual([fake.await(first), fake.await(second)], [undefined, undefined]);
  vmm.kernel((kernel) => kernel.signal(second));
  assert.deepEqual([fake.await(first), fake.await(second)], [undefined, EINTR]);
  const third = run();
  fake.returnRun(VcpuRunState.AddrspaceVmmioWrite, 0x6000n, 4n, 1n);
  assert.equal(fake.await(first), 0);
  assert.ok(fake.platform.inside.has(0), "the third has its turn");
  assert.equal(fake.await(third), undefined);
});

Deno.test("V71: a page fault without a binding is exit reason 3 with -ENOENT where the generation has it", () => {
  const { fake, vmm, page, run } = running("v17");
  const task = run();
  fake.returnRun(VcpuRunState.PageFault, 0x9000_0000n, 1n);
  assert.equal(fake.await(task), 0);
  const exit = vmm.read(page, 40);
  assert.deepEqual([u32(exit, 8), u32(exit, 16), u32(exit, 24) | 0], [3, 0x9000_0000, -2]);
  const devices = running("v17");
  const load = devices.run();
  devices.fake.returnRun(VcpuRunState.AddrspaceVmmioRead, 0x9000n, 4n);
  assert.equal(devices.fake.await(load), 0);
  assert.deepEqual([8, 16].map((at) => u32(devices.vmm.read(devices.page, 40), at)), [1, 0x9000], "among devices it is an MMIO exit");
  const old = running("v14");
  const waits = old.run();
  old.fake.returnRun(VcpuRunState.Fault);
  assert.equal(old.fake.await(waits), undefined);
  old.fake.platform.exited(old.fake.guest, 0x80, ExitType.SoftwareError);
  assert.equal(old.fake.await(waits), 0);
  assert.equal(old.vmm.read(old.page, 40)[20], 5);
});
