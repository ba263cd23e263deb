// A VM of each generation of the driver on the real hypervisor and Resource Manager: made, run to
// its SYSTEM_OFF and taken apart, and all that it took is given back.

import assert from "node:assert/strict";
import { BOOT_CONTEXT, FN_IRQFD_ARG, FunctionType, GH, GH_V6 } from "../../../src/machine/abi/ioctl/gunyah.ts";
import { RmError } from "../../../src/machine/abi/rpc/errors.ts";
import { checkInvariants } from "../hypervisor/invariants.ts";
import { BASE, Client } from "./client.ts";
import { FakeHost } from "./fake-host.ts";
import { wakeup } from "./fake-platform.ts";
import { HostStack } from "./host-stack.ts";

const SYSTEM_OFF = 0x8400_0008n;

for (const device of ["v14", "ack-6.1", "v17", "ack-6.6", "ack-6.12", "union"] as const) {
  Deno.test(`a VM of ${device} runs to its SYSTEM_OFF, and leaves nothing`, () => {
    const seen: bigint[] = [];
    const stack = new HostStack({
      device,
      scripts: {
        [BASE]: function* (vcpu) {
          seen.push(vcpu.getX(5));
          yield { do: "store", address: 0x6000, size: 4, value: 7n };
          yield { do: "hvc", immediate: 0, x: [SYSTEM_OFF] };
        },
      },
    });
    const vmm = new Client(stack);
    const objects = stack.hypervisor.objects.size;
    const guestMemory = device === "v17" ? vmm.guestMemoryVm() : undefined;
    const { vm, memory } = guestMemory ? { ...guestMemory, memory: guestMemory.map() } : vmm.loadedVm();
    vmm.write(memory + 0x8000, [1, 2, 3]);
    if (guestMemory) vmm.kernel((kernel, pid) => kernel.munmap(pid, memory));
    const vcpu = vmm.vcpu(vm), page = vmm.runPage(vcpu);
    const boots = device !== "v14" && device !== "ack-6.1";
    if (boots) {
      for (const [reg, value] of [[0x100, BigInt(BASE)], [5, 55n]] as const) {
        assert.equal(vmm.call(vm, GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, { reg, value }), 0);
      }
    }
    assert.equal(vmm.ioctl(vm, GH.START), 0, stack.lastRule()?.rule);
    assert.deepEqual([vmm.ioctl(vcpu, GH.RUN), vmm.read(page + 8, 1)[0]], [0, 1]);
    assert.deepEqual([vmm.ioctl(vcpu, GH.RUN), vmm.read(page + 8, 1)[0]], [0, 2]);
    assert.deepEqual(seen, [boots ? 55n : 0n]);
    for (const fd of [vcpu, vm]) vmm.close(fd);
    vmm.kernel((kernel, pid) => kernel.munmap(pid, page));
    stack.pass(1e9);
    assert.deepEqual(stack.visit(({ gunyah }) => gunyah.state.vms), {});
    assert.deepEqual([...vmm.read((guestMemory?.map() ?? memory) + 0x8000, 3)], [1, 2, 3]);
    assert.equal(stack.hypervisor.objects.size, objects);
    checkInvariants(stack.hypervisor);
    assert.deepEqual(stack.problems, []);
  });
}

for (const device of ["v6", "v9"] as const) {
  Deno.test(`a process of ${device} that is killed while its VM gets a VMID leaves nothing`, () => {
    const host = new FakeHost(device), vmm = new Client(host), fd = vmm.open();
    const { CREATE_VM } = device === "v6" ? GH_V6 : GH;
    // The Resource Manager answers after the process has ended.
    host.visit(({ kernel }) => {
      assert.equal(kernel.ioctl(vmm.pid, fd, CREATE_VM.code, 0n).result, undefined);
      kernel.exit(vmm.pid);
    }, false);
    assert.deepEqual(host.visit(({ gunyah }) => gunyah.state.vms), {});
    assert.deepEqual(host.requests, ["VM_ALLOCATE", "VM_DEALLOCATE"]);
  });
}

for (const device of ["v6", "v9"] as const) {
  Deno.test(`a VM of ${device}, whose vCPUs the hypervisor schedules, starts, and leaves nothing when it is closed`, () => {
    const stack = new HostStack({ device, scripts: {} });
    const vmm = new Client(stack);
    const { vm } = device === "v6" ? vmm.loadedVmV6() : vmm.loadedVm();
    assert.equal(vmm.ioctl(vm, device === "v6" ? GH_V6.START : GH.START), 0, stack.lastRule()?.rule);
    vmm.exit();
    stack.pass(1e9);
    stack.visit(({ kernel, gunyah }) => assert.deepEqual([gunyah.state.vms, kernel.state.files], [{}, {}]));
  });
}

Deno.test("a START of v6 or v9 that fails before its first call ends at once, on the real stack as well", () => {
  for (const [device, create, start] of [["v6", GH_V6.CREATE_VM, GH_V6.START], ["v9", GH.CREATE_VM, GH.START]] as const) {
    const vmm = new Client(new HostStack({ device, scripts: {} }));
    const vm = vmm.ioctl(vmm.open(), create);
    const { result } = vmm.begin(vm, start);
    vmm.refused(result!, "EINVAL", /devicetree has to lie inside one region/);
  }
});

Deno.test("a host that is saved with an ioctl in progress, and restored into a new one, finishes it", () => {
  const fake = new FakeHost("v14");
  const vmm = new Client(fake);
  const { vm } = vmm.loadedVm();
  const vcpu = vmm.vcpu(vm);
  const { pid } = vmm;
  const { task } = fake.visit(({ kernel }) => kernel.ioctl(pid, vm, GH.START.code, 0n), false);
  // After each of the calls of START.
  for (let turn = 0; turn < 8 && fake.await(task) === undefined; turn++) {
    fake.replace();
    fake.platform.deliver(fake.guest);
  }
  assert.equal(fake.await(task), 0);
  const run = vmm.begin(vcpu, GH.RUN).task;
  fake.returnRun(1);
  fake.replace();
  fake.guest.virq(fake.platform.vcpu(0), wakeup(0));
  fake.returnRun(5, 0x6000n, 4n, 1n);
  assert.equal(fake.await(run), 0);
});

Deno.test("v6 deletes the region of the label that it is asked for, and takes back that parcel alone", () => {
  const fake = new FakeHost("v6");
  const vmm = new Client(fake);
  const vm = vmm.ioctl(vmm.open(), GH_V6.CREATE_VM), memory = vmm.memory(0x3000);
  const region = (label: number, memory_size = 0x1000n) => {
    const at = BigInt(0x1000 * label);
    const place = { guest_phys_addr: BigInt(BASE) + at, userspace_addr: BigInt(memory) + at };
    return vmm.region(vm, { label, memory_size, ...place }, GH_V6.SET_USER_MEM_REGION);
  };
  assert.deepEqual([region(0), region(1), region(2)], [0, 0, 0]);
  const handles = fake.visit(({ gunyah }) => Object.values(gunyah.state.vms)[0].regions.map(({ label, handle }) => [label, handle]));
  assert.equal(region(1, 0n), 0);
  const reclaimed = fake.platform.requests.filter(({ name }) => name === "MEM_RECLAIM").map(({ value }) => value.handle);
  assert.deepEqual(reclaimed, [handles.find(([label]) => label === 1)![1]]);
  assert.deepEqual(fake.visit(({ gunyah }) => Object.values(gunyah.state.vms)[0].regions.map(({ label }) => label)), [2, 0]);
});

Deno.test("a region whose last entries are refused is taken back before the ioctl fails: its pages are free again, or never given to anybody", () => {
  for (const [device, keeps] of [["v6", false], ["v6", true], ["v9", false]] as const) {
    const fake = new FakeHost(device);
    const vmm = new Client(fake);
    const pages = 600, size = pages * 4096;
    const [memory, other] = [vmm.memory(size), vmm.memory(size)];
    for (let page = 0; page < pages; page++) for (const at of [memory, other]) vmm.write(at + page * 4096, [1]);
    const vm = vmm.ioctl(vmm.open(), device === "v6" ? GH_V6.CREATE_VM : GH.CREATE_VM);
    const region = { memory_size: BigInt(size), userspace_addr: BigInt(memory) };
    const set = (request = device === "v6" ? GH_V6.SET_USER_MEM_REGION : GH.SET_USER_MEM_REGION) => vmm.region(vm, region, request);
    fake.platform.refusals.set("MEM_APPEND", RmError.NOMEM);
    if (keeps) fake.platform.refusals.set("MEM_RECLAIM", RmError.MEM_INUSE);
    if (device === "v6") vmm.refused(set(), "EINVAL", /refused MEM_APPEND/);
    else {
      assert.equal(set(), 0);
      vmm.setDevicetree(vm, BASE, 0x1000);
      vmm.refused(vmm.ioctl(vm, GH.START), "EINVAL", /refused MEM_APPEND/);
    }
    const sent = () => fake.platform.requests.filter(({ name }) => name.startsWith("MEM_"));
    const [given, appended, taken] = sent();
    assert.deepEqual([given.name, appended.name, taken.name], ["MEM_SHARE", "MEM_APPEND", "MEM_RECLAIM"]);
    assert.equal(taken.value.handle, appended.value.handle);
    const regions = fake.visit(({ gunyah }) => Object.values(gunyah.state.vms)[0].regions.map(({ handle }) => handle));
    assert.deepEqual(regions, device === "v6" ? [] : [undefined]);
    vmm.exit();
    assert.equal(sent().length, 3, "no parcel is left");
  }
});

Deno.test("the parcel of a devicetree in more than 512 pieces goes by MEM_APPEND as well, and is taken back where that is refused", () => {
  for (const refused of [false, true]) {
    const fake = new FakeHost("ack-6.6");
    const vmm = new Client(fake);
    const pages = 600, size = pages * 4096;
    const [memory, other] = [vmm.memory(size), vmm.memory(size)];
    for (let page = 0; page < pages; page++) for (const at of [memory, other]) vmm.write(at + page * 4096, [1]);
    const vm = vmm.createVm();
    assert.equal(vmm.lend(vm, { memory_size: BigInt(size), userspace_addr: BigInt(memory) }), 0);
    vmm.setDevicetree(vm, BASE, size);
    if (refused) fake.platform.refusals.set("MEM_APPEND", RmError.NOMEM);
    const result = vmm.ioctl(vm, GH.START);
    const sent = fake.platform.requests.filter(({ name }) => name.startsWith("MEM_"));
    const entries = sent.map(({ name, value }) => [name, value.flags, (value.sgl as unknown[] | undefined)?.length]);
    if (refused) {
      vmm.refused(result, "ENOMEM", /refused MEM_APPEND/);
      assert.deepEqual(entries, [["MEM_LEND", 2, 512], ["MEM_APPEND", 1, 88], ["MEM_RECLAIM", 0, undefined]]);
    } else assert.deepEqual(entries.slice(0, 2), [["MEM_LEND", 2, 512], ["MEM_APPEND", 1, 88]]);
  }
});

Deno.test("a region whose memory the Resource Manager keeps is not deleted: v6 and v9 answer EINVAL, and it stays", () => {
  for (
    const [device, request, start] of [["v6", GH_V6.SET_USER_MEM_REGION, GH_V6.START], ["v9", GH.SET_USER_MEM_REGION, GH.START]] as const
  ) {
    const stack = new HostStack({ device, scripts: {} });
    const vmm = new Client(stack);
    const { vm } = device === "v6" ? vmm.loadedVmV6() : vmm.loadedVm();
    assert.equal(vmm.ioctl(vm, start), 0, stack.lastRule()?.rule);
    const remove = () => vmm.region(vm, { label: 1, memory_size: 0n }, request);
    for (let turn = 0; turn < 2; turn++) vmm.refused(remove(), "EINVAL");
    assert.deepEqual(stack.visit(({ gunyah }) => Object.values(gunyah.state.vms)[0].regions.map(({ label }) => label)), [1]);
  }
});

Deno.test("eventfds of a VM that is closed while it starts are closed when it is gone", () => {
  const fake = new FakeHost("v14");
  const vmm = new Client(fake);
  const { vm } = vmm.loadedVm();
  const fd = vmm.kernel((kernel, pid) => kernel.eventfd(pid, 0));
  assert.equal(vmm.add(vm, FunctionType.Irqfd, FN_IRQFD_ARG, { fd, label: 1 }), 0);
  const { pid } = vmm;
  fake.visit(({ kernel }) => {
    kernel.ioctl(pid, vm, GH.START.code, 0n);
    kernel.exit(pid);
  });
  assert.deepEqual(fake.visit(({ kernel, gunyah }) => [gunyah.state.vms, kernel.state.files, kernel.state.eventfds]), [{}, {}, {}]);
});
