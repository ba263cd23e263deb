// The Resource Manager's trace (src/machine/abi/trace.ts): requests as operations with their fields
// both ways, inside the operation that sent them; hypercalls inside requests; notifications; and
// why requests are refused.

import assert from "node:assert/strict";
import { wayOutText } from "../../../src/kit/support/text/way-out.ts";
import type { TraceEvent, TraceKind } from "../../../src/machine/abi/trace.ts";
import { MEM_LEND, MEM_RECLAIM } from "../../../src/machine/abi/rpc/messages/memory.ts";
import { VM_START, VM_STOP } from "../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_VMID, VM_LOOKUP_NAME } from "../../../src/machine/abi/rpc/messages/queries.ts";
import { asPa } from "../../../src/machine/abi/numbers.ts";
import { encodePackets, PacketType } from "../../../src/machine/abi/rpc/packet.ts";
import { RmError } from "../../../src/machine/abi/rpc/errors.ts";
import { BASE, guestTree, HOST_BASE, Machine, MEMORY, rmRpc } from "./machine.ts";

/** The events that a step gives. */
function eventsOf(machine: Machine, kinds: TraceKind[], step: () => void): TraceEvent[] {
  const events: TraceEvent[] = [];
  const stop = machine.system.hypervisor.trace.listen(kinds, (event) => events.push(event));
  step();
  stop();
  return events;
}

const page = (address: bigint) => ({
  ...{ mem_type: 0, flags: 0, label: 7, acl: [{ vmid: 255, rights: 7 }], sgl: [{ address, size: 0x1000n }], attributes: [] },
});

Deno.test("a request is an operation with the fields of request and reply, and its hypercalls are inside it", () => {
  const machine = new Machine();
  const events = eventsOf(machine, ["rpc", "hvc"], () => machine.primary.get(MEM_LEND, page(0x4700_0000n)));
  const request = events.find(({ kind }) => kind === "rpc")!;
  const { from, sequence, ...fields } = request.fields;
  assert.deepEqual([request.name, from, sequence], ["MEM_LEND", 3, 1]);
  assert.deepEqual(fields, page(0x4700_0000n));
  assert.deepEqual(request.result, { code: RmError.OK, name: "OK", refused: false, fields: { handle: 0 } });
  const inside = events.filter(({ kind, parent }) => kind === "hvc" && parent?.id === request.id).map(({ name }) => name);
  assert.ok(["partition_create_memextent", "addrspace_lookup", "memextent_donate", "msgqueue_send"].every((name) => inside.includes(name)));
});

Deno.test("an operation has the bytes of its request and reply, and counts the hypercalls until the reply", () => {
  const machine = new Machine();
  const events = eventsOf(machine, ["rpc", "hvc"], () => machine.primary.get(MEM_LEND, page(0x4700_0000n)));
  const request = events.find(({ kind }) => kind === "rpc")!;
  const inside = events.filter(({ kind, parent }) => kind === "hvc" && parent?.id === request.id).map(({ name }) => name);
  assert.equal(request.calls, inside.lastIndexOf("msgqueue_send"));
  const [asked, answered] = request.messages!;
  assert.deepEqual([asked.type, asked.payload], [PacketType.Request, MEM_LEND.request.encode(page(0x4700_0000n))]);
  assert.deepEqual([answered.type, answered.sequence, [...answered.payload]], [PacketType.Reply, asked.sequence, [0, 0, 0, 0, 0, 0, 0, 0]]);
});

Deno.test("a request is inside the operation that published it", () => {
  const machine = new Machine();
  const { primary, system } = machine;
  const [packet] = encodePackets({ type: PacketType.Request, sequence: 0x1f, id: VM_GET_VMID.id, payload: new Uint8Array(0) });
  const events = eventsOf(machine, ["rpc", "ioctl"], () => {
    const ioctl = system.act(({ trace }) => {
      const id = trace.begin("ioctl", "GH_VM_START", {});
      trace.publish("rpc:3:0x1f");
      trace.suspend(id);
      return id;
    });
    assert.ok(primary.send(packet));
    system.wait(100_000);
    system.act(({ trace }) => trace.end(ioctl, { code: 0, name: "0", refused: false }));
  });
  const [rpc, ioctl] = events;
  assert.deepEqual([rpc.kind, ioctl.kind, rpc.parent?.id], ["rpc", "ioctl", ioctl.id]);
});

Deno.test("a request that is answered in a later event ends then, and notifications are told with their fields", () => {
  const machine = new Machine();
  const { vmid } = machine.start(guestTree("told", [rmRpc()]));
  const events = eventsOf(machine, ["rpc"], () => machine.primary.get(VM_STOP, { vmid, flags: 1, reason: 3 }));
  const names = events.map(({ name }) => name);
  assert.deepEqual(names, ["VM_STATUS", "VM_EXITED", "VM_STOP"]);
  const [status, exited, stop] = events;
  assert.equal(status.fields.to, 3);
  assert.equal(status.fields.vm_state, 9);
  assert.equal(exited.fields.reason, "00000000");
  assert.ok(stop.end > stop.time, "it took time");
  assert.deepEqual(stop.result?.name, "OK");
});

Deno.test("a refused request leaves one reason, with the chain down to the hypercall where one was refused", () => {
  const machine = new Machine();
  const { reasons } = machine.system.hypervisor.trace;
  const known = reasons.count;
  assert.equal(machine.primary.ask(VM_START, { vmid: 0x99 }).error, "VMID_INVALID");
  const own = reasons.list(known).filter(({ chain }) => chain.some(({ kind }) => kind === "rpc"));
  assert.equal(own.length, 1);
  assert.deepEqual(
    [own[0].section, own[0].rule, own[0].object, wayOutText(own[0].wayOut)],
    ["resource-manager 3.7", "there is no VM of this id", "vm:0x99", "list the VMs that exist: `el2 vm ls`"],
  );
  assert.equal(machine.primary.ask(MEM_LEND, page(0x9000_0000n)).error, "MEM_INVALID");
  const byHypervisor = reasons.last!;
  assert.deepEqual(byHypervisor.chain.map(({ kind, name }) => [kind, name]), [["rpc", "MEM_LEND"], ["hvc", "addrspace_lookup"]]);
  assert.match(byHypervisor.section, /^hypervisor /);
});

Deno.test("who lends memory again hears which parcel it is in and who holds that", () => {
  const machine = new Machine();
  const { vmid, handle } = machine.start(guestTree("holder", [rmRpc()]));
  assert.equal(machine.primary.ask(MEM_LEND, page(BigInt(HOST_BASE))).error, "MEM_INVALID");
  const { rule, object, values, wayOut } = machine.system.hypervisor.trace.reasons.last!;
  assert.deepEqual([rule, object, values.borrower], ["the memory is in a parcel already", `parcel:0x${handle.toString(16)}`, vmid]);
  assert.deepEqual(values.mappings, [{ ipa: BASE, size: MEMORY }]);
  assert.match(wayOutText(wayOut)!, /^vm:0x80 sends MEM_RELEASE, .*; then reclaim that parcel$/);
  const twice = { ...page(0x4700_0000n), sgl: [{ address: 0x4700_0000n, size: 0x2000n }, { address: 0x4700_1000n, size: 0x1000n }] };
  assert.equal(machine.primary.ask(MEM_LEND, twice).error, "MEM_INVALID");
  assert.equal(machine.system.hypervisor.trace.reasons.last!.rule, "the memory is in this parcel already");
});

Deno.test("memory that cannot be lent has a reason for each cause: none is there, a device, memory of another VM, a part of a range", () => {
  const machine = new Machine(), { primary, system: { hypervisor } } = machine, { reasons } = hypervisor.trace;
  const lend = (address: number, size: number) => {
    assert.equal(
      primary.ask(MEM_LEND, { ...page(0n), sgl: [{ address: BigInt(address), size: BigInt(size) }] }).error,
      "MEM_INVALID",
    );
    const { rule, values } = reasons.last!;
    return { rule, vbase: values.vbase, owner: values.owner };
  };
  const { stage2 } = hypervisor.addressSpaces.get(3)!,
    ownerAt = (ipa: number) => {
      const { pa } = stage2.lookup(ipa)!;
      return hypervisor.memory.ownerOf(asPa(pa))!.name;
    };
  const end = 0x4800_0000, device = 0x900_0000, others = 0x804e_d000, rule = "the extent owns the mapped pages";
  assert.deepEqual(lend(0x9000_0000, 0x1000), { rule: "the first page is not mapped", vbase: 0x9000_0000n, owner: undefined });
  assert.deepEqual(lend(end - 0x1000, 0x2000), { rule: "the first page is not mapped", vbase: BigInt(end), owner: undefined });
  assert.deepEqual(lend(device, 0x1000), { rule, vbase: BigInt(device), owner: ownerAt(device) });
  assert.deepEqual(lend(others, 0x1000), { rule, vbase: BigInt(others), owner: ownerAt(others) });
  assert.equal(new Set([device, others, end - 0x1000].map(ownerAt)).size, 3);
});

Deno.test("who listens changes nothing", () => {
  const run = (listen: boolean) => {
    const machine = new Machine();
    const step = () => {
      const made = machine.start(guestTree("same", [rmRpc()]));
      machine.primary.ask(VM_LOOKUP_NAME, { text: new Uint8Array(90) });
      machine.end(made);
      machine.primary.ask(MEM_RECLAIM, { handle: 5, flags: 0 });
    };
    if (listen) assert.ok(eventsOf(machine, ["rpc", "hvc", "rule"], step).length > 100);
    else step();
    return { state: machine.system.rm.save(), time: machine.system.machine.time };
  };
  assert.deepEqual(run(true), run(false));
});
