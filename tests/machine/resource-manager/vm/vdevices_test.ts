// vdevices with buffers and devices of the hypervisor: their objects, the resources of both VMs,
// and the nodes of the devicetree.

import assert from "node:assert/strict";
import { Hypercall } from "../../../../src/machine/abi/hypercalls.ts";
import { MEM_RECLAIM, MEM_SHARE } from "../../../../src/machine/abi/rpc/messages/memory.ts";
import { ResourceType, VM_GET_HYP_RESOURCES } from "../../../../src/machine/abi/rpc/messages/resources.ts";
import { VM_INIT } from "../../../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_START } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { readDevicetree } from "../../../../src/machine/devicetree/reader.ts";
import {
  cells64,
  type DevicetreeNode,
  findNode,
  findPhandle,
  node,
  readCell,
  readCells,
  readStrings,
} from "../../../../src/machine/devicetree/tree.ts";
import { checkInvariants } from "../../hypervisor/invariants.ts";
import { BASE, DT_OFFSET, DT_SIZE, guestTree, Machine, rmRpc } from "../machine.ts";

/** A vdevice with a buffer of this label. */
function buffered(type: string, label: number, more: Record<string, string | number | true> = {}): DevicetreeNode {
  const buffer = node("memory", { "#address-cells": 2, label, base: cells64(0x9000_0000) });
  return node(type, { "vdevice-type": type, "peer-default": true, "qcom,label": label, ...more }, [buffer]);
}

/** A VM with one such vdevice and two pages for it, started. */
function started(machine: Machine, vdevice: DevicetreeNode, label: number): { vmid: number; handle: number; buffer: number } {
  const made = machine.ready(guestTree("buffered", [rmRpc(), vdevice]));
  const acl = [{ vmid: made.vmid, rights: 6 }, { vmid: 3, rights: 6 }];
  const sgl = [{ address: 0x4700_0000n, size: 0x2000n }];
  const shared = machine.primary.get(MEM_SHARE, { mem_type: 0, flags: 0, label, acl, sgl, attributes: [] });
  machine.primary.get(VM_START, { vmid: made.vmid });
  return { ...made, buffer: shared.handle };
}

function treeOf(machine: Machine, vmid: number): DevicetreeNode {
  const read = readDevicetree(machine.system.guest(vmid).read(BASE + DT_OFFSET, DT_SIZE)!);
  assert.ok(read.ok);
  return read.tree.root;
}

Deno.test("a virtio-mmio device's page is read by its VM and written by its owner, and either one's vIRQ reaches the other", () => {
  const machine = new Machine();
  const { primary, system } = machine;
  const before = machine.usage();
  const made = started(machine, buffered("virtio-mmio", 5, { "vqs-num": 2, "dma-coherent": true }), 5);
  const { resources } = primary.get(VM_GET_HYP_RESOURCES, { vmid: made.vmid });
  const backend = resources.find(({ type }) => type === ResourceType.VirtioMmioBackend)!;
  assert.deepEqual([backend.label, backend.partner, backend.base, backend.size], [5, made.vmid, 0x3000_1000n, 0x1000n]);
  assert.ok(backend.virq >= 960);

  const root = treeOf(machine, made.vmid);
  const found = findNode(root, "/hypervisor/qcom,virtio_mmio")!;
  const [, ipa, , size] = readCells(found, "reg")!;
  assert.equal(found.name, `qcom,virtio_mmio@${ipa.toString(16)}`);
  assert.equal(size, 0x1000);
  assert.deepEqual(readStrings(found, "compatible"), ["virtio,mmio"]);
  assert.equal(findPhandle(root, readCell(found, "memory-region")!)?.name, "buffer@90000000");
  assert.ok(found.properties.has("dma-coherent"));

  const guest = system.guest(made.vmid);
  system.act((vcpu) => assert.ok(vcpu.write(Number(backend.base) + 0x100, Uint8Array.of(0xab))));
  assert.deepEqual(guest.read(ipa + 0x100, 1), Uint8Array.of(0xab), "the backend's config space is the frontend's");
  assert.equal(guest.write(ipa + 0x100, Uint8Array.of(1)), false, "the frontend's writes trap");
  const asserted = system.act((vcpu) => vcpu.hvc(Hypercall.virtio_mmio_backend_assert_virq, backend.cap, 1n)[0]);
  assert.equal(asserted, 0n);

  machine.end(made);
  primary.get(MEM_RECLAIM, { handle: made.buffer, flags: 0 });
  assert.deepEqual(machine.usage(), before);
  assert.equal(system.act((vcpu) => vcpu.read(Number(backend.base) + 0x100, 1)), undefined, "the owner's page goes as well");
  checkInvariants(system.hypervisor);
});

Deno.test("a VM finds nothing of the VM before it in the page of its virtio-mmio device", () => {
  const machine = new Machine();
  const { primary, system } = machine;
  const page = (act: (base: number, cap: bigint) => void) => {
    const made = started(machine, buffered("virtio-mmio", 5), 5);
    const { resources } = primary.get(VM_GET_HYP_RESOURCES, { vmid: made.vmid });
    const { base, cap } = resources.find(({ type }) => type === ResourceType.VirtioMmioBackend)!;
    act(Number(base), cap);
    machine.end(made);
    primary.get(MEM_RECLAIM, { handle: made.buffer, flags: 0 });
  };
  page((base, cap) => {
    system.act((vcpu) => assert.ok(vcpu.write(base, new Uint8Array(0x1000).fill(0xab))));
    system.act((vcpu) => assert.equal(vcpu.hvc(Hypercall.virtio_mmio_backend_update_status, cap, 0xfn)[0], 0n));
  });
  page((base) => assert.deepEqual(system.act((vcpu) => vcpu.read(base, 0x1000)), new Uint8Array(0x1000)));
});

Deno.test("a shm-doorbell has a buffer and a doorbell in each direction, which its node refers to", () => {
  const machine = new Machine();
  const before = machine.usage();
  const made = started(machine, buffered("shm-doorbell", 7), 7);
  const root = treeOf(machine, made.vmid);
  const found = findNode(root, "/hypervisor/qcom,shm")!;
  assert.deepEqual(readStrings(found, "compatible"), ["qcom,gunyah-shm-doorbell"]);
  const [source, bell] = ["tx-doorbell", "rx-doorbell"].map((name) => findPhandle(root, readCell(found, name)!)!);
  assert.deepEqual(readStrings(source, "compatible"), ["qcom,gunyah-doorbell-source", "qcom,gunyah-capability"]);
  assert.deepEqual(readStrings(bell, "compatible"), ["qcom,gunyah-doorbell", "qcom,gunyah-capability"]);
  const [, cap] = readCells(source, "reg")!;
  assert.equal(machine.system.guest(made.vmid).hvc(Hypercall.doorbell_send, BigInt(cap), 1n)[0], 0n);
  const { resources } = machine.primary.get(VM_GET_HYP_RESOURCES, { vmid: made.vmid });
  assert.deepEqual(resources.map(({ type }) => type), [ResourceType.Vcpu], "what a buffer has is not listed");
  machine.end(made);
  machine.primary.get(MEM_RECLAIM, { handle: made.buffer, flags: 0 });
  assert.deepEqual(machine.usage(), before);
});

Deno.test("an iomem vdevice without device memory, and a vSMMU, are read and say nothing in the devicetree", () => {
  const machine = new Machine();
  const memory = node("memory", { label: 3, "allocate-base": true });
  const iomem = node("io", { "vdevice-type": "iomem", "peer-default": true, generate: "/soc/device", "qcom,label": 3 }, [memory]);
  const vsmmu = node("smmu", { "vdevice-type": "vsmmu-v2", "num-cbs": 255, "num-smrs": 8 });
  const { vmid } = machine.start(guestTree("devices", [iomem, vsmmu]));
  assert.equal(findNode(treeOf(machine, vmid), "/soc"), undefined);
});

Deno.test("iomem and vSMMU nodes that are wrong are refused by name", () => {
  const memory = node("memory", { label: 3, "allocate-base": true });
  const iomem = (more: Record<string, string | number[] | true>) =>
    node("io", { "vdevice-type": "iomem", "peer-default": true, ...more }, [memory]);
  for (
    const [vdevice, rule] of [
      [iomem({}), /neither generate nor patch/],
      [iomem({ generate: "/soc/device", "qcom,rm_acl": [1] }), /two numbers each/],
      [node("smmu", { "vdevice-type": "vsmmu-v2", "num-cbs": 256 }), /num-cbs is over 255/],
    ] as const
  ) {
    const machine = new Machine();
    const { vmid } = machine.configured(guestTree("wrong", [vdevice]));
    assert.equal(machine.primary.ask(VM_INIT, { vmid }).error, "MEM_INVALID");
    assert.match(machine.system.hypervisor.trace.reasons.last!.rule, rule);
  }
});

Deno.test("either spelling of source-can-clear lets the owner take a doorbell's flags back", () => {
  for (const spelling of ["source-can-clear", "source-can-clean"]) {
    const machine = new Machine();
    const bell = node("bell", { "vdevice-type": "doorbell", "peer-default": true, "qcom,label": 1, [spelling]: true });
    const { vmid } = machine.start(guestTree("rung", [bell]));
    const { cap } = machine.primary.get(VM_GET_HYP_RESOURCES, { vmid }).resources.find(({ type }) => type === ResourceType.DoorbellSource)!;
    const [error, flags] = machine.system.act((vcpu) => {
      vcpu.hvc(Hypercall.doorbell_send, cap, 5n);
      return [...vcpu.hvc(Hypercall.doorbell_receive, cap, 1n)];
    });
    assert.deepEqual([error, flags], [0n, 5n], spelling);
  }
});

Deno.test("vdevice handles count the vdevices with objects of all VMs; the RM's link has 0", () => {
  const machine = new Machine();
  const pair = (label: number) =>
    node("pair", { "vdevice-type": "message-queue-pair", "peer-default": true, "qcom,label": label, "message-size": 64, "queue-depth": 2 });
  const bell = node("bell", { "vdevice-type": "doorbell", "peer-default": true, "qcom,label": 1 });
  const handles = ["first", "second"].map((name) => {
    const made = machine.start(guestTree(name, [rmRpc(), pair(2), bell]));
    const hypervisor = findNode(treeOf(machine, made.vmid), "/hypervisor")!;
    const queues = hypervisor.children.filter((child) => child.properties.has("qcom,vdevice-handle"));
    machine.end(made);
    return queues.map((child) => [child.name.split("@")[0], readCell(child, "qcom,vdevice-handle")]);
  });
  // Doorbells are made before pairs of queues, whatever the order of the nodes.
  assert.deepEqual(handles, [[["rm-rpc", 0], ["qcom,message-queue-pair", 1]], [["rm-rpc", 0], ["qcom,message-queue-pair", 3]]]);
});
