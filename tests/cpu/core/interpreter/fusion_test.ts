// Pairs of instructions in one handler do what the two do one after the other, stopped between them
// or not.

import assert from "node:assert/strict";
import type { Decodings, Variant } from "../../../../src/cpu/core/decoded/variants.ts";
import { decode } from "../../../../src/cpu/isa/decode.ts";
import { disassemble } from "../../../../src/cpu/isa/disassemble.ts";
import { encodings, type InstructionForm } from "../../../../src/cpu/isa/table.ts";
import { Random } from "../../../support/random.ts";
import { Machine, RAM_BASE } from "../program.ts";

const CODE = RAM_BASE + 0x1000;
const DATA = RAM_BASE + 0x10_0000;
const VECTORS = RAM_BASE + 0x8000;
const BRANCH_TO_ITSELF = 0x1400_0000;
const NOP = 0xd503_201f;

const random = new Random(42);

/** An encoding, with the bits of the operand fields that a variant of it fixes. */
interface Part {
  readonly encoding: InstructionForm;
  readonly mask: number;
  readonly value: number;
}

/**
 * Instructions executed by the handlers of single instructions, by number. Any of those that share
 * a handler will do.
 */
function partsOf(decodings: Decodings): Map<number, Part> {
  const parts = new Map<number, Part>();
  const add = ({ filling, branch }: Variant, part: Part) => {
    for (const handler of branch ? [filling.handler, branch.near.handler] : [filling.handler]) {
      if (!parts.has(handler)) parts.set(handler, part);
    }
  };
  for (const encoding of encodings()) {
    const decoding = decodings.of(encoding);
    for (const { mask, value, variant } of decoding.specials) add(variant, { encoding, mask, value });
    add(decoding, { encoding, mask: 0, value: 0 });
  }
  return parts;
}

/** A random word of a part; branches go a little forward. */
function randomWord({ encoding, mask, value }: Part): number {
  for (;;) {
    let word = (random.word() & ~encoding.mask | encoding.value) >>> 0;
    const set = (name: string, value: number) => {
      const field = encoding.instruction.fields.get(name);
      if (field) word = (word & ~((2 ** field.width - 1) << field.position) | value << field.position) >>> 0;
    };
    for (const name of ["imm19", "imm26"]) set(name, 2 + random.word() % 4);
    word = (word & ~mask | value) >>> 0;
    if (decode(word) === encoding) return word;
  }
}

/** Registers that point to data, count a little, or are anything. */
function randomRegisters(machine: Machine): void {
  for (let i = 0; i < 31; i++) {
    const kind = random.word() % 4;
    const anything = BigInt(random.word()) << 32n | BigInt(random.word());
    machine.vcpu.setX(i, kind < 2 ? BigInt(DATA + 8 * (random.word() % 64)) : kind === 2 ? BigInt(random.word() % 16) : anything);
  }
  machine.vcpu.setRegister("SP_EL1", BigInt(DATA + 0x400 + (random.word() % 8 ? 0 : 8)));
  machine.vcpu.setRegister("ESR_EL1", 0n);
  machine.vcpu.pstate = (0x3c5 | random.word() << 28) >>> 0;
}

function state(machine: Machine): string {
  const data = Array.from({ length: 160 }, (_, i) => machine.view.getBigUint64(DATA - RAM_BASE + 8 * i, true).toString(16));
  const { vcpu } = machine;
  return [machine.registers(), vcpu.getRegister("ESR_EL1"), vcpu.getRegister("ELR_EL1"), vcpu.getRegister("FAR_EL1"), ...data].join(" ");
}

Deno.test("every pair does in one handler what its instructions do one by one", () => {
  const machine = new Machine(), { core, vcpu } = machine;
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  machine.view.setUint32(VECTORS + 0x200 - RAM_BASE, BRANCH_TO_ITSELF, true);
  for (let i = 0; i < 64; i++) machine.view.setBigUint64(DATA - RAM_BASE + 8 * i, BigInt(DATA + random.word() % 256), true);
  const { decodings, fused } = core.dispatch, parts = partsOf(decodings);
  assert.ok(fused.pairs.length > 0);
  for (const [firstHandler, secondHandler] of fused.pairs) {
    const first = parts.get(firstHandler)!, second = parts.get(secondHandler)!;
    for (let round = 0; round < 6; round++) {
      const words = [randomWord(first), randomWord(second), NOP, NOP, NOP, NOP, NOP];
      words.forEach((word, i) => machine.view.setUint32(CODE - RAM_BASE + 4 * i, word, true));
      randomRegisters(machine);
      const registers = Array.from({ length: 31 }, (_, i) => vcpu.getX(i));
      const sp = vcpu.getRegister("SP_EL1"), pstate = vcpu.pstate;
      const data = new Uint8Array(machine.memory.buffer, machine.view.byteOffset + DATA - RAM_BASE, 0x1000);
      const before = data.slice();
      core.memoryWritten(CODE, 4 * words.length);
      // The first run decodes, with the pair in one handler; the others must stop between the two.
      const results = [[3], [1, 1, 1], [2, 1], [1, 2], [3]].map((budgets) => {
        data.set(before);
        registers.forEach((value, i) => vcpu.setX(i, value));
        vcpu.pstate = pstate;
        vcpu.setRegister("SP_EL1", sp);
        vcpu.pc = BigInt(CODE);
        for (const budget of budgets) machine.run(budget);
        return state(machine);
      });
      for (const result of results) {
        assert.equal(result, results[0], `${disassemble(words[0], BigInt(CODE))}; ${disassemble(words[1], BigInt(CODE + 4))}`);
      }
    }
  }
});

Deno.test("a pair whose second instruction is overwritten is parted", () => {
  const machine = new Machine(), { vcpu } = machine;
  // cmp x0, #0; b.eq over an addition; the branch becomes a no-op by the program's own store.
  machine.load(CODE, [
    ["subs xzr, x0, #0x0", 0xf100001f],
    ["b.eq", 0x54000040],
    ["add x1, x1, #0x1", 0x91000421],
    ["str w7, [x8]", 0xb9000107],
    ["b ", 0x17fffffc],
  ]);
  vcpu.setX(7, BigInt(NOP));
  vcpu.setX(8, BigInt(DATA));
  machine.run(4, CODE);
  assert.equal(vcpu.getX(1), 0n);
  vcpu.setX(8, BigInt(CODE + 4));
  machine.run(9, CODE);
  assert.equal(vcpu.getX(1), 1n);
});
