// System registers and maintenance instructions: privileges, values, side effects, traps.

import assert from "node:assert/strict";
import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { CPU } from "../../../../src/cpu/core/state/cpu-state.ts";
import { Pstate } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { systemRegisters } from "../../../../src/cpu/core/registers/system-registers.ts";
import { encodeSystemInstruction } from "../../../../src/cpu/core/registers/system-instructions.ts";
import { systemRegisterNumber } from "../../../../src/cpu/isa/names/system-register-names.ts";
import { enable, Leaf, PageTables } from "../memory/page-tables.ts";
import { CODE, type Outcome, RAM_BASE, Rig } from "../rig.ts";

const SYSTEM_REGISTERS = systemRegisters(parseCpu("max").features);

const UNDEFINED = 0x0200_0000;

function rig(pstate: number = Pstate.EL1h): Rig {
  const rig = new Rig("max");
  rig.pstate(pstate);
  return rig;
}

const encodingOf = (name: string): number => {
  const found = SYSTEM_REGISTERS.find((register) => register.name === name);
  if (!found) throw new Error(`no register ${name}`);
  return found.encoding;
};
/** The instruction word of an access, for the syndrome. */
const word = (encoding: number, read: boolean, rt = 5) => 0xd500_0000 + (read ? 1 << 21 : 0) + (1 << 20) + ((encoding & 0x7fff) << 5) + rt;
const mrs = (cpu: Rig, name: string | number): Outcome => {
  const encoding = typeof name === "number" ? name : encodingOf(name);
  cpu.word = word(encoding, true);
  return cpu.call("readSystemRegister", encoding);
};
const msr = (cpu: Rig, name: string | number, value: bigint): Outcome => {
  const encoding = typeof name === "number" ? name : encodingOf(name);
  cpu.word = word(encoding, false);
  return cpu.call("writeSystemRegister", encoding, BigInt.asIntN(64, value));
};

Deno.test("no two registers have one encoding, and names are unique", () => {
  assert.equal(new Set(SYSTEM_REGISTERS.map((register) => register.encoding)).size, SYSTEM_REGISTERS.length);
  assert.equal(new Set(SYSTEM_REGISTERS.map((register) => register.name)).size, SYSTEM_REGISTERS.length);
});

Deno.test("a plain register keeps all 64 bits", () => {
  const names = [
    "TPIDR_EL1",
    "TPIDR_EL0",
    "TPIDRRO_EL0",
    "ELR_EL1",
    "FAR_EL1",
    "SP_EL0",
    "AFSR0_EL1",
    "PAR_EL1",
    "CONTEXTIDR_EL1",
    "AMAIR_EL1",
  ];
  const cpu = rig();
  names.forEach((name, i) => msr(cpu, name, 0xf123_4567_89ab_cde0n + BigInt(i)));
  names.forEach((name, i) => assert.equal(mrs(cpu, name).value, 0xf123_4567_89ab_cde0n + BigInt(i), name));
});

Deno.test("registers keep the bits that exist", () => {
  const all = (1n << 64n) - 1n;
  const expected: Record<string, bigint> = {
    VBAR_EL1: all ^ 0x7ffn,
    CSSELR_EL1: 0xfn,
    CPACR_EL1: 0x30_0000n,
    ESR_EL1: 0xffff_ffffn,
    CNTKCTL_EL1: 0x3ffn,
    FPCR: 0x07c8_0007n,
    FPSR: 0x0800_009fn,
    NZCV: 0xf000_0000n,
    DAIF: 0x3c0n,
  };
  for (const [name, value] of Object.entries(expected)) {
    const cpu = rig();
    cpu.set("CPACR_EL1", 0x30_0000n);
    cpu.call("updateRegime");
    msr(cpu, name, all);
    assert.equal(mrs(cpu, name).value, value, name);
  }
  const cpu = rig();
  msr(cpu, "SCTLR_EL1", 0n);
  assert.equal(mrs(cpu, "SCTLR_EL1").value, 0x3040_0800n, "RES1 bits, without TSCXT");
});

Deno.test("identification is what the core is", () => {
  const cpu = rig();
  cpu.set("MIDR_EL1", 0xf0510n);
  cpu.set("MPIDR_EL1", 0x8000_0002n);
  const expected = {
    MIDR_EL1: 0xf0510n,
    MPIDR_EL1: 0x8000_0002n,
    REVIDR_EL1: 0n,
    CTR_EL0: 0xb444_c004n,
    DCZID_EL0: 4n,
    CNTFRQ_EL0: 62_500_000n,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(mrs(cpu, name).value, value, name);
  for (const name of Object.keys(expected)) assert.equal(msr(cpu, name, 1n).esr, UNDEFINED, `${name} cannot be written`);
});

Deno.test("CCSIDR_EL1 describes the cache that CSSELR_EL1 selects, in the format of the CPU", () => {
  for (const [name, sets, setsMask, waysMask] of [["v8", 13n, 0x7fffn, 0x3ffn], ["max", 32n, 0xff_ffffn, 0x1f_ffffn]] as const) {
    const cpu = new Rig(name);
    const describe = (selection: bigint) => {
      msr(cpu, "CSSELR_EL1", selection);
      const value = mrs(cpu, "CCSIDR_EL1").value as bigint;
      return Number(((value >> sets & setsMask) + 1n) * ((value >> 3n & waysMask) + 1n) * (16n << (value & 7n)));
    };
    assert.deepEqual([0n, 1n, 2n].map(describe), [32 * 1024, 32 * 1024, 1024 * 1024], name);
  }
});

Deno.test("SCXTNUM_EL0 is EL0's unless SCTLR_EL1.TSCXT is set, which is RES1 without FEAT_CSV2_2", () => {
  const cpu = rig(), TSCXT = 1n << 20n;
  msr(cpu, "SCXTNUM_EL1", 5n);
  for (const [control, permitted] of [[0n, true], [TSCXT, false]] as const) {
    cpu.pstate(Pstate.EL1h);
    msr(cpu, "SCTLR_EL1", control);
    assert.equal((mrs(cpu, "SCTLR_EL1").value as bigint) & TSCXT, control);
    const atEl0 = (access: () => Outcome) => {
      cpu.pstate(Pstate.EL0t);
      return access();
    };
    const write = atEl0(() => msr(cpu, "SCXTNUM_EL0", 7n)), read = atEl0(() => mrs(cpu, "SCXTNUM_EL0"));
    const classes = [write, read].map(({ esr }) => esr === undefined ? undefined : esr >>> 26);
    assert.deepEqual([...classes, read.value], permitted ? [undefined, undefined, 7n] : [0x18, 0x18, undefined]);
    assert.equal(atEl0(() => mrs(cpu, "SCXTNUM_EL1")).esr, UNDEFINED);
  }
  const without = new Rig("v8.6");
  msr(without, "SCTLR_EL1", 0n);
  assert.equal((mrs(without, "SCTLR_EL1").value as bigint) & TSCXT, TSCXT);
});

/** The class of the exception that a read at EL0 ends with. */
const refusedRead = (cpu: Rig, encoding: number): number => {
  cpu.pstate(Pstate.EL0t);
  return mrs(cpu, encoding).esr! >>> 26;
};

Deno.test("at EL0 the registers of EL1 are undefined; reads of the feature ID space are trapped with FEAT_IDST", () => {
  for (const register of SYSTEM_REGISTERS) {
    if (register.encoding >> 11 & 7) continue;
    assert.equal(refusedRead(new Rig("v8.2"), register.encoding), 0, register.name);
    const isIdentification = (register.encoding >> 7 & 15) === 0;
    assert.equal(refusedRead(new Rig("v8.4"), register.encoding), isIdentification ? 0x18 : 0, register.name);
    assert.equal(msr(rig(Pstate.EL0t), register.encoding, 0n).esr, UNDEFINED, register.name);
  }
  // Allocated or not: op1 0, 1 and 3, CRm 0 to 7.
  for (let op1 = 0; op1 < 8; op1++) {
    for (let crm = 0; crm < 16; crm++) {
      for (let op2 = 0; op2 < 8; op2++) {
        const encoding = systemRegisterNumber(3, op1, 0, crm, op2);
        if (SYSTEM_REGISTERS.some((register) => register.encoding === encoding && register.read?.privilege !== 1)) continue;
        const isIdentification = crm < 8 && (op1 === 0 || op1 === 1 || op1 === 3);
        assert.equal(refusedRead(new Rig("v8.4"), encoding), isIdentification ? 0x18 : 0, `s3_${op1}_c0_c${crm}_${op2}`);
      }
    }
  }
  const cpu = new Rig("max");
  cpu.pstate(Pstate.EL0t);
  assert.equal(mrs(cpu, systemRegisterNumber(3, 0, 0, 4, 0)).esr, 0x6230_00a9, "ID_AA64PFR0_EL1 to X5");
});

Deno.test("the communication channel of a debugger reads as zero, also at EL0 unless MDSCR_EL1.TDCC is set", () => {
  for (const [name, isWritten] of [["MDCCSR_EL0", false], ["DBGDTR_EL0", true], ["DBGDTRRX_EL0", true]] as const) {
    for (const pstate of [Pstate.EL0t, Pstate.EL1h]) {
      for (const mdscr of [0n, 1n << 12n]) {
        const cpu = rig(pstate), refused = pstate === Pstate.EL0t && mdscr !== 0n;
        cpu.set("MDSCR_EL1", mdscr);
        const read = mrs(cpu, name);
        assert.deepEqual([read.value, read.esr && read.esr >>> 26], refused ? [undefined, 0x18] : [0n, undefined], name);
        cpu.pstate(pstate);
        const write = msr(cpu, name, 1n);
        assert.equal(write.esr && write.esr >>> 26, !isWritten ? 0 : refused ? 0x18 : undefined, name);
      }
    }
  }
});

Deno.test("EL0 has its own registers", () => {
  const cpu = rig(Pstate.EL0t);
  msr(cpu, "TPIDR_EL0", 7n);
  assert.equal(mrs(cpu, "TPIDR_EL0").value, 7n);
  assert.equal(mrs(cpu, "TPIDRRO_EL0").value, 0n);
  cpu.set("SCTLR_EL1", 1n << 14n);
  assert.equal(mrs(cpu, "DCZID_EL0").value, 4n);
  cpu.set("SCTLR_EL1", 0n);
  assert.equal(mrs(cpu, "DCZID_EL0").value, 0x14n, "DZP, where SCTLR_EL1.DZE forbids DC ZVA");
  assert.equal(msr(cpu, "TPIDRRO_EL0", 1n).esr, UNDEFINED);
});

Deno.test("what EL1 can withhold from EL0 is trapped with the access in the syndrome", () => {
  const cases: [string, keyof typeof CPU, bigint][] = [
    ["CTR_EL0", "SCTLR_EL1", 1n << 15n],
    ["DAIF", "SCTLR_EL1", 1n << 9n],
    ["CNTFRQ_EL0", "CNTKCTL_EL1", 1n],
    ["CNTFRQ_EL0", "CNTKCTL_EL1", 2n],
    ["CNTPCT_EL0", "CNTKCTL_EL1", 1n],
    ["CNTVCT_EL0", "CNTKCTL_EL1", 2n],
    ["CNTV_CTL_EL0", "CNTKCTL_EL1", 1n << 8n],
    ["CNTP_CVAL_EL0", "CNTKCTL_EL1", 1n << 9n],
  ];
  for (const [name, control, bit] of cases) {
    const cpu = rig(Pstate.EL0t);
    cpu.set(control, 0n);
    const encoding = encodingOf(name);
    const [op0, op1, crn, crm, op2] = [encoding >> 14, encoding >> 11 & 7, encoding >> 7 & 15, encoding >> 3 & 15, encoding & 7];
    const iss = op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | 5 << 5 | crm << 1 | 1;
    assert.equal(mrs(cpu, name).esr, 0x6200_0000 + iss, name);
    cpu.pstate(Pstate.EL0t);
    cpu.set(control, bit);
    assert.notEqual(mrs(cpu, name).value, undefined, name);
  }
});

Deno.test("registers that the core does not hold leave for EL2 from EL1, and EL0 is refused", () => {
  const foreign: [number, number, number, number, number][] = [
    [3, 0, 0, 4, 0],
    [3, 0, 0, 7, 3],
    [3, 0, 12, 12, 0],
    [3, 0, 1, 0, 1],
    [2, 0, 1, 0, 4],
    [3, 3, 14, 8, 6],
    [
      3,
      0,
      15,
      0,
      0,
    ],
  ] as const;
  for (const fields of foreign) {
    const encoding = systemRegisterNumber(...fields);
    const [op0, op1, crn, crm, op2] = fields;
    const iss = op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | 5 << 5 | crm << 1;
    const read = mrs(rig(), encoding), write = msr(rig(), encoding, 0n);
    assert.deepEqual([read.exit, read.esr, read.pc], [ExitReason.Trap, 0x6200_0001 + iss, CODE], fields.join());
    assert.deepEqual([write.exit, write.esr], [ExitReason.Trap, 0x6200_0000 + iss]);
    assert.equal(mrs(rig(Pstate.EL0t), encoding).esr! >>> 26, op0 === 3 && crn === 0 ? 0x18 : 0);
  }
});

Deno.test("SP_EL0 is undefined while it is the stack pointer, SPSel changes the bank", () => {
  const cpu = rig();
  cpu.sp = 1n;
  msr(cpu, "SP_EL0", 2n);
  msr(cpu, "SPSel", 0n);
  assert.equal(cpu.sp, 2n);
  assert.equal(mrs(cpu, "SP_EL0").esr, UNDEFINED);
  cpu.pstate(Pstate.EL1t);
  assert.equal(msr(cpu, "SP_EL0", 3n).esr, UNDEFINED);
  cpu.pstate(Pstate.EL1t);
  cpu.call("writePstateField", 5, 1);
  assert.equal(mrs(cpu, "SPSel").value, 1n);
  assert.equal(cpu.get("SP_EL0"), 2n);
});

Deno.test("PSTATE fields read in place", () => {
  const cpu = rig(Pstate.EL1h | Pstate.PAN | Pstate.I);
  assert.deepEqual(["CurrentEL", "SPSel", "PAN", "DAIF"].map((name) => mrs(cpu, name).value), [4n, 1n, 1n << 22n, 0x80n]);
  cpu.call("writePstateField", 4, 0);
  cpu.call("writePstateField", 0b011_110, 0b1001);
  assert.deepEqual(["PAN", "DAIF"].map((name) => mrs(cpu, name).value), [0n, 0x2c0n]);
});

Deno.test("a change of PAN makes the interpreter read the TLB base anew", () => {
  const cpu = rig();
  const before = cpu.getWord("TLB");
  assert.equal(cpu.call("writePstateField", 4, 1).pc, CODE + 4n);
  assert.notEqual(cpu.getWord("TLB"), before);
});

Deno.test("EL0 may mask interrupts only with SCTLR_EL1.UMA, and never write PAN or SPSel", () => {
  for (const field of [0b011_110, 0b011_111]) {
    const cpu = rig(Pstate.EL0t);
    cpu.word = 0xd503_42df;
    assert.equal(cpu.call("writePstateField", field, 2).esr! >>> 26, 0x18);
    cpu.pstate(Pstate.EL0t);
    cpu.set("SCTLR_EL1", 1n << 9n);
    assert.equal(cpu.call("writePstateField", field, 2).esr, undefined);
  }
  for (const field of [4, 5]) assert.equal(rig(Pstate.EL0t).call("writePstateField", field, 1).esr, UNDEFINED);
});

Deno.test("FPCR and FPSR are trapped with FP, and FPEN says at which EL", () => {
  for (const [fpen, el0, el1] of [[0n, true, true], [1n, true, false], [2n, true, true], [3n, false, false]] as const) {
    for (const [pstate, trapped] of [[Pstate.EL0t, el0], [Pstate.EL1h, el1]] as const) {
      const cpu = rig();
      msr(cpu, "CPACR_EL1", fpen << 20n);
      cpu.pstate(pstate);
      assert.equal(mrs(cpu, "FPCR").esr, trapped ? 0x1fe0_0000 : undefined, `FPEN ${fpen}, PSTATE ${pstate}`);
    }
  }
});

Deno.test("counters are virtual time in ticks of 16 ns", () => {
  const cpu = rig();
  cpu.time = 16_000_000_007;
  for (const name of ["CNTVCT_EL0", "CNTPCT_EL0"]) assert.equal(mrs(cpu, name).value, 1_000_000_000n);
});

Deno.test("a timer's condition is met when the counter reaches CVAL, and TVAL is the distance", () => {
  for (const timer of ["CNTV", "CNTP"]) {
    const cpu = rig();
    cpu.time = 16 * 1000;
    const write = msr(cpu, `${timer}_TVAL_EL0`, 50n);
    assert.deepEqual([write.exit, write.pc], [ExitReason.Timer, CODE + 4n]);
    assert.equal(mrs(cpu, `${timer}_CVAL_EL0`).value, 1050n);
    msr(cpu, `${timer}_CTL_EL0`, 7n);
    assert.equal(mrs(cpu, `${timer}_CTL_EL0`).value, 3n);
    cpu.time = 16 * 1050 - 1;
    assert.equal(mrs(cpu, `${timer}_CTL_EL0`).value, 3n);
    cpu.time = 16 * 1050;
    assert.equal(mrs(cpu, `${timer}_CTL_EL0`).value, 7n);
    cpu.time = 16 * 1060;
    assert.equal(mrs(cpu, `${timer}_TVAL_EL0`).value, 0xffff_fff6n);
    msr(cpu, `${timer}_CTL_EL0`, 0n);
    assert.equal(mrs(cpu, `${timer}_CTL_EL0`).value, 0n);
    msr(cpu, `${timer}_TVAL_EL0`, 0xffff_ffffn);
    assert.equal(mrs(cpu, `${timer}_CVAL_EL0`).value, 1059n, "TVAL is signed");
  }
});

Deno.test("ISR_EL1 shows the interrupt inputs", () => {
  const cpu = rig(Pstate.EL1h | Pstate.Daif);
  cpu.setWord("IRQ", 1);
  assert.equal(mrs(cpu, "ISR_EL1").value, 0x80n);
  cpu.setWord("FIQ", 1);
  assert.equal(mrs(cpu, "ISR_EL1").value, 0xc0n);
});

const sys = (cpu: Rig, fields: [number, number, number, number], operand: bigint) => {
  const encoding = encodeSystemInstruction(...fields);
  cpu.word = 0xd508_0000 + (encoding << 5) + 3;
  return cpu.call("systemInstruction", encoding, BigInt.asIntN(64, operand));
};

Deno.test("cache maintenance is for EL1, by address for EL0 where SCTLR_EL1.UCI allows", () => {
  const whole: [number, number, number, number][] = [[0, 7, 1, 0], [0, 7, 5, 0], [0, 7, 6, 2], [0, 7, 10, 2], [0, 7, 14, 2]];
  const byAddress: [number, number, number, number][] = [[3, 7, 10, 1], [3, 7, 11, 1], [3, 7, 12, 1], [3, 7, 14, 1], [3, 7, 5, 1], [
    3,
    7,
    13,
    1,
  ]];
  for (const fields of whole) {
    assert.equal(sys(rig(), fields, 0n).esr, undefined);
    assert.equal(sys(rig(Pstate.EL0t), fields, 0n).esr, UNDEFINED);
  }
  for (const fields of byAddress) {
    assert.equal(sys(rig(), fields, BigInt(RAM_BASE)).esr, undefined);
    const trapped = rig(Pstate.EL0t);
    trapped.set("SCTLR_EL1", 0n);
    assert.equal(sys(trapped, fields, BigInt(RAM_BASE)).esr! >>> 26, 0x18);
    const allowed = rig(Pstate.EL0t);
    allowed.set("SCTLR_EL1", 1n << 26n);
    assert.equal(sys(allowed, fields, BigInt(RAM_BASE)).esr, undefined);
  }
  assert.equal(sys(new Rig(), [3, 7, 13, 1], 0n).esr, UNDEFINED, "DC CVADP is FEAT_DPB2");
});

Deno.test("cache maintenance of an address that stage 1 does not map is an abort that says so", () => {
  const cpu = rig();
  const tables = new PageTables(cpu);
  enable(cpu, tables);
  const outcome = sys(cpu, [3, 7, 14, 1], 0x1000n);
  assert.deepEqual([outcome.esr, outcome.far], [0x9600_0000 + 0x140 + 0x04, 0x1000n]);
});

Deno.test("DC ZVA at EL0 needs SCTLR_EL1.DZE", () => {
  const cpu = rig(Pstate.EL0t);
  cpu.set("SCTLR_EL1", 0n);
  assert.equal(cpu.call("checkZeroAllowed").esr! >>> 26, 0x18);
  cpu.pstate(Pstate.EL0t);
  cpu.set("SCTLR_EL1", 1n << 14n);
  assert.equal(cpu.call("checkZeroAllowed").esr, undefined);
});

Deno.test("AT puts address and attributes, or the fault, into PAR_EL1", () => {
  const cpu = rig();
  const tables = new PageTables(cpu);
  tables.map(0x1000n, RAM_BASE + 0x5000, Leaf.Accessed | Leaf.ReadOnly | 3n << 8n);
  tables.map(0x2000n, RAM_BASE + 0x6000, Leaf.Accessed | Leaf.Device | Leaf.User);
  enable(cpu, tables);
  const at = (op2: number, va: bigint) => {
    assert.equal(sys(cpu, [0, 7, 8, op2], va).esr, undefined);
    return cpu.get("PAR_EL1");
  };
  assert.equal(at(0, 0x1234n), 0xff00_0000_4000_5980n);
  assert.equal(at(1, 0x1234n), BigInt(0x0f << 1 | 1 | 0x800));
  assert.equal(at(2, 0x1234n), BigInt(0x0f << 1 | 1 | 0x800));
  assert.equal(at(3, 0x2000n), 0x0400_0000_4000_6800n);
  assert.equal(at(0, 0x8_0000_0000n), BigInt(0x05 << 1 | 1 | 0x800));
  cpu.pstate(Pstate.EL1h | Pstate.PAN);
  assert.equal(at(0, 0x2000n), 0x0400_0000_4000_6800n, "PAN does not count");
});
