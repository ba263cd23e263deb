// A debugger's view of a VM: registers by Arm's names, memory by guest virtual addresses. Reads
// have no side effects, not even on a TLB's order or an exclusive monitor (Arm ARM H1 requires the
// same of external debuggers).

import {
  EL2_REGISTERS,
  el2Regime,
  pointerMask,
  Pstate,
  type Regime,
  type RegisterName,
  type WatchKind,
} from "../../../cpu/core/interface.ts";
import type { BreakpointCondition } from "./vm-stops.ts";
import type { BlockCode } from "../../abi/trace.ts";
import type { DebugControl } from "./debug-control.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Bytes in one `read` or `write`. */
const MAXIMUM_ACCESS = 0x4000;
/** Stage 2 knows addresses of 40 bits at most. */
const MAXIMUM_PHYSICAL = (1n << 40n) - 1n;
const VECTORS = 32;
const GENERAL = 31;
/** Exception levels and stack pointers that a guest can be at: M[4:0]; EL2 with FEAT_EL2. */
const MODES: ReadonlySet<number> = new Set([Pstate.EL0t, Pstate.EL1t, Pstate.EL1h]);
const MODES_OF_EL2: ReadonlySet<number> = new Set([Pstate.EL2t, Pstate.EL2h]);
/** Bits of PSTATE that may be written, in addition to the mode. */
const WRITABLE_PSTATE = (Pstate.Nzcv | Pstate.PAN | Pstate.Daif) >>> 0;

/** System registers that can be read, in the order of `DEBUG_REGISTERS`. */
const SYSTEM = [
  "SP_EL0",
  "SP_EL1",
  "ELR_EL1",
  "SPSR_EL1",
  "ESR_EL1",
  "FAR_EL1",
  "VBAR_EL1",
  "SCTLR_EL1",
  "TCR_EL1",
  "TTBR0_EL1",
  "TTBR1_EL1",
  "MAIR_EL1",
  "CONTEXTIDR_EL1",
  "CPACR_EL1",
  "TPIDR_EL0",
  "TPIDRRO_EL0",
  "TPIDR_EL1",
  "PAR_EL1",
  "MPIDR_EL1",
] as const satisfies readonly RegisterName[];

/** A register of a vCPU. */
export interface DebugRegister {
  readonly name: string;
  readonly bits: 32 | 64 | 128;
  readonly group: "core" | "fp" | "system" | "pauth" | "el2";
  readonly read: (vcpu: Vcpu) => bigint;
  /** False if the register cannot have the value. Undefined: read-only. */
  readonly write: ((vcpu: Vcpu, value: bigint) => boolean) | undefined;
}

const always = (write: (vcpu: Vcpu, value: bigint) => void) => (vcpu: Vcpu, value: bigint) => {
  write(vcpu, value);
  return true;
};
const named = (name: RegisterName, bits: 32 | 64, group: DebugRegister["group"]): DebugRegister => ({
  name,
  bits,
  group,
  read: ({ registers }) => registers.getRegister(name),
  write: group === "system" || group === "el2" ? undefined : always(({ registers }, value) => registers.setRegister(name, value)),
});
/** The register that is SP of a vCPU now. */
export function stackPointer({ registers: { pstate } }: Vcpu): RegisterName {
  if (!(pstate & Pstate.SP)) return "SP_EL0";
  return (pstate & Pstate.ElMask) === Pstate.EL2 ? "SP_EL2" : "SP_EL1";
}

/** The bits of codes in pointers, by gdb's name; none on a CPU without pointer authentication. */
const mask = (name: string, kind: "code" | "data", half: 0 | 1): DebugRegister => ({
  name,
  bits: 64,
  group: "pauth",
  read: ({ registers, services: { core: { cpu: { features } } } }) =>
    features.has("FEAT_PAuth") ? pointerMask(registers.getRegister("TCR_EL1"), half, kind, features) : 0n,
  write: undefined,
});

/**
 * All registers: X0..X30, SP, PC, CPSR (which is PSTATE), V0..V31, FPSR, FPCR, then system
 * registers, the masks of pointers, and the system registers of EL2. A register's number is its
 * index. Those that a vCPU lacks are at the end.
 */
export const DEBUG_REGISTERS: readonly DebugRegister[] = [
  ...Array.from({ length: GENERAL }, (_, index): DebugRegister => ({
    name: `X${index}`,
    bits: 64,
    group: "core",
    read: ({ registers }) => registers.getX(index),
    write: always(({ registers }, value) => registers.setX(index, value)),
  })),
  {
    name: "SP",
    bits: 64,
    group: "core",
    read: (vcpu) => vcpu.registers.getRegister(stackPointer(vcpu)),
    write: always((vcpu, value) => vcpu.registers.setRegister(stackPointer(vcpu), value)),
  },
  {
    name: "PC",
    bits: 64,
    group: "core",
    read: ({ registers }) => registers.pc,
    write: always(({ registers }, value) => {
      registers.pc = value;
    }),
  },
  { name: "CPSR", bits: 32, group: "core", read: ({ registers }) => BigInt(registers.pstate), write: writePstate },
  ...Array.from({ length: VECTORS }, (_, index): DebugRegister => ({
    name: `V${index}`,
    bits: 128,
    group: "fp",
    read: ({ registers }) => {
      const [low, high] = registers.getV(index);
      return high << 64n | low;
    },
    write: always(({ registers }, value) => registers.setV(index, BigInt.asUintN(64, value), value >> 64n)),
  })),
  named("FPSR", 32, "fp"),
  named("FPCR", 32, "fp"),
  ...SYSTEM.map((name) => named(name, 64, "system")),
  mask("PAUTH_DMASK", "data", 0),
  mask("PAUTH_CMASK", "code", 0),
  mask("PAUTH_DMASK_HIGH", "data", 1),
  mask("PAUTH_CMASK_HIGH", "code", 1),
  ...EL2_REGISTERS.map((name) => named(name, 64, "el2")),
];

/** Those of vCPUs without EL2. */
const COMMON_REGISTERS = DEBUG_REGISTERS.filter(({ group }) => group !== "el2");

/** The registers that a vCPU has. */
export function debugRegistersOf({ registers: { hasEl2, names } }: Vcpu): readonly DebugRegister[] {
  if (!hasEl2) return COMMON_REGISTERS;
  return DEBUG_REGISTERS.filter(({ group, name }) => group !== "el2" || names.some((one) => one === name));
}

function writePstate({ registers }: Vcpu, value: bigint): boolean {
  const wanted = Number(value), now = registers.pstate;
  const mode = wanted & Pstate.Mode, isMode = MODES.has(mode) || registers.hasEl2 && MODES_OF_EL2.has(mode);
  if (!isMode || ((wanted ^ now) & ~(WRITABLE_PSTATE | Pstate.Mode)) !== 0) return false;
  registers.pstate = wanted;
  return true;
}

/**
 * Address spaces: virtual addresses of a vCPU at its level (the default), those of its EL1 or its
 * EL2 at any level, its VM's intermediate physical ones, or the machine's physical ones.
 */
export type DebugSpace = "va" | "el1" | "el2" | "ipa" | "pa";

/**
 * Requests of a debugger about its VM while that is stopped. vCPUs by index; virtual addresses of
 * 64 bits.
 */
export type DebugAccess =
  | { readonly kind: "vcpus" }
  /** All that the vCPU has of `DEBUG_REGISTERS`. */
  | { readonly kind: "registers"; readonly vcpu: number }
  /** One register by its number. */
  | { readonly kind: "write-register"; readonly vcpu: number; readonly register: number; readonly value: bigint }
  /** At most `MAXIMUM_ACCESS` bytes; fewer are returned when the rest is not RAM. */
  | { readonly kind: "read"; readonly vcpu: number; readonly space?: DebugSpace; readonly address: bigint; readonly size: number }
  /** All or nothing. Read-only mappings do not matter. */
  | { readonly kind: "write"; readonly vcpu: number; readonly space?: DebugSpace; readonly address: bigint; readonly bytes: Uint8Array }
  /**
   * `vm`: the one that the address belongs to, for a debugger of several. The conditions replace
   * those that the address had.
   */
  | {
    readonly kind: "insert-breakpoint";
    readonly address: bigint;
    readonly vm?: string;
    readonly conditions?: readonly BreakpointCondition[];
  }
  | { readonly kind: "remove-breakpoint"; readonly address: bigint; readonly vm?: string }
  | {
    readonly kind: "insert-watchpoint" | "remove-watchpoint";
    readonly address: bigint;
    readonly length: number;
    readonly watch: WatchKind;
    readonly vm?: string;
  }
  /** Each VM stops before its first instruction from now on. */
  | { readonly kind: "stop-at-starts" };

/** A vCPU under a debugger: its number, its name for display, and what it waits for. */
export interface DebuggedVcpu {
  readonly index: number;
  readonly name: string;
  readonly waits: readonly BlockCode[];
}

/** The answer to a `DebugAccess`. */
export type DebugAnswer =
  | { readonly kind: "done" }
  | { readonly kind: "vcpus"; readonly vcpus: readonly DebuggedVcpu[] }
  | { readonly kind: "registers"; readonly values: readonly bigint[] }
  | { readonly kind: "memory"; readonly bytes: Uint8Array }
  /** The reason, for display. */
  | { readonly kind: "refused"; readonly message: string };

const DONE: DebugAnswer = { kind: "done" };
const refused = (message: string): DebugAnswer => ({ kind: "refused", message });

/** A vCPU for display: its index in the VM, with its VM if there are several. */
function describe({ debuggee: { only, numberOf }, services: { names } }: DebugControl, vcpu: Vcpu): DebuggedVcpu {
  const index = numberOf(vcpu);
  return { index, waits: vcpu.life.waits, name: only === undefined ? names.vcpu(vcpu) : String(index) };
}

export function answerDebugger(control: DebugControl, access: DebugAccess): DebugAnswer {
  const vcpus = control.vcpus();
  switch (access.kind) {
    case "vcpus":
      return { kind: "vcpus", vcpus: vcpus.map((vcpu) => describe(control, vcpu)) };
    case "insert-breakpoint":
      return control.insert(access.address, access.vm, access.conditions)
        ? DONE
        : refused("no VM, too many breakpoints, or no address of an instruction");
    case "remove-breakpoint":
      control.remove(access.address, access.vm);
      return DONE;
    case "insert-watchpoint": {
      const { address, length, watch, vm } = access;
      return control.watch(address, length, watch, vm) ? DONE : refused("no VM, too many watchpoints, or too many bytes");
    }
    case "remove-watchpoint":
      control.unwatch(access.address, access.length, access.watch, access.vm);
      return DONE;
    case "stop-at-starts":
      control.stopAtStarts();
      return DONE;
  }
  const vcpu = control.vcpu(access.vcpu);
  if (!vcpu) return refused(`there is no vCPU ${access.vcpu}`);
  switch (access.kind) {
    case "registers":
      return { kind: "registers", values: debugRegistersOf(vcpu).map(({ read }) => read(vcpu)) };
    case "write-register": {
      const register = debugRegistersOf(vcpu)[access.register];
      if (!register?.write) return refused("the register is read-only, or there is none");
      const fits = register.write(vcpu, BigInt.asUintN(register.bits, access.value));
      return fits ? DONE : refused(`${register.name} cannot have this value`);
    }
    case "read":
      return read(control, vcpu, access);
    case "write":
      return write(control, vcpu, access);
  }
}

/** A piece of guest memory inside one page. */
interface PagePiece {
  readonly pa: number;
  /** Its place in the whole access. */
  readonly offset: number;
  readonly size: number;
}

/** The translation regime of a level; undefined: that in use. */
function regimeAt({ registers }: Vcpu, space: "va" | "el1" | "el2"): Regime | undefined {
  return space === "el2" ? el2Regime(registers) : space === "el1" ? "EL1&0" : undefined;
}

/** The physical address of an address in a space; undefined if nothing is mapped. */
function physical({ core }: DebugControl, vcpu: Vcpu, space: DebugSpace, address: bigint): number | undefined {
  if (space === "va" || space === "el1" || space === "el2") {
    if (space === "el2" && !vcpu.registers.hasEl2) return undefined;
    const translation = core.questions.inspect(vcpu.registers, address, "read", regimeAt(vcpu, space));
    return translation.ok ? translation.pa : undefined;
  }
  if (address > MAXIMUM_PHYSICAL) return undefined;
  if (space === "pa") return Number(address);
  const page = vcpu.addressSpace?.stage2.lookup(Number(address));
  return page && page.pa + Number(address) % PAGE_SIZE;
}

/** The physical pieces of memory, up to the first that is not RAM. */
function* pieces(control: DebugControl, vcpu: Vcpu, space: DebugSpace, address: bigint, size: number): Generator<PagePiece> {
  for (let offset = 0; offset < size;) {
    const va = BigInt.asUintN(64, address + BigInt(offset));
    const length = Math.min(size - offset, PAGE_SIZE - Number(va % BigInt(PAGE_SIZE)));
    const pa = physical(control, vcpu, space, va);
    if (pa === undefined || !control.services.machine.ram.contains(pa, length)) return;
    yield { pa, offset, size: length };
    offset += length;
  }
}

type MemoryAccess<K extends "read" | "write"> = Extract<DebugAccess, { kind: K }>;

function read(control: DebugControl, vcpu: Vcpu, { space = "va", address, size }: MemoryAccess<"read">): DebugAnswer {
  if (size > MAXIMUM_ACCESS) return refused(`more than ${MAXIMUM_ACCESS} bytes`);
  const bytes = new Uint8Array(size);
  let end = 0;
  for (const piece of pieces(control, vcpu, space, address, size)) {
    bytes.set(control.services.machine.ram.bytes(piece.pa, piece.size), piece.offset);
    end = piece.offset + piece.size;
  }
  return end > 0 || size === 0 ? { kind: "memory", bytes: bytes.subarray(0, end) } : refused("no RAM is mapped there");
}

function write(control: DebugControl, vcpu: Vcpu, { space = "va", address, bytes }: MemoryAccess<"write">): DebugAnswer {
  if (bytes.length > MAXIMUM_ACCESS) return refused(`more than ${MAXIMUM_ACCESS} bytes`);
  const places = [...pieces(control, vcpu, space, address, bytes.length)];
  if (places.reduce((sum, { size }) => sum + size, 0) < bytes.length) return refused("no RAM is mapped there");
  for (const { pa, offset, size } of places) control.services.machine.ram.write(pa, bytes.subarray(offset, offset + size));
  return DONE;
}
