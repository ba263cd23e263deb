// Lines 1 to 30 of the checklist of docs/spec/vm-manager.md §17: the device, its codes, and memory.

import assert from "node:assert/strict";
import {
  CREATE_MEM_ARGS,
  FN_IOEVENTFD_ARG,
  FN_IRQFD_ARG,
  FunctionType,
  GH,
  GH_ANDROID,
  GH_LEGACY,
  GH_V6,
  MAP_MEM_ARGS,
  MapFlagsV17,
  RegionFlags,
  VM_RANGE,
} from "../../../../src/machine/abi/ioctl/gunyah.ts";
import { type PersonaName, PERSONAS } from "../../../../src/machine/abi/ioctl/personas.ts";
import { requestParts } from "../../../../src/machine/abi/ioctl/request.ts";
import { checkInvariants } from "../../hypervisor/invariants.ts";
import { BASE, Client, DTB, VM_SIZE } from "../client.ts";
import { FakeHost } from "../fake-host.ts";
import { HostStack } from "../host-stack.ts";
import type { Step } from "../scripted-core.ts";

const stacks = new Map<PersonaName, HostStack>();

/** A process on a stack of this generation; tests of a file share the stacks, not the processes. */
function client(device: PersonaName = "v14"): Client {
  const stack = stacks.get(device) ?? new HostStack({ device, scripts: {} });
  stacks.set(device, stack);
  return new Client(stack);
}

Deno.test("V1: every request code equals the table of section 2.2 bit for bit", () => {
  const codes = (group: Record<string, { code: number }>) =>
    Object.fromEntries(Object.entries(group).map(([name, { code }]) => [name, code]));
  assert.deepEqual(codes(GH), {
    CREATE_VM: 0x0000_4700,
    SET_USER_MEM_REGION: 0x4020_4701,
    SET_DTB_CONFIG: 0x4010_4702,
    START: 0x0000_4703,
    ADD_FUNCTION: 0x4010_4704,
    RUN: 0x0000_4705,
    MMAP_SIZE: 0x0000_4706,
    REMOVE_FUNCTION: 0x4010_4707,
    CREATE_GUEST_MEM: 0x4040_4708,
    MAP_MEM: 0x4020_4709,
    SET_BOOT_CONTEXT: 0x4010_470a,
  });
  assert.deepEqual(codes(GH_V6), {
    CREATE_VM: 0x0000_4740,
    SET_USER_MEM_REGION: 0x4020_4741,
    SET_DTB_CONFIG: 0x4010_4742,
    START: 0x0000_4745,
  });
  assert.deepEqual(codes(GH_ANDROID), {
    TENTATIVE_UAPI: 0x0000_4110,
    LEND_USER_MEM: 0x4020_4111,
    SET_FW_CONFIG: 0x4010_4112,
    RECLAIM_REGION: 0x4010_4113,
    CREATE_CMA_MEM_FD: 0x0000_4114,
    MAP_CMA_MEM: 0x4028_4115,
    SET_AUTH_TYPE: 0x4010_4116,
    CHECK_EXTENSION: 0x0000_4117,
  });
  assert.equal(GH_LEGACY.CREATE_VM.code, 0x0000_b201);
  assert.deepEqual(requestParts(0x4020_4701), { direction: 1, size: 32, magic: 0x47, number: 1 });
});

Deno.test("V2: the right number with another size or direction is an unknown request", () => {
  const vmm = client();
  const device = vmm.open(), vm = vmm.createVm();
  for (const code of [0x4004_4700, 0x8004_4700]) vmm.refused(vmm.ioctl(device, code), "ENOTTY", /another size or direction/);
  for (const code of [0x4018_4701, 0xc020_4701, 0x0020_4701]) vmm.refused(vmm.ioctl(vm, code), "ENOTTY", /another size or direction/);
  const later = client("v17");
  const vcpu = later.vcpu(later.createVm());
  for (const code of [0x4004_4705, 0x8000_4706]) later.refused(later.ioctl(vcpu, code), "ENOTTY", /another size or direction/);
});

Deno.test("V3: CREATE_VM with 0 gives a new VM, any other argument is EINVAL and makes nothing", () => {
  const vmm = client();
  const device = vmm.open();
  assert.ok(vmm.ioctl(device, GH.CREATE_VM, 0) > device);
  const vms = () => vmm.host.visit(({ gunyah }) => Object.keys(gunyah.state.vms).length);
  const before = vms();
  for (const argument of [1n, -1n, 1n << 32n]) vmm.refused(vmm.ioctl(device, GH.CREATE_VM, argument), "EINVAL", /VM type/);
  assert.equal(vms(), before);
});

Deno.test("V4: an unknown request is ENOTTY on device and VM, and on a vCPU where its generation has that", () => {
  for (const [persona, onVcpu] of [["v14", "EINVAL"], ["v17", "ENOTTY"], ["ack-6.6", "ENOTTY"]] as const) {
    const vmm = client(persona);
    const device = vmm.open(), vm = vmm.createVm(), vcpu = vmm.vcpu(vm);
    vmm.refused(vmm.ioctl(device, 0x47ff), "ENOTTY", /unknown number/);
    vmm.refused(vmm.ioctl(vm, 0x5401), "ENOTTY", /unknown magic/);
    vmm.refused(vmm.ioctl(vcpu, 0x47ff), onVcpu, /unknown number/);
  }
});

Deno.test("V5: read() on the device is EINVAL", () => {
  const vmm = client();
  const device = vmm.open();
  assert.equal(vmm.kernel((kernel, pid) => kernel.read(pid, device, 8)), -22);
});

Deno.test("V6: a legacy device takes 0xB201 and refuses 0x4700, and the reason names the mismatch", () => {
  const vmm = client("legacy");
  const device = vmm.open();
  assert.ok(vmm.ioctl(device, 0xb201) > 0);
  // A report of crosvm users on such phones: EINVAL.
  vmm.refused(vmm.ioctl(device, 0x4700), "EINVAL", /GH_CREATE_VM of v9.*this device speaks legacy/);
  const modern = client("v14");
  modern.refused(modern.ioctl(modern.open(), 0xb201), "ENOTTY", /GH_CREATE_VM \(legacy\) of legacy; this device speaks v14/);
});

Deno.test("V7: TENTATIVE_UAPI is 0 on Android's later kernels and ENOTTY elsewhere", () => {
  for (const name of ["v6", "v9", "v14", "v17", "ack-6.6", "ack-6.12", "union"] as const) {
    const vmm = client(name);
    const result = vmm.ioctl(vmm.open(), GH_ANDROID.TENTATIVE_UAPI);
    if (PERSONAS[name].requests.includes(GH_ANDROID.TENTATIVE_UAPI)) assert.equal(result, 0);
    else vmm.refused(result, "ENOTTY");
  }
});

Deno.test("V8: labels, addresses and functions of two VMs never collide", () => {
  const vmm = client();
  const [a, b] = [vmm.createVm(), vmm.createVm()];
  const userspace_addr = BigInt(vmm.memory(0x2000));
  for (const vm of [a, b]) {
    assert.equal(vmm.region(vm, { userspace_addr: userspace_addr + (vm === a ? 0n : 0x1000n) }), 0);
    assert.ok(vmm.vcpu(vm) > 0);
    const fd = vmm.kernel((kernel, pid) => kernel.eventfd(pid, 0));
    assert.equal(vmm.add(vm, FunctionType.Irqfd, FN_IRQFD_ARG, { fd, label: 4 }), 0);
    assert.equal(vmm.add(vm, FunctionType.Ioeventfd, FN_IOEVENTFD_ARG, { fd, addr: 0x6000n, len: 4 }), 0);
  }
});

Deno.test("V9: unknown flag bits are EINVAL", () => {
  const vmm = client();
  const vm = vmm.createVm(), userspace_addr = BigInt(vmm.memory(0x1000));
  for (const flags of [0x10, 0x17, 0xffff_fff0]) vmm.refused(vmm.region(vm, { flags, userspace_addr }), "EINVAL", /READ 1, WRITE 2/);
  vmm.refused(vmm.region(vm, { flags: 0xf, userspace_addr }), "EINVAL", /LENT flag is of v6 and v9/);
  const v9 = client("v9");
  assert.equal(v9.region(v9.createVm(), { flags: 7 | RegionFlags.Lent, userspace_addr: BigInt(v9.memory(0x1000)) }), 0);
});

Deno.test("V10: a size that is not a multiple of a page is EINVAL", () => {
  const vmm = client();
  const vm = vmm.createVm(), userspace_addr = BigInt(vmm.memory(0x1000));
  for (const memory_size of [1n, 0xfffn, 0x1001n]) vmm.refused(vmm.region(vm, { memory_size, userspace_addr }), "EINVAL", /whole pages/);
});

Deno.test("V11: a user address that is not page aligned is EINVAL", () => {
  const vmm = client();
  const userspace_addr = BigInt(vmm.memory(0x2000)) + 8n;
  vmm.refused(vmm.region(vmm.createVm(), { userspace_addr }), "EINVAL", /user address/);
});

Deno.test("V12: a guest address that is not page aligned is EINVAL from v14 on, and fine before", () => {
  for (const name of ["v6", "v9", "v14", "ack-6.6"] as const) {
    const vmm = client(name);
    const vm = vmm.ioctl(vmm.open(), name === "v6" ? GH_V6.CREATE_VM : GH.CREATE_VM);
    const request = name === "v6" ? GH_V6.SET_USER_MEM_REGION : GH.SET_USER_MEM_REGION;
    const result = vmm.region(vm, { guest_phys_addr: BigInt(BASE) + 8n, userspace_addr: BigInt(vmm.memory(0x1000)) }, request);
    if (name === "v6" || name === "v9") assert.equal(result, 0);
    else vmm.refused(result, "EINVAL", /guest address has to be page aligned/);
  }
});

Deno.test("V13: a guest range that wraps is EOVERFLOW after v14, whose own check never fires", () => {
  const wrapping = { guest_phys_addr: 0xffff_ffff_ffff_f000n, memory_size: 0x2000n };
  const vmm = client("ack-6.6");
  vmm.refused(vmm.region(vmm.createVm(), { ...wrapping, userspace_addr: BigInt(vmm.memory(0x2000)) }), "EOVERFLOW", /may not wrap/);
  const v14 = client("v14");
  assert.equal(v14.region(v14.createVm(), { ...wrapping, userspace_addr: BigInt(v14.memory(0x2000)) }), 0);
});

/** A VM of a generation, and the request by which it gets memory. */
function regions(name: PersonaName) {
  const vmm = client(name);
  const vm = vmm.ioctl(vmm.open(), name === "v6" ? GH_V6.CREATE_VM : GH.CREATE_VM);
  const request = name === "v6" ? GH_V6.SET_USER_MEM_REGION : GH.SET_USER_MEM_REGION;
  return { vmm, region: (changes: Parameters<Client["region"]>[1]) => vmm.region(vm, changes, request) };
}

Deno.test("V14: size 0 deletes by label in v6 and v9, and is EINVAL from v14 on", () => {
  for (const name of ["v6", "v9"] as const) {
    const { vmm, region } = regions(name);
    const userspace_addr = BigInt(vmm.memory(0x1000));
    vmm.refused(region({ label: 5, memory_size: 0n }), "ENODEV", /there is none/);
    assert.equal(region({ label: 5, userspace_addr }), 0);
    assert.equal(region({ label: 5, memory_size: 0n }), 0);
    vmm.refused(region({ label: 5, memory_size: 0n }), "ENODEV");
    assert.equal(region({ label: 5, userspace_addr }), 0, "label and range are free again");
  }
  for (const name of ["v14", "ack-6.6", "ack-6.12", "union"] as const) {
    const { vmm, region } = regions(name);
    vmm.refused(region({ memory_size: 0n }), "EINVAL", /may not be 0/);
  }
});

Deno.test("V15: a label is used once, but not from android15-6.6 on", () => {
  for (const [name, unique] of [["v6", true], ["v9", true], ["v14", true], ["ack-6.6", false]] as const) {
    const { vmm, region } = regions(name);
    const userspace_addr = BigInt(vmm.memory(0x2000));
    assert.equal(region({ userspace_addr }), 0);
    const again = region({ guest_phys_addr: 0x9000_0000n, userspace_addr: userspace_addr + 0x1000n });
    if (unique) vmm.refused(again, "EEXIST", /label names one region/);
    else assert.equal(again, 0);
  }
});

Deno.test("V16: an overlap by one byte, or by one page where addresses are aligned, at either end is EEXIST, neighbors are fine", () => {
  for (const name of ["v6", "v9"] as const) {
    const { vmm, region } = regions(name);
    const memory = BigInt(vmm.memory(0x3000));
    const at = (label: number, offset: bigint) =>
      region({ label, guest_phys_addr: BigInt(BASE) + offset, userspace_addr: memory + BigInt(label) * 0x1000n });
    assert.equal(at(0, 0n), 0);
    for (const offset of [0xfffn, -0xfffn]) vmm.refused(at(1, offset), "EEXIST", /may not overlap/);
    assert.deepEqual([at(1, 0x1000n), at(2, -0x1000n)], [0, 0]);
  }
  const vmm = client();
  const vm = vmm.createVm(), userspace_addr = BigInt(vmm.memory(0x2000));
  assert.equal(vmm.region(vm, { label: 0, memory_size: 0x2000n, userspace_addr }), 0);
  for (const [label, page] of [[1, -1n], [2, 1n]] as const) {
    const guest_phys_addr = BigInt(BASE) + page * 0x1000n;
    vmm.refused(vmm.region(vm, { label, guest_phys_addr, memory_size: 0x2000n, userspace_addr }), "EEXIST", /may not overlap/);
  }
  assert.equal(vmm.region(vm, { label: 1, guest_phys_addr: BigInt(BASE) - 0x1000n, userspace_addr }), 0);
  assert.equal(vmm.region(vm, { label: 2, guest_phys_addr: BigInt(BASE) + 0x2000n, userspace_addr }), 0);
});

Deno.test("V17: an unreadable user range is EFAULT, and nothing stays pinned", () => {
  const vmm = client();
  const vm = vmm.createVm();
  vmm.place(new Uint8Array(1));
  // The lowest mapping: nothing is below it.
  const memory = vmm.memory(0x2000);
  const refs = () => vmm.kernel((kernel) => Object.values(kernel.memory.state.objects).map(({ refs }) => refs));
  const before = refs();
  vmm.refused(vmm.region(vm, { memory_size: 0x4000n, userspace_addr: BigInt(memory) - 0x2000n }), "EFAULT", /mapped and writable/);
  vmm.refused(vmm.region(vm, { userspace_addr: 0n }), "EFAULT");
  assert.deepEqual(refs(), before);
});

Deno.test("V18: over the locked-memory limit it is ENOMEM, and the count is unchanged", () => {
  const vmm = client();
  const vm = vmm.createVm(), userspace_addr = BigInt(vmm.memory(0x4000));
  vmm.kernel((kernel, pid) => {
    kernel.setMemlock(pid, 0x2000);
    kernel.setuid(pid, 1000);
  });
  vmm.refused(vmm.region(vm, { memory_size: 0x3000n, userspace_addr }), "ENOMEM", /RLIMIT_MEMLOCK/);
  assert.equal(vmm.kernel((kernel, pid) => kernel.lockedBytes(pid)), 0);
  assert.equal(vmm.region(vm, { memory_size: 0x2000n, userspace_addr }), 0);
  assert.equal(vmm.kernel((kernel, pid) => kernel.lockedBytes(pid)), 0x2000);
});

Deno.test("V19: without the memory-extent feature bit it is EOPNOTSUPP in v9 and v14", () => {
  for (const device of ["v9", "v14"] as const) {
    const vmm = new Client(new HostStack({ device, scripts: {}, features: 0xebfn }));
    vmm.refused(vmm.region(vmm.createVm(), { userspace_addr: BigInt(vmm.memory(0x1000)) }), "EOPNOTSUPP", /memory extents/);
  }
});

Deno.test("V20: another address space than the creator's is EPERM from v14 on", () => {
  for (const name of ["v9", "v14", "ack-6.6"] as const) {
    const vmm = client(name);
    const vm = vmm.createVm(), userspace_addr = BigInt(vmm.memory(0x1000));
    vmm.place(new Uint8Array(1));
    const child = new Client(vmm.host, vmm.kernel((kernel, pid) => kernel.fork(pid)));
    const result = child.region(vm, { userspace_addr });
    if (name === "v9") assert.equal(result, 0);
    else child.refused(result, "EPERM", /address space that created/);
  }
  const others = [["v14", GH_ANDROID.LEND_USER_MEM], ["v17", GH.MAP_MEM], ["ack-6.12", GH_ANDROID.RECLAIM_REGION]] as const;
  for (const [name, request] of [...others, ["ack-6.12", GH_ANDROID.MAP_CMA_MEM] as const]) {
    const vmm = client(name);
    const vm = vmm.createVm();
    const child = new Client(vmm.host, vmm.kernel((kernel, pid) => kernel.fork(pid)));
    child.refused(child.ioctl(vm, request, 0), "EPERM", /address space that created/);
  }
});

Deno.test("V21: SHARE leaves the host its access, LEND takes it away until the memory is back", () => {
  for (const lend of [false, true]) {
    const stack = new HostStack({ scripts: {} });
    const vmm = new Client(stack);
    const { vm, memory } = vmm.loadedVm({ lend });
    assert.equal(vmm.ioctl(vm, GH.START), 0);
    const load = () => vmm.kernel((kernel, pid) => kernel.load(pid, memory, 3));
    assert.deepEqual(vmm.write(memory, [1, 2, 3]), lend ? { ok: false, signal: 7 } : { ok: true, value: undefined });
    assert.deepEqual(load(), lend ? { ok: false, signal: 7 } : { ok: true, value: Uint8Array.of(1, 2, 3) });
    vmm.close(vm);
    stack.pass(1e7);
    assert.ok(vmm.write(memory, [4, 5, 6]).ok);
    assert.deepEqual(load(), { ok: true, value: Uint8Array.of(4, 5, 6) });
  }
});

/** Memory requests of a START with one region of these flags. */
function parcels(flags: number, lend: boolean) {
  const fake = new FakeHost("v14");
  const vmm = new Client(fake);
  const vm = vmm.createVm(), memory = vmm.memory(VM_SIZE, true);
  const region = { flags, label: 9, memory_size: BigInt(VM_SIZE), userspace_addr: BigInt(memory) };
  assert.equal(lend ? vmm.lend(vm, region) : vmm.region(vm, region), 0);
  vmm.setDevicetree(vm, BASE, 0x1000);
  assert.equal(vmm.ioctl(vm, GH.START), 0);
  return fake.platform.requests.filter(({ name }) => name.startsWith("MEM_"));
}

Deno.test("V22: a lent region has one ACL entry, a shared one two, with rights from the flags", () => {
  const [lent] = parcels(RegionFlags.Read | RegionFlags.Exec, true);
  assert.deepEqual([lent.name, lent.value.acl, lent.value.label], ["MEM_LEND", [{ vmid: 0x80, rights: 5 }], 9]);
  const [shared] = parcels(RegionFlags.Read | RegionFlags.Write, false);
  assert.deepEqual([shared.name, shared.value.acl], ["MEM_SHARE", [{ vmid: 0x80, rights: 6 }, { vmid: 3, rights: 7 }]]);
});

Deno.test("V23: more than 512 entries go by MEM_APPEND, the last one marked", () => {
  const fake = new FakeHost("v14");
  const vmm = new Client(fake);
  const pages = 1100;
  const [memory, other] = [vmm.memory(pages * 4096), vmm.memory(pages * 4096)];
  // Touched in turn, no two pages of a mapping are adjacent.
  for (let page = 0; page < pages; page++) for (const at of [memory, other]) vmm.write(at + page * 4096, [1]);
  const vm = vmm.createVm();
  assert.equal(vmm.region(vm, { memory_size: BigInt(pages * 4096), userspace_addr: BigInt(memory) }), 0);
  vmm.setDevicetree(vm, BASE, 0x1000);
  assert.equal(vmm.ioctl(vm, GH.START), 0);
  const sent = fake.platform.requests.filter(({ name }) => name.startsWith("MEM_"));
  assert.deepEqual(sent.map(({ name, value }) => [name, value.flags, (value.sgl as unknown[]).length]), [
    ["MEM_SHARE", 2, 512],
    ["MEM_APPEND", 0, 512],
    ["MEM_APPEND", 1, 76],
  ]);
});

Deno.test("V24: contiguous pages are one entry", () => {
  const [{ value }] = parcels(7, false);
  assert.deepEqual((value.sgl as { size: bigint }[]).map(({ size }) => size), [BigInt(VM_SIZE)]);
});

/** A VM of v17 with a guest memfd of 8 pages, and MAP_MEM on it. */
function guestMemory() {
  const vmm = client("v17");
  const device = vmm.open();
  const vm = vmm.ioctl(device, GH.CREATE_VM);
  const fd = vmm.call(device, GH.CREATE_GUEST_MEM, CREATE_MEM_ARGS, { size: 0x8000n });
  assert.ok(fd > 0);
  const usual = { guest_addr: BigInt(BASE), flags: 0x70, guest_mem_fd: fd, offset: 0n, size: 0x4000n };
  const map = (changes: Partial<typeof usual> = {}, on = vm) => vmm.call(on, GH.MAP_MEM, MAP_MEM_ARGS, { ...usual, ...changes });
  return { vmm, vm, fd, map, device };
}

Deno.test("V25: MAP_MEM of v17 refuses unknown flags, no rights, a bad access and what is unaligned with EINVAL", () => {
  const { vmm, map } = guestMemory();
  vmm.refused(map({ flags: 0x270 }), "EINVAL", /flag is unknown/);
  vmm.refused(map({ flags: 0 }), "EINVAL", /READ, WRITE and EXEC/);
  vmm.refused(map({ flags: 0x73 }), "EINVAL", /access is/);
  for (const odd of [{ guest_addr: BigInt(BASE) + 1n }, { offset: 8n }, { size: 0x1001n }, { size: 0n }]) {
    vmm.refused(map(odd), "EINVAL", /whole pages/);
  }
  vmm.refused(map({ guest_mem_fd: 99 }), "EINVAL", /guest memfd/);
  assert.equal(map(), 0);
});

Deno.test("V26: a part of a guest memfd is bound once, in one VM", () => {
  const { vmm, vm, map, device } = guestMemory();
  assert.equal(map(), 0);
  vmm.refused(map({ guest_addr: 0x9000_0000n, offset: 0x3000n, size: 0x1000n }), "EEXIST", /bound once/);
  const other = vmm.ioctl(device, GH.CREATE_VM);
  vmm.refused(map({ guest_addr: 0x9000_0000n }, other), "EEXIST", /bound once/);
  assert.equal(map({ guest_addr: 0x9000_0000n, offset: 0x4000n }, other), 0);
  vmm.refused(map({ offset: 0x4000n }, vm), "EEXIST", /may not overlap/);
});

Deno.test("V27: an unmap has to match a binding, trims either end, and does not split", () => {
  const { vmm, map } = guestMemory();
  const page = 0x1000n, base = BigInt(BASE);
  assert.equal(map(), 0);
  const unmap = (from: bigint, size: bigint, flags = 0x70, offset = from) =>
    map({ guest_addr: base + from, offset, size, flags: flags | MapFlagsV17.Unmap });
  vmm.refused(unmap(0x10_0000n, page), "ENOENT", /no binding/);
  vmm.refused(unmap(0n, page, 0x30), "ENOENT", /those of the binding/);
  vmm.refused(unmap(0n, page, 0x70, page), "ENOENT", /those of the binding/);
  vmm.refused(unmap(page, page), "EINVAL", /split/);
  assert.deepEqual([unmap(0n, page), unmap(3n * page, page), unmap(page, 2n * page)], [0, 0, 0]);
  vmm.refused(unmap(page, page), "ENOENT");
});

/** A guest that loads from pages that it misses, and then leaves RUN. */
function* touchAll(pages: readonly number[]): Generator<Step, void, bigint> {
  for (const page of pages) yield { do: "load", address: BASE + page, size: 8 };
  for (;;) yield { do: "store", address: 0x6000, size: 8, value: 0n };
}

Deno.test("V30: RECLAIM_REGION gives pages of a running VM back; what is unaligned or empty is EINVAL, what is a parcel EAGAIN", () => {
  for (const device of ["ack-6.6", "ack-6.12", "union"] as const) {
    for (const lend of [false, true]) {
      const pages = [0x1000, 0x2000, 0x4000, 0x5000];
      const stack = new HostStack({ device, scripts: { [DTB]: () => touchAll(device === "union" ? [] : pages) } });
      const running = new Client(stack);
      const { vm, memory } = running.loadedVm({ lend });
      const vcpu = running.vcpu(vm);
      const reclaim = (guest_phys_addr: number, size: number) =>
        running.call(vm, GH_ANDROID.RECLAIM_REGION, VM_RANGE, { guest_phys_addr: BigInt(guest_phys_addr), size: BigInt(size) });
      assert.equal(reclaim(BASE + 0x2000, 0x3000), 0, "before START there is nothing to give back");
      assert.equal(running.ioctl(vm, GH.START), 0, stack.lastRule()?.rule);
      assert.equal(running.ioctl(vcpu, GH.RUN), 0);
      const touch = (offset: number) => running.write(memory + offset, [1]).ok;
      assert.deepEqual(pages.map(touch), pages.map(() => !lend));
      assert.deepEqual([reclaim(BASE + 0x2000, 0x3000), reclaim(BASE + 0x2000, 0x3000)], [0, 0]);
      assert.deepEqual(pages.map(touch), [!lend, true, true, !lend]);
      if (device === "union") running.refused(reclaim(DTB + 0x1000, 0x1000), "EAGAIN", /parcels are in use/);
      else assert.equal(reclaim(DTB + 0x1000, 0x1000), 0, "START made the parcel pages of the VM");
      checkInvariants(stack.hypervisor);
      running.close(vm);
      running.close(vcpu);
      stack.pass(1e9);
      assert.deepEqual(pages.map(touch), pages.map(() => true));
      assert.deepEqual(stack.visit(({ gunyah }) => gunyah.state.vms), {});
      checkInvariants(stack.hypervisor);
    }
  }
  const vmm = client("ack-6.12");
  const vm = vmm.createVm();
  const reclaim = (guest_phys_addr: bigint, size: bigint) => vmm.call(vm, GH_ANDROID.RECLAIM_REGION, VM_RANGE, { guest_phys_addr, size });
  for (const [address, size] of [[1n, 0x1000n], [0n, 1n], [0n, 0n]]) vmm.refused(reclaim(address, size), "EINVAL", /whole pages/);
  vmm.refused(reclaim(BigInt(BASE), 0x1000n), "ENOENT", /one region/);
});
