// Features of memory: FEAT_LSE2's rule of alignment, HPDS, E0PD, PAN2, PAN3, and TLBI of ranges and
// of the outer domain. CPUs without a feature do as before.

import assert from "node:assert/strict";
import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { Pstate, Sctlr, SCTLR_EPAN_SHIFT } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { encodeSystemInstruction } from "../../../../src/cpu/core/registers/system-instructions.ts";
import { Machine, RAM_BASE } from "../program.ts";
import { ExitReason, Stage2Flags } from "../../../../src/cpu/core/interface.ts";
import { type Outcome, Rig } from "../rig.ts";
import { enable, Leaf, PageTables } from "./page-tables.ts";

const LOW = 0x5000_0000n, HIGH = 0xffff_8000_5000_0000n, PAGE = RAM_BASE + 0x2_0000, VALUE = 0x1122_3344_5566_7788n;
const CODE = RAM_BASE + 0x1000, DATA = RAM_BASE + 0x8000, VECTORS = RAM_BASE + 0x1_0000;
const HPD = 3n << 41n, E0PD0 = 1n << 55n, E0PD1 = 1n << 56n;
const signed = (va: bigint) => BigInt.asIntN(64, va);
const load = (rig: Rig, va: bigint) => rig.call("slowLoad", signed(va), 8);
const store = (rig: Rig, va: bigint) => rig.call("slowStore", signed(va), 8, 1n);
const sys = (rig: Rig, op1: number, crm: number, op2: number, operand = 0n, crn = 8) =>
  rig.call("systemInstruction", encodeSystemInstruction(op1, crn, crm, op2), signed(operand));
const status = ({ esr }: Outcome) => esr === undefined ? undefined : esr & 0x3f;

function mapped(cpu: string, attributes: bigint, tableBits = 0n) {
  const rig = new Rig(cpu), tables = new PageTables(rig), high = new PageTables(rig);
  tables.map(LOW, PAGE, attributes, 3, tableBits);
  high.map(HIGH, PAGE, attributes, 3, tableBits);
  enable(rig, tables, high);
  rig.poke(PAGE, VALUE);
  return { rig, tables, high };
}

/** Instructions by [X20], their sizes, and whether SCTLR_EL1.nAA is about them. */
const ALIGNED = [
  ["ldar x1, [x20]", 0xc8df_fe81, 8, true],
  ["ldarh w1, [x20]", 0x48df_fe81, 2, true],
  ["stlr w1, [x20]", 0x889f_fe81, 4, true],
  ["ldapr x1, [x20]", 0xf8bf_c281, 8, true],
  ["stlur x1, [x20]", 0xd900_0281, 8, true],
  ["ldxr w1, [x20]", 0x885f_7e81, 4, false],
  ["ldadd x1, x2, [x20]", 0xf821_0282, 8, false],
  ["swph w1, w2, [x20]", 0x7821_8282, 2, false],
  ["cas x1, x2, [x20]", 0xc8a1_7e82, 8, false],
  ["casp x0, x1, x2, x3, [x20]", 0x4820_7e82, 16, false],
  ["ldxp x1, x2, [x20]", 0xc87f_0a81, 16, false],
] as const;

Deno.test("with FEAT_LSE2, accesses may be misaligned inside of 16 bytes; with nAA, ordered ones anywhere", () => {
  for (const cpu of ["v8.4", "v8.2,+FEAT_LRCPC2"]) {
    for (const tier of ["interp", "jit"] as const) {
      const has = parseCpu(cpu).features.has("FEAT_LSE2");
      const machine = new Machine({ cpu: parseCpu(cpu), ...(tier === "jit" && { tier, hotness: { samples: 1, landings: 1, slice: 20 } }) });
      const { vcpu, view } = machine;
      vcpu.defaultCacheable = true;
      vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
      for (const [text, word, size, ordered] of ALIGNED) {
        for (const nAA of [0, Sctlr.nAA]) {
          vcpu.setRegister("SCTLR_EL1", BigInt(Sctlr.Reset | nAA));
          // The access; b .-4.
          view.setUint32(CODE - RAM_BASE, word, true);
          view.setUint32(CODE + 4 - RAM_BASE, 0x17ff_ffff, true);
          machine.core.memoryWritten(CODE, 8);
          vcpu.setX(20, BigInt(DATA));
          machine.run(60, CODE);
          for (let offset = 0; offset < 16; offset++) {
            vcpu.pstate = 0x3c5;
            vcpu.setRegister("ESR_EL1", 0n);
            vcpu.setX(20, BigInt(DATA + offset));
            machine.run(1, CODE);
            const misaligned = offset % size !== 0, beyond = offset + size > 16;
            const faults = misaligned && (has ? beyond && !(ordered && nAA) : true);
            assert.equal(Number(vcpu.getRegister("ESR_EL1")) & 0x3f, faults ? 0x21 : 0, `${cpu}: ${text} at ${offset}, nAA ${nAA}`);
          }
        }
      }
      // ldadd x1, x2, [x20] at an odd place adds to those bytes.
      vcpu.pstate = 0x3c5;
      vcpu.setRegister("SCTLR_EL1", BigInt(Sctlr.Reset));
      if (!has) continue;
      view.setBigUint64(DATA + 3 - RAM_BASE, 40n, true);
      view.setUint32(CODE - RAM_BASE, 0xf821_0282, true);
      machine.core.memoryWritten(CODE, 4);
      vcpu.setX(20, BigInt(DATA + 3));
      vcpu.setX(1, 2n);
      machine.run(1, CODE);
      assert.deepEqual([view.getBigUint64(DATA + 3 - RAM_BASE, true), vcpu.getX(2)], [42n, 40n]);
    }
  }
});

Deno.test("TCR_EL1.HPD0 and HPD1 take the permissions of tables away", () => {
  const READ_ONLY_TABLE = 1n << 62n;
  for (const [cpu, permitted] of [["v8.2", true], ["v8", false]] as const) {
    const { rig } = mapped(cpu, Leaf.Accessed, READ_ONLY_TABLE);
    for (const va of [LOW, HIGH]) assert.equal(status(store(rig, va)), 0x0f);
    rig.set("TCR_EL1", rig.get("TCR_EL1") | HPD);
    rig.functions.tlbFlushAll?.();
    for (const va of [LOW, HIGH]) assert.equal(status(store(rig, va)), permitted ? undefined : 0x0f);
  }
});

Deno.test("TCR_EL1.E0PD0 and E0PD1 hide a half of the address space from EL0", () => {
  for (const [cpu, hides] of [["v8.6", true], ["v8.4", false]] as const) {
    for (const [bit, hidden, seen] of [[E0PD0, LOW, HIGH], [E0PD1, HIGH, LOW]] as const) {
      const { rig } = mapped(cpu, Leaf.Accessed | Leaf.User);
      rig.set("TCR_EL1", rig.get("TCR_EL1") | bit);
      assert.equal(load(rig, hidden).value, VALUE, "EL1 sees both");
      rig.pstate(Pstate.EL0t);
      assert.equal(status(load(rig, hidden)), hides ? 0x04 : undefined, `${cpu}: a translation fault of level 0`);
      rig.pstate(Pstate.EL0t);
      assert.equal(load(rig, seen).value, VALUE);
    }
  }
});

Deno.test("with EPAN, PAN denies pages that EL0 may only execute", () => {
  const EL1_PAN = Pstate.EL1h | Pstate.PAN, EPAN = 1n << BigInt(SCTLR_EPAN_SHIFT);
  // Neither is accessible at EL0; the second cannot be executed there.
  for (const [attributes, denied] of [[Leaf.Accessed, true], [Leaf.Accessed | Leaf.Uxn, false]] as const) {
    for (const [cpu, has] of [["max", true], ["v8.6", false]] as const) {
      const { rig } = mapped(cpu, attributes);
      rig.pstate(EL1_PAN);
      assert.equal(load(rig, LOW).value, VALUE);
      rig.set("SCTLR_EL1", rig.get("SCTLR_EL1") | EPAN);
      rig.call("systemInstruction", encodeSystemInstruction(0, 8, 7, 0), 0n);
      assert.equal(status(load(rig, LOW)), has && denied ? 0x0f : undefined);
    }
  }
});

Deno.test("with PSTATE.UAO, LDTR and STTR of EL1 are checked as LDR and STR; AT is not, and an exception clears it", () => {
  const UNPRIVILEGED = 0x200, kernel = mapped("v8.2", Leaf.Accessed).rig, user = mapped("v8.2", Leaf.Accessed | Leaf.User).rig;
  const kinds = [["slowLoad", []], ["slowStore", [1n]]] as const;
  const outcome = (rig: Rig, pstate: number) =>
    kinds.map(([name, value]) => {
      rig.pstate(pstate);
      return status(rig.call(name, signed(LOW), 8 | UNPRIVILEGED, ...value));
    });
  const denied = [0x0f, 0x0f], permitted = [undefined, undefined];
  for (const again of [1, 2]) {
    assert.deepEqual(outcome(kernel, Pstate.EL1h), denied, `${again}`);
    assert.deepEqual(outcome(kernel, Pstate.EL1h | Pstate.UAO), permitted);
    assert.deepEqual(outcome(kernel, Pstate.EL0t | Pstate.UAO), denied);
    // PAN is for accesses of EL1.
    assert.deepEqual(outcome(user, Pstate.EL1h | Pstate.PAN), permitted);
    assert.deepEqual(outcome(user, Pstate.EL1h | Pstate.PAN | Pstate.UAO), denied);
    assert.deepEqual(outcome(user, Pstate.EL1h | Pstate.UAO), permitted);
  }
  // AT S1E0R is about EL0.
  kernel.pstate(Pstate.EL1h | Pstate.UAO);
  sys(kernel, 0, 8, 2, LOW, 7);
  assert.equal(kernel.get("PAR_EL1") & 0x7fn, 1n | 0x0fn << 1n);

  const UAO = 3 << 14 | 4 << 7 | 2 << 3 | 4;
  kernel.call("writeSystemRegister", UAO, signed(1n << 23n));
  assert.equal(kernel.call("readSystemRegister", UAO).value, 1n << 23n);
  kernel.call("writePstateField", 3, 0);
  assert.equal(kernel.call("readSystemRegister", UAO).value, 0n);
  kernel.call("writePstateField", 3, 1);
  kernel.call("raiseSupervisorCall", 0);
  assert.deepEqual([kernel.getWord("PSTATE") & Pstate.UAO, Number(kernel.get("SPSR_EL1")) & Pstate.UAO], [0, Pstate.UAO]);
  kernel.call("exceptionReturn");
  assert.equal(kernel.getWord("PSTATE") & Pstate.UAO, Pstate.UAO);
  const old = new Rig();
  assert.equal(old.call("readSystemRegister", UAO).exit, ExitReason.Trap, "EL2 answers what the CPU has not");
  assert.equal(old.call("writePstateField", 3, 1).esr, 0x200_0000);
});

Deno.test("AT S1E1RP and S1E1WP obey PAN, AT S1E1R does not", () => {
  const { rig } = mapped("v8.2", Leaf.Accessed | Leaf.User);
  rig.pstate(Pstate.EL1h | Pstate.PAN);
  const par = (crm: number, op2: number) => {
    assert.equal(sys(rig, 0, crm, op2, LOW, 7).esr, undefined);
    return rig.get("PAR_EL1");
  };
  assert.equal(par(8, 0) & 1n, 0n);
  assert.equal(par(9, 0) & 0x7fn, 1n | 0x0fn << 1n, "a permission fault of level 3");
  assert.equal(par(9, 1) & 1n, 1n);
  rig.pstate(Pstate.EL1h);
  assert.equal(par(9, 0) & 1n, 0n);
  const old = new Rig();
  assert.equal(sys(old, 0, 9, 0, LOW, 7).esr, 0x200_0000);
});

Deno.test("TLBI of a range drops its pages and leaves the others, in every form", () => {
  const PAGES = 8, NUM = (count: number) => BigInt(count / 2 - 1) << 39n, TG_4K = 1n << 46n;
  for (const [crm, op2] of [6, 2, 5].flatMap((crm) => [1, 3, 5, 7].map((op2) => [crm, op2] as const))) {
    for (const base of [LOW, HIGH]) {
      const rig = new Rig("v8.4"), tables = new PageTables(rig), high = new PageTables(rig), own = base === LOW ? tables : high;
      for (let i = 0; i < PAGES; i++) own.map(base + BigInt(i) * 4096n, PAGE, Leaf.Accessed, 3);
      enable(rig, tables, high);
      const loaded = (i: number) => status(load(rig, base + BigInt(i) * 4096n)) === undefined;
      for (let i = 0; i < PAGES; i++) assert.ok(loaded(i));
      for (let i = 0; i < PAGES; i++) own.map(base + BigInt(i) * 4096n, PAGE, 0n, 3);
      // Four pages from the third: BaseADDR, NUM 1, SCALE 0.
      sys(rig, 0, crm, op2, (base + 2n * 4096n) >> 12n & (1n << 37n) - 1n | NUM(4) | TG_4K);
      const kept = Array.from({ length: PAGES }, (_, i) => loaded(i));
      assert.deepEqual(kept, [true, true, false, false, false, false, true, true], `CRm ${crm}, op2 ${op2}`);
    }
  }
  const old = new Rig("v8.2");
  assert.equal(sys(old, 0, 6, 1).esr, 0x200_0000, "UNDEFINED without the feature");
  assert.equal(sys(old, 0, 1, 0).esr, 0x200_0000);
  assert.equal(sys(new Rig("v8.4"), 0, 1, 0).esr, undefined);
});

Deno.test("CFP, DVP and CPP are EL1's unless SCTLR_EL1.EnRCTX gives them to EL0", () => {
  const rig = new Rig("v8.6");
  for (const op2 of [4, 5, 7]) {
    rig.pstate(Pstate.EL1h);
    assert.equal(sys(rig, 3, 3, op2, 0n, 7).esr, undefined);
    rig.pstate(Pstate.EL0t);
    rig.set("SCTLR_EL1", 0n);
    assert.equal((sys(rig, 3, 3, op2, 0n, 7).esr ?? 0) >>> 26, 0x18);
    rig.pstate(Pstate.EL0t);
    rig.set("SCTLR_EL1", BigInt(Sctlr.EnRCTX));
    assert.equal(sys(rig, 3, 3, op2, 0n, 7).esr, undefined);
  }
});

const DIRTY_BIT_MODIFIER = 1n << 51n, HA = 1n << 39n, HD = 1n << 40n;

Deno.test("with FEAT_HAFDBS the walk sets access flags, and pages that are written become dirty", () => {
  const leaf = (tables: PageTables, rig: Rig) => rig.peek(tables.descriptor(LOW, 3));
  const cases: [attributes: bigint, control: bigint, access: typeof load, fault: number | undefined, changed: bigint][] = [
    [0n, 0n, load, 0x0b, 0n],
    [0n, HD, load, 0x0b, 0n],
    [0n, HA, load, undefined, Leaf.Accessed],
    [0n, HA, store, undefined, Leaf.Accessed],
    // A page that is read-only stays so without DBM, without HD, and for reads.
    [Leaf.ReadOnly, HA | HD, store, 0x0f, 0n],
    [Leaf.ReadOnly | DIRTY_BIT_MODIFIER | Leaf.Accessed, HA, store, 0x0f, 0n],
    [Leaf.ReadOnly | DIRTY_BIT_MODIFIER, HA | HD, load, undefined, Leaf.Accessed],
    [Leaf.ReadOnly | DIRTY_BIT_MODIFIER, HA | HD, store, undefined, Leaf.Accessed | Leaf.ReadOnly],
    [Leaf.ReadOnly | DIRTY_BIT_MODIFIER | Leaf.Accessed, HA | HD, store, undefined, Leaf.ReadOnly],
  ];
  for (const cpu of ["v8.2", "v8"]) {
    for (const [attributes, control, access, fault, changed] of cases) {
      const { rig, tables } = mapped(cpu, attributes), before = leaf(tables, rig);
      rig.set("TCR_EL1", rig.get("TCR_EL1") | control);
      rig.functions.tlbFlushAll?.();
      const has = cpu !== "v8", faults = attributes & Leaf.Accessed ? 0x0f : 0x0b;
      assert.equal(status(access(rig, LOW)), has ? fault : faults, `${cpu} ${attributes.toString(16)} ${control.toString(16)}`);
      assert.equal(leaf(tables, rig), has ? before ^ changed : before);
      // Nothing is left to change.
      if (has && fault === undefined) assert.equal(status(access(rig, LOW)), undefined);
    }
  }
});

Deno.test("a read of a clean page leaves its first write to the walk, and hierarchical controls keep it read-only", () => {
  const { rig, tables } = mapped("v8.2", Leaf.ReadOnly | DIRTY_BIT_MODIFIER), leaf = () => rig.peek(tables.descriptor(LOW, 3));
  rig.set("TCR_EL1", rig.get("TCR_EL1") | HA | HD);
  rig.functions.tlbFlushAll?.();
  assert.deepEqual([status(load(rig, LOW)), leaf() & Leaf.ReadOnly], [undefined, Leaf.ReadOnly]);
  // A region asks before it accesses: it must leave the change to the access.
  for (const name of ["readableAt", "writableAt"] as const) assert.equal(rig.call(name, signed(LOW), 8).value === 0, name === "writableAt");
  assert.equal(leaf() & Leaf.ReadOnly, Leaf.ReadOnly);
  assert.deepEqual([status(store(rig, LOW)), leaf() & Leaf.ReadOnly], [undefined, 0n]);
  assert.notEqual(rig.call("writableAt", signed(LOW), 8).value, 0);

  const protectedTables = mapped("v8.2", Leaf.ReadOnly | DIRTY_BIT_MODIFIER, Leaf.TableNoWrite);
  protectedTables.rig.set("TCR_EL1", protectedTables.rig.get("TCR_EL1") | HA | HD);
  protectedTables.rig.functions.tlbFlushAll?.();
  assert.equal(status(store(protectedTables.rig, LOW)), 0x0f);
});

Deno.test("a walk that has to change a descriptor which stage 2 protects is EL2's fault; looks change nothing", () => {
  const { rig, tables } = mapped("v8.2", 0n), at = tables.descriptor(LOW, 3), page = at & ~0xfff;
  rig.set("TCR_EL1", rig.get("TCR_EL1") | HA);
  rig.functions.tlbFlushAll?.();
  rig.stage2.map(page, page, 0x1000, Stage2Flags.Read);
  const { exit, ipa } = load(rig, LOW);
  assert.deepEqual([exit, ipa], [ExitReason.Trap, at]);
  rig.stage2.map(page, page, 0x1000, Stage2Flags.Read | Stage2Flags.Write);
  assert.equal(status(load(rig, LOW)), undefined);
  assert.equal(rig.peek(at) & Leaf.Accessed, Leaf.Accessed);
});
