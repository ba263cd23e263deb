// Compares what a VM executes with a Tarmac trace of another machine, instruction by instruction.
// Traces differ in what they have: of registers and memory, only what the other trace has is
// compared, and nothing before el2 executes its first instruction with the registers that it begins
// with.

import type { TarmacLine, TarmacRecord } from "../../kit/formats/tarmac.ts";
import { hex } from "../../kit/support/text/number-text.ts";

type InstructionRecord = Extract<TarmacRecord, { kind: "instruction" }>;
type RegisterRecord = Extract<TarmacRecord, { kind: "register" }>;
type MemoryRecord = Extract<TarmacRecord, { kind: "memory" }>;

/** An instruction with what it did. */
interface Step {
  readonly time: number | undefined;
  readonly instruction: InstructionRecord;
  /** Registers of which the trace has a value when it begins; of the first step. */
  readonly before: readonly RegisterRecord[];
  readonly registers: RegisterRecord[];
  readonly accesses: MemoryRecord[];
}

/** The first difference; texts of both sides. */
export interface TarmacDifference {
  /** Instructions that were equal. */
  readonly compared: number;
  /** Virtual time (ns) in el2, and the address there. */
  readonly time: number;
  readonly pc: bigint;
  readonly what: string;
  readonly own: string;
  readonly other: string;
}

/** NZCV, DAIF and mode of a cpsr: models differ in the other bits. */
const CPSR_BITS = 0xf000_03dfn;

/** The instructions of the lines of one processor. */
export function* stepsOf(lines: Iterable<TarmacLine>): Generator<Step> {
  let step: Step | undefined, before: RegisterRecord[] = [];
  for (const { time, record } of lines) {
    if (record.kind === "instruction") {
      if (step) yield step;
      step = { time, instruction: record, before, registers: [], accesses: [] };
      before = [];
    } else if (record.kind === "register") (step?.registers ?? before).push(record);
    else if (record.kind === "memory") step?.accesses.push(record);
  }
  if (step) yield step;
}

/** Compares el2's trace, which comes line by line. */
export class TarmacComparison {
  /** Instructions that were equal. */
  compared = 0;
  difference: TarmacDifference | undefined;
  readonly #other: Iterator<Step>;
  #expected: Step | undefined;
  /** el2's registers, in capitals. */
  readonly #registers = new Map<string, bigint>();
  #step: Step | undefined;
  /** Whether el2 was where the other trace begins, with its registers, before this instruction. */
  #begins = false;

  constructor(other: Iterable<TarmacLine>) {
    this.#other = stepsOf(other)[Symbol.iterator]();
    this.#expected = this.#next();
  }

  /** Whether nothing is left to compare. */
  get isOver(): boolean {
    return this.difference !== undefined || this.#expected === undefined;
  }

  /** The first instruction of the other trace, if el2 has not executed it. */
  get awaited(): bigint | undefined {
    return this.compared === 0 && !this.difference ? this.#expected?.instruction.va : undefined;
  }

  add({ time, record }: TarmacLine): void {
    if (this.isOver) return;
    if (record.kind === "instruction") {
      this.end();
      this.#begins = this.#expected?.before.every((register) => this.#valuesOf(register).isEqual) ?? false;
      this.#step = { time, instruction: record, before: [], registers: [], accesses: [] };
    } else if (record.kind === "register") this.#registers.set(record.name.toUpperCase(), record.value);
    else if (record.kind === "memory") this.#step?.accesses.push(record);
  }

  /** Nothing more of the instruction that was taken last comes. */
  end(): void {
    const own = this.#step, other = this.#expected;
    this.#step = undefined;
    if (!own || !other || this.difference) return;
    const isEqual = own.instruction.va === other.instruction.va && own.instruction.word === other.instruction.word;
    if (this.compared === 0 && !(isEqual && this.#begins)) return;
    if (!isEqual) return this.#differs(own, "the instruction", shownInstruction(own.instruction), shownInstruction(other.instruction));
    for (const register of other.registers) if (!this.#hasRegister(own, register)) return;
    for (const access of other.accesses) if (!this.#hasAccess(own, access)) return;
    this.compared++;
    this.#expected = this.#next();
  }

  #next(): Step | undefined {
    const { done, value } = this.#other.next();
    return done ? undefined : value;
  }

  /** A register here and in the other trace, as far as both have it. */
  #valuesOf({ name, value, bits }: RegisterRecord): { readonly own: bigint; readonly other: bigint; readonly isEqual: boolean } {
    const narrow = /^W(\d+)$/i.exec(name), known = this.#registers.get(narrow ? `X${narrow[1]}` : name.toUpperCase());
    const mask = /^cpsr$/i.test(name) ? CPSR_BITS : (1n << BigInt(narrow ? 32 : bits)) - 1n, other = value & mask;
    const own = known === undefined ? other : known & mask;
    return { own, other, isEqual: own === other };
  }

  #hasRegister(step: Step, register: RegisterRecord): boolean {
    const { own, other, isEqual } = this.#valuesOf(register);
    if (!isEqual) this.#differs(step, register.name, hex(own), hex(other));
    return isEqual;
  }

  /** Whether el2 has an access with the same bytes. */
  #hasAccess(own: Step, { isWrite, va, size, value }: MemoryRecord): boolean {
    const kind = isWrite ? "store" : "load", found = own.accesses.filter((one) => one.isWrite === isWrite);
    for (let index = 0; index < size; index++) {
      const address = va + BigInt(index), holder = found.find((one) => address >= one.va && address < one.va + BigInt(one.size));
      if (!holder) {
        this.#differs(own, `a ${kind} at ${hex(va)}`, "none", `${size} bytes`);
        return false;
      }
      if (holder.value === undefined || value === undefined) continue;
      const byte = (holder.value >> 8n * (address - holder.va)) & 0xffn, wanted = (value >> BigInt(8 * index)) & 0xffn;
      if (byte === wanted) continue;
      this.#differs(own, `the byte of a ${kind} at ${hex(address)}`, hex(byte), hex(wanted));
      return false;
    }
    return true;
  }

  #differs({ time = 0, instruction }: Step, what: string, own: string, other: string): void {
    this.difference = { compared: this.compared, time, pc: instruction.va, what, own, other };
  }
}

const shownInstruction = ({ va, word, text }: InstructionRecord) => `${hex(va)}  ${word.toString(16).padStart(8, "0")}  ${text}`;
