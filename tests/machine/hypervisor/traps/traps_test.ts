// The exception handler of EL2: trapped registers, aborts, devices (docs/spec/hypervisor.md §4.7,
// §6.7, §6.8).

import assert from "node:assert/strict";
import { VcpuOption } from "../../../../src/machine/abi/words.ts";
import { ExceptionClass, syndrome } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { GICD_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { dataAbort, type Script, ScriptedMachine, type ScriptedState, ScriptedVm, type Step, sysreg } from "../scripted.ts";

const UNDEFINED = { esr: 0x0200_0000, far: undefined };

/** Runs a script on the vCPU of a VM to its end. */
function runScript(script: Script, options = 0n, cpu?: string): ScriptedState {
  const machine = new ScriptedMachine(1, undefined, {}, cpu);
  let ended = false;
  const vm = new ScriptedVm(machine, 3, [function* (registers) {
    yield* script(registers);
    ended = true;
  }], { options });
  vm.start();
  machine.run(1_000_000);
  assert.ok(ended, "the script has ended");
  return vm.state(vm.vcpus[0]);
}

/** Reads a register to X1; undefined when the access is undefined. */
function* read(registers: ScriptedState, ...encoding: [number, number, number, number, number]): Generator<Step, bigint | undefined, void> {
  const before = registers.exceptions.length;
  yield sysreg(true, ...encoding);
  return registers.exceptions.length === before ? registers.getX(1) : undefined;
}

/** Writes a register; false when the access is undefined. */
function* write(
  registers: ScriptedState,
  value: bigint,
  ...encoding: [number, number, number, number, number]
): Generator<Step, boolean, void> {
  const before = registers.exceptions.length;
  registers.setX(1, value);
  yield sysreg(false, ...encoding);
  return registers.exceptions.length === before;
}

Deno.test("identification registers are the core's, the rest of their space reads as zero", () => {
  const state = runScript(function* (registers) {
    assert.equal(yield* read(registers, 3, 0, 0, 4, 0), 0x1100_0000_0100_1111n);
    assert.equal(yield* read(registers, 3, 0, 0, 6, 0), 0x1021_1120n);
    assert.equal(yield* read(registers, 3, 0, 0, 6, 1), 0x10_0001n);
    assert.equal(yield* read(registers, 3, 0, 0, 7, 1), 0x10_0000n);
    assert.equal(yield* read(registers, 3, 0, 0, 1, 0), 0n, "no AArch32");
    assert.equal(yield* read(registers, 3, 0, 0, 7, 7), 0n);
    assert.equal(yield* write(registers, 0n, 3, 0, 0, 4, 0), false);
    assert.equal(yield* read(registers, 3, 0, 0, 8, 0), undefined);
  });
  assert.deepEqual(state.exceptions, [UNDEFINED, UNDEFINED]);
  assert.equal(state.pc, 0x4000_0000n + 6n * 4n, "a completed access is stepped over, an undefined one is not");
});

Deno.test("RAS is hidden from vCPUs without its option, as on the recorded build: no field, and its registers are undefined", () => {
  for (
    const [cpu, options, field] of [["v8.2", VcpuOption.RasErrorHandler, 1n], ["v8.2", 0n, 0n], [
      "v8",
      VcpuOption.RasErrorHandler,
      0n,
    ]] as const
  ) {
    runScript(
      function* (registers) {
        const pfr0 = yield* read(registers, 3, 0, 0, 4, 0);
        assert.equal(pfr0! >> 28n & 15n, field, cpu);
        assert.equal(pfr0! >> 56n, 0x11n, "CSV2 and CSV3 are not");
        assert.equal(yield* read(registers, 3, 0, 5, 3, 0), field ? 0n : undefined, "ERRIDR_EL1");
        assert.equal(yield* write(registers, 0n, 3, 0, 5, 3, 0), false);
        assert.equal(yield* read(registers, 3, 0, 5, 3, 1), undefined, "ERRSELR_EL1: there is no record");
      },
      options,
      cpu,
    );
  }
});

Deno.test("MIDR tells a pinned vCPU from others", () => {
  assert.equal(runScript(function* () {}).getRegister("MIDR_EL1"), 0xf0480n);
  assert.equal(runScript(function* () {}, VcpuOption.Pinned).getRegister("MIDR_EL1"), 0xf0510n);
});

Deno.test("ACTLR reads as zero and ignores writes; unknown registers are undefined", () => {
  runScript(function* (registers) {
    assert.equal(yield* write(registers, 0xffn, 3, 0, 1, 0, 1), true);
    assert.equal(yield* read(registers, 3, 0, 1, 0, 1), 0n);
    assert.equal(yield* read(registers, 3, 0, 11, 0, 0), undefined);
    assert.equal(yield* read(registers, 3, 3, 9, 12, 0), undefined, "there is no PMU");
    assert.equal(yield* read(registers, 3, 4, 1, 1, 0), undefined, "HCR_EL2");
  });
});

Deno.test("debug registers: comparators hold values, the OS lock is open, what is not there is undefined", () => {
  runScript(function* (registers) {
    assert.equal(yield* write(registers, 0x1000n, 2, 0, 0, 0, 4), true);
    assert.equal(yield* read(registers, 2, 0, 0, 0, 4), 0x1000n);
    assert.equal(yield* read(registers, 2, 0, 0, 1, 7), 0n);
    assert.deepEqual(registers.debug.bvr.slice(0, 2), [0x1000n, 0n]);
    for (const [op2, count] of [[4, 6], [5, 6], [6, 4], [7, 4]]) {
      assert.equal(yield* write(registers, 1n, 2, 0, 0, count - 1, op2), true);
      assert.equal(yield* read(registers, 2, 0, 0, count - 1, op2), 1n);
    }
    assert.equal(yield* read(registers, 3, 0, 0, 5, 0), 0x1030_5006n, "ID_AA64DFR0_EL1");
    assert.equal(yield* write(registers, 0x8000n, 2, 0, 0, 2, 2), true);
    assert.equal(yield* read(registers, 2, 0, 0, 2, 2), 0x8000n, "MDSCR_EL1");
    assert.equal(yield* read(registers, 2, 0, 1, 1, 4), 0n, "OSLSR_EL1");
    assert.equal(yield* write(registers, 0n, 2, 0, 1, 0, 4), true, "OSLAR_EL1");
    assert.equal(yield* read(registers, 2, 0, 1, 0, 4), undefined);
    assert.equal(yield* read(registers, 2, 0, 7, 14, 6), undefined, "DBGAUTHSTATUS_EL1");
    const defined: string[] = [];
    for (let crm = 0; crm < 16; crm++) {
      for (let op2 = 0; op2 < 8; op2++) if ((yield* read(registers, 2, 0, 0, crm, op2)) !== undefined) defined.push(`c${crm}_${op2}`);
    }
    const comparators = [[4, 6], [5, 6], [6, 4], [7, 4]].flatMap(([op2, count]) =>
      Array.from({ length: count }, (_, crm) => `c${crm}_${op2}`)
    );
    assert.deepEqual(defined.toSorted(), [...comparators, "c0_2", "c2_0", "c2_2", "c3_2", "c6_2"].toSorted());
  });
});

Deno.test("the GIC's CPU interface is reached by system registers", () => {
  runScript(function* (registers) {
    assert.equal(yield* read(registers, 3, 0, 12, 12, 5), 7n, "ICC_SRE_EL1");
    assert.equal(yield* write(registers, 0xffn, 3, 0, 4, 6, 0), true, "ICC_PMR_EL1");
    assert.equal(yield* read(registers, 3, 0, 4, 6, 0), 0xf8n);
    assert.equal(yield* read(registers, 3, 0, 12, 12, 0), 1023n, "ICC_IAR1_EL1");
    assert.equal(yield* read(registers, 3, 0, 12, 8, 0), undefined, "ICC_IAR0_EL1, group 0 is off");
    assert.equal(yield* write(registers, 0n, 3, 0, 12, 12, 0), false);
  });
});

Deno.test("the VIC's frames are at the platform's addresses; what they refuse is an external abort", () => {
  const state = runScript(function* (registers) {
    yield dataAbort(false, GICD_BASE + 4, 2);
    assert.equal(registers.getX(1), 0x0349_001fn);
    registers.setX(1, 0xffff_ffffn);
    yield dataAbort(true, GICD_BASE + 0x104, 2);
    yield dataAbort(false, GICD_BASE + 0x104, 2);
    assert.equal(registers.getX(1), 0xffff_ffffn);
    yield dataAbort(false, GICD_BASE, 3);
  });
  assert.deepEqual(state.exceptions, [{ esr: 0x9600_0010, far: BigInt(GICD_BASE) }]);
});

Deno.test("an abort that nobody answers is an external abort of the level that made it", () => {
  const state = runScript(function* (registers) {
    yield dataAbort(true, 0x9000_0000, 3);
    yield { reason: ExitReason.Trap, esr: syndrome(ExceptionClass.InstructionAbortLower, 7), ipa: 0x9000_0000, far: 0x9000_0000n };
    registers.pstate = 0;
    yield dataAbort(false, 0x9000_0000, 0);
    yield { reason: ExitReason.Trap, esr: syndrome(ExceptionClass.InstructionAbortLower, 7), ipa: 0x9000_0000, far: 0x9000_0000n };
  });
  assert.deepEqual(state.exceptions.map(({ esr }) => esr.toString(16)), ["96000010", "86000010", "92000010", "82000010"]);
});

Deno.test("an access without a syndrome cannot be emulated", () => {
  const state = runScript(function* () {
    yield { reason: ExitReason.Trap, esr: syndrome(ExceptionClass.DataAbortLower, 7), ipa: GICD_BASE, far: BigInt(GICD_BASE) };
  });
  assert.equal(state.exceptions[0].esr, 0x9600_0010);
});

Deno.test("devices of the bus are read and written; where there is none, the abort says whether it was a write", () => {
  const machine = new ScriptedMachine();
  const stored: [offset: number, size: number, value: bigint][] = [];
  machine.machine.bus.attach({
    name: "test",
    base: 0x900_0000,
    size: 0x1000,
    device: { read: (offset, size) => BigInt(offset * 16 + size), write: (...args) => void stored.push(args) },
  });
  const told: number[] = [];
  machine.hypervisor.onUnmappedDevice = (_vcpu, pa) => void told.push(pa);
  const bus = (write: boolean, pa: number): Step => ({ ...dataAbort(write, pa, 1), reason: ExitReason.Bus, pa });
  const vm = new ScriptedVm(machine, 3, [function* (registers) {
    yield bus(false, 0x900_0018);
    assert.equal(registers.getX(1), 0x182n);
    registers.setX(1, 0x12_3456n);
    yield bus(true, 0x900_0030);
    yield bus(false, 0xa00_0000);
    yield bus(true, 0xa00_0000);
  }]);
  vm.start();
  machine.run(1_000_000);
  assert.deepEqual(stored, [[0x30, 2, 0x3456n]]);
  assert.deepEqual(vm.state(vm.vcpus[0]).exceptions.map(({ esr }) => esr.toString(16)), ["96000010", "96000050"]);
  assert.deepEqual(told, [0xa00_0000, 0xa00_0000]);
});

Deno.test("a class of exception that nobody expects is undefined for the guest", () => {
  const state = runScript(function* () {
    yield { reason: ExitReason.Trap, esr: syndrome(0x19, 0) };
  });
  assert.deepEqual(state.exceptions, [UNDEFINED]);
});

Deno.test("reads of unallocated identification registers are trapped accesses to EL1 with FEAT_IDST, else undefined as writes are", () => {
  for (const [cpu, ids, ec] of [["v8", 0n, 0], ["v8.2", 0n, 0], ["v8.4", 1n, 0x18]] as const) {
    const state = runScript(
      function* (registers) {
        assert.equal((yield* read(registers, 3, 0, 0, 7, 2))! >> 36n & 15n, ids, "ID_AA64MMFR2_EL1.IDS");
        yield sysreg(true, 3, 0, 0, 0, 1);
        yield sysreg(true, 3, 1, 0, 0, 4);
        yield sysreg(false, 3, 0, 0, 0, 1);
      },
      0n,
      cpu,
    );
    assert.deepEqual(state.exceptions.map(({ esr }) => esr >>> 26), [ec, ec, 0], cpu);
  }
});
