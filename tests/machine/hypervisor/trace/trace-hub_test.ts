// The hub of events and reasons: who gets what, how operations nest within and across vCPUs, and
// what a refusal leaves.

import assert from "node:assert/strict";
import { MsgqueueRight } from "../../../../src/machine/abi/rights.ts";
import type { BrokenRule, TraceEvent, TraceResult } from "../../../../src/machine/abi/trace.ts";
import { Hypervisor } from "../../../../src/machine/hypervisor/hypervisor.ts";
import { TraceHub } from "../../../../src/machine/hypervisor/trace/trace-hub.ts";
import { createTestHypervisor, TestGuest } from "../fixture.ts";

const OK: TraceResult = { code: 0, name: "OK", refused: false };
const REFUSED: TraceResult = { code: 31, name: "BUSY", refused: true };
const rule = (text: string): BrokenRule => ({ section: "x 1", rule: text, object: "", values: {} });

function setup() {
  let now = 0;
  const hub = new TraceHub(() => now);
  return { hub, port: hub.port(() => "host/0"), other: hub.port(() => "rm/0"), tick: () => now += 10 };
}

Deno.test("nobody wants anything at first, and kinds are wanted as long as somebody does", () => {
  const { hub } = setup();
  assert.equal(hub.isWanted("hvc"), false);
  const reader = hub.read(["hvc", "virq"]);
  const stop = hub.listen(["virq"], () => {});
  assert.deepEqual([hub.isWanted("hvc"), hub.isWanted("virq"), hub.isWanted("sched")], [true, true, false]);
  reader.close();
  assert.deepEqual([hub.isWanted("hvc"), hub.isWanted("virq")], [false, true]);
  stop();
  assert.equal(hub.isWanted("virq"), false);
});

Deno.test("a reader gets the kinds that it wants from then on, each once", () => {
  const { hub, port } = setup();
  port.event("virq", "before", {});
  const reader = hub.read(["virq"]), all = hub.read(["virq", "sched"]);
  port.event("virq", "a", { irq: "irq:host/40" });
  port.event("sched", "b", {});
  port.event("mmio", "unwanted", {});
  assert.deepEqual(reader.drain().events.map((event) => event.name), ["a"]);
  assert.deepEqual(reader.drain().events, []);
  const { events, dropped } = all.drain();
  assert.deepEqual(events.map(({ id, name, vcpu }) => [id, name, vcpu]), [[1, "a", "host/0"], [2, "b", "host/0"]]);
  assert.equal(dropped, 0);
});

Deno.test("a slow reader loses the oldest events, and learns how many of its own kinds", () => {
  const { hub, port } = setup();
  const slow = hub.read(["virq"]), quick = hub.read(["virq", "sched"]);
  const many = 70_000;
  let seen = 0;
  for (let i = 0; i < many; i++) {
    port.event(i % 2 ? "virq" : "sched", String(i), {});
    if (i % 1000 === 999) seen += quick.drain().events.length;
  }
  assert.equal(seen, many);
  const { events, dropped } = slow.drain();
  assert.equal(events.length + dropped, many / 2);
  assert.ok(dropped > 0);
  assert.equal(events.at(-1)?.name, String(many - 1));
  assert.equal(slow.drain().dropped, 0);
});

Deno.test("an operation is one event when it ends, and knows inside which it happened", () => {
  const { hub, port, tick } = setup();
  const seen: TraceEvent[] = [];
  hub.listen(["ioctl", "hvc", "mem"], (event) => seen.push(event));
  const outer = port.begin("ioctl", "VM_START", {});
  tick();
  const inner = port.begin("hvc", "vcpu_poweron", { cap: "cap:host/0x1" });
  port.event("mem", "map", {});
  port.end(inner, OK);
  tick();
  port.end(outer, OK);
  assert.deepEqual(seen.map(({ name, parent, time, end }) => ({ name, parent: parent?.id, time, end })), [
    { name: "map", parent: inner, time: 10, end: 10 },
    { name: "vcpu_poweron", parent: outer, time: 10, end: 10 },
    { name: "VM_START", parent: undefined, time: 0, end: 20 },
  ]);
});

Deno.test("an operation may be caused by one that another vCPU has published", () => {
  const { hub, port, other } = setup();
  const seen: TraceEvent[] = [];
  hub.listen(["rpc"], (event) => seen.push(event));
  const ioctl = port.begin("ioctl", "VM_START", {});
  port.publish("rpc:3:0x1f");
  port.suspend(ioctl);
  const unrelated = port.begin("ioctl", "OTHER", {});
  const rpc = other.begin("rpc", "VM_START", {}, "rpc:3:0x1f");
  other.end(rpc, OK);
  other.end(other.begin("rpc", "VM_STOP", {}, "rpc:3:0x20"), OK);
  port.end(unrelated, OK);
  assert.deepEqual(seen.map(({ name, parent }) => [name, parent?.id]), [["VM_START", ioctl], ["VM_STOP", undefined]]);
});

Deno.test("operations that wait may end in any order", () => {
  const { hub, port } = setup();
  const seen: TraceEvent[] = [];
  hub.listen(["mem"], (event) => seen.push(event));
  const first = port.begin("ioctl", "a", {});
  port.suspend(first);
  const second = port.begin("ioctl", "b", {});
  port.event("mem", "in b", {});
  port.resume(first);
  port.event("mem", "in a", {});
  port.end(second, OK);
  port.event("mem", "in a still", {});
  port.end(first, OK);
  port.event("mem", "in none", {});
  assert.deepEqual(seen.map(({ name, parent }) => [name, parent?.id]), [
    ["in b", second],
    ["in a", first],
    ["in a still", first],
    ["in none", undefined],
  ]);
  assert.throws(() => port.end(first, OK), /ev:1 is not an operation in progress/);
});

Deno.test("a refusal leaves one reason for the whole chain, outermost first, whoever listens", () => {
  const { hub, port, other } = setup();
  const ioctl = port.begin("ioctl", "VM_START", { fd: 7 });
  port.publish("rpc:3:1");
  const rpc = other.begin("rpc", "VM_INIT", {}, "rpc:3:1");
  const hvc = other.begin("hvc", "addrspace_map", {});
  other.refuse(rule("one slot must be free"));
  other.refuse(rule("a later note of the same call"));
  other.end(hvc, REFUSED);
  other.refuse(rule("what the caller makes of it"));
  other.end(rpc, { code: 6, name: "NOMEM", refused: true });
  port.end(ioctl, { code: -12, name: "ENOMEM", refused: true });
  assert.equal(hub.reasons.count, 1);
  const reason = hub.reasons.last!;
  assert.equal(reason.rule, "one slot must be free");
  assert.equal(reason.askedBy, "host/0");
  assert.deepEqual(reason.chain.map(({ kind, name, result }) => [kind, name, result.name]), [
    ["ioctl", "VM_START", "ENOMEM"],
    ["rpc", "VM_INIT", "NOMEM"],
    ["hvc", "addrspace_map", "BUSY"],
  ]);
});

Deno.test("a refused call of a guest has the address of its instruction, also at the end of the address space", () => {
  for (const [pc, at] of [[0x8000_0004n, 0x8000_0000n], [0n, 0xffff_ffff_ffff_fffcn]]) {
    const { hub, port } = setup();
    const call = port.begin("hvc", "addrspace_map", {});
    port.locateBefore(call, pc);
    port.refuse(rule("one slot must be free"));
    port.end(call, REFUSED);
    assert.equal(hub.reasons.last?.at, at);
  }
});

Deno.test("the rule that an operation noted first counts, and a successful operation has no reason", () => {
  const { hub, port } = setup();
  const seen: TraceEvent[] = [];
  hub.listen(["rpc", "hvc"], (event) => seen.push(event));
  const rpc = port.begin("rpc", "MEM_LEND", {});
  port.refuse(rule("its own"));
  port.end(port.begin("hvc", "clean-up", {}), REFUSED);
  port.end(rpc, REFUSED);
  port.end(port.begin("rpc", "MEM_SHARE", {}), OK);
  assert.deepEqual(seen.map(({ name, why }) => [name, why]), [["clean-up", 1], ["MEM_LEND", 2], ["MEM_SHARE", undefined]]);
  assert.equal(hub.reasons.get(1)?.rule, "no rule was recorded");
  assert.equal(hub.reasons.get(2)?.rule, "its own");
});

Deno.test("reasons are bounded and keep their numbers", () => {
  const { hub, port } = setup();
  for (let i = 0; i < 300; i++) {
    const id = port.begin("hvc", String(i), {});
    port.end(id, REFUSED);
  }
  assert.equal(hub.reasons.count, 300);
  assert.equal(hub.reasons.get(1), undefined);
  assert.equal(hub.reasons.get(300)?.chain[0].name, "299");
  assert.deepEqual(hub.reasons.list(298).map(({ id }) => id), [299, 300]);
});

Deno.test("hypercalls are operations with decoded arguments and results", () => {
  const { machine, options } = createTestHypervisor();
  const hypervisor = new Hypervisor(machine, options);
  const guest = new TestGuest(hypervisor);
  const queue = guest.create("msgqueue");
  const seen: TraceEvent[] = [];
  hypervisor.trace.listen(["hvc"], (event) => seen.push(event));
  guest.ok("msgqueue_configure", queue, 0x10_0002n);
  guest.ok("object_activate", queue);
  const copy = guest.one("cspace_copy_cap_from", 0n, queue, 0n, BigInt(MsgqueueRight.Receive));
  assert.equal(guest.error("msgqueue_receive", copy, 0n, 16n), "MSGQUEUE_EMPTY");
  assert.equal(guest.error("msgqueue_send", copy, 16n), "CSPACE_INSUFFICIENT_RIGHTS");
  const caller = hypervisor.names.vcpu(guest.vcpu);
  const serial = guest.cspace.lookup(queue, { type: "any", rights: 0, untyped: true, state: "any" });
  assert.ok(typeof serial === "object");
  const mq = `mq:${serial.serial}`;
  assert.deepEqual(seen.map(({ name, fields, result, why }) => ({ name, fields, error: result?.name, results: result?.fields, why })), [
    { name: "msgqueue_configure", fields: { msgqueue: mq, create_info: 0x10_0002n }, error: "OK", results: undefined, why: undefined },
    { name: "object_activate", fields: { cap: mq }, error: "OK", results: undefined, why: undefined },
    {
      name: "cspace_copy_cap_from",
      fields: {
        src_cspace: `obj:${guest.cspace.serial}`,
        src_cap: `cap:${caller}/0x${queue.toString(16)}`,
        dest_cspace: `obj:${guest.cspace.serial}`,
        rights_mask: 2,
      },
      error: "OK",
      results: { new_cap: `cap:${caller}/0x${copy.toString(16)}` },
      why: undefined,
    },
    {
      name: "msgqueue_receive",
      fields: { msgqueue: mq, buffer: 0n, buf_size: 16n },
      error: "MSGQUEUE_EMPTY",
      results: undefined,
      why: undefined,
    },
    {
      name: "msgqueue_send",
      fields: { msgqueue: `cap:${caller}/0x${copy.toString(16)}`, size: 16n, data: 0n, send_flags: 0 },
      error: "CSPACE_INSUFFICIENT_RIGHTS",
      results: undefined,
      why: 1,
    },
  ]);
  assert.equal(hypervisor.trace.reasons.count, 1, "who polls a queue is not refused");
});

Deno.test("a refusal after which an operation continues is not the reason for its end", () => {
  const { hub, port } = setup();
  const outer = port.begin("rpc", "VM_START", {});
  port.end(port.begin("hvc", "prng_get_entropy", {}), REFUSED);
  port.disregard();
  port.refuse(rule("the tree does not fit"));
  port.end(outer, REFUSED);
  assert.equal(hub.reasons.last?.rule, "the tree does not fit");
  assert.deepEqual(hub.reasons.last?.chain.map(({ name }) => name), ["VM_START"]);
});
