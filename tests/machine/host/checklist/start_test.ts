// Lines 31 to 45 of the checklist of docs/spec/vm-manager.md §17: devicetree, firmware, boot
// context, START and status.

import assert from "node:assert/strict";
import { RmError } from "../../../../src/machine/abi/rpc/errors.ts";
import { AUTH_DESC, BOOT_CONTEXT, GH, GH_ANDROID, GH_V6, VM_RANGE } from "../../../../src/machine/abi/ioctl/gunyah.ts";
import { type PersonaName, PERSONAS } from "../../../../src/machine/abi/ioctl/personas.ts";
import { BASE, Client, DTB } from "../client.ts";
import { FAKE_MEMORY, FAKE_RESERVED, FakeHost } from "../fake-host.ts";
import { HostStack } from "../host-stack.ts";

/** A process on a host with a scripted Resource Manager. */
function faked(device: PersonaName): { fake: FakeHost; vmm: Client } {
  const fake = new FakeHost(device);
  return { fake, vmm: new Client(fake) };
}

/** A VM that is ready for START, of any generation. */
function loaded(vmm: Client, device: PersonaName): { vm: number; start: number } {
  if (device === "v6") return { vm: vmm.loadedVmV6().vm, start: GH_V6.START.code };
  if (device !== "v17") return { vm: vmm.loadedVm().vm, start: GH.START.code };
  return { vm: vmm.guestMemoryVm().vm, start: GH.START.code };
}

Deno.test("V31: SET_DTB_CONFIG refuses a bad pointer, and a wrapping range in the generations that look; nothing else", () => {
  for (const name of ["v9", "v14", "v17", "ack-6.6"] as const) {
    const { vmm } = faked(name);
    const vm = vmm.createVm();
    vmm.refused(vmm.ioctl(vm, GH.SET_DTB_CONFIG, 0), "EFAULT");
    const wrapped = vmm.setDevicetree(vm, 0xffff_ffff_ffff_f000n, 0x2000n);
    if (PERSONAS[name].devicetree.wrap) vmm.refused(wrapped, "EOVERFLOW");
    else assert.equal(wrapped, 0);
    for (const [address, size] of [[0n, 0n], [3n, 0x1001n], [0x7000_0000_0000n, 1n]]) assert.equal(vmm.setDevicetree(vm, address, size), 0);
  }
});

Deno.test("V32: START with the devicetree outside all regions is EINVAL up to v14, ENOENT later", () => {
  for (const name of ["v6", "v9", "v14", "v17", "ack-6.6", "ack-6.12", "union"] as const) {
    const { vmm } = faked(name);
    const { vm, start } = loaded(vmm, name);
    vmm.setDevicetree(vm, 0x1_0000_0000n, 0x1000n, name === "v6" ? GH_V6.SET_DTB_CONFIG : GH.SET_DTB_CONFIG);
    const early = name === "v6" || name === "v9" || name === "v14";
    vmm.refused(vmm.ioctl(vm, start), early ? "EINVAL" : "ENOENT", /devicetree has to lie/);
  }
});

Deno.test("V33: a devicetree across two adjacent regions is refused in v6 and v9", () => {
  for (const [name, codes] of [["v6", GH_V6], ["v9", GH]] as const) {
    const { vmm } = faked(name);
    const vm = vmm.ioctl(vmm.open(), codes.CREATE_VM), memory = BigInt(vmm.memory(0x2000));
    const region = (label: number, at: bigint) =>
      vmm.region(vm, { label, guest_phys_addr: BigInt(BASE) + at, userspace_addr: memory + at }, codes.SET_USER_MEM_REGION);
    assert.deepEqual([region(0, 0n), region(1, 0x1000n)], [0, 0]);
    vmm.setDevicetree(vm, BASE + 0x800, 0x1000, codes.SET_DTB_CONFIG);
    vmm.refused(vmm.ioctl(vm, codes.START), "EINVAL", /inside one region/);
  }
});

Deno.test("V34: v6 and v9 round the devicetree's size up to pages in CONFIG_IMAGE, v14 does not", () => {
  for (const [name, size] of [["v6", 0x1000n], ["v9", 0x1000n], ["v14", 0x6a0n]] as const) {
    const { fake, vmm } = faked(name);
    const { vm, start } = loaded(vmm, name);
    vmm.setDevicetree(vm, DTB, 0x6a0, name === "v6" ? GH_V6.SET_DTB_CONFIG : GH.SET_DTB_CONFIG);
    assert.equal(vmm.ioctl(vm, start), 0);
    assert.equal(fake.platform.requests.find(({ name }) => name === "VM_CONFIG_IMAGE")!.value.dt_size, size);
  }
});

Deno.test("CHECK_EXTENSION says that the driver does not wake vCPUs at their timers, and older ones do not know it", () => {
  for (const device of ["ack-6.12", "union"] as const) {
    const vmm = new Client(new FakeHost(device));
    const vm = vmm.createVm();
    assert.deepEqual([0, 1, 99].map((extension) => vmm.ioctl(vm, GH_ANDROID.CHECK_EXTENSION, extension)), [0, 0, 0]);
  }
  for (const device of ["v14", "ack-6.1", "v17", "ack-6.6"] as const) {
    const vmm = new Client(new FakeHost(device));
    const vm = device === "v17" ? vmm.ioctl(vmm.open(), GH.CREATE_VM) : vmm.createVm();
    vmm.refused(vmm.ioctl(vm, GH_ANDROID.CHECK_EXTENSION, 0), "ENOTTY");
  }
});

Deno.test("V35: SET_AUTH_TYPE of a type that nothing registered is ENOENT", () => {
  const vmm = new Client(new HostStack({ device: "ack-6.12", scripts: {} }));
  const vm = vmm.createVm();
  vmm.refused(vmm.call(vm, GH_ANDROID.SET_AUTH_TYPE, AUTH_DESC, { type: 9 }), "ENOENT", /nothing is registered/);
  vmm.refused(vmm.ioctl(vm, GH_ANDROID.SET_AUTH_TYPE, 0), "EFAULT");
});

Deno.test("V36: SET_FW_CONFIG makes the VM an Android protected one: CONFIG_IMAGE carries auth 2, SET_FIRMWARE_MEM follows", () => {
  const { fake, vmm } = faked("v14");
  const { vm } = loaded(vmm, "v14");
  assert.equal(vmm.call(vm, GH_ANDROID.SET_FW_CONFIG, VM_RANGE, { guest_phys_addr: BigInt(BASE), size: 0x1000n }), 0);
  assert.equal(vmm.ioctl(vm, GH.START), 0);
  const [config, firmware] = ["VM_CONFIG_IMAGE", "VM_SET_FIRMWARE_MEM"].map((name) =>
    fake.platform.requests.find((each) => each.name === name)!
  );
  assert.deepEqual([config.value.auth_type, firmware.value.offset, firmware.value.size], [2, 0n, 0x1000n]);
  assert.ok(fake.platform.requests.indexOf(config) < fake.platform.requests.indexOf(firmware));
});

Deno.test("V37: the boot context takes X0..X31, PC and SP0..SP2, before START only", () => {
  const { vmm } = faked("v17");
  const { vm } = loaded(vmm, "v17");
  const set = (reg: number) => vmm.call(vm, GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, { reg, value: 1n });
  for (let index = 0; index < 32; index++) assert.equal(set(index), 0);
  for (const reg of [0x100, 0x200, 0x201, 0x202]) assert.equal(set(reg), 0);
  for (const reg of [32, 0x101, 0x203, 0x300, 0x1_0000]) vmm.refused(set(reg), "EINVAL");
  assert.equal(vmm.ioctl(vm, GH.START), 0);
  vmm.refused(set(0), "EINVAL");
});

Deno.test("V38: START of v17 on a Resource Manager without 0x56000033 is EOPNOTSUPP, and the reason names the step", () => {
  const { fake, vmm } = faked("v17");
  const { vm } = loaded(vmm, "v17");
  fake.platform.refusals.set("VM_SET_DEMAND_PAGING", RmError.UNIMPLEMENTED);
  vmm.refused(vmm.ioctl(vm, GH.START), "EOPNOTSUPP");
  assert.match(fake.lastRule()!.rule, /VM_SET_DEMAND_PAGING/);
});

/** The order of section 7's columns, with the memory that `loaded` gives. */
const ORDERS: readonly [PersonaName, readonly string[]][] = [
  ["v6", ["VM_ALLOCATE", "MEM_SHARE", "VM_CONFIG_IMAGE", "VM_INIT", "VM_START"]],
  ["v9", ["VM_ALLOCATE", "VM_GET_VMID", "MEM_SHARE", "VM_CONFIG_IMAGE", "VM_INIT", "VM_START"]],
  ["v14", ["VM_GET_VMID", "VM_ALLOCATE", "MEM_SHARE", "VM_CONFIG_IMAGE", "VM_INIT", "VM_GET_HYP_RESOURCES", "VM_START"]],
  ["v17", [
    ...["VM_ALLOCATE", "MEM_LEND", "VM_CONFIG_IMAGE", "VM_SET_DEMAND_PAGING", "VM_SET_ADDRESS_LAYOUT", "VM_INIT", "VM_SET_BOOT_CONTEXT"],
    ...["VM_GET_HYP_RESOURCES", "VM_START"],
  ]],
  ["ack-6.6", [
    ...["VM_ALLOCATE", "MEM_LEND", "VM_CONFIG_IMAGE", "VM_SET_DEMAND_PAGING", "VM_SET_ADDRESS_LAYOUT", "VM_INIT", "VM_SET_BOOT_CONTEXT"],
    ...["VM_GET_HYP_RESOURCES", "VM_START"],
  ]],
  ["ack-6.12", [
    ...["VM_ALLOCATE", "MEM_LEND", "VM_CONFIG_IMAGE", "VM_SET_DEMAND_PAGING", "VM_SET_ADDRESS_LAYOUT", "VM_INIT", "VM_SET_BOOT_CONTEXT"],
    ...["VM_GET_HYP_RESOURCES", "VM_START"],
  ]],
];

Deno.test("V39: the calls of START come in the order of each generation", () => {
  for (const [name, order] of ORDERS) {
    const { fake, vmm } = faked(name);
    const { vm, start } = loaded(vmm, name);
    if (order.includes("VM_SET_BOOT_CONTEXT")) assert.equal(vmm.call(vm, GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, { reg: 0x100, value: 1n }), 0);
    assert.equal(vmm.ioctl(vm, start), 0, name);
    assert.deepEqual(fake.requests, order, name);
  }
});

Deno.test("V40: START fails with any of its calls, and closing leaves no parcel, no page and no VMID", () => {
  for (const [name, order] of ORDERS) {
    for (const step of order.filter((step) => step !== "VM_GET_VMID")) {
      if (name === "v6" && (step === "MEM_SHARE" || step === "VM_ALLOCATE") || name === "v9" && step === "VM_ALLOCATE") continue;
      const { fake, vmm } = faked(name);
      const { vm, start } = loaded(vmm, name);
      if (order.includes("VM_SET_BOOT_CONTEXT")) vmm.call(vm, GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, { reg: 0x100, value: 1n });
      fake.platform.refusals.set(step, RmError.DENIED);
      assert.ok(vmm.ioctl(vm, start) < 0, `${name} ${step}`);
      vmm.exit();
      const count = (which: string) => fake.requests.filter((each) => each === which).length;
      const lent = count("MEM_SHARE") + count("MEM_LEND") - (step.startsWith("MEM_") ? 1 : 0);
      assert.equal(count("MEM_RECLAIM"), lent, `${name} ${step}: parcels`);
      assert.equal(count("VM_DEALLOCATE"), step === "VM_ALLOCATE" ? 0 : 1, `${name} ${step}: VMID`);
      const free = fake.visit(({ kernel, gunyah }) => {
        assert.deepEqual([gunyah.state.vms, kernel.state.tasks, kernel.memory.state.objects], [{}, {}, {}], `${name} ${step}`);
        return kernel.memory.pages.available;
      });
      assert.equal(free, (FAKE_MEMORY - FAKE_RESERVED) / 4096, `${name} ${step}: pages`);
    }
  }
});

Deno.test("V41: v6 and v9 make every error of the Resource Manager EINVAL, later ones follow the table", () => {
  const table = [
    ...[[RmError.UNIMPLEMENTED, "EOPNOTSUPP"], [RmError.NOMEM, "ENOMEM"], [RmError.NORESOURCE, "ENODEV"], [
      RmError.DENIED,
      "EPERM",
    ]] as const,
    ...[[RmError.BUSY, "EBUSY"], [RmError.ARGUMENT_INVALID, "EINVAL"], [RmError.HANDLE_INVALID, "EINVAL"]] as const,
    ...[[RmError.MEM_INUSE, "EINVAL"], [RmError.IRQ_RELEASED, "EINVAL"], [RmError.IN_USE, "EBADMSG"], [
      RmError.VM_STATE,
      "EBADMSG",
    ]] as const,
  ];
  for (const name of ["v6", "v9", "v14", "v17"] as const) {
    for (const [error, errno] of table) {
      const { fake, vmm } = faked(name);
      const { vm, start } = loaded(vmm, name);
      fake.platform.refusals.set("VM_CONFIG_IMAGE", error);
      vmm.refused(vmm.ioctl(vm, start), name === "v6" || name === "v9" ? "EINVAL" : errno, /refused VM_CONFIG_IMAGE/);
    }
  }
});

/** Generations whose VMs user space loads. */
const SERIES = ["v6", "v9", "v14", "v17", "ack-6.6", "ack-6.12", "union"] as const;

Deno.test("V42: a second START of a VM that runs is 0, and makes no call", () => {
  for (const name of SERIES) {
    const { fake, vmm } = faked(name);
    const { vm, start } = loaded(vmm, name);
    assert.equal(vmm.ioctl(vm, start), 0);
    const calls = fake.requests.length;
    assert.deepEqual([vmm.ioctl(vm, start), fake.requests.length], [0, calls], name);
  }
});

Deno.test("V43: START after a START that failed, and after the exit, is ENODEV from v14 on, EINVAL before", () => {
  for (const name of SERIES) {
    const errno = name === "v6" || name === "v9" ? "EINVAL" : "ENODEV";
    const { fake, vmm } = faked(name);
    const { vm, start } = loaded(vmm, name);
    fake.platform.refusals.set("VM_INIT", RmError.DENIED);
    assert.ok(vmm.ioctl(vm, start) < 0);
    vmm.refused(vmm.ioctl(vm, start), errno, /starts once/);
    const second = faked(name);
    const running = loaded(second.vmm, name);
    assert.equal(second.vmm.ioctl(running.vm, start), 0);
    second.fake.platform.exited(second.fake.guest, 0x80, 1);
    second.vmm.refused(second.vmm.ioctl(running.vm, start), errno, /starts once/);
  }
});

Deno.test("V44: VM_INIT makes the VM READY, its failure INIT_FAILED, which later generations show in the run page", () => {
  for (const name of ["v14", "v17"] as const) {
    const { fake, vmm } = faked(name);
    const { vm } = loaded(vmm, name);
    const vcpu = vmm.vcpu(vm), page = vmm.runPage(vcpu);
    fake.platform.refusals.set("VM_INIT", RmError.MEM_INVALID);
    vmm.refused(vmm.ioctl(vm, GH.START), "EINVAL", /VM_INIT/);
    const status = () => fake.visit(({ gunyah }) => Object.values(gunyah.state.vms).map(({ status }) => status));
    assert.deepEqual(status(), ["init-failed"]);
    assert.deepEqual([...vmm.read(page + 8, 12)], name === "v14" ? Array(12).fill(0) : [2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    vmm.refused(vmm.ioctl(vcpu, GH.RUN), "ENODEV");
  }
  const { fake, vmm } = faked("v14");
  const { vm } = loaded(vmm, "v14");
  fake.platform.refusals.set("VM_GET_HYP_RESOURCES", RmError.BUSY);
  vmm.refused(vmm.ioctl(vm, GH.START), "EBUSY");
  assert.deepEqual(fake.visit(({ gunyah }) => Object.values(gunyah.state.vms).map(({ status }) => status)), ["ready"]);
});

Deno.test("V45: a reply to GET_HYP_RESOURCES of another size is EBADMSG", () => {
  for (const bytes of [[0, 0, 0, 0], [0, 0, 0, 0, 2, 0, 0, 0, 4, 0], [0, 0]]) {
    const { fake, vmm } = faked("v14");
    const { vm } = loaded(vmm, "v14");
    fake.platform.answers.set("VM_GET_HYP_RESOURCES", Uint8Array.from(bytes));
    vmm.refused(vmm.ioctl(vm, GH.START), "EBADMSG", /VM_GET_HYP_RESOURCES has to have its fields/);
  }
});
