// Compares what a VM executes with a Tarmac trace of another machine, instruction by instruction.
// Traces differ in what they have: of registers and memory, only what the other trace has is
// compared, and nothing before its first instruction.

import type { TarmacLine, TarmacRecord } from "../formats/tarmac.ts";

type InstructionRecord = Extract<TarmacRecord, { kind: "instruction" }>;
type RegisterRecord = Extract<TarmacRecord, { kind: "register" }>;
type MemoryRecord = Extract<TarmacRecord, { kind: "memory" }>;

/** An instruction with what it did. */
interface Step {
  readonly time: number | undefined;
  readonly instruction: InstructionRecord;
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

const hex = (value: bigint | number) => `0x${value.toString(16)}`;

/** The instructions of the lines of one processor. */
export function* stepsOf(lines: Iterable<TarmacLine>): Generator<Step> {
  let step: Step | undefined;
  for (const { time, record } of lines) {
    if (record.kind === "instruction") {
      if (step) yield step;
      step = { time, instruction: record, registers: [], accesses: [] };
    } else if (record.kind === "register") step?.registers.push(record);
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

  take({ time, record }: TarmacLine): void {
    if (this.isOver) return;
    if (record.kind === "instruction") {
      this.end();
      this.#step = { time, instruction: record, registers: [], accesses: [] };
    } else if (record.kind === "register") this.#registers.set(record.name.toUpperCase(), record.value);
    else if (record.kind === "memory") this.#step?.accesses.push(record);
  }

  /** Nothing more of the instruction that was taken last comes. */
  end(): void {
    const own = this.#step, other = this.#expected;
    this.#step = undefined;
    if (!own || !other || this.difference) return;
    const isEqual = own.instruction.va === other.instruction.va && own.instruction.word === other.instruction.word;
    // It begins where the other one does.
    if (!isEqual && this.compared === 0) return;
    if (!isEqual) return this.#differs(own, "the instruction", instructionText(own.instruction), instructionText(other.instruction));
    for (const register of other.registers) if (!this.#hasRegister(own, register)) return;
    for (const access of other.accesses) if (!this.#hasAccess(own, access)) return;
    this.compared++;
    this.#expected = this.#next();
  }

  #next(): Step | undefined {
    const { done, value } = this.#other.next();
    return done ? undefined : value;
  }

  #hasRegister(own: Step, { name, value, bits }: RegisterRecord): boolean {
    const narrow = /^W(\d+)$/i.exec(name), known = this.#registers.get(narrow ? `X${narrow[1]}` : name.toUpperCase());
    if (known === undefined) return true;
    const mask = /^cpsr$/i.test(name) ? CPSR_BITS : (1n << BigInt(narrow ? 32 : bits)) - 1n;
    if ((known & mask) === (value & mask)) return true;
    this.#differs(own, name, hex(known & mask), hex(value & mask));
    return false;
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

const instructionText = ({ va, word, text }: InstructionRecord) => `${hex(va)}  ${word.toString(16).padStart(8, "0")}  ${text}`;
