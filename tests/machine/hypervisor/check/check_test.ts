// The invariant checker finds each thing that can break, right after the operation and in a sweep,
// and says what and by whom.

import { asPa } from "../../../../src/machine/abi/numbers.ts";
import assert from "node:assert/strict";
import { ErrorCode } from "../../../../src/machine/abi/errors.ts";
import { Access } from "../../../../src/machine/abi/words.ts";
import { type CachedPage, type CoreResidency, Stage2Flags } from "../../../../src/cpu/core/interface.ts";
import { Checker } from "../../../../src/machine/hypervisor/check/check.ts";
import { describeViolation } from "../../../../src/machine/hypervisor/check/violation.ts";
import { Doorbell } from "../../../../src/machine/hypervisor/ipc/doorbell.ts";
import { Hypervisor } from "../../../../src/machine/hypervisor/hypervisor.ts";
import { Memextent } from "../../../../src/machine/hypervisor/memory/memextent.ts";
import { Msgqueue } from "../../../../src/machine/hypervisor/ipc/msgqueue.ts";
import { Irq } from "../../../../src/machine/hypervisor/gic/irq-bank.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { createTestHypervisor, RWX_NORMAL, TestGuest } from "../fixture.ts";
import { ScriptedMachine, ScriptedVm } from "../scripted.ts";

const ANY = { type: "any", rights: 0, untyped: true, state: "any" } as const;

/**
 * A hypervisor with a guest whose memory is mapped, a queue, and a checker that has found nothing.
 */
function setup() {
  const { machine, options } = createTestHypervisor();
  const hypervisor = new Hypervisor(machine, options);
  const guest = new TestGuest(hypervisor);
  const extent = guest.extent(RAM_BASE, 0x4000);
  const space = guest.addrspace(5);
  guest.ok("addrspace_map", space, extent, 0x1000n, RWX_NORMAL);
  const queueCap = guest.create("msgqueue");
  guest.ok("msgqueue_configure", queueCap, 0x10_0002n);
  guest.ok("object_activate", queueCap);
  const checker = hypervisor.checker = new Checker(hypervisor);
  const found = <T>(cap: bigint) => guest.cspace.lookup(cap, ANY) as unknown as T;
  assert.deepEqual(checker.sweep(), []);
  return { hypervisor, guest, checker, extent: found<Memextent>(extent), space, queue: found<Msgqueue>(queueCap), queueCap };
}

type Setup = ReturnType<typeof setup>;

/** Changes without the hypervisor's knowledge, the object that each breaks, and the rule. */
const SABOTAGE: readonly [what: string, act: (s: Setup) => void, object: RegExp, rule: string][] = [
  ["a reference too many", ({ queue }) => queue.retain(), /^msgqueue/, "references are its holders, and one for its capabilities"],
  [
    "heap that nobody takes",
    ({ queue }) => queue.partition!.allocate(64),
    /^partition/,
    "the heap in use is the sum of its objects",
  ],
  [
    "more messages than fit",
    ({ queue }) => {
      for (let i = 0; i < 3; i++) queue.append(new Uint8Array(4), false);
    },
    /^msgqueue/,
    "a queue holds at most its depth",
  ],
  ["an empty message", ({ queue }) => queue.append(new Uint8Array(0), false), /^msgqueue/, "a message has 1 to the maximum size"],
  [
    "a capability out of its list",
    ({ queue }) => void queue.holders.push(queue.holders[0]),
    /^msgqueue/,
    "the master capability is the first",
  ],
];

for (const [what, act, object, rule] of SABOTAGE) {
  Deno.test(`the checker finds ${what} after the next call on the object, and stops the machine`, () => {
    const s = setup();
    act(s);
    s.guest.raw(0x1d, [s.queueCap, 0n]);
    const { stopReason } = s.hypervisor.machine;
    // A flush empties the queue again: what is about messages needs a call that leaves them.
    if (/message|depth/.test(rule)) {
      act(s);
      s.guest.error("msgqueue_receive", s.queueCap, 0n, 0n);
    }
    const reason = s.hypervisor.machine.stopReason ?? stopReason;
    assert.ok(reason?.kind === "crash");
    assert.match(reason.message, /^after obj:\d+: msgqueue_\w+ msgqueue mq:\d+/);
    assert.ok(reason.message.includes(rule), reason.message);
  });
  Deno.test(`a sweep finds ${what}`, () => {
    const s = setup();
    act(s);
    const violations = s.checker.sweep();
    assert.ok(violations.some((one) => object.test(one.object) && one.rule === rule), violations.map(describeViolation).join("\n"));
  });
}

Deno.test("the checker finds pages that leave an extent and stay in the tables", () => {
  const { hypervisor, checker, extent } = setup();
  assert.ok(hypervisor.memory.transfer(extent, hypervisor.rootPartition, asPa(RAM_BASE), 0x1000));
  checker.touchPages(extent, RAM_BASE, 0x1000);
  assert.equal(checker.verify()?.rule, "each mapped page belongs to an extent");
  assert.equal(checker.verify(), undefined, "each change is looked at once");
  assert.equal(checker.sweep().length, 1);
});

Deno.test("the checker finds table entries that nobody has recorded", () => {
  const { hypervisor, checker } = setup();
  const space = hypervisor.addressSpaces.get(5)!;
  space.stage2.map(0x10_0000, RAM_BASE, 0x1000, Stage2Flags.Read);
  checker.touchRange(space, 0x10_0000, 0x1000);
  assert.equal(checker.verify()?.rule, "a mapped page agrees with its owner's mappings");
  space.stage2.unmap(0x10_0000, 0x1000);
  space.stage2.map(0x1000, RAM_BASE, 0x1000, Stage2Flags.Read);
  assert.deepEqual(checker.sweep().map(({ rule }) => rule), ["a mapped page agrees with its owner's mappings"], "other access");
});

Deno.test("the checker finds owners outside of their range", () => {
  const { hypervisor, checker, extent } = setup();
  assert.ok(hypervisor.memory.transfer(hypervisor.rootPartition, extent, asPa(RAM_BASE + 0x10_0000), 0x2000));
  checker.touchPages(hypervisor.rootPartition, RAM_BASE + 0x10_0000, 0x2000);
  assert.equal(checker.verify()?.rule, "an extent owns memory inside its range only");
});

Deno.test("the checker finds what TLBs kept", () => {
  const { hypervisor, checker } = setup();
  const space = hypervisor.addressSpaces.get(5)!;
  const { core } = hypervisor.machine;
  const cached = (page: CachedPage) => {
    const residency = {
      *cachedPages() {
        yield page;
      },
    } satisfies Partial<CoreResidency>;
    Object.assign(core, { residency });
  };
  cached({ va: 0x1000n, pa: RAM_BASE, write: true });
  checker.touch(space);
  assert.deepEqual(checker.sweep(), []);
  cached({ va: 0x1000n, pa: RAM_BASE + 0x8000, write: false });
  assert.deepEqual(checker.sweep().map(({ rule }) => rule), ["a TLB leads to pages that are mapped in its address space"]);
});

/** A VM that sleeps, with a doorbell bound to SPI 40, under a checker. */
function setupVm() {
  const machine = new ScriptedMachine();
  const vm = new ScriptedVm(machine, 5, [function* () {}]);
  const doorbell = machine.create(Doorbell);
  assert.equal(doorbell.activate(), ErrorCode.OK);
  assert.equal(vm.vic.bindShared(doorbell.virq, 40), ErrorCode.OK);
  const checker = new Checker(machine.hypervisor);
  assert.deepEqual(checker.sweep(), []);
  return { machine, vm, doorbell, checker };
}

Deno.test("the checker finds a source and a VIC that do not know each other", () => {
  const { vm, doorbell, checker } = setupVm();
  vm.vic.gic.shared.sources.delete(40);
  checker.touch(doorbell);
  assert.equal(checker.verify()?.rule, "the vIRQ that a source is bound to is its own");
  assert.equal(checker.sweep().length, 1);
});

Deno.test("the checker finds an interrupt that is pending and not offered", () => {
  const { vm, checker } = setupVm();
  vm.vic.gic.shared.flags[40] |= Irq.Source | Irq.Enabled;
  assert.deepEqual(checker.sweep().map(({ rule }) => rule), [
    "what is pending, enabled and not active is offered to its vCPU, and nothing else",
  ]);
});

Deno.test("the checker finds vCPUs that are lost, queued twice, or lent by nobody", () => {
  const { machine, vm, checker } = setupVm();
  const [vcpu] = vm.vcpus;
  vm.start();
  assert.deepEqual(checker.sweep(), []);
  machine.hypervisor.scheduler.remove(vcpu);
  assert.deepEqual(checker.sweep().map(({ rule }) => rule), [
    "an active vCPU is known to the scheduler",
    "a vCPU that can run has the turn, or waits for it",
  ]);
  machine.hypervisor.scheduler.add(vcpu);
  machine.hypervisor.scheduler.ready(vcpu);
  vcpu.turn.leaveQueue();
  machine.hypervisor.scheduler.ready(vcpu);
  checker.touch(vcpu);
  assert.equal(checker.verify()?.rule, "a vCPU that is queued is in one queue, once");
  vcpu.turn.moveTo(vcpu, 0);
  assert.ok(checker.sweep().some(({ rule }) => rule === "a vCPU that lends it time yields to it"));
});

Deno.test("activation, mapping, donation and deletion break nothing", () => {
  const { hypervisor, guest, checker, space } = setup();
  for (let i = 0; i < 5; i++) {
    const extent = guest.extent(RAM_BASE + 0x10_0000, 0x10_0000);
    guest.ok("addrspace_map", space, extent, 0x100_0000n, RWX_NORMAL);
    const child = guest.derive(extent, 0x1000, 0x2000, Access.RW);
    guest.ok("cspace_delete_cap_from", 0n, extent);
    guest.ok("cspace_delete_cap_from", 0n, child);
  }
  assert.equal(hypervisor.machine.stopReason, undefined);
  assert.deepEqual(checker.sweep(), []);
});
