// Self-hosted debug: breakpoints, watchpoints and software step that EL1 sets for itself, in both
// tiers.

import assert from "node:assert/strict";
import { Pstate } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { Mdscr } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { ArmedDebug, comparedBits, DebugComparators } from "../../../../src/cpu/core/debug/self-hosted-debug.ts";
import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import type { Tier } from "../../../../src/cpu/core/tiers.ts";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const CODE = RAM_BASE + 0x1000;
const VECTORS = RAM_BASE + 0x8000;
const DATA = RAM_BASE + 0x10_0000;
const KERNEL = 0x200, LOWER = 0x400;
const FLAGS = Pstate.Nzcv;
const at = (index: number) => BigInt(CODE + 4 * index);
const HALT: Line = ["b", 0x14000000];

/** Enabled for EL0 and EL1, all bytes. */
const BOTH = 0x1e7n;
/** DBGWCR: any access (or a kind of it) of EL0 and EL1 to the bytes of BAS. */
const watch = (bas: number, kind = 3) => 1n | 3n << 1n | BigInt(kind) << 3n | BigInt(bas) << 5n;

/** Counts X0 up to X1 and stores it at X2, then halts. */
const LOOP: readonly Line[] = [
  ["add x0, x0, #0x1", 0x91000400],
  ["str x0, [x2]", 0xf9000040],
  ["subs xzr, x0, x1", 0xeb01001f],
  ["b.ne", 0x54ffffa1],
  HALT,
];

/** A machine at EL1 with debug exceptions enabled; vectors halt. */
function machineWith(lines: readonly Line[], mdscr: number, tier: Tier = "interp"): Machine {
  const machine = new Machine({ tier });
  machine.load(CODE, lines);
  for (const vector of [KERNEL, LOWER]) machine.load(VECTORS + vector, [HALT]);
  const { vcpu } = machine;
  vcpu.pstate = Pstate.EL1h;
  vcpu.pc = at(0);
  vcpu.setX(1, 1_000_000n);
  vcpu.setX(2, BigInt(DATA));
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  vcpu.setRegister("MDSCR_EL1", BigInt(mdscr));
  return machine;
}

/** State after the exception: its vector, ESR, return address. */
function taken({ vcpu }: Machine) {
  return {
    vector: Number(vcpu.pc) - VECTORS,
    esr: Number(vcpu.getRegister("ESR_EL1")),
    elr: vcpu.getRegister("ELR_EL1"),
    spsr: Number(vcpu.getRegister("SPSR_EL1")) & ~FLAGS,
  };
}

function setBreakpoint({ vcpu }: Machine, index: number, address: bigint, control: bigint): void {
  vcpu.debug.bvr[index] = address;
  vcpu.debug.bcr[index] = control;
  vcpu.debug.version++;
}

function setWatchpoint({ vcpu }: Machine, address: number, control: bigint): void {
  vcpu.debug.wvr[3] = BigInt(address);
  vcpu.debug.wcr[3] = control;
  vcpu.debug.version++;
}

for (const tier of ["interp", "jit"] as const) {
  Deno.test(`${tier}: a breakpoint is an exception before its instruction, also in code that is hot, and none when it is off again`, () => {
    const machine = machineWith(LOOP, Mdscr.MDE | Mdscr.KDE, tier);
    const { vcpu } = machine;
    machine.run(400_000);
    setBreakpoint(machine, 5, at(2), BOTH);
    machine.run(1000);
    assert.deepEqual(taken(machine), { vector: KERNEL, esr: 0xc600_0022, elr: at(2), spsr: Pstate.EL1h });
    assert.equal(vcpu.getX(0), 100_001n, "the store before it was made, the comparison was not");
    setBreakpoint(machine, 5, at(2), 0n);
    vcpu.pstate = Pstate.EL1h;
    assert.equal(machine.run(4_000_000, Number(at(2))).retired, 4_000_000);
    assert.equal(vcpu.pc, at(4), "the loop came to its end");
  });

  Deno.test(`${tier}: a watchpoint is an exception before the access, with its address and direction`, () => {
    const machine = machineWith(LOOP, Mdscr.MDE | Mdscr.KDE, tier);
    const { vcpu } = machine;
    machine.run(400_000);
    setWatchpoint(machine, DATA, watch(0xf0, 1));
    machine.run(4000);
    assert.equal(vcpu.getX(0), 101_000n, "it is for loads, there are none");
    setWatchpoint(machine, DATA, watch(0xf0, 2));
    machine.run(1000);
    assert.deepEqual(taken(machine), { vector: KERNEL, esr: 0xd600_0062, elr: at(1), spsr: Pstate.EL1h });
    assert.equal(vcpu.getRegister("FAR_EL1"), BigInt(DATA + 4), "the first byte that is watched");
    assert.equal(machine.view.getBigUint64(DATA - RAM_BASE, true), 101_000n, "the store was not made");
    setWatchpoint(machine, DATA + 8, watch(0xff));
    vcpu.pstate = Pstate.EL1h;
    machine.run(4_000_000, Number(at(1)));
    assert.equal(vcpu.pc, at(4), "the doubleword beside it is somebody else's");
  });
}

Deno.test("breakpoints are for the exception levels that they name, and at EL1 only where KDE and PSTATE.D allow them", () => {
  const run = (mdscr: number, pstate: number, control: bigint) => {
    const machine = machineWith(LOOP, mdscr);
    machine.vcpu.pstate = pstate;
    setBreakpoint(machine, 0, at(1), control);
    machine.run(2);
    return machine.vcpu.pc === at(2) ? "passed" : taken(machine).esr;
  };
  const { MDE, KDE } = Mdscr;
  const USER = 0x1e5n, SYSTEM = 0x1e3n;
  assert.equal(run(MDE | KDE, Pstate.EL1h, SYSTEM), 0xc600_0022);
  assert.equal(run(MDE | KDE, Pstate.EL1h, USER), "passed");
  assert.equal(run(MDE | KDE, Pstate.EL1h | Pstate.D, SYSTEM), "passed");
  assert.equal(run(MDE, Pstate.EL1h, SYSTEM), "passed");
  assert.equal(run(KDE, Pstate.EL1h, SYSTEM), "passed");
  assert.equal(run(MDE, Pstate.EL0t | Pstate.D, USER), 0xc200_0022, "from EL0 they are enabled whatever D is");
  assert.equal(run(MDE, Pstate.EL0t, SYSTEM), "passed");
  assert.equal(run(MDE | KDE, Pstate.EL1h, SYSTEM & ~1n), "passed", "it is off");
  assert.equal(run(MDE | KDE, Pstate.EL1h, SYSTEM | 2n << 14n), "passed", "it is for the secure state");
});

Deno.test("a breakpoint that is linked to a context stops in that context only", () => {
  const run = (contextId: bigint) => {
    const machine = machineWith(LOOP, Mdscr.MDE | Mdscr.KDE);
    machine.vcpu.setRegister("CONTEXTIDR_EL1", contextId);
    setBreakpoint(machine, 4, 77n, 0x1e7n | 3n << 20n);
    setBreakpoint(machine, 0, at(1), BOTH | 1n << 20n | 4n << 16n);
    machine.run(2);
    return machine.vcpu.pc === at(2);
  };
  assert.equal(run(78n), true);
  assert.equal(run(77n), false);
});

Deno.test("a watchpoint of 4 KiB by its mask, and one of a word by BAS", () => {
  for (
    const [address, control, stops] of [[DATA, watch(0xff) | 12n << 24n, true], [DATA + 4, watch(0x0f), true], [DATA, watch(1), true], [
      DATA + 12,
      watch(0x0f),
      false,
    ]] as const
  ) {
    const machine = machineWith(LOOP, Mdscr.MDE | Mdscr.KDE);
    setWatchpoint(machine, address, control);
    machine.run(2);
    assert.equal(machine.vcpu.pc !== at(2), stops);
  }
});

Deno.test("software step: an exception return executes one instruction, whose exception says what it was", () => {
  const machine = machineWith([["eret", 0xd69f03e0], HALT, ["ldxr x3, [x2]", 0xc85f7c43], ["add x0, x0, #0x1", 0x91000400], [
    "svc #0x0",
    0xd4000001,
  ]], Mdscr.SS);
  const { vcpu } = machine;
  const step = (index: number) => {
    vcpu.pstate = Pstate.EL1h | Pstate.D;
    vcpu.setRegister("ELR_EL1", at(index));
    vcpu.setRegister("SPSR_EL1", BigInt(Pstate.EL0t | Pstate.SS));
    machine.run(20, Number(at(0)));
    return taken(machine);
  };
  assert.deepEqual(step(3), { vector: LOWER, esr: 0xcb00_0022, elr: at(4), spsr: Pstate.EL0t });
  assert.equal(vcpu.getX(0), 1n);
  assert.deepEqual(step(2), { vector: LOWER, esr: 0xcb00_0062, elr: at(3), spsr: Pstate.EL0t }, "EX");
  assert.deepEqual(step(4), { vector: LOWER, esr: 0x5600_0000, elr: at(5), spsr: Pstate.EL0t }, "the SVC is taken, its step is over");
  vcpu.setRegister("SPSR_EL1", BigInt(Pstate.EL0t));
  vcpu.pstate = Pstate.EL1h | Pstate.D;
  machine.run(20, Number(at(0)));
  assert.deepEqual(taken(machine), { vector: LOWER, esr: 0xca00_0022, elr: at(5), spsr: Pstate.EL0t }, "nothing was stepped");
});

Deno.test("software step: an abort leaves SPSR.SS for another try, and a run may end between instruction and exception", () => {
  const machine = machineWith([["eret", 0xd69f03e0], ["ldr x3, [x4]", 0xf9400083], ["add x0, x0, #0x1", 0x91000400]], Mdscr.SS);
  const { vcpu } = machine;
  const back = (index: number) => {
    vcpu.pstate = Pstate.EL1h | Pstate.D;
    vcpu.setRegister("ELR_EL1", at(index));
    vcpu.setRegister("SPSR_EL1", BigInt(Pstate.EL0t | Pstate.SS));
    vcpu.pc = at(0);
  };
  back(1);
  vcpu.setX(4, 1n << 60n);
  machine.run(20);
  assert.deepEqual([taken(machine).esr >>> 26, taken(machine).elr, taken(machine).spsr], [0x24, at(1), Pstate.EL0t | Pstate.SS]);
  back(2);
  machine.run(1);
  assert.deepEqual([vcpu.pc, vcpu.pstate & Pstate.SS], [at(2), Pstate.SS]);
  machine.run(1);
  assert.deepEqual([vcpu.pc, vcpu.pstate & Pstate.SS], [at(3), 0]);
  machine.run(1);
  assert.equal(taken(machine).esr, 0xcb00_0022);
});

Deno.test("a breakpoint is one vCPU's own, goes with it, and a debugger's at the same place stops before it", () => {
  const machine = machineWith(LOOP, Mdscr.MDE | Mdscr.KDE);
  const { core, vcpu } = machine;
  setBreakpoint(machine, 0, at(1), BOTH);
  const other = machine.createVcpu();
  other.pstate = Pstate.EL1h;
  other.setX(2, BigInt(DATA));
  core.stops.insertBreakpoint(vcpu.stage2, at(1));
  assert.deepEqual([machine.run(10).reason, vcpu.pc], [ExitReason.Breakpoint, at(1)]);
  core.stops.removeBreakpoint(vcpu.stage2, at(1));
  machine.run(2, CODE, other);
  assert.equal(other.pc, at(2), "the other passes");
  machine.run(1);
  assert.deepEqual([taken(machine).vector, taken(machine).elr], [KERNEL, at(1)]);
  setWatchpoint(machine, DATA, watch(0xff));
  machine.run(1);
  core.releaseVcpu(vcpu);
  other.setX(1, 1n << 20n);
  assert.equal(machine.run(1_000_000, CODE, other).retired, 1_000_000);
  assert.equal(other.pc, at(0), "and goes round and round");
});

Deno.test("comparators have addresses of 49 bits, and of 53 with FEAT_LVA", () => {
  const address = 0xfff0_8000_1234_5678n, other = 0x0000_8000_1234_5678n;
  for (
    const [cpu, matched, missed] of [["max", address, other], ["v8.6", BigInt.asUintN(64, BigInt.asIntN(49, address)), address]] as const
  ) {
    const comparators = new DebugComparators();
    comparators.bvr[2] = comparators.wvr[1] = address;
    comparators.bcr[2] = BOTH;
    comparators.wcr[1] = watch(0xff);
    const armed = new ArmedDebug(comparators, 0, 1, comparedBits(parseCpu(cpu).features));
    assert.deepEqual([matched, missed].map((pc) => armed.stopsAt(pc, 1, 0n)), [true, false], cpu);
    assert.deepEqual(armed.look(matched, 8, true, false, 1, 0n), { address: matched, write: false }, cpu);
    assert.equal(armed.look(missed, 8, true, false, 1, 0n), undefined, cpu);
  }
});
