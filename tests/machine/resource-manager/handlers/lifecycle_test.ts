// VMs from allocation to the end, on the real hypervisor: what is made is unmade, and what two VMs
// share comes and goes with them.

import assert from "node:assert/strict";
import fc from "fast-check";
import { Hypercall } from "../../../../src/machine/abi/hypercalls.ts";
import type { NativeVcpu } from "../../../../src/machine/abi/native-guest.ts";
import { RPC_MESSAGES } from "../../../../src/machine/abi/rpc/messages/all.ts";
import { FW_MILESTONE, FW_SET_VM_FIRMWARE, VM_SET_FIRMWARE_MEM } from "../../../../src/machine/abi/rpc/messages/platform.ts";
import { MEM_APPEND, MEM_DONATE, MEM_LEND, MEM_NOTIFY, MEM_RECLAIM, MEM_SHARE } from "../../../../src/machine/abi/rpc/messages/memory.ts";
import { ResourceType, VM_GET_HYP_RESOURCES } from "../../../../src/machine/abi/rpc/messages/resources.ts";
import { VM_INIT } from "../../../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_ALLOCATE, VM_DEALLOCATE, VM_EXIT, VM_RESET, VM_START, VM_STOP } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_STATE, VM_GET_VMID } from "../../../../src/machine/abi/rpc/messages/queries.ts";
import { VmState } from "../../../../src/machine/abi/rpc/messages/vm.ts";
import { encodeRequest } from "../../../../src/machine/abi/rpc/message.ts";
import { encodePackets, PacketType } from "../../../../src/machine/abi/rpc/packet.ts";
import { readDevicetree } from "../../../../src/machine/devicetree/reader.ts";
import {
  cells,
  cells64,
  devicetree,
  type DevicetreeNode,
  findNode,
  node,
  readCell,
  readNumber,
  setProperties,
  walk,
} from "../../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../../src/machine/devicetree/writer.ts";
import { ResourceManager } from "../../../../src/machine/resource-manager/resource-manager.ts";
import { checkInvariants } from "../../hypervisor/invariants.ts";
import type { Client } from "../client.ts";
import { BASE, bell, DT_OFFSET, DT_SIZE, guestRoot, guestTree, Machine, MEMORY, pair, rmRpc } from "../machine.ts";

Deno.test("a VM that is made, started, stopped and freed leaves nothing behind, again and again", () => {
  const machine = new Machine();
  const tree = guestTree("again", [rmRpc(), bell(0x20), pair(0x30, { "peer-default": true })], 2);
  const before = machine.usage();
  for (let round = 0; round < 5; round++) {
    machine.end(machine.start(tree));
    assert.deepEqual(machine.usage(), before, `round ${round}`);
    checkInvariants(machine.system.hypervisor);
  }
});

Deno.test("a VM that was never started is reset like any other", () => {
  const machine = new Machine();
  const before = machine.usage();
  const { vmid, handle } = machine.ready(guestTree("unborn", [rmRpc()]));
  machine.reset(vmid);
  machine.primary.get(MEM_RECLAIM, { handle, flags: 0 });
  machine.primary.get(VM_DEALLOCATE, { vmid });
  assert.deepEqual(machine.usage(), before);
});

Deno.test("a VM that the hypervisor schedules has ended when its vCPUs have exited, and not before its owner hears of it", () => {
  const machine = new Machine();
  const { system } = machine;
  const root = guestRoot("static", [], 2);
  const vcpus = { affinity: "static", "affinity-map": [2, 3], "sched-priority": -20 >>> 0, "sched-timeslice": 2000 };
  setProperties(findNode(root, "/gunyah-vm-config/vcpus")!, vcpus);
  const made = machine.ready(writeDevicetree(devicetree(root)));
  const vcpu = system.vcpu(made.vmid);
  const lives: string[] = [];
  system.fail = (name) => {
    if (name === "msgqueue_send" && vcpu.life.isDead) lives.push(vcpu.life.stage);
    return undefined;
  };
  machine.reset(made.vmid);
  assert.deepEqual(new Set(lives), new Set(["exited"]));
  assert.equal(system.hypervisor.scheduler.vcpus.has(vcpu), false);
});

Deno.test("a VM with a virtual RTC, which the platform has not, fails by name, and its reset takes back what was made", () => {
  const machine = new Machine();
  const before = machine.usage();
  const tree = guestTree("modern", [rmRpc(), node("v", { "vdevice-type": "vrtc-pl031", "allocate-base": true })]);
  assert.throws(() => machine.ready(tree), /the platform has no virtual RTC/);
  machine.reset(0x80);
  machine.primary.get(MEM_RECLAIM, { handle: 0, flags: 0 });
  machine.primary.get(VM_DEALLOCATE, { vmid: 0x80 });
  assert.deepEqual(machine.usage(), before);
});

Deno.test("the owner sees the objects that it shares with a VM", () => {
  const machine = new Machine();
  const { vmid } = machine.start(guestTree("shared", [rmRpc(), bell(0x20), pair(0x30, { "peer-default": true })], 2));
  const { resources } = machine.primary.get(VM_GET_HYP_RESOURCES, { vmid });
  assert.deepEqual(resources.map(({ type, label, partner }) => [type, label, partner]), [
    [ResourceType.Vcpu, 0, 0],
    [ResourceType.Vcpu, 1, 0],
    [ResourceType.DoorbellSource, 0x20, vmid],
    [ResourceType.MsgqueueSend, 0x30, vmid],
    [ResourceType.MsgqueueReceive, 0x30, vmid],
  ]);
  assert.deepEqual(resources.map(({ virq }) => virq), [0x3c2, 0x3c3, 0, 0x3c4, 0x3c5]);
});

/**
 * The capabilities of a node that the Resource Manager made, from the devicetree in the guest's
 * memory.
 */
function capsOf(vcpu: { read(ipa: number, length: number): Uint8Array | undefined }, name: string): bigint[] {
  const read = readDevicetree(vcpu.read(BASE + DT_OFFSET, DT_SIZE)!);
  assert.ok(read.ok);
  const found = [...walk(read.tree.root)].find(({ node: each }) => each.name.startsWith(`${name}@`));
  const reg = found!.node.properties.get("reg")!;
  const view = new DataView(reg.buffer, reg.byteOffset, reg.length);
  return Array.from({ length: reg.length / 8 }, (_, index) => view.getBigUint64(index * 8));
}

Deno.test("a queue pair between two VMs carries messages both ways, and is joined anew when one of them comes again", () => {
  const machine = new Machine();
  const { system } = machine;
  const buffer = BASE + 0x1000;
  const send = (from: number, to: number, text: string) => {
    const [sender, receiver] = [system.guest(from), system.guest(to)];
    sender.write(buffer, new TextEncoder().encode(text));
    const [tx] = capsOf(sender, "pair");
    const [, rx] = capsOf(receiver, "pair");
    assert.equal(sender.hvc(Hypercall.msgqueue_send, tx, BigInt(text.length), BigInt(buffer), 1n)[0], 0n);
    assert.equal(receiver.hvc(Hypercall.msgqueue_receive, rx, BigInt(buffer + 0x800), 240n)[0], 0n);
    assert.equal(new TextDecoder().decode(receiver.read(buffer + 0x800, text.length)), text);
  };
  const before = machine.usage();
  const treeA = guestTree("a", [rmRpc(), pair(7, { peer: "vm-name:b" })]);
  let a = machine.start(treeA);
  const b = machine.start(guestTree("b", [rmRpc(), pair(7, { peer: "vm-name:a" })]), 0x4680_0000);
  send(a.vmid, b.vmid, "ping");
  send(b.vmid, a.vmid, "pong");
  assert.equal(readNumber(findNode(treeOf(system.guest(b.vmid)), "/hypervisor/pair")!, "qcom,peer-vmid", 1), BigInt(a.vmid));
  machine.end(a);
  a = machine.start(treeA);
  send(a.vmid, b.vmid, "again");
  send(b.vmid, a.vmid, "and back");
  machine.end(b);
  machine.end(a);
  assert.deepEqual(machine.usage(), before);
});

Deno.test("shared memory lies where its vdevice says, or anywhere, and the devicetree describes it", () => {
  const machine = new Machine();
  const { primary, system } = machine;
  const shm = (label: number, more: Record<string, true> = {}) =>
    node(`shm-${label}`, { "vdevice-type": "shm", generate: `/hypervisor/shm-${label}`, "peer-default": true, "qcom,label": label }, [
      node("memory", { "#address-cells": 2, label, base: cells64(0x9000_0000), ...more }),
    ]);
  const { vmid, handle } = machine.ready(guestTree("sharer", [rmRpc(), shm(0x40), shm(0x41, { optional: true })]));
  const share = (label: number, address: bigint) => {
    const acl = [{ vmid, rights: 6 }, { vmid: 3, rights: 6 }];
    const sgl = [{ address, size: 0x2000n }];
    return primary.get(MEM_SHARE, { mem_type: 0, flags: 0, label, acl, sgl, attributes: [] }).handle;
  };
  const handles = [share(0x40, 0x4700_0000n), share(0x99, 0x4710_0000n)];
  system.act((vcpu) => vcpu.write(0x4700_1000, Uint8Array.of(0xaa)));
  primary.get(VM_START, { vmid });
  const guest = system.guest(vmid);
  assert.deepEqual(guest.read(0x9000_1000, 1), Uint8Array.of(0xaa));
  const root = treeOf(guest);
  const buffers = findNode(root, "/reserved-memory")!.children;
  assert.deepEqual(buffers.map(({ name }) => name), ["buffer@90000000", "buffer@40001000"]);
  assert.deepEqual(buffers.map((each) => readCell(each, "qcom,rm-mem-handle")), handles);
  assert.deepEqual(buffers[0].properties.get("peers"), cells(3, 3));
  assert.equal(readCell(findNode(root, "/hypervisor/shm-64")!, "memory-region"), readCell(buffers[0], "phandle"));
  const optional = findNode(root, "/hypervisor/shm-65")!;
  assert.deepEqual([...optional.properties.keys()], ["compatible", "peer", "qcom,label", "label"], "it was not lent");
  const all = cells64(0x4000_1000, 0x2000, BASE, MEMORY, 0x9000_0000, 0x2000);
  assert.deepEqual(findNode(root, "/memory")!.properties.get("reg"), all);
  machine.end({ vmid, handle });
  for (const each of handles) primary.get(MEM_RECLAIM, { handle: each, flags: 0 });
});

Deno.test("MEM_NOTIFY to a VM that does not run yet has its vdevice take the parcel, and the owner hears it", () => {
  const machine = new Machine();
  const { primary } = machine;
  const shm = node("shm", { "vdevice-type": "shm", "peer-default": true, "qcom,label": 1 }, [
    node("memory", { label: 1, base: cells64(0x9000_0000) }),
  ]);
  const { vmid } = machine.ready(guestTree("early", [shm]));
  const offer = (label: number, address: bigint) => {
    const request = { mem_type: 0, flags: 0, label, acl: [{ vmid, rights: 6 }], sgl: [{ address, size: 0x1000n }], attributes: [] };
    return primary.get(MEM_LEND, request).handle;
  };
  const told = (handle: number) => {
    primary.receive();
    primary.notifications.length = 0;
    primary.get(MEM_NOTIFY, { handle, flags: 1, mem_info_tag: 5, vmids: [{ vmid }] });
    primary.receive();
    return primary.notifications.join();
  };
  const wanted = offer(1, 0x4700_0000n);
  for (const _ of ["first", "again"]) assert.match(told(wanted), /^MEM_ACCEPTED handle=1 vmid=0x80 mem_info_tag=5$/);
  assert.match(told(offer(2, 0x4710_0000n)), /^MEM_RELEASED handle=2 vmid=0x80 mem_info_tag=5$/);
  primary.get(VM_START, { vmid });
});

Deno.test("a VM whose buffer was not lent does not start", () => {
  const machine = new Machine();
  const shm = node("shm", { "vdevice-type": "shm", "peer-default": true, "qcom,label": 1 }, [
    node("memory", { label: 1, base: cells64(0x9000_0000) }),
  ]);
  const { vmid } = machine.ready(guestTree("poor", [shm]));
  assert.equal(machine.primary.ask(VM_START, { vmid }).error, "NORESOURCE");
  assert.equal(machine.primary.get(VM_GET_STATE, { vmid }).vm_state, VmState.InitFailed);
});

Deno.test("a VM that names itself as its peer has half a vdevice, and nothing else happens", () => {
  const machine = new Machine();
  const before = machine.usage();
  machine.end(machine.start(guestTree("narcissus", [rmRpc(), pair(1, { peer: "vm-name:narcissus" })])));
  assert.deepEqual(machine.usage(), before);
});

function treeOf(vcpu: { read(ipa: number, length: number): Uint8Array | undefined }): DevicetreeNode {
  const read = readDevicetree(vcpu.read(BASE + DT_OFFSET, DT_SIZE)!);
  assert.ok(read.ok);
  return read.tree.root;
}

Deno.test("whatever a VM's devicetree contains, VM_INIT and VM_START answer, and a reset takes everything back", () => {
  const machine = new Machine();
  const { primary, system } = machine;
  const before = machine.usage();
  const tree = guestTree("odd", [rmRpc(), bell(2), pair(3, { "peer-default": true }), pair(4, { peer: "vm-name:b" })], 2);
  const strange = fc.oneof(fc.nat(255), fc.constantFrom(0, 0xff, 0x80));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(tree.length - 1), strange), { maxLength: 12 }), (changes) => {
      const bytes = tree.slice();
      for (const [at, value] of changes) bytes[at] = value;
      const { vmid, handle } = machine.configured(bytes);
      primary.ask(VM_INIT, { vmid });
      primary.ask(VM_START, { vmid });
      primary.ask(VM_STOP, { vmid, flags: 1, reason: 0 });
      machine.reset(vmid);
      primary.get(MEM_RECLAIM, { handle, flags: 0 });
      primary.get(VM_DEALLOCATE, { vmid });
      assert.deepEqual(machine.usage(), before);
    }),
    { numRuns: 40 },
  );
  checkInvariants(system.hypervisor);
});

Deno.test("a Resource Manager that is restored from another's state continues where that one was", () => {
  const machine = new Machine();
  const { system } = machine;
  const before = machine.usage();
  const pairs = [rmRpc(), bell(1), pair(2, { peer: "vm-name:b" })];
  const a = machine.start(guestTree("a", pairs));
  const b = machine.ready(guestTree("b", [pair(2, { peer: "vm-name:a" })]), 0x4680_0000);
  const saved = system.rm.save();
  system.rm = new ResourceManager();
  system.rm.restore(saved);
  assert.deepEqual(system.rm.save(), saved);
  machine.primary.get(VM_START, { vmid: b.vmid });
  machine.end(a);
  machine.end(b);
  assert.deepEqual(machine.usage(), before);
});

Deno.test("a protected VM starts in the firmware that was loaded before the milestone, and leaves zeros", () => {
  const machine = new Machine();
  const { primary, system } = machine;
  const FIRMWARE = 0x4700_0000;
  const firmware = Uint8Array.from({ length: 0x1000 }, (_, index) => index * 3);
  system.act((vcpu) => vcpu.write(FIRMWARE, firmware));
  const sgl = [{ address: BigInt(FIRMWARE), size: 0x1000n }];
  const donated = primary.get(MEM_DONATE, { mem_type: 0, flags: 0, label: 0, acl: [{ vmid: 255, rights: 7 }], sgl, attributes: [] });
  const set = { auth_type: 2, offset: 0n, size: 0x1000n };
  assert.equal(primary.ask(FW_SET_VM_FIRMWARE, { ...set, handle: 0x99 }).error, "HANDLE_INVALID");
  primary.get(FW_SET_VM_FIRMWARE, { ...set, ...donated });
  assert.equal(primary.ask(FW_SET_VM_FIRMWARE, { ...set, handle: 0x99 }).error, "BUSY");
  assert.equal(system.act((vcpu) => vcpu.read(FIRMWARE, 1)), undefined, "what was donated is the primary's no more");

  const { vmid, handle } = machine.configured(guestTree("protected", []), 2);
  const place = { offset: 0x18_0000n, size: 0x2000n };
  assert.equal(primary.ask(VM_SET_FIRMWARE_MEM, { vmid, handle, offset: 0x1f_f000n, size: 0x2000n }).error, "ARGUMENT_INVALID");
  primary.get(VM_SET_FIRMWARE_MEM, { vmid, handle, ...place });
  primary.get(FW_MILESTONE, {});
  assert.equal(primary.ask(FW_MILESTONE, {}).error, "DENIED");
  primary.get(VM_INIT, { vmid });
  primary.get(VM_START, { vmid });
  const address = BASE + Number(place.offset);
  const guest = system.guest(vmid);
  assert.deepEqual(guest.read(address, 0x2000), Uint8Array.from([...firmware, ...new Uint8Array(0x1000)]));
  const { registers } = system.vcpu(vmid);
  assert.equal(registers.pc, BigInt(address));
  assert.deepEqual([0, 1, 2].map((index) => registers.getX(index)), [BigInt(BASE + DT_OFFSET), BigInt(BASE), 0n]);
  assert.equal(findNode(treeOf(guest), "/reserved-memory")!.children[0].name, `firmware@${address.toString(16)}`);
  guest.write(BASE, Uint8Array.of(1, 2, 3));
  machine.end({ vmid, handle });
  assert.deepEqual(system.act((vcpu) => vcpu.read(0x4600_0000, 3)), new Uint8Array(3));
  checkInvariants(system.hypervisor);
});

Deno.test("a protected VM does not start before the milestone", () => {
  const machine = new Machine();
  const { vmid } = machine.configured(guestTree("early", []), 2);
  machine.primary.get(VM_INIT, { vmid });
  assert.equal(machine.primary.ask(VM_START, { vmid }).error, "DENIED");
  assert.equal(machine.primary.get(VM_GET_STATE, { vmid }).vm_state, VmState.InitFailed);
});

Deno.test("the owner is notified of every state, and of the end", () => {
  const machine = new Machine();
  const made = machine.start(guestTree("told", [rmRpc()]));
  machine.end(made);
  machine.primary.receive();
  const states = machine.primary.notifications.map((text) => /vm_state=(\w+)/.exec(text)?.[1] ?? text.split(" ")[0]);
  assert.deepEqual(states, ["1", "2", "3", "9", "VM_EXITED", "0xa", "MEM_RELEASED", "0xb"]);
});

/** VM_EXIT as a packet. */
function exitPacket(sequence: number): Uint8Array {
  const payload = encodeRequest(VM_EXIT, { exit_flags: 0, exit_code: 0 });
  return encodePackets({ type: PacketType.Request, sequence, id: VM_EXIT.id, payload })[0];
}

/** Notifications of the primary since the last call: states, and the names of others. */
function heard({ primary }: Machine): string[] {
  primary.receive();
  return primary.notifications.splice(0).map((text) => /vm_state=(\w+)/.exec(text)?.[1] ?? text.split(" ")[0]);
}

Deno.test("a VM that asks for its end twice ends once", () => {
  const machine = new Machine();
  const { vmid, handle } = machine.start(guestTree("eager", [rmRpc()]));
  const guest = machine.guest(vmid);
  heard(machine);
  for (const sequence of [1, 2]) guest.send(exitPacket(sequence));
  machine.system.wait(1_000_000);
  assert.deepEqual(heard(machine), ["9", "VM_EXITED"]);
  machine.reset(vmid);
  assert.deepEqual(heard(machine), ["0xa", "MEM_RELEASED", "0xb"]);
  machine.primary.get(MEM_RECLAIM, { handle, flags: 0 });
  checkInvariants(machine.system.hypervisor);
});

Deno.test("what a VM has sent before its owner stops it does not end it again, not even while it is reset", () => {
  const machine = new Machine();
  const { vmid } = machine.start(guestTree("late", [rmRpc()]));
  const { primary } = machine;
  const guest = machine.guest(vmid);
  heard(machine);
  const request = (id: number, sequence: number, payload: Uint8Array) =>
    encodePackets({ type: PacketType.Request, sequence, id, payload })[0];
  const stop = request(VM_STOP.id, 100, encodeRequest(VM_STOP, { vmid, flags: 1, reason: 0 }));
  const reset = request(VM_RESET.id, 101, encodeRequest(VM_RESET, { vmid }));
  const send = (vcpu: NativeVcpu, { buffer, tx }: Client["place"], packet: Uint8Array) => {
    vcpu.write(buffer, packet);
    vcpu.hvc(Hypercall.msgqueue_send, tx, BigInt(packet.length), BigInt(buffer), 1n);
  };
  // The Resource Manager finds all of it at once.
  primary.on((vcpu) => {
    for (const packet of [stop, reset]) send(vcpu, primary.place, packet);
    send(machine.system.guest(vmid), guest.place, exitPacket(1));
  });
  machine.system.wait(10_000_000);
  assert.deepEqual(heard(machine), ["9", "VM_EXITED", "0xa", "MEM_RELEASED", "0xb"]);
  checkInvariants(machine.system.hypervisor);
});

Deno.test("random requests in any state break nothing: ownership of memory holds and the Resource Manager continues", () => {
  const machine = new Machine();
  machine.start(guestTree("victim", [rmRpc(), bell(1)]));
  const ids = [...RPC_MESSAGES.values()].filter(({ kind }) => kind === "request").map(({ id }) => id);
  const word = fc.oneof(fc.constantFrom(0, 1, 3, 7, 0x80, 0x81, 0x1000, 0x4600_0000, 0x4700_0000, 0x1_0001), fc.nat(0xffff_ffff));
  const payload = fc.array(word, { maxLength: 14 }).map((words) => new Uint8Array(Uint32Array.from(words).buffer));
  fc.assert(fc.property(fc.constantFrom(...ids), payload, (id, bytes) => void machine.primary.askRaw(id, bytes)), { numRuns: 250 });
  checkInvariants(machine.system.hypervisor);
  assert.deepEqual(machine.primary.get(VM_GET_VMID, {}), { vmid: 3 });
});

Deno.test("whatever is lent, shared, appended and reclaimed, every page has one owner, and all comes back", () => {
  const machine = new Machine();
  const { primary } = machine;
  const { vmid } = primary.get(VM_ALLOCATE, { vmid: 0 });
  const before = machine.usage();
  const page = fc.tuple(fc.nat(24), fc.integer({ min: 1, max: 4 }));
  const operation = fc.record({
    kind: fc.constantFrom("lend", "share", "append", "reclaim"),
    pages: fc.array(page, { minLength: 1, maxLength: 3 }),
    which: fc.nat(9),
    rights: fc.constantFrom(4, 5, 6, 7),
    flags: fc.constantFrom(0, 1, 2, 3),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 12 }), (operations) => {
      const handles: number[] = [];
      for (const { kind, pages, which, rights, flags } of operations) {
        const sgl = pages.map(([index, count]) => ({ address: 0x4600_0000n + BigInt(index * 0x1000), size: BigInt(count * 0x1000) }));
        const handle = handles[which % handles.length] ?? 0;
        if (kind === "append") primary.ask(MEM_APPEND, { handle, flags: flags & 1, sgl });
        else if (kind === "reclaim") primary.ask(MEM_RECLAIM, { handle, flags: 0 });
        else {
          const acl = [{ vmid, rights }, ...(kind === "share" ? [{ vmid: 3, rights: 6 }] : [])];
          const message = kind === "share" ? MEM_SHARE : MEM_LEND;
          const made = primary.ask(message, { mem_type: 0, flags, label: 0, acl, sgl, attributes: [] });
          if (made.value !== undefined) handles.push(made.value.handle);
        }
      }
      checkInvariants(machine.system.hypervisor);
      for (const handle of handles) primary.ask(MEM_RECLAIM, { handle, flags: 0 });
      assert.deepEqual(machine.usage(), before);
    }),
    { numRuns: 6 },
  );
  checkInvariants(machine.system.hypervisor);
});
