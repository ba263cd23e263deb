// Random programs, with exceptions and stores into themselves, for tests of whole cores.

import assert from "node:assert/strict";
import { ExitReason, type RegisterName } from "../../../src/cpu/core/interface.ts";
import { encodings } from "../../../src/cpu/isa/table.ts";
import { Random } from "../../support/random.ts";
import { type Machine, RAM_BASE } from "./program.ts";

export const CODE = RAM_BASE + 0x1000;
const CODE_WORDS = 2048;
export const VECTORS = RAM_BASE + 0x8000;
const DATA = RAM_BASE + 0x10_0000;
const ERET = 0xd69f_03e0;
const EC_HVC = 0x16;
/** Instructions that `execute` runs. */
export const INSTRUCTIONS = 2500;

const accesses = encodings().filter(({ instruction }) => /^(LD|ST|SWP|CAS|DC)/.test(instruction.name));
const branches = encodings().filter(({ instruction }) => /^(B\/BL|B.cond|CB|TB)/.test(instruction.name));
const rare = encodings().filter(({ instruction }) => /^(ERET|WF|HVC|SMC|YIELD|MSR \(r)/.test(instruction.name));
const common = encodings().filter((e) => !rare.includes(e));

/**
 * An instruction, or now and then any word. Many accesses have a base that points to data or to the
 * program itself.
 */
function randomWord(random: Random): number {
  const kind = random.word() % 32;
  if (kind === 0) return random.word();
  const list = kind === 1 ? rare : kind < 10 ? accesses : kind < 13 ? branches : common;
  const encoding = list[random.word() % list.length];
  let word = (random.word() & ~encoding.mask | encoding.value) >>> 0;
  const set = (name: string, value: number) => {
    const field = encoding.instruction.fields.get(name);
    if (field) word = (word & ~((2 ** field.width - 1) << field.position) | (value & 2 ** field.width - 1) << field.position) >>> 0;
  };
  for (const name of ["imm14", "imm19", "imm26"]) set(name, random.word() % 64 - 24);
  if (list === accesses && random.word() % 4) set("Rn", 20 + random.word() % 8);
  for (const name of ["Rd", "Rt"]) if (random.word() % 4) set(name, random.word() % 20);
  return word;
}

const CLEARED: readonly RegisterName[] = [
  ...["TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "MAIR_EL1", "ELR_EL1", "SPSR_EL1", "ESR_EL1", "FAR_EL1", "FPCR", "FPSR", "TPIDR_EL0"] as const,
  ...["TPIDR_EL1", "TPIDRRO_EL0", "PAR_EL1", "CNTKCTL_EL1", "CONTEXTIDR_EL1", "CSSELR_EL1", "CNTV_CTL_EL0", "CNTP_CTL_EL0"] as const,
];

/** Program, vectors and registers of a seed. */
export function prepare(machine: Machine, seed: number): void {
  const random = new Random(seed), { vcpu, view } = machine;
  new Uint8Array(machine.memory.buffer, view.byteOffset, 0x20_0000).fill(0);
  const write = (address: number, word: number) => view.setUint32(address - RAM_BASE, word, true);
  for (let i = 0; i < CODE_WORDS; i++) write(CODE + 4 * i, randomWord(random));
  for (let at = VECTORS; at < VECTORS + 0x800; at += 0x80) {
    // mrs x9, elr_el1; add x9, x9, #4; msr elr_el1, x9; eret: continues after the instruction,
    // unless the vector has its own program.
    const handler = [0xd5384029, 0x91001129, 0xd5184029, ERET];
    for (let i = 0; i < 32; i++) write(at + 4 * i, i < 4 && random.word() % 8 ? handler[i] : i === 20 ? ERET : randomWord(random));
  }
  machine.core.flush();
  for (let i = 0; i < 31; i++) {
    const pointer = (random.word() % 8 ? DATA : CODE) + (random.word() & 0xff8);
    vcpu.setX(i, i >= 20 && i < 28 ? BigInt(pointer) : random.word() % 3 ? BigInt(random.word() % 64) : BigInt(random.word()) << 32n);
  }
  for (let i = 0; i < 32; i++) vcpu.setV(i, BigInt(random.word()) << 32n | BigInt(random.word()), BigInt(random.word()) << 20n);
  for (const name of CLEARED) vcpu.setRegister(name, 0n);
  vcpu.pstate = ((random.word() % 3 ? 0x3c5 : 0x3c0) | random.word() << 28) >>> 0;
  vcpu.setRegister("SP_EL0", BigInt(DATA + 0x4_0000));
  vcpu.setRegister("SP_EL1", BigInt(DATA + 0x8_0000));
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  vcpu.setRegister("CPACR_EL1", random.word() % 4 ? 3n << 20n : 0n);
  vcpu.setRegister("SCTLR_EL1", random.word() % 2 ? 0x30d0_0818n : 0x30d0_0800n);
  vcpu.irq = random.word() % 4 === 0;
  vcpu.event = false;
  vcpu.pc = BigInt(CODE);
  machine.now = 0;
}

/**
 * Runs `INSTRUCTIONS` instructions, stepping over what leaves the core; state and exits as one
 * text.
 */
export function execute(
  machine: Machine,
  budgetOf: () => number,
  onBreakpoint: () => void = () => assert.fail("there is no breakpoint"),
): string {
  const { vcpu, core } = machine, exits: string[] = [];
  while (machine.now < INSTRUCTIONS) {
    let budget = Math.min(budgetOf(), INSTRUCTIONS - machine.now);
    let exit = machine.run(budget);
    if (exit.reason === ExitReason.Breakpoint) {
      assert.ok(exit.retired < budget);
      onBreakpoint();
      budget = 1;
      exit = core.step(vcpu, machine.now, machine.now);
      machine.now += exit.retired;
    }
    const { reason, retired, esr } = exit;
    assert.ok(retired > 0 && retired <= budget, `${retired} of ${budget} instructions`);
    if (reason === ExitReason.Budget) assert.equal(retired, budget);
    if (reason !== ExitReason.Trap && reason !== ExitReason.Bus) continue;
    exits.push(`${machine.now} ${reason} ${esr.toString(16)}`);
    if (esr >>> 26 !== EC_HVC) core.skip(vcpu);
  }
  const vectors = Array.from({ length: 32 }, (_, i) => vcpu.getV(i).map((half) => half.toString(16)).join("_"));
  const system = CLEARED.map((name) => vcpu.getRegister(name).toString(16));
  let memory = 0;
  for (const word of new Int32Array(machine.memory.buffer, machine.view.byteOffset, 0x20_0000 / 4)) {
    memory = Math.imul(memory, 31) + word | 0;
  }
  return [machine.registers(), ...vectors, ...system, memory, ...exits].join("\n");
}
