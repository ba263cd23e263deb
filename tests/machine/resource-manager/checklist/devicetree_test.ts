// Lines 139 to 150 of the checklist (docs/spec/resource-manager.md §14): the devicetrees of the
// primary VM and of guests.

import assert from "node:assert/strict";
import { MEM_SHARE } from "../../../../src/machine/abi/rpc/messages/memory.ts";
import { VM_INIT } from "../../../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_START } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_STATE } from "../../../../src/machine/abi/rpc/messages/queries.ts";
import { VmState } from "../../../../src/machine/abi/rpc/messages/vm.ts";
import { readDevicetree } from "../../../../src/machine/devicetree/reader.ts";
import {
  cells64,
  devicetree,
  type DevicetreeNode,
  findNode,
  node,
  readCell,
  readCells,
  readNumber,
  readString,
  readStrings,
  setProperties,
  walk,
} from "../../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../../src/machine/devicetree/writer.ts";
import { DEFAULT_PRIMARY_IMAGES } from "../../../../src/machine/hypervisor/root-vm.ts";
import { BASE, bell, DT_OFFSET, DT_SIZE, guestRoot, guestTree, Machine, MEMORY, rmRpc } from "../machine.ts";

function read(bytes: Uint8Array): DevicetreeNode {
  const result = readDevicetree(bytes);
  assert.ok(result.ok);
  return result.tree.root;
}

/** The tree in the memory of a VM that has been started. */
function treeOf(machine: Machine, vmid: number, base = BASE): DevicetreeNode {
  return read(machine.system.guest(vmid).read(base + DT_OFFSET, DT_SIZE)!);
}

function blob(change: (root: DevicetreeNode) => void, vdevices: DevicetreeNode[] = []): Uint8Array {
  const root = guestRoot("tree", vdevices);
  change(root);
  return writeDevicetree(devicetree(root));
}

/** A started VM with this tree, and what it finds. */
function started(tree: Uint8Array): DevicetreeNode {
  const machine = new Machine();
  return treeOf(machine, machine.start(tree).vmid);
}

Deno.test("R139: the primary has one node for gunyah-resource-manager under the simple-bus /hypervisor: reg of 16 bytes, two edge SPIs", () => {
  const machine = new Machine();
  const root = read(machine.system.act((vcpu) => vcpu.read(DEFAULT_PRIMARY_IMAGES.devicetree, 0x4000))!);
  const hypervisor = findNode(root, "/hypervisor")!;
  assert.ok(readStrings(hypervisor, "compatible")!.includes("simple-bus"));
  const found = hypervisor.children.filter((each) => readStrings(each, "compatible")?.includes("gunyah-resource-manager"));
  assert.equal(found.length, 1);
  assert.equal(found[0].properties.get("reg")!.length, 16);
  const [txClass, , txFlags, rxClass, , rxFlags] = readCells(found[0], "interrupts")!;
  assert.deepEqual([txClass, txFlags, rxClass, rxFlags], [0, 1, 0, 1]);
});

Deno.test("R140: a guest has /hypervisor with gunyah-hypervisor first, and qcom,gunyah-vm with its id and the owner 3", () => {
  const root = started(guestTree("tree", []));
  assert.equal(readString(findNode(root, "/hypervisor")!, "compatible"), "gunyah-hypervisor");
  const identity = findNode(root, "/hypervisor/qcom,gunyah-vm")!;
  assert.deepEqual([readCell(identity, "qcom,vmid"), readCell(identity, "qcom,owner-vmid")], [0x80, 3]);
});

Deno.test("R141: a guest whose tree has /hypervisor already fails VM_START", () => {
  const machine = new Machine();
  const { vmid } = machine.ready(blob((root) => root.children.push(node("hypervisor"))));
  assert.equal(machine.primary.ask(VM_START, { vmid }).error, "NORESOURCE");
  assert.equal(machine.primary.get(VM_GET_STATE, { vmid }).vm_state, VmState.InitFailed);
});

Deno.test("R142: /memory has the accepted ranges, sorted and merged, in the root's cells", () => {
  const machine = new Machine();
  const tree = blob((root) => {
    setProperties(root, { "#address-cells": 2, "#size-cells": 1 });
    setProperties(findNode(root, "/interrupt-controller")!, { reg: [0, 0x3fff_0000, 0x1_0000, 0, 0x3fe0_0000, 0x2_0000] });
  });
  const { vmid } = machine.ready(tree);
  const share = (address: bigint, label: number) => {
    const acl = [{ vmid, rights: 6 }, { vmid: 3, rights: 6 }];
    machine.primary.get(MEM_SHARE, { mem_type: 0, flags: 0, label, acl, sgl: [{ address, size: 0x1000n }], attributes: [] });
  };
  share(0x4700_0000n, 8);
  share(0x4710_0000n, 9);
  machine.primary.get(VM_START, { vmid });
  // The two buffers lie side by side between the info page and the image.
  const expected = [0, 0x4000_1000, 0x2000, 0, BASE, MEMORY];
  assert.deepEqual(readCells(findNode(treeOf(machine, vmid), "/memory")!, "reg"), expected);
});

Deno.test("R143: a buffer of label L and a shm vdevice L with base B meet at B, under a no-map node with the parcel's handle", () => {
  const machine = new Machine();
  const buffer = node("memory", { "#address-cells": 2, label: 5, base: cells64(0x9000_0000) });
  const { vmid } = machine.ready(
    guestTree("tree", [node("shm", { "vdevice-type": "shm", "peer-default": true, "qcom,label": 5 }, [buffer])]),
  );
  const acl = [{ vmid, rights: 6 }, { vmid: 3, rights: 6 }];
  const sgl = [{ address: 0x4700_0000n, size: 0x1000n }];
  const { handle } = machine.primary.get(MEM_SHARE, { mem_type: 0, flags: 0, label: 5, acl, sgl, attributes: [] });
  machine.system.act((vcpu) => vcpu.write(0x4700_0000, Uint8Array.of(0x5a)));
  machine.primary.get(VM_START, { vmid });
  assert.deepEqual(machine.system.guest(vmid).read(0x9000_0000, 1), Uint8Array.of(0x5a));
  const reserved = findNode(treeOf(machine, vmid), "/reserved-memory/buffer@90000000")!;
  assert.ok(reserved.properties.has("no-map"));
  assert.equal(readCell(reserved, "qcom,rm-mem-handle"), handle);
});

Deno.test("R144: a doorbell's node is named after its capability and has the interrupt that was asked for", () => {
  const asked = node("bell", {
    "vdevice-type": "doorbell",
    "peer-default": true,
    generate: "/hypervisor/bell",
    "qcom,label": 1,
    interrupts: [0, 0x25, 4],
  });
  const found = findNode(started(guestTree("tree", [rmRpc(), asked])), "/hypervisor/bell")!;
  assert.equal(found.name, `bell@${readNumber(found, "reg", 2)!.toString(16)}`);
  assert.deepEqual(readCells(found, "interrupts"), [0, 0x25, 4]);
});

Deno.test("R145: kaslr-seed exists, and differs between two starts", () => {
  const machine = new Machine();
  const seed = () => {
    const made = machine.start(guestTree("tree", []));
    const value = readNumber(findNode(treeOf(machine, made.vmid), "/chosen")!, "kaslr-seed", 2)!;
    machine.end(made);
    return value;
  };
  const [first, second] = [seed(), seed()];
  assert.notEqual(first, second);
});

Deno.test("R146: CPU nodes have qcom,gunyah-capability only where PSCI is not in use", () => {
  const capability = (root: DevicetreeNode) => readNumber(findNode(root, "/cpus/cpu@0")!, "qcom,gunyah-capability", 2);
  assert.equal(capability(started(guestTree("tree", []))), undefined);
  const without = blob((root) => {
    root.children.splice(root.children.findIndex(({ name }) => name === "psci"), 1);
    const cpu = findNode(root, "/cpus/cpu@0")!;
    cpu.properties.delete("cpu-idle-states");
    setProperties(cpu, { "enable-method": "qcom,gunyah-hvc" });
  });
  assert.equal(capability(started(without)), 0n);
});

Deno.test("R147: a GIC with reg stays as it is; one without gets reg and stride", () => {
  const gic = (tree: Uint8Array) => findNode(started(tree), "/interrupt-controller")!;
  const given = gic(guestTree("tree", []));
  assert.deepEqual(given.properties.get("reg"), cells64(0x3fff_0000, 0x1_0000, 0x3fe0_0000, 0x2_0000));
  assert.equal(given.properties.has("redistributor-stride"), false);
  const chosen = gic(blob((root) => findNode(root, "/interrupt-controller")!.properties.delete("reg")));
  assert.equal(readNumber(chosen, "redistributor-stride", 2), 0x2_0000n);
  const reg = chosen.properties.get("reg")!;
  assert.equal(reg.length, 32);
});

Deno.test("R148: vdevice and gunyah-vm-config nodes stay in the tree that the guest gets", () => {
  const tree = guestTree("tree", [rmRpc(), bell(1)]);
  const paths = (root: DevicetreeNode) => [...walk(root)].map(({ path }) => path).filter((path) => path.startsWith("/gunyah-vm-config"));
  assert.deepEqual(paths(started(tree)), paths(read(tree)));
});

Deno.test("R149: a base-address that is not 2 MiB aligned is rounded up", () => {
  const machine = new Machine();
  const memory = { "base-address": cells64(BASE + 0x1000) };
  const { vmid } = machine.start(blob((root) => setProperties(findNode(root, "/gunyah-vm-config/memory")!, memory)));
  assert.equal(machine.system.vcpu(vmid).registers.pc, BigInt(BASE + 0x20_0000));
});

Deno.test("R150: a property of unexpected length in gunyah-vm-config/memory is ignored, one that is misaligned is an error", () => {
  const init = (properties: Record<string, Uint8Array>) => {
    const machine = new Machine();
    const { vmid } = machine.configured(blob((root) => setProperties(findNode(root, "/gunyah-vm-config/memory")!, properties)));
    return machine.primary.ask(VM_INIT, { vmid }).error;
  };
  assert.equal(init({ "size-max": cells64(1) }), "OK", "two cells where one is due: else the image would be too large");
  assert.equal(init({ "base-address": cells64(BASE + 0x10) }), "MEM_INVALID");
});
