// The executed instructions of VMs, each with the registers that it changes, its accesses to
// memory, and the exceptions that are taken.

import { type AccessedMemory, Pstate, registersOf, Vector } from "../../../cpu/core/interface.ts";
import type { TarmacRecord } from "../../../kit/formats/tarmac.ts";
import { debugRegistersOf, type Vcpu, wordAt } from "../../../machine/hypervisor/inspect.ts";
import type { System } from "../../assembly/system/system.ts";
import { instructionText } from "../../../cpu/isa/aliases.ts";
import { EVERY_VM } from "../../../model/queries/debugged-vms.ts";
import { parseAs, vcpuId } from "../../../model/queries/ids.ts";
import { takenTo, VECTOR_KINDS, vectorOf } from "../looking/vector-stops.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

export interface TracedVcpu {
  /** `vcpu:VM/INDEX`. */
  readonly id: string;
  readonly vm: string;
  readonly index: number;
}

/** An instruction that is about to be executed. */
interface TracedInstruction {
  readonly vcpu: TracedVcpu;
  readonly pc: bigint;
  /** 0 or 1. */
  readonly el: number;
}

/** The receiver of a trace, which chooses what is in it. */
export interface TraceReader {
  /** Whether instructions of a vCPU may be in it. */
  follows(vcpu: TracedVcpu): boolean;
  /** Whether this one is in it. */
  has(instruction: TracedInstruction): boolean;
  /** @param time virtual time (ns) */
  record(vcpu: TracedVcpu, time: number, record: TarmacRecord): void;
}

/** Registers of a vCPU that are traced: PC and SP follow from others. */
const tracedRegistersOf = (vcpu: Vcpu) =>
  debugRegistersOf(vcpu).filter(({ name }) => name !== "PC" && name !== "SP")
    .map((one) => ({ ...one, shown: one.name === "CPSR" ? "cpsr" : one.name }));

/** Most bytes of a line: what is larger has several. */
const LARGEST = 16;

/** Kinds of exceptions in the order of their vectors, and the bits of PSTATE that mask them. */
const KINDS = ["SYNC", "IRQ", "FIQ", "SERROR"] as const, MASKS = [0, Pstate.I, Pstate.F, Pstate.A] as const;
const SOURCES = ["CURRENT_SP0", "CURRENT_SPX", "LOWER_64", "LOWER_32"] as const;

interface Follow {
  readonly vcpu: TracedVcpu;
  readonly registers: ReturnType<typeof tracedRegistersOf>;
  /** Values as the trace has them, by index in `registers`. */
  readonly values: (bigint | undefined)[];
  /** PC after the last instruction. */
  next: bigint | undefined;
  begun: Begun | undefined;
}

interface Begun {
  readonly pc: bigint;
  readonly word: number;
  readonly time: number;
  readonly mode: string;
  readonly pa: number | undefined;
  readonly accesses: readonly TracedAccess[];
}

interface TracedAccess extends AccessedMemory {
  readonly pa: number | undefined;
  /** Of a load; undefined for a store, and if the address is not RAM. */
  readonly loaded: bigint | undefined;
}

/** Traces a machine from now on. */
export function traceInstructions(system: System, reader: TraceReader): void {
  const control = system.debugger.give(EVERY_VM, false), { names } = control.services;
  const follows = new Map<Vcpu, Follow | undefined>(), trace = new Trace(system, reader);
  const of = (vcpu: Vcpu) => {
    let found = follows.get(vcpu);
    if (found || follows.has(vcpu)) return found;
    const id = vcpuId(names.vcpu(vcpu)), place = parseAs("vcpu", id), traced = place && { ...place, id };
    if (traced && reader.follows(traced)) {
      found = { vcpu: traced, registers: tracedRegistersOf(vcpu), values: [], next: undefined, begun: undefined };
    }
    follows.set(vcpu, found);
    return found;
  };
  control.follow({
    is: (vcpu) => of(vcpu) !== undefined,
    steps: true,
    before: (vcpu) => trace.before(vcpu, of(vcpu)!),
    after: (vcpu) => trace.after(vcpu, of(vcpu)!),
  });
}

class Trace {
  constructor(readonly system: System, readonly reader: TraceReader) {}

  before(vcpu: Vcpu, follow: Follow): void {
    const { core, machine: { ram, time } } = this.system, { registers } = vcpu, { pc, pstate } = registers;
    if (follow.next !== undefined && pc !== follow.next) this.#record(vcpu, follow, this.#vectorOf(vcpu, follow.next));
    const el = (pstate & Pstate.ElMask) >> 2;
    follow.begun = undefined;
    if (!this.reader.has({ vcpu: follow.vcpu, pc, el })) return;
    this.#changes(vcpu, follow);
    const word = wordAt(core, ram, vcpu, pc);
    if (word === undefined) return;
    const accesses = core.questions.accesses(registers).flatMap(inParts).map((access): TracedAccess => {
      const pa = this.#physical(vcpu, access.va, access.size);
      return { ...access, pa, loaded: access.isWrite ? undefined : this.#read(pa, access.size) };
    });
    const mode = `EL${el}${el && pstate & Pstate.SP ? "h" : "t"}`;
    follow.begun = { pc, word, time, mode, pa: this.#physical(vcpu, pc, 4), accesses };
  }

  after(vcpu: Vcpu, follow: Follow): void {
    const { begun } = follow, { pc } = vcpu.registers;
    follow.next = pc;
    if (!begun) return;
    const put = (record: TarmacRecord) => this.reader.record(follow.vcpu, begun.time, record), { word, mode } = begun;
    const text = instructionText(word, begun.pc);
    put({ kind: "instruction", va: begun.pc, pa: begun.pa === undefined ? undefined : BigInt(begun.pa), word, mode, text });
    const vector = this.#vectorOf(vcpu, begun.pc), isFault = vector !== undefined && vector % VECTOR_KINDS === 0;
    for (const { isWrite, size, va, pa, loaded } of isFault ? [] : begun.accesses) {
      const value = isWrite ? this.#read(pa, size) : loaded;
      put({ kind: "memory", isWrite, size, va, pa: pa === undefined ? undefined : BigInt(pa), value });
    }
    this.#changes(vcpu, follow);
    this.#record(vcpu, follow, vector);
  }

  /** Registers whose value the trace does not have. */
  #changes(vcpu: Vcpu, { vcpu: traced, registers, values }: Follow): void {
    const { time } = this.system.machine;
    registers.forEach(({ shown, bits, read }, index) => {
      const value = read(vcpu);
      if (values[index] === value) return;
      values[index] = value;
      this.reader.record(traced, time, { kind: "register", name: shown, value, bits });
    });
  }

  /** The exception of a vector has been taken. */
  #record({ registers }: Vcpu, { vcpu }: Follow, vector: number | undefined): void {
    if (vector === undefined) return;
    const name = `${SOURCES[Math.floor(vector / VECTOR_KINDS)]}_${KINDS[vector % VECTOR_KINDS]}`;
    this.reader.record(vcpu, this.system.machine.time, { kind: "exception", pc: registers.pc, number: vector * Vector.Irq, name });
  }

  /**
   * The vector of the exception that a vCPU has just taken: by the instruction at an address, or an
   * interrupt after it.
   */
  #vectorOf({ registers }: Vcpu, at: bigint): number | undefined {
    const vector = registers.pstate & Pstate.ElMask ? vectorOf(registers) : undefined;
    if (vector === undefined) return undefined;
    const { pc, isInterrupt } = takenTo(registers, vector);
    const isNew = isInterrupt ? !(Number(registersOf(registers).getRegister("SPSR_EL1")) & MASKS[vector % VECTOR_KINDS]) : pc === at;
    return isNew ? vector : undefined;
  }

  #physical({ registers }: Vcpu, va: bigint, size: number): number | undefined {
    const found = this.system.core.questions.inspect(registers, va);
    return found.ok && found.pa % PAGE_SIZE + size <= PAGE_SIZE && this.system.machine.ram.contains(found.pa, size) ? found.pa : undefined;
  }

  #read(pa: number | undefined, size: number): bigint | undefined {
    if (pa === undefined) return undefined;
    return this.system.machine.ram.bytes(pa, size).reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
  }
}

function inParts(access: AccessedMemory): AccessedMemory[] {
  if (access.size <= LARGEST) return [access];
  const parts = access.size / LARGEST;
  return Array.from({ length: parts }, (_, index) => ({ ...access, va: access.va + BigInt(index * LARGEST), size: LARGEST }));
}
