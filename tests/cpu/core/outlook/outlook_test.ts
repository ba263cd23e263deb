// The outlook evaluates code on a copy of a vCPU's state; the interpreter executes it. Random
// programs from the same state come to the same registers and memory in both, for as many
// instructions as the outlook says that it can evaluate; and the question changes nothing.

import assert from "node:assert/strict";
import { Departs } from "../../../../src/cpu/core/outlook/instruction-values.ts";
import type { CopiedState } from "../../../../src/cpu/core/outlook/copied-state.ts";
import { ExceptionClass, ExitReason, Pstate, Sctlr } from "../../../../src/cpu/core/interface.ts";
import { usesFloatingPoint } from "../../../../src/cpu/core/interpreter/meaning.ts";
import { Slot } from "../../../../src/cpu/core/state/cpu-state.ts";
import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { disassemble } from "../../../../src/cpu/isa/disassemble.ts";
import { allEncodings, type InstructionForm, semanticsOf } from "../../../../src/cpu/isa/table.ts";
import { randomWord } from "../../../differential/random-words.ts";
import { Random } from "../../../support/random.ts";
import { LONG } from "../../../support/long.ts";
import { Machine, RAM_BASE } from "../program.ts";

const PROGRAMS = LONG ? 2000 : 700, STEPS = 24, PROGRAM_WORDS = 32;
const PAGE = 0x1000;
/** Tables of levels 1 to 3, and pages; the rest of `USED` bytes is data. */
const L1 = RAM_BASE + 0x1000, L2 = RAM_BASE + 0x2000, L3 = RAM_BASE + 0x3000, CODE = RAM_BASE + 0x4000, VECTORS = RAM_BASE + 0x5000;
const DATA = RAM_BASE + 0x8000, USED = 0x1_0000;
const TABLE = 3n, AF = 1n << 10n, USER = 1n << 6n, READ_ONLY = 1n << 7n, DEVICE = 1n << 2n, GUARDED = 1n << 50n;
/** Attributes of the pages from DATA on; undefined: not mapped. The first two are exchanged. */
const DATA_PAGES = [AF | USER, AF | USER, AF | USER | READ_ONLY, AF, undefined, USER, AF | USER | DEVICE, AF | USER] as const;
/** 39 bits for TTBR0 from level 1, none for TTBR1; inner shareable, write-back. */
const TCR = 25n | 0x3500n | 1n << 23n | 25n << 16n;
const COPIED = ["SP_EL0", "SP_EL1", "ELR_EL1", "SPSR_EL1", "ESR_EL1", "FAR_EL1", "TPIDR_EL0", "TPIDR_EL1"] as const;
const UNCHANGED = ["VBAR_EL1", "SCTLR_EL1", "TCR_EL1", "TTBR0_EL1", "CPACR_EL1", "FPCR", "FPSR", "PAR_EL1", "CNTV_CTL_EL0"] as const;
/** mrs x9, elr_el1; add x9, x9, #4; msr elr_el1, x9; eret. */
const HANDLER = [0xd538_4029, 0x9100_1129, 0xd518_4029, 0xd69f_03e0];

/** The outlook does not copy vector registers. */
const isVector = (encoding: InstructionForm) => encoding.instruction.fp || usesFloatingPoint(semanticsOf(encoding));

const plain = allEncodings().filter((encoding) => !isVector(encoding));
const named = (pattern: RegExp) => plain.filter(({ instruction }) => pattern.test(instruction.name));
const accesses = named(/^(LD|ST|SWP|CAS|DC)/), branches = named(/^(B|CB|TB|RET|ERET)/), system = named(/^(MSR|MRS|WF|SEV|SVC|HVC|BRK|UDF)/);

/** Accesses have a base in X20 to X27 or SP, which point to data or near its pages' ends. */
function wordOf(random: Random): number {
  const kind = random.below(16);
  if (kind === 0) return random.below(4) ? randomWord(random.pick(allEncodings()), random) ?? 0 : random.word();
  const list = kind < 6 ? accesses : kind < 8 ? branches : kind < 10 ? system : plain;
  const encoding = random.pick(list);
  return randomWord(encoding, random, (word) => {
    const set = (name: string, value: number) => {
      const field = encoding.instruction.fields.get(name);
      if (field) word = (word & ~((2 ** field.width - 1) << field.position) | (value & 2 ** field.width - 1) << field.position) >>> 0;
    };
    for (const name of ["imm14", "imm19", "imm26"]) if (list === branches || list === accesses) set(name, random.below(16) - 6);
    if (list === accesses) set("Rn", random.below(8) ? 20 + random.below(8) : 31);
    for (const name of ["Rd", "Rt"]) if (random.below(8)) set(name, random.below(20));
    return word;
  }) ?? 0;
}

/** Program, tables and registers of a seed. */
function prepare({ memory, view, core, vcpu }: Machine, random: Random): void {
  const ram = new Uint8Array(memory.buffer, view.byteOffset, USED);
  ram.fill(0);
  const entry = (at: number, value: bigint) => view.setBigUint64(at - RAM_BASE, value, true);
  const word = (at: number, value: number) => view.setUint32(at - RAM_BASE, value, true);
  entry(L1 + 8, BigInt(L2) | TABLE);
  entry(L2, BigInt(L3) | TABLE);
  const map = (va: number, pa: number, attributes: bigint) => entry(L3 + (va - RAM_BASE) / PAGE * 8, BigInt(pa) | attributes | TABLE);
  const guarded = random.below(3) ? 0n : GUARDED;
  for (const at of [CODE, VECTORS]) map(at, at, AF | guarded);
  DATA_PAGES.forEach((attributes, i) => {
    if (attributes !== undefined) map(DATA + PAGE * i, DATA + PAGE * (i < 2 ? 1 - i : i), attributes);
  });
  for (let i = DATA - RAM_BASE; i < USED; i += 4) view.setUint32(i, random.below(4) ? random.word() : random.below(4), true);
  for (let i = 0; i < PROGRAM_WORDS; i++) word(CODE + 4 * i, wordOf(random));
  for (let at = VECTORS; at < VECTORS + 0x800; at += 0x80) HANDLER.forEach((value, i) => word(at + 4 * i, value));
  core.flush();
  const mode = random.pick([Pstate.EL1h, Pstate.EL1h, Pstate.EL1t, Pstate.EL0t]);
  const pointer = (align: number) => {
    const at = random.below(4)
      ? random.below(3) * PAGE + random.below(PAGE)
      : random.below(DATA_PAGES.length) * PAGE + PAGE - random.below(48);
    return BigInt(DATA + (random.below(4) ? at - at % align : at));
  };
  for (let i = 0; i < 31; i++) {
    vcpu.setX(i, i >= 20 && i < 28 ? pointer(16) : random.pick([0n, BigInt(random.below(64)), random.wide(), BigInt(random.word()), -1n]));
  }
  for (let i = 0; i < 32; i++) vcpu.setV(i, random.wide(), random.wide());
  for (const name of COPIED) vcpu.setRegister(name, name.startsWith("SP_") ? pointer(16) : 0n);
  vcpu.setRegister("SPSR_EL1", BigInt(random.pick([0x3c5, 0x3c4, 0x3c0, 0x3c5, 0x1003c0])));
  vcpu.setRegister("ELR_EL1", BigInt(CODE + 4 * random.below(PROGRAM_WORDS)));
  const translates = random.below(4) > 0, may = (bit: number) => random.below(2) ? BigInt(bit) : 0n;
  vcpu.setRegister("TCR_EL1", TCR);
  vcpu.setRegister("TTBR0_EL1", BigInt(L1));
  vcpu.setRegister("MAIR_EL1", 0x00ffn);
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  vcpu.setRegister("CPACR_EL1", BigInt(random.below(4)) << 20n);
  const bits = may(Sctlr.SA) | may(Sctlr.SA0) | may(Sctlr.SPAN) | may(Sctlr.UMA) | may(Sctlr.UCT) | may(Sctlr.NTWE) | may(Sctlr.DZE);
  vcpu.setRegister("SCTLR_EL1", 0x3000_0800n | bits | (random.below(4) ? 0n : BigInt(Sctlr.A)) | (translates ? BigInt(Sctlr.M) : 0n));
  const pan = mode !== Pstate.EL0t && random.below(4) === 0 ? Pstate.PAN : 0;
  vcpu.pstate = (mode | Pstate.Daif | pan | random.word() & Pstate.Nzcv) >>> 0;
  vcpu.pc = BigInt(CODE);
  vcpu.irq = vcpu.fiq = vcpu.event = false;
}

/** The state that the outlook copies. */
function stateOf({ vcpu }: Machine): Record<string, string> {
  const named = COPIED.map((name) => [name, vcpu.getRegister(name)] as const);
  const x = Array.from({ length: 31 }, (_, i) => [`X${i}`, vcpu.getX(i)] as const);
  return text([["PC", vcpu.pc], ["PSTATE", BigInt(vcpu.pstate)], ...named, ...x]);
}

function evaluatedOf(state: CopiedState): Record<string, string> {
  const inUse = state.pstate & Pstate.SP ? "SP_EL1" : "SP_EL0";
  const named = COPIED.map((name) => [name, name === inUse ? state.getX(Slot.SP) : state.get(name)] as const);
  const x = Array.from({ length: 31 }, (_, i) => [`X${i}`, state.getX(i)] as const);
  return text([["PC", state.pc], ["PSTATE", BigInt(state.spsr)], ...named, ...x]);
}

const text = (values: readonly (readonly [string, bigint])[]) =>
  Object.fromEntries(values.map(([name, value]) => [name, `0x${value.toString(16)}`]));

/** State that no instruction changes that the outlook evaluates. */
function untouched({ vcpu }: Machine): string {
  return [...UNCHANGED.map((name) => vcpu.getRegister(name)), ...Array.from({ length: 32 }, (_, i) => vcpu.getV(i).join())].join(" ");
}

/**
 * Executes instructions to the end of a path; after each the PC is the next one of it, or, by
 * aborts of fetches, one soon after. The outlook continues after WFE.
 */
function execute({ core, vcpu }: Machine, path: readonly bigint[]): void {
  for (let done = 0; done < path.length;) {
    const { reason, esr } = core.run(vcpu, 0, 1, 0);
    const isWait = reason === ExitReason.Trap && esr >>> 26 === ExceptionClass.Wfx;
    assert.ok(isWait || reason === ExitReason.Budget || reason === ExitReason.Yield, `exit ${reason} after ${done} steps`);
    if (isWait) core.skip(vcpu);
    const next = path.indexOf(vcpu.pc, done);
    assert.ok(next >= 0 && next < done + 3, `PC 0x${vcpu.pc.toString(16)} after ${done} steps`);
    done = next + 1;
  }
}

for (const cpu of ["v8", "max"]) {
  Deno.test(`the outlook of random programs on the CPU ${cpu} is what the interpreter does`, () => {
    const machine = new Machine({ cpu: parseCpu(cpu) }), { core, vcpu, view, memory } = machine;
    const bytes = new BigUint64Array(memory.buffer, view.byteOffset, USED / 8), departures = new Set<string>();
    let all = 0, exceptions = 0, written = 0;
    for (let seed = 1; seed <= PROGRAMS / 2; seed++) {
      prepare(machine, new Random(seed));
      const start = stateOf(machine), rest = untouched(machine), before = bytes.slice();
      const prospect = { signaled: 0, expected: Pstate.I, limit: STEPS };
      const trial = core.questions.evaluation(vcpu, prospect), path: bigint[] = [];
      let how = "end", steps = 0;
      try {
        while (path.length < STEPS) {
          // Up to where an instruction follows: the abort of a fetch may come sooner.
          if (trial.step()) steps = path.length;
          path.push(trial.state.pc);
        }
      } catch (error) {
        if (!(error instanceof Departs)) throw error;
        how = error.how;
      }
      departures.add(how);
      const evaluation = core.questions.evaluation(vcpu, prospect);
      for (let i = 0; i < steps; i++) evaluation.step();
      assert.deepEqual(stateOf(machine), start, `seed ${seed}: the question`);
      const where = () => {
        const at = (pc: bigint) => {
          const offset = Number(pc) - RAM_BASE;
          return `${pc.toString(16)} ${offset >= 0 && offset < USED ? disassemble(view.getUint32(offset, true), pc) : ""}`;
        };
        return `seed ${seed}, ${steps} steps, SCTLR_EL1 ${vcpu.getRegister("SCTLR_EL1").toString(16)}:\n` +
          [BigInt(CODE), ...path].map(at).join("\n");
      };
      try {
        execute(machine, path.slice(0, steps));
        const found = evaluatedOf(evaluation.state);
        assert.deepEqual(found, stateOf(machine));
        const changed = new Set(Array.from(evaluation.state.mark().written.keys(), (pa) => pa - RAM_BASE >> 3));
        before.forEach((value, i) => value !== bytes[i] && changed.add(i));
        for (const i of changed) {
          assert.equal(
            evaluation.state.read(RAM_BASE + 8 * i, 8),
            view.getBigUint64(8 * i, true),
            `at 0x${(RAM_BASE + 8 * i).toString(16)}`,
          );
        }
        written += changed.size;
        assert.equal(untouched(machine), rest);
      } catch (error) {
        throw new Error(`${where()}\n${error instanceof Error ? error.message : error}`);
      }
      all += steps;
      exceptions += evaluation.stretch.exceptions;
    }
    assert.ok(
      all > 2.5 * PROGRAMS && exceptions > PROGRAMS / 4 && written > PROGRAMS / 20,
      `${all} steps, ${exceptions} exceptions, ${written} words`,
    );
    assert.deepEqual([...departures].toSorted(), ["call", "device", "end", "other", "register", "sleep"]);
  });
}

Deno.test("without FEAT_PAuth, PACIASP in a guarded page permits an indirect branch, and the outlook ends there", () => {
  const machine = new Machine({ cpu: parseCpu("recorded") }), { core, vcpu, view } = machine;
  // br x16; bti c or paciasp
  for (const [word, isFollowed] of [[0xd503_245f, true], [0xd503_233f, false]] as const) {
    prepare(machine, new Random(1));
    view.setBigUint64(L3 + (CODE - RAM_BASE) / PAGE * 8 - RAM_BASE, BigInt(CODE) | AF | GUARDED | TABLE, true);
    [0xd61f_0200, word].forEach((value, i) => view.setUint32(CODE + 16 * i - RAM_BASE, value, true));
    core.flush();
    vcpu.setRegister("SCTLR_EL1", 0x3000_0801n);
    vcpu.pstate = Pstate.EL1h | Pstate.Daif;
    vcpu.setX(16, BigInt(CODE + 16));
    const evaluation = core.questions.evaluation(vcpu, { signaled: 0, expected: Pstate.I, limit: STEPS });
    evaluation.step();
    if (isFollowed) evaluation.step();
    else assert.throws(() => evaluation.step(), Departs);
    core.run(vcpu, 0, 2, 0);
    assert.equal(Number(vcpu.getRegister("ESR_EL1")), 0);
  }
});
