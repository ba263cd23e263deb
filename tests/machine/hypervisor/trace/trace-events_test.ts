// The hypervisor's events of a running VM: traps, interrupts, scheduling, device accesses, memory,
// states, PSCI.

import assert from "node:assert/strict";
import { ErrorCode } from "../../../../src/machine/abi/errors.ts";
import { TRACE_KINDS, type TraceEvent, type TraceKind } from "../../../../src/machine/abi/trace.ts";
import { Doorbell } from "../../../../src/machine/hypervisor/ipc/doorbell.ts";
import { GICD_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { ExceptionClass, syndrome } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { dataAbort, hvc, type Script, ScriptedMachine, ScriptedVm, smc, type Step, sysreg, timerWritten, wfe, wfi } from "../scripted.ts";

const instructionAbort = (ipa: number): Step => ({
  reason: ExitReason.Trap,
  esr: syndrome(ExceptionClass.InstructionAbortLower, 7),
  ipa,
  far: BigInt(ipa),
});

/** Runs a script on vCPU 0 of a VM named `rt`, for a millisecond. */
function run(kinds: readonly TraceKind[], script: Script, prepare: (vm: ScriptedVm, machine: ScriptedMachine) => void = () => {}) {
  const machine = new ScriptedMachine();
  const vm = new ScriptedVm(machine, 0x81, [script], { group: "independent" });
  machine.hypervisor.names.set(0x81, "rt");
  prepare(vm, machine);
  const events: TraceEvent[] = [];
  machine.hypervisor.trace.listen(kinds, (event) => events.push(event));
  vm.start();
  machine.run(1_000_000);
  return { machine, vm, events };
}

const outline = (events: readonly TraceEvent[]) => events.map(({ vcpu, kind, name, fields }) => [vcpu, kind, name, fields]);

Deno.test("an interrupt is told with its source when it is asserted, acknowledged and ended", () => {
  const IAR1 = sysreg(true, 3, 0, 12, 12, 0), EOIR1 = sysreg(false, 3, 0, 12, 12, 1);
  let serial = 0, cap = 0n;
  const { events } = run(["virq"], function* (registers) {
    registers.setX(0, cap);
    registers.setX(1, 1n);
    registers.setX(2, 0n);
    yield hvc(0x6012);
    yield IAR1;
    yield EOIR1;
  }, (vm, machine) => {
    const doorbell = machine.create(Doorbell);
    assert.equal(doorbell.activate(), ErrorCode.OK);
    assert.equal(vm.vic.bindShared(doorbell.virq, 40), ErrorCode.OK);
    serial = doorbell.serial;
    cap = vm.grant(doorbell);
  });
  assert.deepEqual(outline(events), [
    ["rt/0", "virq", "raise", { irq: "irq:rt/40", vcpu: undefined, source: `db:${serial}`, why: "flags" }],
    ["rt/0", "virq", "acknowledge", { irq: "irq:rt/40" }],
    ["rt/0", "virq", "end", { irq: "irq:rt/40" }],
  ]);
});

Deno.test("what a call causes happens inside it", () => {
  let cap = 0n;
  const { events } = run(["hvc", "virq"], function* (registers) {
    registers.setX(0, cap);
    registers.setX(1, 5n);
    yield hvc(0x6012);
  }, (vm, machine) => {
    const doorbell = machine.create(Doorbell);
    assert.equal(doorbell.activate(), ErrorCode.OK);
    assert.equal(vm.vic.bindShared(doorbell.virq, 40), ErrorCode.OK);
    cap = vm.grant(doorbell);
  });
  const [asserted, call] = events;
  assert.equal(asserted.parent?.id, call.id);
  assert.deepEqual([call.name, call.fields.new_flags, call.result], [
    "doorbell_send",
    5n,
    { code: 0, name: "OK", refused: false, fields: { old_flags: 0n } },
  ]);
});

Deno.test("traps, accesses to devices and injected aborts are told", () => {
  const { events } = run(["trap", "mmio"], function* () {
    yield sysreg(true, 3, 0, 4, 6, 0);
    yield sysreg(true, 3, 4, 12, 9, 5);
    yield sysreg(true, 2, 0, 7, 15, 7);
    yield dataAbort(false, GICD_BASE + 4, 2);
    yield dataAbort(true, 0x123_4000, 3);
    yield wfi;
  });
  assert.deepEqual(outline(events).map(([, kind, name, fields]) => [kind, name, (fields as Record<string, unknown>).address]), [
    ["trap", "ICC_PMR_EL1", undefined],
    ["trap", "ICC_SRE_EL2", undefined],
    ["trap", "S2_0_C7_C15_7", undefined],
    ["mmio", "read", `ipa:rt/0x${(GICD_BASE + 4).toString(16)}`],
    ["trap", "external abort", "ipa:rt/0x1234000"],
    ["trap", "WFI", undefined],
  ]);
});

/** Calls of functions and immediates. */
const CALLS: readonly (readonly [step: Step, function_?: bigint, argument?: bigint])[] = [
  ...[[hvc(0x6000)], [hvc(0x6012)], [hvc(0x60ff)], [hvc(0x1234)], [smc(1)]] as const,
  ...[0x8000_0000n, 0x8000_0001n, 0x8400_0000n, 0x8400_0050n, 0x8400_001fn, 0xc600_8000n, 0xc600_80ffn, 0x8600_ff01n, 0x1234n].flatMap((
    id,
  ) => [[hvc(0), id], [smc(0), id]] as const),
  // PSCI's features; a watchdog that is off is turned off, and pinged.
  ...[[smc(0), 0x8400_000an, 0x8400_0000n], [smc(0), 0x8600_0005n, 2n], [smc(0), 0x8600_0007n]] as const,
];

Deno.test("each exit is one event, whatever else is recorded; what the core reports besides is none", () => {
  const unmapped = 0x123_4000, cacheMaintenance = 1 << 8;
  const script: Script = function* (registers) {
    yield* [sysreg(true, 3, 0, 4, 6, 0), sysreg(true, 2, 0, 7, 15, 7), sysreg(false, 3, 0, 0, 5, 0), wfe, timerWritten];
    yield* [dataAbort(false, GICD_BASE + 4, 2), dataAbort(false, GICD_BASE + 1, 3), dataAbort(true, GICD_BASE + 1, 3)];
    yield* [dataAbort(true, unmapped, 3), dataAbort(true, unmapped, 0, cacheMaintenance), { reason: ExitReason.Bus, esr: 0, pa: unmapped }];
    yield* [instructionAbort(unmapped), { reason: ExitReason.Trap, esr: syndrome(0x3f, 0) }, { reason: ExitReason.Yield }];
    for (const [step, id = 0n, argument = 0n] of CALLS) {
      registers.setX(0, id);
      registers.setX(1, argument);
      yield step;
    }
    yield wfi;
  };
  const kinds = ["hvc", "psci", "trap", "mmio"] as const, all = run(kinds, script);
  const names = outline(all.events).map(([, kind, name]) => `${kind} ${name}`);
  assert.equal(all.vm.vcpus[0].usage.exits, all.events.length, names.join("\n"));
  assert.equal(all.events.length, 13 + CALLS.length, names.join("\n"));
  const alone = kinds.map((kind) => run([kind], script).events.length);
  assert.deepEqual(alone, kinds.map((kind) => all.events.filter((event) => event.kind === kind).length));
});

Deno.test("PSCI calls are operations under the names of their specification", () => {
  const { events } = run(["psci", "state"], function* (registers) {
    for (const [fid, x1] of [[0x8400_0000n, 0n], [0xc400_0003n, 0n], [0x8400_0002n, 0n]]) {
      registers.setX(0, fid);
      registers.setX(1, x1);
      yield smc(0);
    }
  });
  assert.deepEqual(events.map(({ kind, name, result }) => [kind, name, result?.name]), [
    ["state", "powered on", undefined],
    ["psci", "VERSION", "0x10001"],
    ["psci", "CPU_ON", "ALREADY_ON"],
    ["state", "powered off", undefined],
    ["psci", "CPU_OFF", "no return"],
  ]);
});

Deno.test("who runs on a physical CPU is told when it changes", () => {
  const { events } = run(["sched"], function* () {
    yield { compute: 1000 };
    yield wfi;
  });
  assert.deepEqual(outline(events), [
    ["", "sched", "run", { from: undefined, blocked: undefined, to: "vcpu:rt/0" }],
    ["", "sched", "idle", { from: "vcpu:rt/0", blocked: ["wfi"], to: undefined }],
  ]);
  assert.deepEqual(events.map((event) => event.pcpu), [0, 0]);
});

Deno.test("a run with every kind of event wanted is the same run", () => {
  const script: Script = function* (registers) {
    for (let i = 0; i < 50; i++) {
      yield { compute: 37 * i };
      registers.setX(0, BigInt(i));
      yield hvc(0x6000 + i);
      yield sysreg(true, 3, 0, 12, 12, 3);
    }
  };
  const times = [[], TRACE_KINDS].map((kinds) => {
    const { machine, vm } = run(kinds, script);
    return [machine.machine.time, vm.vcpus[0].usage.exits, vm.vcpus[0].usage.time, vm.vcpus[0].registers.getX(0)];
  });
  assert.deepEqual(times[0], times[1]);
});
