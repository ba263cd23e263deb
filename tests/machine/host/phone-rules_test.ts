// Rules and limits in which phones differ (docs/spec/phones.md §A3 to §A5), on the whole stack.

import assert from "node:assert/strict";
import { BOOT_CONTEXT, GH } from "../../../src/machine/abi/ioctl/gunyah.ts";
import { MEM_LEND, MEM_SHARE } from "../../../src/machine/abi/rpc/messages/memory.ts";
import { cells64, devicetree, type DevicetreeNode, node } from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { parseFaultRule } from "../../../src/model/queries/fault-rule.ts";
import { checkInvariants } from "../hypervisor/invariants.ts";
import { guestRoot } from "../resource-manager/machine.ts";
import { BASE, Client, DTB, DTB_SIZE, VM_SIZE } from "./client.ts";
import { HostStack } from "./host-stack.ts";

/** Where the Resource Manager puts a parcel that no node and no vdevice names. */
const FREE = 0x4000_1000;
const PAGE = 0x1000;

/** A node of /reserved-memory for this range. */
const reserved = (address: number, size: number): DevicetreeNode =>
  node(`pool@${address.toString(16)}`, { reg: cells64(address, size), "no-map": true });

/**
 * START of a VM that is lent its image, and shared `shared` bytes; the devicetree reserves `nodes`.
 */
function start(stack: HostStack, shared: number, nodes: readonly DevicetreeNode[]): { result: number; vmm: Client } {
  const vmm = new Client(stack);
  const vm = vmm.createVm();
  const memory = vmm.memory(VM_SIZE, true);
  const root = guestRoot("phone", []);
  if (nodes.length > 0) root.children.push(node("reserved-memory", { "#address-cells": 2, "#size-cells": 2, ranges: true }, [...nodes]));
  vmm.write(memory + DTB - BASE, writeDevicetree(devicetree(root)));
  assert.equal(vmm.lend(vm, { label: 1, memory_size: BigInt(VM_SIZE), userspace_addr: BigInt(memory) }), 0);
  if (shared > 0) {
    const region = {
      label: 2,
      guest_phys_addr: 0x8040_0000n,
      memory_size: BigInt(shared),
      userspace_addr: BigInt(vmm.memory(shared, true)),
    };
    assert.equal(vmm.region(vm, region), 0);
  }
  assert.equal(vmm.setDevicetree(vm, DTB, DTB_SIZE), 0);
  return { result: vmm.ioctl(vm, GH.START), vmm };
}

/** The rule that the Resource Manager refused START by. */
const refusal = ({ hypervisor }: HostStack) => hypervisor.trace.reasons.last?.rule ?? "";

Deno.test("must-match: each shared parcel needs a node of exactly its range; other Resource Managers do not look", () => {
  const cases: readonly [nodes: DevicetreeNode[], starts: boolean][] = [
    [[], false],
    [[reserved(FREE, PAGE)], true],
    [[reserved(FREE, 2 * PAGE)], false],
    [[reserved(FREE + PAGE, PAGE)], false],
    [[reserved(FREE, PAGE), reserved(0x9000_0000, PAGE)], false],
  ];
  const strict = new HostStack({ device: "ack-6.1", scripts: {}, reservedMemory: "must-match" });
  for (const [nodes, starts] of cases) {
    const { result, vmm } = start(strict, PAGE, nodes);
    const names = nodes.map(({ name }) => name).join(", ");
    if (starts) assert.equal(result, 0, names);
    else vmm.refused(result, "ENODEV");
    if (nodes.length === 0) assert.match(refusal(strict), /no node of \/reserved-memory with exactly this reg/);
    vmm.exit();
    strict.pass(1e9);
  }
  assert.equal(start(strict, 0, []).result, 0, "nothing is shared");
  assert.equal(start(new HostStack({ device: "ack-6.1", scripts: {} }), PAGE, []).result, 0);
  const bare = [reserved(0x9000_0000, PAGE)];
  for (const [reservedMemory, result] of [["any", false], ["never", true]] as const) {
    const started = start(new HostStack({ device: "ack-6.1", scripts: {}, reservedMemory }), PAGE, bare).result;
    assert.equal(started === 0, result, reservedMemory);
  }
  checkInvariants(strict.hypervisor);
});

Deno.test("a VM owns as many parcels as the platform lets it", () => {
  for (const [parcels, most] of [[undefined, 64], [70, 70]] as const) {
    const stack = new HostStack({ device: "ack-6.1", scripts: {}, parcels });
    const vmm = new Client(stack);
    const vm = vmm.createVm();
    // The image's, and one for each page.
    const memory = vmm.memory(VM_SIZE, true);
    vmm.write(memory + DTB - BASE, writeDevicetree(devicetree(guestRoot("many", []))));
    assert.equal(vmm.lend(vm, { label: 1, memory_size: BigInt(VM_SIZE), userspace_addr: BigInt(memory) }), 0);
    const pages = vmm.memory(most * PAGE, true);
    for (let page = 0; page < most; page++) {
      const place = { guest_phys_addr: BigInt(0x9000_0000 + 2 * page * PAGE), userspace_addr: BigInt(pages + page * PAGE) };
      assert.equal(vmm.region(vm, { label: 2 + page, ...place }), 0);
    }
    assert.equal(vmm.setDevicetree(vm, DTB, DTB_SIZE), 0);
    vmm.refused(vmm.ioctl(vm, GH.START), "EPERM");
    const made = stack.exchanges.filter(({ way, id }) => way === "reply" && [MEM_SHARE.id, MEM_LEND.id].includes(id));
    assert.equal(made.length, most + 1, "the last one is refused");
    vmm.exit();
    stack.pass(1e9);
    assert.deepEqual(stack.visit(({ gunyah }) => gunyah.state.vms), {});
  }
});

Deno.test("parcels of VMMs that were killed while they started count against the quota, and the refusal says how many they are", () => {
  const stack = new HostStack({ device: "ack-6.1", parcels: 8 });
  stack.hypervisor.faults.add(parseFaultRule("rpc msg=MEM_RECLAIM -> BUSY"));
  const parcels = () => stack.exchanges.filter(({ way, id }) => way === "reply" && id === MEM_LEND.id).length;
  for (let life = 1; life <= 8; life++) {
    const vmm = new Client(stack), { vm } = vmm.loadedVm({ lend: true });
    vmm.begin(vm, GH.START);
    vmm.exit();
    stack.pass(1e9);
    assert.equal(parcels(), life);
  }
  const vmm = new Client(stack), { vm } = vmm.loadedVm({ lend: true });
  vmm.refused(vmm.ioctl(vm, GH.START), "EPERM", /at most 8 parcels, and 8 of them were lent to VMs that have ended/);
});

Deno.test("the list of a region's pages has to fit into the kernel's largest block", () => {
  // 2^5 pages hold the addresses of 64 MiB.
  const limit = 64 << 20;
  for (const [maxOrder, fits] of [[5, false], [undefined, true]] as const) {
    const stack = new HostStack({ device: "ack-6.1", scripts: {}, memory: 256 << 20, memlock: 1 << 30, quirks: { maxOrder } });
    const vmm = new Client(stack);
    const vm = vmm.createVm(), memory = vmm.memory(limit + PAGE, true);
    const region = (label: number, size: number) =>
      vmm.lend(vm, {
        label,
        memory_size: BigInt(size),
        userspace_addr: BigInt(memory),
        guest_phys_addr: BigInt(BASE + label * 0x1000_0000),
      });
    if (fits) assert.equal(region(1, limit + PAGE), 0);
    else {
      vmm.refused(region(1, limit + PAGE), "ENOMEM", /contiguous kernel memory, and the largest is 128KiB, for regions of up to 64MiB/);
      assert.equal(region(1, limit), 0);
    }
  }
});

Deno.test("a kernel without a boot context that does not say ENOTTY", () => {
  for (const [device, quirks, errno] of [["ack-6.1", {}, "ENOTTY"], ["ack-6.1", { bootContext: "ENODEV" }, "ENODEV"]] as const) {
    const vmm = new Client(new HostStack({ device, scripts: {}, quirks }));
    vmm.refused(vmm.call(vmm.createVm(), GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, { reg: 0x100, value: BigInt(BASE) }), errno);
  }
});

Deno.test("pages in CMA areas cannot be a VM's: when it is given them, or when it is started with them", () => {
  for (
    const [device, unpinnable, refused] of [["ack-6.1", 0, false], ["ack-6.1", 1, true], ["ack-6.6", 100, true], [
      "union",
      100,
      true,
    ]] as const
  ) {
    const stack = new HostStack({ device, scripts: {}, quirks: { unpinnable } });
    const vmm = new Client(stack);
    const vm = vmm.createVm(), memory = vmm.memory(VM_SIZE, true);
    vmm.write(memory + DTB - BASE, writeDevicetree(devicetree(guestRoot("cma", []))));
    const given = vmm.lend(vm, { label: 1, memory_size: BigInt(VM_SIZE), userspace_addr: BigInt(memory) });
    if (refused && device === "ack-6.1") vmm.refused(given, "ENOMEM", /lies in a CMA area/);
    else {
      assert.equal(given, 0);
      assert.equal(vmm.setDevicetree(vm, DTB, DTB_SIZE), 0);
      if (refused) vmm.refused(vmm.ioctl(vm, GH.START), "ENOMEM", /lies in a CMA area/);
      else assert.equal(vmm.ioctl(vm, GH.START), 0);
    }
  }
});

Deno.test("VMIDs without an id in the secure world get no memory", () => {
  for (const [scmMax, starts] of [[0x7f, false], [0x80, true]] as const) {
    const { result, vmm } = start(new HostStack({ device: "ack-6.1", scripts: {}, quirks: { scmMax } }), 0, []);
    if (starts) assert.equal(result, 0);
    else vmm.refused(result, "ENODEV", /ids for VMIDs up to 0x7f/);
  }
});
