// A machine of the past whose accesses are noted while it runs again: the object of the look, and
// what is found. Each way to look is a file beside this one.

import type { RamWriter } from "../../../machine/abi/ram-writer.ts";
import type { TraceEvent, TraceKind } from "../../../machine/abi/trace.ts";
import type { MemoryWatch, RegisterWrites } from "../../../cpu/core/interface.ts";
import type { DebugStop } from "../../../machine/hypervisor/interface.ts";
import { type ObjectChanges, type Vcpu, wordAt } from "../../../machine/hypervisor/inspect.ts";
import type { BreakPlace } from "../../../model/queries/stop-rule.ts";
import { EVERY_VM } from "../../../model/queries/debugged-vms.ts";
import { vcpuId } from "../../../model/queries/ids.ts";
import type { System } from "../../assembly/system/system.ts";

/** Finds events that match. */
export interface EventMatching {
  /** The events whose match this one decides. */
  see(event: TraceEvent): readonly TraceEvent[];
  /** The events that match because nothing else has come up to a virtual time (ns). */
  reached(time: number): readonly TraceEvent[];
}

/**
 * The object of a search: bytes of RAM, code in modules of a kernel, the value of an expression, a
 * register of `vcpu:VM/INDEX`, an object by its id, or events. If they are matched over time, that
 * begins at the start of the run.
 */
export type Watched =
  | { readonly kind: "object"; readonly id: string; readonly mayChange?: (changes: ObjectChanges) => boolean }
  | { readonly kind: "event"; readonly kinds: readonly TraceKind[]; readonly isTemporal: boolean; start(): EventMatching }
  | { readonly kind: "memory"; readonly watch: MemoryWatch }
  | { readonly kind: "code"; readonly at: string; readonly place: BreakPlace }
  | { readonly kind: "expression"; readonly text: string }
  | {
    readonly kind: "register";
    readonly vcpu: string;
    readonly read: (vcpu: Vcpu) => bigint;
    /** Nothing but these instructions and exceptions changes it while its vCPU runs. */
    readonly writes?: RegisterWrites | undefined;
  };

/** An interrupt of the vCPU changed a register. */
export const INTERRUPT = { code: "interrupt" } as const;
/** No write was seen: a VM began, page tables changed, or a kernel became known. */
export const UNSEEN = { code: "unseen" } as const;

/** The bytes, the value of the register, or the state of the object in words. */
export type Value = Uint8Array | bigint | string;

/** An instruction of a vCPU. */
export interface PastInstruction {
  /** `vcpu:VM/INDEX`. */
  readonly vcpu: string;
  readonly pc: bigint;
  /** 0 if it cannot be read. */
  readonly word: number;
}

/** One access or change. */
export interface PastAccess {
  /**
   * Instructions that all vCPUs together had retired before it. For a write that no instruction
   * made, and for an event, it is one fewer: the last instruction or its exit may have caused it.
   */
  readonly at: number;
  /** Virtual time (ns). */
  readonly time: number;
  /** The instruction that did it, or the vCPU's last one before. */
  readonly instruction?: PastInstruction | undefined;
  /** The writer, unless that was an instruction; an interrupt: before that instruction. */
  readonly by?: RamWriter | typeof INTERRUPT | typeof UNSEEN | undefined;
  /** The event at which an object changed: an instruction's exit, unless it is of no vCPU. */
  readonly event?: TraceEvent | undefined;
  readonly before: Value;
  readonly after: Value;
}

/** Called after each access to memory or a register; true: the machine stops there. */
export type Noted = (access: PastAccess) => boolean;

/** A machine whose accesses are noted. */
export interface Looking {
  /** Nothing so far counts. */
  begin?(): void;
  /** The machine has stopped for its debugger; true: the search continues elsewhere. */
  stopped?(stop: DebugStop): boolean;
  /** The machine is about to continue for some turns. */
  turns?(): void;
  /** The accesses, and what was there before them. */
  end(): { readonly accesses: readonly PastAccess[]; readonly first: Value };
}

/** The instruction at an address that a vCPU has or has had in its PC. */
export function instructionOf({ core, machine: { ram } }: System, vcpu: Vcpu, id: string, pc = vcpu.registers.pc): PastInstruction {
  return { vcpu: id, pc, word: wordAt(core, ram, vcpu, pc) ?? 0 };
}

/** A vCPU that executes instructions, by its id (`vcpu:VM/INDEX`). */
export function vcpuOf(system: System, id: string): Vcpu | undefined {
  const control = system.debugger.control ?? system.debugger.give(EVERY_VM, false), { names } = control.services;
  return control.vcpus().find((one) => vcpuId(names.vcpu(one)) === id);
}

/** The instruction that a vCPU (`vcpu:VM/INDEX`) executes next; undefined without instructions. */
export function nextInstruction(system: System, id: string): PastInstruction | undefined {
  const vcpu = vcpuOf(system, id);
  return vcpu && instructionOf(system, vcpu, id);
}
