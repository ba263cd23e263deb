// /dev/gunyah of the vendor driver (magic 0xb2): each of its requests, on the real hypervisor with
// scripted vCPUs, and with a scripted Resource Manager (docs/spec/vm-manager.md §1, §2.1; order of
// calls as the driver's source has it).

import assert from "node:assert/strict";
import { GH_LEGACY, LEGACY_EXIT, LEGACY_NAME, LEGACY_REGION } from "../../../../src/machine/abi/ioctl/gunyah.ts";
import { RmError } from "../../../../src/machine/abi/rpc/errors.ts";
import { signedVms } from "../../../../src/machine/host/signed-vms.ts";
import type { VmPlan } from "../../../../src/machine/host/data/plan.ts";
import { checkInvariants } from "../../hypervisor/invariants.ts";
import { Client } from "../client.ts";
import { FakeHost } from "../fake-host.ts";
import { HostStack, type Visitor } from "../host-stack.ts";
import { MIB, vmPlan } from "../plans.ts";
import type { Script } from "../scripted-core.ts";

const EINTR = -4;
const OFF = 0x8400_0008n, RESET = 0x8400_0009n;
/** Where the image begins: not at the first byte of the memory. */
const ENTRY = 0x2000;

/** Two VMs whose vCPUs the hypervisor schedules. */
const schedule = { affinity: "static", affinityMap: [0], priority: -1, timeslice: 5000 } as const;
const image = { bytes: Uint8Array.of(1, 2, 3, 4), offset: ENTRY, size: 0x1000, entry: ENTRY };
const PLANS = ["trustedvm", "oemvm"].map((name) => vmPlan(name, { image, schedule, console: false }));

const nameOf = (text: string) => ({ name: [...new TextEncoder().encode(text)] });

/** A process with a VM of the vendor driver. */
class VendorClient extends Client {
  readonly device = this.open();

  override createVm(): number {
    return this.ioctl(this.device, GH_LEGACY.CREATE_VM);
  }

  load(vm: number, name = "trustedvm"): number {
    return this.call(vm, GH_LEGACY.SET_FW_NAME, LEGACY_NAME, nameOf(name));
  }

  /** A loaded VM with its vCPU. */
  loaded(): { vm: number; vcpu: number } {
    const vm = this.createVm();
    assert.equal(this.load(vm), 0);
    return { vm, vcpu: this.ioctl(vm, GH_LEGACY.CREATE_VCPU, 0) };
  }

  /** WAIT_FOR_EXIT: its task and where it leaves the reason. */
  watch(name = "trustedvm"): { task: number; result: number | undefined; reason: () => number } {
    const place = this.place(LEGACY_EXIT.encode({ ...nameOf(name), reason: 0xffff }));
    return {
      ...this.begin(this.device, GH_LEGACY.WAIT_FOR_EXIT, place),
      reason: () => LEGACY_EXIT.decode(this.read(place, LEGACY_EXIT.size)).reason,
    };
  }
}

function faked(): { fake: FakeHost; vmm: VendorClient } {
  const fake = new FakeHost("legacy", { signed: signedVms(PLANS) });
  // The hypervisor schedules their vCPUs: the host gets none.
  fake.platform.vcpusOf = () => 0;
  return { fake, vmm: new VendorClient(fake) };
}

function onStack(script: Script, plans: readonly VmPlan[] = PLANS): { stack: HostStack; vmm: VendorClient } {
  const stack = new HostStack({ device: "legacy", signed: signedVms(plans), scripts: { [0x8000_0000 + ENTRY]: script } });
  return { stack, vmm: new VendorClient(stack) };
}

Deno.test("SET_FW_NAME loads the image of a name: allocated, lent, configured, authenticated, initialized; the first RUN starts it", () => {
  const { fake, vmm } = faked();
  const { vm, vcpu } = vmm.loaded();
  const loading = ["VM_ALLOCATE", "MEM_LEND", "VM_CONFIG_IMAGE", "VM_AUTH_IMAGE", "VM_INIT", "VM_GET_HYP_RESOURCES"];
  assert.deepEqual(fake.requests, loading);
  const [, lend, configure, authenticate] = fake.platform.requests;
  assert.deepEqual([lend.value.acl, lend.value.label], [[{ vmid: 0x80, rights: 7 }], 0]);
  const { auth_type, image_offset, dt_offset, dt_size } = configure.value;
  assert.deepEqual([auth_type, image_offset, dt_offset, dt_size], [1, BigInt(ENTRY), BigInt(2 * MIB - 0x1_0000), 0x1_0000n]);
  assert.deepEqual(authenticate.value, { vmid: 0x80, parameters: [{ type: 0, value: 28 }] });
  const { task } = vmm.begin(vcpu, GH_LEGACY.RUN);
  assert.deepEqual([fake.requests.slice(loading.length), fake.await(task)], [["VM_START"], undefined]);
  fake.platform.exited(fake.guest, 0x80, 2);
  assert.equal(fake.await(task), 2);
  const before = fake.requests.length;
  for (const fd of [vm, vcpu]) vmm.close(fd);
  assert.deepEqual(fake.requests.slice(before), ["VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"]);
  vmm.exit();
  assert.deepEqual(fake.visit(({ kernel, gunyah }) => [gunyah.state.vms, kernel.state.files, kernel.state.memory.objects]), [{}, {}, {}]);
});

Deno.test("a running VM of the vendor driver that is closed is stopped with the reason of a restart", () => {
  const { fake, vmm } = faked();
  const { vcpu } = vmm.loaded();
  vmm.begin(vcpu, GH_LEGACY.RUN);
  const before = fake.requests.length;
  vmm.exit();
  assert.deepEqual(fake.requests.slice(before), ["VM_STOP", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"]);
  const stop = fake.platform.requests.find(({ name }) => name === "VM_STOP")!;
  assert.deepEqual([stop.value.flags, stop.value.reason], [1, 1]);
});

Deno.test("each call of a load that fails is SET_FW_NAME's error, and closing leaves nothing", () => {
  for (const call of ["VM_ALLOCATE", "MEM_LEND", "VM_CONFIG_IMAGE", "VM_AUTH_IMAGE", "VM_INIT", "VM_GET_HYP_RESOURCES"]) {
    const { fake, vmm } = faked();
    const vm = vmm.createVm();
    fake.platform.refusals.set(call, RmError.BUSY);
    vmm.refused(vmm.load(vm), "EBUSY", new RegExp(`refused ${call}`));
    vmm.refused(vmm.load(vm), "EINVAL", /new descriptor/);
    vmm.exit();
    const given = fake.requests.filter((name) => name === "VM_DEALLOCATE").length;
    assert.equal(given, call === "VM_ALLOCATE" ? 0 : 1, call);
    const parcels = (name: string) => fake.requests.filter((each) => each === name).length;
    assert.equal(parcels("MEM_RECLAIM"), call === "VM_ALLOCATE" || call === "MEM_LEND" ? 0 : 1, call);
    const left = fake.visit(({ kernel, gunyah }) => [gunyah.state.vms, kernel.state.files, kernel.state.memory.objects]);
    assert.deepEqual(left, [{}, {}, {}], call);
  }
});

Deno.test("a VM of the vendor driver runs from its entry to its end, all RUNs and WAIT_FOR_EXIT give the exit's type, and nothing is left", () => {
  for (const [call, type] of [[OFF, 1], [RESET, 2]] as const) {
    const seen: bigint[] = [];
    const { stack, vmm } = onStack(function* (vcpu) {
      seen.push(vcpu.getX(0));
      yield { do: "work", count: 100_000 };
      yield { do: "hvc", immediate: 0, x: [call] };
    });
    const before = stack.hypervisor.objects.size;
    const { vm, vcpu } = vmm.loaded();
    const watch = vmm.watch();
    assert.equal(watch.result, undefined);
    assert.equal(vmm.ioctl(vcpu, GH_LEGACY.RUN), type, stack.lastRule()?.rule);
    assert.deepEqual([stack.await(watch.task, 1e9), watch.reason()], [0, type]);
    assert.deepEqual(seen, [0x8000_0000n + BigInt(2 * MIB - 0x1_0000)], "X0 is the devicetree");
    const late = vmm.watch();
    assert.deepEqual([late.result, late.reason()], [0, type]);
    vmm.refused(vmm.ioctl(vcpu, GH_LEGACY.RUN), "EINVAL", /runs once/);
    for (const fd of [vm, vcpu]) vmm.close(fd);
    stack.pass(1e9);
    vmm.exit();
    assert.deepEqual(stack.visit(({ gunyah, kernel }) => [gunyah.state.vms, kernel.state.files, kernel.state.memory.objects]), [
      {},
      {},
      {},
    ]);
    assert.equal(stack.hypervisor.objects.size, before);
    checkInvariants(stack.hypervisor);
    assert.deepEqual(stack.problems, []);
  }
});

Deno.test("the memory of a loaded VM is a file that is mapped whole, and not the host's to touch once the VM runs", () => {
  const { stack, vmm } = onStack(function* () {
    for (;;) yield { do: "work", count: 1000 };
  });
  const vm = vmm.createVm();
  vmm.refused(vmm.ioctl(vm, GH_LEGACY.GET_MEM_COUNT), "EINVAL", /not loaded/);
  assert.equal(vmm.load(vm), 0);
  assert.equal(vmm.ioctl(vm, GH_LEGACY.GET_MEM_COUNT), 1);
  const place = vmm.place(LEGACY_REGION.encode({ index: 0 }));
  assert.equal(vmm.ioctl(vm, GH_LEGACY.GET_MEM_REGION, place), 0);
  const { fd, fw_size, fw_phys } = LEGACY_REGION.decode(vmm.read(place, LEGACY_REGION.size));
  assert.deepEqual([fw_size, fw_phys % 0x1000n], [BigInt(2 * MIB), 0n]);
  assert.equal(vmm.kernel((kernel, pid) => kernel.descriptorName(pid, fd)), "anon_inode:gh-mem:0");
  const map = (size: number) =>
    vmm.kernel((kernel, pid) => kernel.mapFile(pid, fd, size, { read: true, write: true, private: false, offset: 0 }));
  assert.equal(map(0x1000), -22);
  const memory = map(2 * MIB);
  assert.ok(memory > 0);
  assert.deepEqual(vmm.write(memory, [1]), { ok: false, signal: 7 });
  vmm.refused(vmm.call(vm, GH_LEGACY.GET_MEM_REGION, LEGACY_REGION, { index: 1 }), "EINVAL", /one region/);
  vmm.refused(vmm.ioctl(vm, GH_LEGACY.GET_MEM_REGION, 0), "EFAULT", /32 bytes/);
  vmm.close(vm);
  stack.pass(1e9);
  assert.deepEqual(vmm.write(memory, [1]), { ok: true, value: undefined }, "the mapping outlives the VM");
});

Deno.test("requests of the vendor driver refuse what its source refuses, unknown ones with EINVAL on all descriptors", () => {
  const { fake, vmm } = faked();
  const { vm, vcpu } = vmm.loaded();
  for (const [fd, code] of [[vmm.device, 0x4700], [vmm.device, 0x5401], [vmm.device, 0xb240], [vm, 0x4020_4701], [vcpu, 0x4705]] as const) {
    vmm.refused(vmm.ioctl(fd, code), "EINVAL");
  }
  assert.ok(vmm.ioctl(vmm.device, GH_LEGACY.CREATE_VM, 7) > 0, "the argument is not looked at");
  vmm.refused(vmm.load(vm), "EEXIST", /loaded already/);
  const other = vmm.createVm();
  vmm.refused(vmm.load(other, "nobody"), "EINVAL", /no VM of this name/);
  vmm.refused(vmm.ioctl(other, GH_LEGACY.SET_FW_NAME, 0), "EFAULT", /16 bytes/);
  vmm.refused(vmm.ioctl(other, GH_LEGACY.GET_FW_NAME, 0), "EFAULT", /16 bytes/);
  vmm.refused(vmm.ioctl(other, GH_LEGACY.GET_VCPU_COUNT), "EINVAL", /not loaded/);
  vmm.refused(vmm.ioctl(vm, GH_LEGACY.CREATE_VCPU, 0), "EEXIST", /used once/);
  vmm.refused(vmm.ioctl(vm, GH_LEGACY.CREATE_VCPU, 8), "EINVAL", /at most 8/);
  for (const on of [vm, other]) vmm.refused(vmm.ioctl(on, GH_LEGACY.GET_SHARED_MEMORY_SIZE, 0), "EINVAL", /no virtio devices/);
  vmm.refused(vmm.ioctl(vmm.ioctl(other, GH_LEGACY.CREATE_VCPU, 0), GH_LEGACY.RUN), "EINVAL", /not loaded/);
  vmm.refused(vmm.watch("nobody").result!, "EINVAL", /no VM of this name/);
  vmm.refused(vmm.ioctl(vmm.device, GH_LEGACY.WAIT_FOR_EXIT, 0), "EFAULT", /20 bytes/);
  const place = vmm.place(new Uint8Array(16));
  assert.deepEqual([vmm.ioctl(vm, GH_LEGACY.GET_FW_NAME, place), vmm.ioctl(vm, GH_LEGACY.GET_VCPU_COUNT)], [0, 1]);
  assert.deepEqual(vmm.read(place, 11), new TextEncoder().encode("trustedvm\0\0"));
  // One vCPU is wanted, and there are two.
  vmm.ioctl(vm, GH_LEGACY.CREATE_VCPU, 1);
  vmm.refused(vmm.ioctl(vcpu, GH_LEGACY.RUN), "EINVAL", /as many vCPUs/);
  vmm.refused(vmm.ioctl(vcpu, GH_LEGACY.RUN), "EINVAL", /runs once/);
  fake.visit(() => {});
});

Deno.test("GET_VCPU_COUNT of a VM that has been run is EAGAIN, a RUN that cannot start its error", () => {
  const { fake, vmm } = faked();
  const { vm, vcpu } = vmm.loaded();
  fake.platform.refusals.set("VM_START", RmError.NORESOURCE);
  vmm.refused(vmm.ioctl(vcpu, GH_LEGACY.RUN), "ENODEV");
  vmm.refused(vmm.ioctl(vcpu, GH_LEGACY.RUN), "EINVAL", /runs once/);
  const second = vmm.createVm();
  assert.equal(vmm.load(second, "oemvm"), 0);
  const runner = vmm.ioctl(second, GH_LEGACY.CREATE_VCPU, 0);
  vmm.begin(runner, GH_LEGACY.RUN);
  vmm.refused(vmm.ioctl(second, GH_LEGACY.GET_VCPU_COUNT), "EAGAIN", /not yet run/);
  assert.equal(vmm.ioctl(vm, GH_LEGACY.GET_VCPU_COUNT), 1);
});

Deno.test("signals end RUN and WAIT_FOR_EXIT, and the VM runs on", () => {
  const { fake, vmm } = faked();
  const { vcpu } = vmm.loaded();
  const { task } = vmm.begin(vcpu, GH_LEGACY.RUN);
  const watch = vmm.watch();
  vmm.kernel((kernel) => kernel.signal(task));
  vmm.kernel((kernel) => kernel.signal(watch.task));
  assert.deepEqual([fake.await(task), fake.await(watch.task)], [EINTR, EINTR]);
  const again = vmm.begin(vcpu, GH_LEGACY.RUN).task;
  assert.equal(fake.await(again), undefined);
  fake.platform.exited(fake.guest, 0x80, 1);
  assert.equal(fake.await(again), 1);
});

Deno.test("WAIT_FOR_EXIT keeps a VM that its process has closed until it exits", () => {
  const { fake, vmm } = faked();
  const { vm, vcpu } = vmm.loaded();
  vmm.begin(vcpu, GH_LEGACY.RUN);
  const watcher = new VendorClient(fake as Visitor);
  const watch = watcher.watch();
  for (const fd of [vm, vcpu]) vmm.close(fd);
  vmm.exit();
  assert.ok(!fake.requests.includes("VM_STOP"));
  fake.platform.exited(fake.guest, 0x80, 4);
  assert.deepEqual([fake.await(watch.task), watch.reason()], [0, 4]);
  assert.deepEqual(fake.requests.slice(-3), ["VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"]);
});

Deno.test("WAIT_FOR_EXIT of a VM that is just loaded, or goes, is refused: nobody would hear of an exit", () => {
  const { fake, vmm } = faked();
  const place = BigInt(vmm.place(LEGACY_EXIT.encode({ ...nameOf("trustedvm"), reason: 0 })));
  const name = BigInt(vmm.place(LEGACY_NAME.encode(nameOf("trustedvm"))));
  const vm = vmm.createVm();
  const { loading, early } = vmm.kernel((kernel, pid) => ({
    loading: kernel.ioctl(pid, vm, GH_LEGACY.SET_FW_NAME.code, name),
    early: kernel.ioctl(pid, vmm.device, GH_LEGACY.WAIT_FOR_EXIT.code, place),
  }));
  vmm.refused(early.result!, "EINVAL", /no VM of this name is loaded/);
  assert.equal(fake.await(loading.task), 0);
  const late = vmm.kernel((kernel, pid) => {
    kernel.close(pid, vm);
    return kernel.ioctl(pid, vmm.device, GH_LEGACY.WAIT_FOR_EXIT.code, place);
  });
  vmm.refused(late.result!, "EINVAL", /no VM of this name is loaded/);
});

Deno.test("a vCPU that the host runs gives the exit's type too, and its accesses to devices are nobody's", () => {
  const proxied = PLANS.map((plan) => ({ ...plan, schedule: "proxy" as const }));
  const { vmm } = onStack(function* () {
    yield { do: "work", count: 1000 };
    yield { do: "hvc", immediate: 0, x: [OFF] };
  }, proxied);
  assert.equal(vmm.ioctl(vmm.loaded().vcpu, GH_LEGACY.RUN), 1);
});
