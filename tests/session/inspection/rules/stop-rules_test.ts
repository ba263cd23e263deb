// Stop rules on the demo: where the machine stops, and that a run that was stopped is the same run.

import assert from "node:assert/strict";
import { EVERY_VM, oneVm } from "../../../../src/model/queries/debugged-vms.ts";
import type { GuestSystem } from "../../../../src/session/assembly/system/guest-system.ts";
import { FilterError } from "../../../../src/model/queries/filters/filter.ts";
import { QueryError } from "../../../../src/session/inspection/readers/inspected.ts";
import { stopAtEvents } from "../../../../src/session/inspection/rules/stop-rules.ts";
import type { BreakPlace, StopHit } from "../../../../src/model/queries/stop-rule.ts";
import { writeElfSymbols } from "../../../../src/inside/symbols/elf-symbols.ts";
import { demoSystem, rows, runUntil } from "../system.ts";

/** Virtual time (ns) at which the demo's VMs run. */
const STARTED = 50e6;
/** Some of their rounds, which are a second each, later. */
const END = 4.1e9;

/** Runs until a rule stops the machine, or to a virtual time. */
function runToStop(system: GuestSystem, until: number): StopHit | undefined {
  const { machine, stops } = system;
  stops.goOn();
  while (machine.time < until) {
    const result = machine.run(until);
    const hit = stops.take();
    if (hit && hit !== "passed") return hit;
    if (result.kind === "idle") machine.skipTo(Math.min(result.next, until));
  }
  return undefined;
}

const hashes = (system: GuestSystem) => [system.instructions(), system.hashes.registers(), system.hashes.memory()];

Deno.test("the machine stops at each event that a filter lets through, and the run is the same run", async () => {
  const plain = await demoSystem();
  runUntil(plain, END);
  const system = await demoSystem();
  runUntil(system, STARTED);
  system.stops.change({ kind: "event", filter: "kind=hvc name=msgqueue_send" });
  const seen: StopHit[] = [];
  for (let hit = runToStop(system, END); hit; hit = runToStop(system, END)) seen.push(hit);
  assert.ok(seen.length >= 6, `${seen.length} stops`);
  assert.match(seen[0].text, /^ev:\S+ vcpu:\S+ hvc msgqueue_send mq:/);
  assert.equal(new Set(seen.map(({ text }) => text)).size, seen.length, "each event stops it once");
  const [rule] = rows(system, "stop.ls");
  assert.deepEqual([rule.id, rule.kind, rule.hits, rule.last], ["stop:1", "event", String(seen.length), seen.at(-1)!.text]);
  assert.deepEqual(hashes(system), hashes(plain));
});

Deno.test("a place with a condition stops the machine where that holds, or has no value, and the run is the same run", async () => {
  const plain = await demoSystem();
  runUntil(plain, END);
  const system = await demoSystem();
  runUntil(system, STARTED);
  const [{ pc }] = rows(system, "vcpu.ls", { filter: "id=vcpu:ping/0" }), at = `ping:${pc}`;
  system.stops.change({ kind: "place", at, holds: "$pc % 4 != 0 || $x0 != (unsigned long)$x0" });
  assert.equal(runToStop(system, END), undefined);
  assert.deepEqual(hashes(system), hashes(plain));
  assert.equal(rows(system, "stop.ls")[0].hits, "0");
  system.stops.change({ kind: "place", at, holds: `$pc == ${pc}` });
  assert.equal(runToStop(system, Infinity)?.text, `vcpu:ping/0 at ${pc}, ${at} if $pc == ${pc}`);
  system.stops.change({ kind: "remove", rule: "all" });
  system.stops.change({ kind: "place", at, holds: "nobody" });
  assert.match(runToStop(system, Infinity)?.text ?? "", /if nobody$/);
  assert.throws(() => system.stops.change({ kind: "place", at: "syscall:openat", holds: "1" }), /is not an instruction; a filter chooses/);
});

Deno.test("the machine stops before an instruction, and continues from there", async () => {
  const plain = await demoSystem();
  runUntil(plain, END);
  const system = await demoSystem();
  runUntil(system, STARTED);
  // Where ping waits for its answer: each round comes by.
  const [{ pc }] = rows(system, "vcpu.ls", { filter: "id=vcpu:ping/0" });
  system.stops.change({ kind: "place", at: `ping:${pc}` });
  for (let round = 1; round <= 3; round++) {
    const hit = runToStop(system, Infinity);
    assert.equal(hit?.text, `vcpu:ping/0 at ${pc}, ping:${pc}`);
    assert.equal(rows(system, "stop.ls")[0].hits, String(round));
    assert.equal(rows(system, "vcpu.ls", { filter: "id=vcpu:ping/0" })[0].pc, pc);
  }
  // A source line may have several pieces of code.
  system.symbols.codeOf = () => [0x8000_0000n, BigInt(pc!)];
  system.stops.change({ kind: "place", at: "ping:a.c:1" });
  system.stops.change({ kind: "remove", rule: "stop:1" });
  assert.equal(runToStop(system, system.machine.time + END)?.text, `vcpu:ping/0 at ${pc}, ping:a.c:1`);
  assert.throws(() => system.stops.change({ kind: "place", at: "pong:0x80000000" }), /vm:ping has breakpoints; one VM at a time/);
  assert.match(system.debugger.attach(oneVm("pong")) ?? "", /vm:ping has breakpoints of el2 break/);
  system.stops.change({ kind: "remove", rule: "all" });
  assert.deepEqual(rows(system, "stop.ls"), []);
  assert.equal(system.debugger.control, undefined, "the VM is nobody's again");
  assert.equal(system.debugger.attach(oneVm("pong")), undefined);
  assert.throws(() => system.stops.change({ kind: "place", at: "ping:0x80000000" }), /a debugger has vm:pong/);
  system.debugger.release();
  system.stops.change({ kind: "place", at: "pong:0x80000000" });
  assert.equal(runToStop(system, END), undefined, "nothing comes by there");
  assert.deepEqual(hashes(system), hashes(plain));
});

Deno.test("a vCPU executes as many instructions as were asked for, whatever else runs", async () => {
  const system = await demoSystem();
  runUntil(system, STARTED);
  const executed = () => Number(rows(system, "vcpu.ls", { filter: "id=vcpu:ping/0" })[0].instructions);
  for (const count of [1, 2, 500]) {
    const before = executed();
    system.stops.change({ kind: "step", vcpu: "ping/0", count });
    assert.equal(runToStop(system, Infinity)?.rule, "step");
    assert.equal(executed(), before + count);
  }
  assert.throws(() => system.stops.change({ kind: "step", vcpu: "rm/0", count: 1 }), /rm\/0 executes no instructions/);
  // Another rule ends the step.
  system.stops.change({ kind: "event", filter: "kind=hvc vm=pong" });
  system.stops.change({ kind: "step", vcpu: "hello/0", count: 1_000_000 });
  assert.equal(runToStop(system, Infinity)?.rule, "stop:1");
  system.stops.change({ kind: "remove", rule: "1" });
  assert.equal(runToStop(system, system.machine.time + 2e6), undefined);
});

Deno.test("what is done to the machine without stopping it does not stop it", async () => {
  const system = await demoSystem();
  runUntil(system, STARTED);
  system.stops.change({ kind: "event", filter: "kind=hvc" });
  const { machine } = system;
  system.stops.muted(() => {
    const end = machine.time + 5e6;
    while (machine.time < end) {
      const result = machine.run(end);
      assert.notEqual(result.kind, "suspended");
      if (result.kind === "idle") machine.skipTo(Math.min(result.next, end));
    }
  });
  assert.equal(system.stops.take(), undefined);
  assert.equal(runToStop(system, Infinity)?.rule, "stop:1");
});

Deno.test("a rule that is wrong says so, and is none", async () => {
  const system = await demoSystem();
  assert.throws(() => system.stops.change({ kind: "event", filter: "kynd=hvc" }), FilterError);
  for (const at of ["nobody:0x0", "ping", "ping:no_such_symbol"]) {
    assert.throws(() => system.stops.change({ kind: "place", at }), QueryError, at);
  }
  runUntil(system, STARTED);
  assert.throws(() => system.stops.change({ kind: "place", at: "ping:0x80000002" }), /no instruction can be there/);
  assert.throws(() => system.stops.change({ kind: "remove", rule: "stop:7" }), /no rule called "stop:7"; list them with el2 break --list/);
  assert.equal(system.debugger.control, undefined, "no VM is held for a rule that is none");
  assert.deepEqual(rows(system, "stop.ls"), []);
});

Deno.test("a debugger of all VMs stops behind each exit with an event that it wants, and the run is the same run", async () => {
  const plain = await demoSystem();
  runUntil(plain, END);
  const system = await demoSystem();
  runUntil(system, STARTED);
  assert.equal(system.debugger.attach(EVERY_VM), undefined);
  const control = system.debugger.control!;
  assert.deepEqual(control.vcpus().map((vcpu) => system.hypervisor.names.vcpu(vcpu)), ["hello/0", "ping/0", "pong/0"]);
  assert.equal(control.insert(0x8000_0000n), false, "an address is one VM's");
  assert.equal(stopAtEvents(control, "kynd=hvc").kind, "refused");
  assert.equal(stopAtEvents(control, "kind=hvc name=msgqueue_send | kind=virq").kind, "done");
  const seen: string[] = [];
  const { machine } = system;
  while (machine.time < END) {
    const result = machine.run(END);
    const stop = control.takeStop();
    if (stop) {
      assert.equal(stop.cause, "event");
      assert.ok(stop.events?.length);
      seen.push(...stop.events);
    }
    if (result.kind === "idle") machine.skipTo(Math.min(result.next, END));
  }
  assert.ok(seen.some((text) => / hvc msgqueue_send /.test(text)) && seen.some((text) => / virq /.test(text)));
  assert.equal(new Set(seen).size, seen.length);
  assert.deepEqual(hashes(system), hashes(plain));
});

Deno.test("the place of a kernel's symbol follows the kernel that moves itself; an address stays", async () => {
  const system = await demoSystem();
  runUntil(system, STARTED);
  const vectors = 0xffff_8000_0801_0800n, vfsOpen = 0xffff_8000_0830_0000n, moved = 0x2b1a_0000n;
  const file = writeElfSymbols([
    { name: "vectors", address: vectors, type: "T" },
    { name: "vfs_open", address: vfsOpen, type: "T" },
  ]);
  system.symbols.give("ping", file, "symbols");
  for (const at of ["ping:vfs_open+0x8", "ping:0xffff800008300000", "ping:pc"]) system.stops.change({ kind: "place", at });
  const addresses = () => system.stops.rules.map((rule) => (rule as unknown as { place: BreakPlace }).place.addresses[0]);
  const [before, ...others] = addresses(), [vcpu] = system.symbols.vcpus("ping");
  assert.equal(before, vfsOpen + 8n);
  const inserted: bigint[] = [], removed: bigint[] = [], control = system.debugger.control!;
  const { insert, remove } = control;
  control.insert = (address) => (inserted.push(address), insert.call(control, address));
  control.remove = (address) => (removed.push(address), remove.call(control, address));
  // Vectors of another place than a moved kernel's say nothing.
  for (const value of [0x8000_0800n, vectors + 0x800n]) {
    vcpu.registers.setRegister("VBAR_EL1", value);
    system.stops.take();
    assert.deepEqual(addresses(), [before, ...others]);
  }
  vcpu.registers.setRegister("VBAR_EL1", vectors + moved);
  system.stops.take();
  assert.deepEqual(addresses(), [before + moved, ...others]);
  assert.deepEqual([inserted, removed], [[before + moved], [before]]);
  // It is known from then on, also while the kernel uses other vectors.
  vcpu.registers.setRegister("VBAR_EL1", 0x8000_0800n);
  assert.equal(system.symbols.nameOf("ping", vfsOpen + moved + 4n), "vfs_open+0x4");
});
