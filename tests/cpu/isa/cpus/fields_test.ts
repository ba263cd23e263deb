// Each field of the ID registers beside what a program finds: a probe measures the value that the
// field ought to have. Fields that no program of EL0 or EL1 can test say why. All others read as
// zero, so that no field promises more than there is.

import assert from "node:assert/strict";
import { ExceptionClass, Pstate, Sctlr, SCTLR_EPAN_SHIFT, SCTLR_MSCEN_SHIFT } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import type { RegisterName } from "../../../../src/cpu/core/registers/vcpu-state.ts";
import { CPU_NAMES, parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { ID_REGISTERS, type IdRegister } from "../../../../src/cpu/isa/cpus/features.ts";
import { identificationOf } from "../../../../src/cpu/isa/cpus/identification.ts";
import { assemble, type Line, Machine, RAM_BASE } from "../../core/program.ts";
import { qarma, SIGMA1, SIGMA2 } from "../../core/qarma-reference.ts";
import { enable, Leaf, PageTables, TCR_48 } from "../../core/memory/page-tables.ts";
import { Rig } from "../../core/rig.ts";

/** Architectures, cores, the CPU of the recordings, and each algorithm and level of FEAT_PAuth. */
const USUAL = ["v8", "v8.2", "v8.4", "v8.6", "max", "recorded", "a55", "a710", "v8.4,+epac", "max,+pacqarma3"];
const CPUS = Deno.env.get("EL2_LONG") ? [...CPU_NAMES, ...USUAL, "v8.6,+fpac", "v8.2,+lva"] : USUAL;

const CODE = RAM_BASE + 0x1000, DATA = RAM_BASE + 0x8000, VECTORS = RAM_BASE + 0x1_0000;
const EL1 = Pstate.EL1h | Pstate.Daif, EL0 = Pstate.EL0t | Pstate.Daif;
const ALL_BITS = (1n << 64n) - 1n;
/** EL0 may do what EL1 can let it do. */
const PERMISSIVE = BigInt(Sctlr.UCI | Sctlr.DZE | Sctlr.UCT | Sctlr.EnRCTX | Sctlr.EnIA) | 1n << BigInt(SCTLR_MSCEN_SHIFT);

/** A CPU with programs to run on it. */
class Probed {
  readonly machine: Machine;

  constructor(readonly name: string) {
    this.machine = new Machine({ cpu: parseCpu(name) });
    this.machine.vcpu.defaultCacheable = true;
  }

  /** Runs instructions one by one; the exception class of the first exception or trap, if any. */
  run(lines: readonly Line[], pstate: number = EL1, before: (machine: Machine) => void = () => {}): number | undefined {
    const { machine } = this, { vcpu } = machine, words = assemble(lines);
    words.forEach((word, i) => machine.view.setUint32(CODE - RAM_BASE + 4 * i, word, true));
    machine.core.memoryWritten(CODE, 4 * words.length);
    vcpu.pstate = pstate;
    const set = (name: RegisterName, value: bigint) => vcpu.setRegister(name, value);
    set("CPACR_EL1", 3n << 20n);
    set("CNTKCTL_EL1", 3n);
    set("VBAR_EL1", BigInt(VECTORS));
    set("SCTLR_EL1", BigInt(Sctlr.Reset) | PERMISSIVE);
    set("ESR_EL1", 0n);
    for (let i = 0; i < 4; i++) vcpu.setX(i, [BigInt(DATA), 0x1234n, 0n, 0n][i]);
    before(machine);
    vcpu.pc = BigInt(CODE);
    for (let i = 0; i < words.length; i++) {
      const exit = machine.run(1);
      if (exit.reason === ExitReason.Trap) return exit.esr >>> 26;
      if (vcpu.pc !== BigInt(CODE + 4 * i + 4)) return Number(vcpu.getRegister("ESR_EL1")) >>> 26;
    }
    return undefined;
  }

  /** Whether an instruction is defined, and the same at EL0 if that may execute it. */
  defines(line: Line, both: boolean): boolean {
    const isDefined = (pstate: number) => {
      const found = this.run([line], pstate);
      return found === undefined || found === ExceptionClass.Wfx || found === ExceptionClass.MemoryOperation;
    };
    const found = isDefined(EL1);
    if (both) assert.equal(isDefined(EL0), found, `${this.name}: ${line[0]} at EL0`);
    return found;
  }
}

/** Measures the value that a field ought to have. */
type Probe = (cpu: Probed) => number;
/** No program of EL0 or EL1 can tell. */
interface Unseen {
  readonly because: string;
  /** The probe finds the values up to this one; greater ones are unseen. */
  readonly above?: { readonly value: number; readonly probe: Probe };
}

/** The greatest value whose instruction, and those of all before, is defined. */
const instructions = (both: boolean, ...values: (readonly [value: number, text: string, word: number])[]): Probe => (cpu) => {
  let found = 0;
  for (const [value, text, word] of values) {
    if (!cpu.defines([text, word], both)) break;
    found = value;
  }
  return found;
};
const anywhere = (...values: (readonly [number, string, number])[]) => instructions(true, ...values);
const atEl1 = (...values: (readonly [number, string, number])[]) => instructions(false, ...values);

const unseen = (because: string): Unseen => ({ because });
const flag = (probe: (cpu: Probed) => boolean): Probe => (cpu) => probe(cpu) ? 1 : 0;

// ---- Memory ----

const LOW = 0x5000_0000n, PAGE = RAM_BASE + 0x2_0000;
const signed = (value: bigint) => BigInt.asIntN(64, value);
const msr = (rig: Rig, crn: number, crm: number, op2: number, value: bigint) =>
  rig.call("writeSystemRegister", 3 << 14 | crn << 7 | crm << 3 | op2, signed(value));
const mrs = (rig: Rig, op1: number, crn: number, crm: number, op2: number) =>
  rig.call("readSystemRegister", 3 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2).value as bigint;
const load = (rig: Rig, va: bigint) => rig.call("slowLoad", signed(va), 8);
const store = (rig: Rig, va: bigint) => rig.call("slowStore", signed(va), 8, 1n);

/** A page at LOW, and more bits of TCR_EL1. */
function mapped(cpu: Probed, attributes: bigint, { tcr = 0n, tableBits = 0n, pstate = EL1 as number } = {}): Rig {
  const rig = new Rig(cpu.name), tables = new PageTables(rig);
  tables.map(LOW, PAGE, attributes, 3, tableBits);
  enable(rig, tables, tables, TCR_48 | tcr);
  rig.pstate(pstate);
  return rig;
}

/** Whether an address is found with pages of a size, and an address space of a size. */
function reaches(cpu: Probed, shift: number, tg0: bigint, tsz: number, tcr = 0n): boolean {
  const rig = new Rig(cpu.name), tables = new PageTables(rig, tsz, shift), va = (1n << BigInt(63 - tsz)) + (1n << BigInt(shift));
  enable(rig, tables, tables, TCR_48 | tg0 << 14n | tcr);
  tables.map(va, PAGE, Leaf.Accessed);
  rig.poke(PAGE + 8, 77n);
  return load(rig, va + 8n).value === 77n;
}

/** TCR_EL1.DS, and the sizes of pages: log2 of their bytes, TG0. */
const DS = 1n << 59n, KIB_4 = [12, 0n] as const, KIB_16 = [14, 2n] as const, KIB_64 = [16, 1n] as const;

/** FEAT_HAFDBS: 1 where an access sets the access flag, 2 where a write makes a page dirty. */
function hardwareUpdates(cpu: Probed): number {
  const HA = 1n << 39n, HD = 1n << 40n, DBM = 1n << 51n;
  const accessed = mapped(cpu, 0n, { tcr: HA });
  if (load(accessed, LOW).esr !== undefined) return 0;
  return store(mapped(cpu, Leaf.Accessed | Leaf.ReadOnly | DBM, { tcr: HA | HD }), LOW).esr === undefined ? 2 : 1;
}

/** PARange: the greatest output address of a translation. */
function outputRange(cpu: Probed): number {
  const bits = [32, 36, 40, 42, 44, 48];
  const found = bits.findLastIndex((width) => {
    const rig = new Rig(cpu.name), tables = new PageTables(rig);
    enable(rig, tables, tables, TCR_48 & ~(7n << 32n) | 5n << 32n);
    tables.map(LOW, 1n << BigInt(width - 1), Leaf.Accessed);
    rig.call("systemInstruction", 7 << 7 | 8 << 3, signed(LOW));
    return (rig.get("PAR_EL1") & 1n) === 0n;
  });
  return found;
}

/** Whether translations of ASIDs that differ in a bit above the lower 8 are apart. */
function has16BitAsids(cpu: Probed): boolean {
  const rig = mapped(cpu, Leaf.Accessed | Leaf.NonGlobal, { tcr: 1n << 36n }), empty = new PageTables(rig);
  assert.equal(load(rig, LOW).esr, undefined);
  msr(rig, 2, 0, 0, BigInt(empty.root) | 1n << 60n);
  return load(rig, LOW).esr !== undefined;
}

// ---- Pointer authentication ----

/** Keys of four doublewords; a pointer and its modifier. */
const KEY = [0xec28_02d4_e0a4_88e9n, 0x84be_85ce_9804_e94bn] as const;
const POINTER = 0x4000_8000n, MODIFIER = 0xc003_b93999b33765n;
/** TCR_EL1 with 48 bits of addresses: a code is in bits 54:48 and, without TBI, in 63:56. */
const CODE_BITS = 0xff7f_0000_0000_0000n;

function pointerProgram(cpu: Probed, lines: readonly Line[], pointer: bigint): { readonly x1: bigint; readonly ec: number | undefined } {
  const ec = cpu.run(lines, EL1, ({ vcpu }) => {
    vcpu.setRegister("TCR_EL1", TCR_48);
    vcpu.setRegister("APIAKeyLo_EL1", KEY[0]);
    vcpu.setRegister("APIAKeyHi_EL1", KEY[1]);
    vcpu.setRegister("APDAKeyLo_EL1", KEY[0]);
    vcpu.setRegister("APDAKeyHi_EL1", KEY[1]);
    vcpu.setRegister("APGAKeyLo_EL1", KEY[0]);
    vcpu.setRegister("APGAKeyHi_EL1", KEY[1]);
    vcpu.setRegister("SCTLR_EL1", BigInt(Sctlr.Reset) | BigInt((Sctlr.EnIA | Sctlr.EnDA) >>> 0));
    vcpu.setX(1, pointer);
    vcpu.setX(2, MODIFIER);
  });
  return { x1: cpu.machine.vcpu.getX(1), ec };
}

const PACIA: Line = ["pacia x1, x2", 0xdac1_0041],
  AUTIA: Line = ["autia x1, x2", 0xdac1_1041],
  PACGA: Line = ["pacga x1, x1, x2", 0x9ac2_3021];
const hasCodes = (cpu: Probed): boolean => parseCpu(cpu.name).features.has("FEAT_PAuth");

/** The algorithm, from the code that it computes: 5 and 3 are QARMA's, 0 another. */
function algorithm(cpu: Probed): 5 | 3 | 0 | undefined {
  if (!hasCodes(cpu)) return undefined;
  const { x1 } = pointerProgram(cpu, [PACGA], POINTER);
  const [low, high] = KEY;
  const ciphers = [[5, SIGMA2], [3, SIGMA1]] as const;
  return ciphers.find(([rounds, sbox]) => qarma(POINTER, MODIFIER, high, low, rounds, sbox) >> 32n === x1 >> 32n)?.[0] ?? 0;
}

/** 1 to 5: FEAT_PAuth, EPAC, PAuth2, FPAC, FPACCOMBINE. */
function authentication(cpu: Probed): number {
  if (!hasCodes(cpu)) return 0;
  const wrong = POINTER | 1n << 50n;
  if (pointerProgram(cpu, [["ldraa x3, [x1", 0xf820_0423]], wrong).ec === ExceptionClass.PointerAuthentication) return 5;
  if (pointerProgram(cpu, [AUTIA], wrong).ec === ExceptionClass.PointerAuthentication) return 4;
  if ((pointerProgram(cpu, [PACIA], wrong).x1 & CODE_BITS) === 0n) return 2;
  return pointerProgram(cpu, [PACIA, PACIA], POINTER).x1 === POINTER ? 3 : 1;
}

const byAlgorithm = (name: 5 | 3 | 0, value: (cpu: Probed) => number): Probe => (cpu) => algorithm(cpu) === name ? value(cpu) : 0;

// ---- Others ----

/** Whether a bit of SCTLR_EL1 holds what is written. */
const holdsControl = (bit: number): Probe =>
  flag((cpu) => {
    const rig = new Rig(cpu.name), mask = 1n << BigInt(bit);
    return [mask, 0n].every((value) => {
      msr(rig, 1, 0, 0, value);
      return (mrs(rig, 0, 1, 0, 0) & mask) === value;
    });
  });

/** Whether an indirect branch to any other instruction than a target is refused. */
function checksTargets(cpu: Probed): boolean {
  const GUARDED = 1n << 50n, TABLES = RAM_BASE + 0x10_0000, { machine } = cpu;
  const table = (index: number, entry: bigint) => machine.view.setBigUint64(TABLES - RAM_BASE + index, entry, true);
  table(8, BigInt(RAM_BASE) | 0x701n | GUARDED);
  machine.core.memoryWritten(TABLES, 16);
  const ec = cpu.run([["br x3", 0xd61f_0060], ["hint #0x0", 0xd503_201f]], EL1, ({ vcpu }) => {
    vcpu.defaultCacheable = false;
    vcpu.setRegister("MAIR_EL1", 0xffn);
    vcpu.setRegister("TCR_EL1", TCR_48 & ~0x3fn | 25n);
    vcpu.setRegister("TTBR0_EL1", BigInt(TABLES));
    vcpu.setRegister("SCTLR_EL1", BigInt(Sctlr.Reset | Sctlr.M));
    vcpu.setX(3, BigInt(CODE + 4));
  });
  machine.vcpu.defaultCacheable = true;
  machine.vcpu.setRegister("SCTLR_EL1", BigInt(Sctlr.Reset));
  return ec === ExceptionClass.BranchTarget;
}

/** The PMU: 1, 4 (16 bits of events), 5 (PMMIR), 6 (PMCR.LP), 7 (PMCR.FZO). */
function monitors(cpu: Probed): number {
  const MRS_PMCR: Line = ["mrs x1, pmcr_el0", 0xd53b_9c01];
  if (!cpu.defines(MRS_PMCR, false)) return 0;
  const held = (write: Line, read: Line, value: bigint) => {
    assert.equal(cpu.run([write, read], EL1, ({ vcpu }) => vcpu.setX(0, value)), undefined);
    return cpu.machine.vcpu.getX(1);
  };
  const isWide = (held(["msr pmevtyper0_el0", 0xd51b_ec00], ["mrs x1, pmevtyper0_el0", 0xd53b_ec01], 0xffffn) & 0xffffn) === 0xffffn;
  if (!isWide) return 1;
  if (!cpu.defines(["mrs x1, pmmir_el1", 0xd538_9ec1], false)) return 4;
  const control = held(["msr pmcr_el0, x0", 0xd51b_9c00], MRS_PMCR, 0x280n);
  return control & 0x200n ? 7 : control & 0x80n ? 6 : 5;
}

/** Whether an exception return to a state of AArch32 is illegal at this level. */
const isOnlyAarch64 = (mode: bigint): Probe =>
  flag((cpu) => {
    const ec = cpu.run([["eret", 0xd69f_03e0]], EL1, ({ vcpu }) => {
      vcpu.setRegister("SPSR_EL1", 0x10n | mode);
      vcpu.setRegister("ELR_EL1", BigInt(CODE + 4));
    });
    return ec === ExceptionClass.IllegalState || (cpu.machine.vcpu.pstate & Pstate.IL) !== 0;
  });

/** The fraction of an estimate of 1/3: more than 8 bits with FEAT_RPRES and FPCR.AH. */
function hasPreciseEstimates(cpu: Probed): boolean {
  cpu.run([["frecpe s0, s1", 0x5ea1_d820]], EL1, ({ vcpu }) => {
    vcpu.setRegister("FPCR", 2n);
    vcpu.setV(1, 0x4040_0000n, 0n);
  });
  cpu.machine.vcpu.setRegister("FPCR", 0n);
  return (cpu.machine.vcpu.getV(0)[0] & 0x7fffn) !== 0n;
}

/** Whether PSTATE.SSBS survives an exception return, and has an instruction. */
function speculation(cpu: Probed): number {
  const rig = new Rig(cpu.name);
  rig.set("SPSR_EL1", BigInt(EL1 | Pstate.SSBS));
  rig.call("exceptionReturn");
  if (!(rig.getWord("PSTATE") & Pstate.SSBS)) return 0;
  return cpu.defines(["mrs x1, ssbs", 0xd53b_42c1], true) ? 2 : 1;
}

/** PAN: its MSR; AT S1E1RP; pages that EL0 may only execute. */
function privilegedNever(cpu: Probed): number {
  if (atEl1([1, "msr pan, #0x1", 0xd500_419f], [2, "sys #0, C7, C9, #0, x0", 0xd508_7900])(cpu) < 2) return 1;
  const rig = mapped(cpu, Leaf.Accessed, { pstate: EL1 | Pstate.PAN });
  msr(rig, 1, 0, 0, mrs(rig, 0, 1, 0, 0) | 1n << BigInt(SCTLR_EPAN_SHIFT));
  return load(rig, LOW).esr === undefined ? 2 : 3;
}

/** By register and lowest bit. */
const FIELDS: Readonly<Record<IdRegister, Readonly<Record<number, Probe | Unseen>>>> = {
  PFR0: {
    0: isOnlyAarch64(0x0n),
    4: isOnlyAarch64(0x3n),
    8: unseen("EL2 is the hypervisor's"),
    12: unseen("EL3 is the firmware's"),
    16: anywhere([1, "fadd h0, h1, h2", 0x1ee2_2820]),
    20: anywhere([1, "fadd v0.8h, v1.8h, v2.8h", 0x4e42_1420]),
    24: unseen("the hypervisor answers for the GIC: tests/machine/hypervisor/traps/traps_test.ts"),
    28: {
      because: "what RAS v1.1 adds is in records of errors, of which there are none",
      above: { value: 1, probe: atEl1([1, "mrs x1, disr_el1", 0xd538_c121]) },
    },
    48: anywhere([1, "mrs x1, dit", 0xd53b_42a1]),
    56: { because: "nothing is predicted here", above: { value: 1, probe: () => 1 } },
    60: unseen("there is no speculation"),
  },
  PFR1: { 0: flag(checksTargets), 4: speculation },
  DFR0: {
    0: unseen("what its versions add is of external debug and of EL2 (docs/differences.md)"),
    8: monitors,
    12: (cpu) => cpu.machine.vcpu.debug.bvr.length - 1,
    20: (cpu) => cpu.machine.vcpu.debug.wvr.length - 1,
    28: unseen("which comparators compare contexts: tests/cpu/core/debug/self-hosted-debug_test.ts"),
  },
  ISAR0: {
    4: anywhere([1, "aese v0.16b, v1.16b", 0x4e28_4820], [2, "pmull v0.1q, v1.1d, v2.1d", 0x0ee2_e020]),
    8: anywhere([1, "sha1c q0, s1, v2.4s", 0x5e02_0020]),
    12: anywhere([1, "sha256h q0, q1, v2.4s", 0x5e02_4020], [2, "sha512h q0, q1, v2.2d", 0xce62_8020]),
    16: anywhere([1, "crc32b w0, w1, w2", 0x1ac2_4020]),
    20: anywhere([2, "ldadd x1, x2, [x0]", 0xf821_0002], [3, "ldclrp x1, x2, [x0]", 0x1922_1001]),
    28: anywhere([1, "sqrdmlah v0.4s, v1.4s, v2.4s", 0x6e82_8420]),
    32: anywhere([1, "eor3 v0.16b, v1.16b, v2.16b, v3.16b", 0xce02_0c20]),
    36: anywhere([1, "sm3partw1 v0.4s, v1.4s, v2.4s", 0xce62_c020]),
    40: anywhere([1, "sm4e v0.4s, v1.4s", 0xcec0_8420]),
    44: anywhere([1, "udot v0.4s, v1.16b, v2.16b", 0x6e82_9420]),
    48: anywhere([1, "fmlal v0.4s, v1.4h, v2.4h", 0x4e22_ec20]),
    52: anywhere([1, "cfinv", 0xd500_401f], [2, "axflag", 0xd500_405f]),
    56: atEl1([1, "sys #0, C8, C1, #0", 0xd508_811f], [2, "sys #0, C8, C6, #1, x1", 0xd508_8621]),
    60: anywhere([1, "mrs x1, rndr", 0xd53b_2401]),
  },
  ISAR1: {
    0: anywhere([1, "sys #3, C7, C12, #1, x0", 0xd50b_7c20], [2, "sys #3, C7, C13, #1, x0", 0xd50b_7d20]),
    4: byAlgorithm(5, authentication),
    8: byAlgorithm(0, authentication),
    12: anywhere([1, "fjcvtzs w0, d1", 0x1e7e_0020]),
    16: anywhere([1, "fcadd v0.4s, v1.4s, v2.4s, #90", 0x6e82_e420]),
    20: anywhere([1, "ldapr x1, [x0]", 0xf8bf_c001], [2, "ldapur x1, [x0]", 0xd940_0001], [3, "ldapr x1, [x0], #8", 0xd9c0_0801]),
    24: byAlgorithm(5, () => 1),
    28: byAlgorithm(0, () => 1),
    32: anywhere([1, "frint32z s0, s1", 0x1e28_4020]),
    36: anywhere([1, "sb", 0xd503_30ff]),
    40: anywhere([1, "sys #3, C7, C3, #4, x0", 0xd50b_7380]),
    44: anywhere([1, "bfdot v0.4s, v1.8h, v2.8h", 0x6e42_fc20]),
    48: unseen("DGH is a hint, which every CPU executes"),
    52: anywhere([1, "smmla v0.4s, v1.16b, v2.16b", 0x4e82_a420]),
    56: atEl1([1, "sys #0, C9, C7, #0", 0xd508_971f]),
  },
  ISAR2: {
    0: anywhere([2, "wfit x0", 0xd503_1020]),
    4: flag(hasPreciseEstimates),
    8: byAlgorithm(3, () => 1),
    12: byAlgorithm(3, authentication),
    16: anywhere([1, "cpyfp [x0]!, [x1]!, x2!", 0x1901_0440]),
    20: anywhere([1, "bc.eq", 0x5400_0030]),
    48: unseen("RPRFM is a hint, which every CPU executes"),
    52: anywhere([1, "abs x0, x1", 0xdac0_2020]),
  },
  MMFR0: {
    0: outputRange,
    4: (cpu) => has16BitAsids(cpu) ? 2 : 0,
    20: (cpu) => !reaches(cpu, ...KIB_16, 20) ? 0 : reaches(cpu, ...KIB_16, 12, DS) ? 2 : 1,
    24: (cpu) => reaches(cpu, ...KIB_64, 25) ? 0 : 0xf,
    28: (cpu) => !reaches(cpu, ...KIB_4, 25) ? 0xf : reaches(cpu, ...KIB_4, 12, DS) ? 1 : 0,
    32: unseen("pages of stage 2"),
    40: unseen("pages of stage 2"),
    56: unseen("fine-grained traps are EL2's"),
    60: anywhere([1, "mrs x1, cntvctss_el0", 0xd53b_e0c1]),
  },
  MMFR1: {
    0: hardwareUpdates,
    4: unseen("VMIDs are EL2's"),
    8: unseen("VHE is EL2's"),
    12: flag((cpu) => store(mapped(cpu, Leaf.Accessed, { tcr: 1n << 41n, tableBits: Leaf.TableNoWrite }), LOW).esr === undefined),
    16: anywhere([1, "ldlar x1, [x0]", 0xc8df_7c01]),
    20: privilegedNever,
    28: unseen("execution rights of stage 2"),
    44: (cpu) => {
      cpu.run([["msr fpcr, x2", 0xd51b_4402]], EL1, ({ vcpu }) => vcpu.setX(2, 2n));
      const found = Number(cpu.machine.vcpu.getRegister("FPCR") >> 1n);
      cpu.machine.vcpu.setRegister("FPCR", 0n);
      return found;
    },
  },
  MMFR2: {
    0: unseen("CnP is about CPUs that share TLBs, which these do not"),
    4: atEl1([1, "msr uao, #0x1", 0xd500_417f]),
    12: holdsControl(21),
    16: flag((cpu) => reaches(cpu, ...KIB_64, 12)),
    20: flag((cpu) => mrs(new Rig(cpu.name), 1, 0, 0, 0) >> 32n !== 0n),
    28: flag((cpu) => reaches(cpu, ...KIB_4, 45)),
    32: flag((cpu) => cpu.run([["ldar x1, [x0]", 0xc8df_fc01]], EL0, ({ vcpu }) => vcpu.setX(0, BigInt(DATA + 1))) === undefined),
    36: flag((cpu) => cpu.run([["mrs x1, id_aa64pfr0_el1", 0xd538_0401]], EL0) === ExceptionClass.SystemRegister),
    40: unseen("attributes of stage 2"),
    48: unseen("levels in a TLBI are hints"),
    52: unseen("no change of block sizes makes a conflict here"),
    60: flag((cpu) => load(mapped(cpu, Leaf.Accessed | Leaf.User, { tcr: 1n << 55n, pstate: EL0 }), LOW).esr !== undefined),
  },
};

Deno.test("each field of the ID registers says what a program at EL0 and at EL1 finds", () => {
  for (const name of CPUS) {
    const identification = identificationOf(parseCpu(name).features), cpu = new Probed(name);
    for (const register of ID_REGISTERS) {
      for (const [bit, probe] of Object.entries(FIELDS[register])) {
        const value = Number(identification[register] >> BigInt(bit) & 15n), what = `${name}: ID_AA64${register}_EL1[${bit}]`;
        if (typeof probe === "function") assert.equal(probe(cpu), value, what);
        else if (probe.above) assert.equal(probe.above.probe(cpu), Math.min(value, probe.above.value), what);
      }
    }
  }
});

Deno.test("a field of an ID register without a probe is zero on every CPU", () => {
  for (const name of CPUS) {
    const identification = identificationOf(parseCpu(name).features);
    for (const register of ID_REGISTERS) {
      const probed = Object.keys(FIELDS[register]).reduce((mask, bit) => mask | 15n << BigInt(bit), 0n);
      assert.equal(identification[register] & ~probed & ALL_BITS, 0n, `${name}: ID_AA64${register}_EL1`);
    }
  }
});
