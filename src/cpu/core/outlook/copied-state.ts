// A vCPU's registers and the memory that it writes, copied, so that code can be evaluated on them
// without any effect on the machine.

import type { Flag, StateName } from "../../isa/notation/builder.ts";
import type { InstructionSet } from "../../isa/instruction-set.ts";
import type { FeatureName } from "../../isa/cpus/features.ts";
import { extendedPstate, faultOf, FaultStatus, Pstate, Sctlr, SCTLR_DSSBS_SHIFT, Vector } from "../architecture/exceptions.ts";
import type { ExclusiveMonitor, RegisterName, VcpuState } from "../registers/vcpu-state.ts";
import { Slot } from "../state/cpu-state.ts";

/** The machine's memory. */
export interface ReadMemory {
  /**
   * The physical address of a virtual one, or the status code of its fault at stage 1.
   * @param kind of `Access` and `AccessKind`
   * @param pstate with whose EL and PAN it is accessed
   */
  translate(va: bigint, kind: number, pstate: number): PhysicalPlace | { readonly fsc: number; readonly isDevice: boolean };
  /** Little-endian RAM; undefined if the address is not RAM. */
  read(pa: number, size: number): bigint | undefined;
}

/** A place in physical memory. */
export interface PhysicalPlace {
  readonly pa: number;
  /** Accesses have to be aligned. */
  readonly isDevice: boolean;
  /** Branches to its code are checked (FEAT_BTI). */
  readonly isGuarded: boolean;
}

/** The processor that would execute the code. */
export interface Processor {
  readonly instructions: InstructionSet;
  readonly features: ReadonlySet<FeatureName>;
  readonly memory: ReadMemory;
  /** The exclusive monitor while it is set. */
  readonly monitor: ExclusiveMonitor | undefined;
}

/** A part of memory that was read, and what it held. */
export interface SeenWord {
  readonly va: bigint;
  readonly pa: number;
  /** Bytes. */
  readonly size: number;
  readonly value: bigint;
}

/** System registers that code may change meanwhile. */
const CHANGED_REGISTERS = ["SP_EL0", "SP_EL1", "ELR_EL1", "SPSR_EL1", "ESR_EL1", "FAR_EL1", "TPIDR_EL0", "TPIDR_EL1"] as const;
type ChangedRegister = typeof CHANGED_REGISTERS[number];

export function isChangedRegister(name: string): name is ChangedRegister {
  return (CHANGED_REGISTERS as readonly string[]).includes(name);
}

// An evaluation ends where translations are dropped.
const STATES = ["FETCHES_DROPPED", "EVENT", "EXCLUSIVE", "EXCLUSIVE_ADDRESS", "EXCLUSIVE_VALUE", "EXCLUSIVE_VALUE2"] as const;
const X_SLOTS = Slot.Dump + 1;
const FLAGS: readonly Flag[] = ["N", "Z", "C", "V"];

/** Places in the list of values. */
const PLACES = new Map<string, number>(
  ["PC", "PSTATE", ...FLAGS, ...CHANGED_REGISTERS, ...STATES].map((name, index) => [name, X_SLOTS + index]),
);

const PC = placeOf("PC"), PSTATE = placeOf("PSTATE");
// Without EL2 it is PSTATE.
PLACES.set("ZERO_LEVEL", PSTATE);

/** The name of the stack pointer in use. */
const stackOf = (pstate: number) => pstate & Pstate.SP ? "SP_EL1" : "SP_EL0";

/** An access that stage 1 refuses, or that is not to RAM. */
export class Unreachable extends Error {
  /**
   * @param kind of `Access` and `AccessKind`
   * @param fsc status code of a stage-1 fault; undefined if the address is not RAM
   */
  constructor(readonly va: bigint, readonly kind: number, readonly fsc: number | undefined) {
    super(`0x${va.toString(16)}`);
  }
}

export class CopiedState {
  #values: bigint[] = new Array(X_SLOTS + PLACES.size).fill(0n);
  /** Bytes by their physical addresses. */
  #written = new Map<number, number>();
  /** Pages by the kind of access with the bits of PSTATE that count for it, and their numbers. */
  readonly #pages = new Map<number, Map<bigint, PhysicalPlace>>();

  constructor(readonly vcpu: VcpuState, readonly processor: Processor) {
    for (let index = 0; index < 31; index++) this.#values[index] = vcpu.getX(index);
    for (const name of CHANGED_REGISTERS) this.set(name, vcpu.getRegister(name));
    const { pstate } = vcpu;
    this.set("PC", vcpu.pc);
    this.set("PSTATE", BigInt((pstate & ~Pstate.Nzcv) >>> 0));
    this.#setFlags(pstate);
    this.set("EVENT", vcpu.event ? 1n : 0n);
    this.setX(Slot.SP, this.get(stackOf(pstate)));
    const { monitor } = processor;
    if (!monitor) return;
    this.set("EXCLUSIVE", BigInt(monitor.size));
    this.set("EXCLUSIVE_ADDRESS", monitor.address);
    this.set("EXCLUSIVE_VALUE", monitor.low);
    this.set("EXCLUSIVE_VALUE2", monitor.high);
  }

  getX(slot: number): bigint {
    return slot === Slot.Zero || slot === Slot.Dump ? 0n : this.#values[slot];
  }

  setX(slot: number, value: bigint): void {
    if (slot !== Slot.Dump && slot !== Slot.Zero) this.#values[slot] = value;
  }

  get(name: string): bigint {
    return this.#values[placeOf(name)];
  }

  set(name: string, value: bigint): void {
    this.#values[placeOf(name)] = BigInt.asUintN(64, value);
  }

  has(name: StateName | "PC"): boolean {
    return PLACES.has(name);
  }

  get pc(): bigint {
    return this.#values[PC];
  }

  set pc(value: bigint) {
    this.#values[PC] = BigInt.asUintN(64, value);
  }

  get pstate(): number {
    return Number(this.#values[PSTATE]);
  }

  /** PSTATE with its flags, as SPSR_EL1 holds it. */
  get spsr(): number {
    const sign = (name: Flag, mask: number) => this.get(name) >> 63n ? mask : 0;
    return (this.pstate | sign("N", Pstate.N) | (this.get("Z") === 0n ? Pstate.Z : 0) | (this.get("C") ? Pstate.C : 0) |
      sign("V", Pstate.V)) >>> 0;
  }

  /** Sets PSTATE without its flags, and SP to the stack pointer that it selects. */
  setPstate(pstate: number): void {
    this.set(stackOf(this.pstate), this.getX(Slot.SP));
    this.set("PSTATE", BigInt(pstate >>> 0));
    this.setX(Slot.SP, this.get(stackOf(pstate)));
  }

  /** @param spsr with the flags where SPSR_EL1 has them */
  #setFlags(spsr: number): void {
    this.set("N", spsr & Pstate.N ? 1n << 63n : 0n);
    this.set("Z", spsr & Pstate.Z ? 0n : 1n);
    this.set("C", spsr & Pstate.C ? 1n : 0n);
    this.set("V", spsr & Pstate.V ? 1n << 63n : 0n);
  }

  /** A register that is read by name; undefined if its value is not known here. */
  register(name: string): bigint | undefined {
    if (isChangedRegister(name)) return name === stackOf(this.pstate) ? this.getX(Slot.SP) : this.get(name);
    return FIXED_REGISTERS.has(name) ? this.vcpu.getRegister(name as RegisterName) : undefined;
  }

  /** Takes a synchronous exception to EL1. */
  takeException(esr: number, elr: bigint, far?: bigint): void {
    const { pstate } = this;
    if (far !== undefined) this.set("FAR_EL1", far);
    this.set("ESR_EL1", BigInt(esr));
    this.set("SPSR_EL1", BigInt(this.spsr));
    this.set("ELR_EL1", elr);
    const source = pstate & Pstate.ElMask ? pstate & Pstate.SP ? Vector.CurrentSpx : Vector.CurrentSp0 : Vector.LowerAarch64;
    this.set("PC", this.vcpu.getRegister("VBAR_EL1") + BigInt(source));
    const sctlr = this.vcpu.getRegister("SCTLR_EL1"),
      speculates = this.processor.features.has("FEAT_SSBS") && sctlr >> BigInt(SCTLR_DSSBS_SHIFT) & 1n;
    const pan = sctlr & BigInt(Sctlr.SPAN) ? pstate & Pstate.PAN : Pstate.PAN;
    this.setPstate(Pstate.EL1h | Pstate.Daif | pan | pstate & Pstate.DIT | (speculates ? Pstate.SSBS : 0));
    this.set("EXCLUSIVE", 0n);
  }

  /** ERET; false if the return is illegal. */
  returnFromException(): boolean {
    const spsr = Number(this.get("SPSR_EL1") & 0xffff_ffffn), mode = spsr & Pstate.Mode;
    if (mode !== Pstate.EL0t && mode !== Pstate.EL1t && mode !== Pstate.EL1h || spsr & Pstate.IL) return false;
    this.setPstate(spsr & (Pstate.Daif | Pstate.PAN | extendedPstate(this.processor.features) | Pstate.Mode));
    this.#setFlags(spsr);
    this.set("PC", this.get("ELR_EL1"));
    this.set("EXCLUSIVE", 0n);
    this.set("EVENT", 1n);
    return true;
  }

  /**
   * The page of an address.
   * @param kind of `Access` and `AccessKind`
   * @param misaligned which Device memory refuses before the right to it is looked at
   * @throws Unreachable
   */
  pageOf(va: bigint, kind: number, misaligned = false): PhysicalPlace {
    const counting = kind | this.pstate & (Pstate.ElMask | Pstate.PAN | Pstate.UAO), number = va >> 12n;
    let pages = this.#pages.get(counting);
    if (!pages) this.#pages.set(counting, pages = new Map());
    let page = pages.get(number);
    if (!page) {
      const found = this.processor.memory.translate(va & ~0xfffn, kind, this.pstate);
      if ("fsc" in found) {
        const refused = misaligned && found.isDevice && faultOf(found.fsc).kind === FaultStatus.Permission;
        throw new Unreachable(va, kind, refused ? FaultStatus.Alignment : found.fsc);
      }
      if (this.processor.memory.read(found.pa, 1) === undefined) throw new Unreachable(va, kind, undefined);
      pages.set(number, page = found);
    }
    return page;
  }

  /** Whether stage 1 permits such an access. */
  isMapped(va: bigint, kind: number): boolean {
    return !("fsc" in this.processor.memory.translate(va, kind, this.pstate));
  }

  /** The value at a physical address. */
  read(pa: number, size: number): bigint {
    const held = this.processor.memory.read(pa, size) ?? 0n;
    if (this.#written.size === 0) return held;
    let value = held;
    for (let index = 0; index < size; index++) {
      const byte = this.#written.get(pa + index), shift = BigInt(8 * index);
      if (byte !== undefined) value = value & ~(0xffn << shift) | BigInt(byte) << shift;
    }
    return value;
  }

  write(pa: number, size: number, value: bigint): void {
    for (let index = 0; index < size; index++) this.#written.set(pa + index, Number(value >> BigInt(8 * index) & 0xffn));
  }

  /** Whether memory differs from the machine's. */
  get hasChanges(): boolean {
    for (const [pa, byte] of this.#written) if (byte !== Number(this.processor.memory.read(pa, 1))) return true;
    return false;
  }

  /** Whether it has written any of these bytes. */
  hasWritten({ pa, size }: SeenWord): boolean {
    for (let index = 0; index < size; index++) if (this.#written.has(pa + index)) return true;
    return false;
  }

  /** A copy of the state, to compare with later. */
  mark(): Mark {
    return { pc: this.pc, values: [...this.#values], written: new Map(this.#written) };
  }

  /** Whether registers and memory are those of a mark. */
  isAt({ pc, values, written }: Mark): boolean {
    if (pc !== this.#values[PC]) return false;
    for (let index = 0; index < values.length; index++) if (values[index] !== this.#values[index]) return false;
    for (const [pa, byte] of this.#written) {
      if (byte !== (written.get(pa) ?? Number(this.processor.memory.read(pa, 1)))) return false;
    }
    return true;
  }
}

/** An earlier state. */
export interface Mark {
  readonly pc: bigint;
  readonly values: readonly bigint[];
  readonly written: ReadonlyMap<number, number>;
}

function placeOf(name: string): number {
  const place = PLACES.get(name);
  if (place === undefined) throw new Error(`${name} is not copied`);
  return place;
}

/** Registers that code may read; a write of one ends the evaluation. */
const FIXED_REGISTERS: ReadonlySet<string> = new Set<RegisterName>([
  ...["VBAR_EL1", "SCTLR_EL1", "TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "MAIR_EL1", "AMAIR_EL1", "CONTEXTIDR_EL1", "CPACR_EL1"] as const,
  ...["TPIDRRO_EL0", "MDSCR_EL1", "MIDR_EL1", "MPIDR_EL1"] as const,
]);
