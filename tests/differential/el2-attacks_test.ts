// Guests of EL2 that do whatever comes, under random controls: HCR_EL2, VTCR_EL2, tables of both
// stages, list registers. Nothing throws, and the translator does what the interpreter does, to the
// instruction. 10,000,000 steps with EL2_LONG.

import assert from "node:assert/strict";
import { ExceptionClass, exceptionClass, Pstate } from "../../src/cpu/core/architecture/exceptions.ts";
import { Hcr } from "../../src/cpu/core/architecture/hypervisor-control.ts";
import { type CoreOptions } from "../../src/cpu/core/core.ts";
import { type Exit, ExitReason, type RegisterName } from "../../src/cpu/core/interface.ts";
import { parseCpu, withEl2 } from "../../src/cpu/isa/cpus/cpus.ts";
import { systemRegisterNamed } from "../../src/cpu/isa/names/system-register-names.ts";
import { Machine, RAM_BASE, RAM_SIZE } from "../cpu/core/program.ts";
import { LONG } from "../support/long.ts";
import { Random } from "../support/random.ts";

/** Steps of each machine, of a program, and between two changes of its controls. */
const STEPS = LONG ? 10_000_000 : 60_000, PROGRAM = 10_000, EPOCH = 500;

/** With and without a host's regime. */
const CPUS = ["v8.2,-FEAT_PMUv3p1,-FEAT_PMUv3,-FEAT_HAFDBS,+FEAT_VHE", "v8"].map((name) => withEl2(parseCpu(name)));
const TRANSLATED: CoreOptions = { tier: "jit", hotness: { samples: 1, landings: 1, slice: 50 } };

const CODE = RAM_BASE + 0x1000, VECTORS_EL2 = RAM_BASE + 0x2000, VECTORS_EL1 = RAM_BASE + 0x3000, TABLES = RAM_BASE + 0x1_0000;
const CODE_WORDS = 40, TABLE_PAGES = 8, ENTRIES = 512;
const PAGES = RAM_SIZE / 0x1000;

const move = (name: string, isRead: boolean, register: number) =>
  0xd500_0000 | (isRead ? 1 << 21 : 0) | (systemRegisterNamed(name) & 0xffff) << 5 | register;
const READ = true, WRITE = false;

/** Registers of EL1 that the guest writes and reads. */
const OF_EL1 = [
  ...["sctlr_el1", "ttbr0_el1", "ttbr1_el1", "tcr_el1", "mair_el1", "contextidr_el1", "vbar_el1", "elr_el1", "spsr_el1", "cpacr_el1"],
  ...["far_el1", "esr_el1", "par_el1", "tpidr_el1", "csselr_el1", "cntv_cval_el0", "cntp_cval_el0", "cntkctl_el1"],
  ...["icc_pmr_el1", "icc_iar1_el1", "icc_eoir1_el1", "icc_dir_el1", "icc_igrpen1_el1", "icc_ctlr_el1", "icc_bpr1_el1", "icc_hppir1_el1"],
];
/** Of EL2, which are UNDEFINED for it. */
const OF_EL2 = ["hcr_el2", "vttbr_el2", "elr_el2", "ich_hcr_el2", "sctlr_el2", "tpidr_el2"];
/** TLBI, AT, IC, DC with X5; ERET, HVC, SVC, BRK, SMC, barriers, masks. */
const SYSTEM = [
  ...[0xd508871f, 0xd5088325, 0xd5088725, 0xd5088745, 0xd50c83df, 0xd5087805, 0xd5087825, 0xd5087845, 0xd50b7525, 0xd5087625, 0xd50b7425],
  ...[0xd69f03e0, 0xd4000002, 0xd4000001, 0xd4200000, 0xd4000003, 0xd5033fdf, 0xd5033f9f, 0xd50342ff, 0xd50342df, 0xd503207f, 0xd503205f],
];

/** Accesses by X0 to X7 with X8 to X15, at offsets of a page. */
function access(random: Random): number {
  const base = random.below(8) << 5, data = 8 + random.below(8);
  const kinds = [
    ...[0xf9400000, 0xf9000000, 0xb9400000, 0x39000000].map((word) => word | random.below(64) << 10),
    ...[0xc85f7c00, 0xc8dffc00, 0xc89ffc00, 0xf8200000 | 16 << 16, 0xf8400800, 0xf8000800, 0xa9400000 | 17 << 10, 0xa9000000 | 17 << 10],
  ];
  return (random.pick(kinds) | base | data) >>> 0;
}

function instruction(random: Random): number {
  const to = random.below(16), from = random.below(16);
  switch (random.below(20)) {
    case 0:
      return move(random.pick(OF_EL1), WRITE, from);
    case 1:
      return move(random.pick(random.below(8) ? OF_EL1 : OF_EL2), READ, to);
    case 2:
      return random.pick(SYSTEM);
    case 3:
      return 0x8b000000 | from << 16 | random.below(16) << 5 | to; // ADD
    case 4:
    case 6:
    case 7:
      return 0x91000000 | random.below(4096) << 10 | from << 5 | to; // ADD (immediate)
    case 5:
      return 0x1e622820; // FADD, which CPACR_EL1 and CPTR_EL2 trap
    default:
      return access(random);
  }
}

/** A machine with a program: a loop of EL1, and handlers that pass over what faults. */
function prepare(machine: Machine, seed: number): void {
  const random = new Random(seed), { view, vcpu, core } = machine;
  new Uint8Array(view.buffer, view.byteOffset, RAM_SIZE).fill(0);
  const put = (address: number, words: readonly number[]) =>
    words.forEach((word, i) => view.setUint32(address - RAM_BASE + 4 * i, word >>> 0, true));
  const words = Array.from({ length: CODE_WORDS - 1 }, () => instruction(random));
  put(CODE, [...words, 0x1400_0000 | -(CODE_WORDS - 1) & 0x3ff_ffff]);
  // Steps over what faulted; an address that is none of the program's starts it again.
  const skip = (elr: string) => [move(elr, READ, 16), 0x91001210, 0xd340fe11, move(elr, WRITE, 16), 0xd69f03e0];
  const again = [move("tpidr_el2", READ, 16), move("elr_el2", WRITE, 16), move("tpidr_el0", READ, 16), 0xd69f03e0];
  for (let vector = 0; vector < 16; vector++) {
    const aborts = vector === 8 && random.below(2);
    put(VECTORS_EL2 + vector * 128, aborts ? again : skip("elr_el2"));
    put(
      VECTORS_EL1 + vector * 128,
      vector & 3 ? [move("icc_iar1_el1", READ, 16), move("icc_eoir1_el1", WRITE, 16), 0xd69f03e0] : skip("elr_el1"),
    );
  }
  core.memoryWritten(RAM_BASE, RAM_SIZE);
  for (const name of vcpu.names) vcpu.setRegister(name, 0n);
  for (let i = 0; i < 31; i++) vcpu.setX(i, BigInt(RAM_BASE + random.below(PAGES) * 4096));
  vcpu.setRegister("VBAR_EL2", BigInt(VECTORS_EL2));
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS_EL1));
  vcpu.setRegister("TPIDR_EL2", BigInt(CODE));
  vcpu.setRegister("SCTLR_EL2", 0x30c50830n);
  vcpu.setRegister("SCTLR_EL1", 0x30d00800n);
  vcpu.setRegister("SP_EL1", BigInt(RAM_BASE + 0x8000));
  vcpu.pstate = Pstate.EL1h | Pstate.Daif;
  vcpu.pc = BigInt(CODE);
}

/** A descriptor: often one that works, else anything. */
function descriptor(random: Random, index: number): bigint {
  const page = BigInt(RAM_BASE + random.below(PAGES) * 4096), attributes = random.wide() & 0x60_0000_0000_0ffcn | 1n << 10n;
  switch (random.below(6)) {
    case 0:
      return random.wide();
    case 1:
      return BigInt(TABLES + random.below(TABLE_PAGES) * 4096) | 3n;
    case 2:
      return 0n;
    case 3:
      return BigInt(RAM_BASE) | attributes | 0xfdn; // a block
    default:
      return (index < PAGES ? BigInt(RAM_BASE + index * 4096) : page) | attributes | 0xffn;
  }
}

/** Tables of both stages from `TABLES` on that have the program at its own address. */
function mapProgram({ view, core }: Machine): void {
  const put = (table: number, index: number, value: bigint) =>
    view.setBigUint64(TABLES + table * 4096 + 8 * index - RAM_BASE, value | 3n, true);
  put(0, RAM_BASE >> 30, BigInt(TABLES + 4096));
  put(1, 0, BigInt(TABLES + 2 * 4096));
  for (let page = 0; page < (TABLES - RAM_BASE) / 4096; page++) put(2, page, BigInt(RAM_BASE + page * 4096) | 0x7fcn);
  core.memoryWritten(TABLES, 3 * 4096);
}

const SWITCHES = Object.values(Hcr).filter((bit) => bit !== Hcr.RW);

/** Changes tables and controls, as a hypervisor on another CPU may do between two instructions. */
function change(machine: Machine, random: Random): void {
  const { view, vcpu, core } = machine;
  for (let count = 0; count < 64; count++) {
    const index = random.below(TABLE_PAGES * ENTRIES), at = TABLES + 8 * index;
    view.setBigUint64(at - RAM_BASE, descriptor(random, index % ENTRIES), true);
    core.memoryWritten(at, 8);
  }
  if (random.below(4)) mapProgram(machine);
  // The first tables are those of the program.
  const table = () => BigInt(TABLES + (random.below(4) ? 0 : random.below(TABLE_PAGES)) * 4096);
  let hcr: bigint = Hcr.RW;
  for (const bit of SWITCHES) if (!random.below(6)) hcr |= bit;
  const values: Partial<Record<RegisterName, bigint>> = {
    HCR_EL2: hcr,
    VTTBR_EL2: table() | BigInt(random.below(3)) << 48n,
    VTCR_EL2: random.below(3) ? 1n << 31n | 1n << 16n | 0x3500n | 1n << 6n | BigInt(25 + random.below(8)) : random.wide() & 0xf_ffffn,
    CPTR_EL2: random.wide() & 0x8010_0400n,
    MDCR_EL2: random.wide() & 0xf60n,
    CNTHCTL_EL2: random.wide() & 0xfffn,
    TTBR0_EL1: table(),
    TCR_EL1: random.below(2) ? 25n | 25n << 16n | 2n << 30n | 2n << 32n : random.wide(),
    MAIR_EL1: random.below(2) ? 0xff44_00ffn : random.wide(),
    SCTLR_EL1: 0x30d00800n | BigInt(random.below(4) ? 0 : 1) | random.wide() & 0xd000n,
    ICH_HCR_EL2: random.wide() & 0xf800_7fffn,
    ICH_VMCR_EL2: random.wide() & 0xfffc_021fn,
  };
  for (let list = 0; list < 4; list++) {
    const INTID = BigInt(random.below(64));
    values[`ICH_LR${list}_EL2` as RegisterName] = random.wide() & 0xf0ff_0000_0000_0000n | BigInt(random.below(64)) << 32n | INTID;
  }
  for (const [name, value] of Object.entries(values)) {
    if (vcpu.names.includes(name as RegisterName)) vcpu.setRegister(name as RegisterName, value);
  }
  for (let i = 0; i < 8; i++) if (!random.below(3)) vcpu.setX(i, BigInt(RAM_BASE + random.below(RAM_SIZE)));
  if (random.below(3)) restart(machine);
}

function restart({ vcpu }: Machine): void {
  vcpu.pstate = Pstate.EL1h;
  vcpu.pc = BigInt(CODE);
}

/** Answers an exit as a machine without any device does. */
function answer(machine: Machine, { reason, esr }: Exit): void {
  const { vcpu, core } = machine;
  if (reason === ExitReason.Bus) core.skip(vcpu);
  if (reason !== ExitReason.Trap) return;
  switch (exceptionClass(esr)) {
    case ExceptionClass.InstructionAbortLower:
      return restart(machine);
    // Its address is that of the next instruction already.
    case ExceptionClass.Hvc:
      return;
    default:
      core.skip(vcpu);
  }
}

/** A line for each exit, and at the end of each epoch all registers. */
function* outcome(machine: Machine, seed: number): Generator<string> {
  const random = new Random(seed * 7919 + 1), { vcpu } = machine;
  prepare(machine, seed);
  for (let steps = 0; steps < PROGRAM;) {
    change(machine, random);
    for (let left = EPOCH; left > 0;) {
      const exit = machine.run(left), { reason, retired, esr, far } = exit;
      left -= Math.max(1, retired);
      yield `${reason} ${retired} ${
        (reason === ExitReason.Trap || reason === ExitReason.Bus) && `${esr.toString(16)} ${far.toString(16)}`
      } ${vcpu.pc.toString(16)}`;
      answer(machine, exit);
    }
    steps += EPOCH;
    yield [machine.registers(), ...vcpu.names.map((name) => `${name}=${vcpu.getRegister(name).toString(16)}`)].join(" ");
  }
  const ram = new Uint32Array(machine.memory.buffer, machine.view.byteOffset, RAM_SIZE / 4);
  yield `memory ${ram.reduce((sum, word, index) => Math.imul(sum, 31) + (word ^ index) | 0, 0)}`;
}

Deno.test("guests that attack under random controls of EL2 throw nothing, and both tiers take the same steps", () => {
  let seed = 0, exceptions = 0;
  for (const cpu of CPUS) {
    const interpreted = new Machine({ cpu }), translated = new Machine({ ...TRANSLATED, cpu });
    for (let steps = 0; steps < STEPS / CPUS.length; steps += PROGRAM) {
      seed++;
      const actual = outcome(translated, seed);
      let line = 0;
      for (const expected of outcome(interpreted, seed)) {
        line++;
        const { value } = actual.next();
        if (value !== expected) assert.equal(value, expected, `seed ${seed}, line ${line}`);
      }
      assert.ok(actual.next().done, `seed ${seed}`);
      if (interpreted.vcpu.getRegister("ESR_EL2")) exceptions++;
    }
    assert.ok(translated.core.counters.translator!.regions > 0, "nothing was translated");
  }
  assert.ok(exceptions > seed / 2, `${exceptions} of ${seed} programs came to EL2`);
});
