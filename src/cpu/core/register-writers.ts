// The instructions that may write a watched register, by their words: a run stops before them. For
// operands they follow from the meanings in the table, whether they write always or under a
// condition. EL2 answers HVC and SMC in general registers.

import type { InstructionSet } from "../isa/instruction-set.ts";
import { systemRegisterNamed } from "../isa/names/system-register-names.ts";
import type { WordTest } from "./decoded/decoded-pages.ts";
import { STACK_POINTER_OPERAND } from "./registers/register-writes.ts";
import { Slot } from "./state/cpu-state.ts";
import { generalBit, RegisterAccesses, type RegisterSet } from "./translator/code/register-use.ts";

/** MSR (register) without its register Xt, and the lowest bit of its system register. */
const MSR = 0xd500_0000 | 0, MSR_MASK = 0xffff_ffe0 | 0, MSR_REGISTER = 5;
/** HVC and SMC, which differ in a bit, with any immediate. Arm ARM C4.1.93. */
const CALL = 0xd400_0002 | 0, CALL_MASK = 0xffe0_001e | 0;

/** Whether a word is an instruction that may write one of the registers, named in lower case. */
export function writersOf(names: readonly string[], instructions: InstructionSet): WordTest {
  const tests = names.map((name) => writersOfOne(name, instructions));
  return (word) => tests.some((isWriter) => isWriter(word));
}

function writersOfOne(name: string, instructions: InstructionSet): WordTest {
  const [, file, number] = /^([xv])(\d+)$/.exec(name) ?? [];
  if (file === "v") return writersOfOperand({ general: 0, vector: 1 << Number(number) }, instructions);
  if (file === "x") {
    const isWriter = writersOfOperand({ general: generalBit(Number(number)), vector: 0 }, instructions);
    return (word) => isWriter(word) || (word & CALL_MASK) === CALL;
  }
  if (name === STACK_POINTER_OPERAND) return writersOfOperand({ general: generalBit(Slot.SP), vector: 0 }, instructions);
  const value = MSR | systemRegisterNamed(name) << MSR_REGISTER;
  return (word) => (word & MSR_MASK) === value;
}

function writersOfOperand({ general, vector }: RegisterSet, instructions: InstructionSet): WordTest {
  const known: (RegisterAccesses | undefined)[] = [];
  return (word) => {
    const encoding = instructions.decode(word);
    if (!encoding) return false;
    const { written } = (known[encoding.index] ??= new RegisterAccesses(instructions.meaningOf(encoding))).of(word);
    return (written.general & general | written.vector & vector) !== 0;
  };
}
