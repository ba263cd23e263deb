// The accesses that an instruction is said to make are those that it makes, for words of every
// encoding that loads or stores: bytes elsewhere neither change nor matter, those of stores are
// where memory changes, and those of loads matter.

import assert from "node:assert/strict";
import { ExitReason, Sctlr } from "../../../../src/cpu/core/interface.ts";
import type { Statement } from "../../../../src/cpu/isa/notation/builder.ts";
import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { disassemble } from "../../../../src/cpu/isa/disassemble.ts";
import { allEncodings, type InstructionForm, semanticsOf } from "../../../../src/cpu/isa/table.ts";
import { encodingName, randomWord } from "../../../differential/random-words.ts";
import { LONG } from "../../../support/long.ts";
import { Random } from "../../../support/random.ts";
import { Machine, RAM_BASE } from "../program.ts";

const WORDS = LONG ? 100 : 2;
const CODE = RAM_BASE + 0x1000, DATA = RAM_BASE + 0x10_0000, HALF = 0x800, BASE = DATA + HALF;
/** Small enough that a base and an index are within the data. */
const INDEX = 0x100;

const ACCESSES: ReadonlySet<Statement["kind"]> = new Set(["load", "store", "loadPair", "storePair", "ramAddress"]);

const cpu = parseCpu(LONG ? "max" : "v8");
const accessing = allEncodings().filter((encoding) => {
  if (/^(PRF|CPY|SET|LDRA)/.test(encoding.instruction.name)) return false;
  return hasAccess(semanticsOf(encoding).statements);
});

function hasAccess(statements: readonly Statement[]): boolean {
  return statements.some((s) => s.kind === "if" ? hasAccess(s.then) || hasAccess(s.otherwise) : ACCESSES.has(s.kind));
}

/** Rn is X20, the index X21. */
function wordOf(encoding: InstructionForm, random: Random): number | undefined {
  return randomWord(encoding, random, (word) => {
    const set = (name: string, value: number) => {
      const field = encoding.instruction.fields.get(name);
      if (field) word = (word & ~((2 ** field.width - 1) << field.position) | (value & 2 ** field.width - 1) << field.position) >>> 0;
    };
    set("Rn", 20);
    set("Rm", 21);
    set("imm12", random.below(8));
    // DC ZVA has its address there.
    if (/DC|SYS/.test(encoding.instruction.name)) set("Rt", 20);
    return word;
  });
}

/** The machine before the instruction, whose data is `data`. */
function prepare(machine: Machine, word: number, data: Uint8Array, registers: number): void {
  const { vcpu, core, view } = machine, random = new Random(registers);
  new Uint8Array(view.buffer, view.byteOffset + DATA - RAM_BASE, data.length).set(data);
  view.setUint32(CODE - RAM_BASE, word, true);
  core.memoryWritten(CODE, 4);
  core.memoryWritten(DATA, data.length);
  for (let index = 0; index < 31; index++) vcpu.setX(index, random.wide());
  for (let index = 0; index < 32; index++) vcpu.setV(index, random.wide(), random.wide());
  vcpu.setX(20, BigInt(BASE));
  vcpu.setX(21, BigInt(random.below(INDEX) & ~15));
  vcpu.setRegister("CPACR_EL1", 3n << 20n);
  vcpu.setRegister("SCTLR_EL1", BigInt(Sctlr.UCI));
  vcpu.pc = BigInt(CODE);
}

const dataOf = ({ view }: Machine) => new Uint8Array(view.buffer, view.byteOffset + DATA - RAM_BASE, 2 * HALF);
const stateOf = (machine: Machine) =>
  `${machine.registers()} ${Array.from({ length: 32 }, (_, index) => machine.vcpu.getV(index).join()).join(" ")}`;

Deno.test("an instruction makes the accesses that it is said to make, and no others", () => {
  const machine = new Machine({ cpu }), { core, vcpu } = machine, random = new Random(0xacce55);
  let executed = 0, matters = 0;
  assert.ok(accessing.length > 0);
  for (const encoding of accessing) {
    for (let count = 0; count < WORDS; count++) {
      const word = wordOf(encoding, random), registers = random.word();
      if (word === undefined) continue;
      const before = random.bytes(2 * HALF), text = `${encodingName(encoding)}: ${disassemble(word, BigInt(CODE))}`;
      prepare(machine, word, before, registers);
      const accesses = core.questions.accesses(vcpu), exit = machine.run(1);
      // Those of EL0, of other features, and misaligned ones fault.
      if (exit.reason !== ExitReason.Budget || vcpu.pc !== BigInt(CODE + 4)) continue;
      executed++;
      const isIn = (index: number, isWrite: boolean) =>
        accesses.some((one) =>
          one.isWrite === isWrite && BigInt(DATA + index) >= one.va && BigInt(DATA + index) < one.va + BigInt(one.size)
        );
      const after = dataOf(machine).slice(), result = stateOf(machine);
      after.forEach((byte, index) => assert.ok(byte === before[index] || isIn(index, true), `${text} changes byte ${index}`));
      // The same with other bytes where it reads nothing, and with others where it does.
      const elsewhere = before.map((byte, index) => isIn(index, false) ? byte : byte ^ 0xff);
      prepare(machine, word, elsewhere, registers);
      machine.run(1);
      assert.equal(stateOf(machine), result, `${text} reads elsewhere`);
      if (!accesses.some(({ isWrite }) => !isWrite)) continue;
      prepare(machine, word, before.map((byte, index) => isIn(index, false) ? byte ^ 0xff : byte), registers);
      machine.run(1);
      if (stateOf(machine) !== result) matters++;
    }
  }
  // Loads to XZR, and compare-and-swap that fails either way, do not show what they have read.
  assert.ok(executed > accessing.length * WORDS / 3, `${executed} executed`);
  assert.ok(matters > 0.4 * executed, `${matters} of ${executed} show what they read`);
});
