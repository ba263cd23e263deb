// The GIC's CPU interface as EL1 has it, in the form of system-registers.ts: where HCR_EL2.IMO or
// FMO routes interrupts to EL2, an encoding of ICC_*_EL1 means ICV_*_EL1. Otherwise the register is
// the machine's, and an access leaves the core. Arm IHI 0069H 4.5, 12.2.

import { systemRegisterNumber } from "../../isa/names/system-register-names.ts";
import { Pstate } from "../architecture/exceptions.ts";
import { Hcr } from "../architecture/hypervisor-control.ts";
import { IchHcr, IchVmcr, IcvCtlr, LEAST_BINARY_POINTS, PRIORITY_BITS, SPURIOUS } from "../architecture/virtual-gic.ts";
import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { hcr } from "../exceptions/el2-entry.ts";
import { CPU, Slot, xAddress } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import { type Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { type SystemRegister } from "./system-register.ts";
import { groupOf, listRegister, runningPriority, virtualInterface, virtualOf } from "./virtual-interface.ts";

/** The registers of a group, those of both, and those that send interrupts, which EL2 sends. */
type Kind = "group 0" | "group 1" | "common" | "sends";

/** Bits of HCR_EL2 with one of which they are virtual, and of ICH_HCR_EL2 that trap them. */
const CONTROLS: Readonly<Record<Kind, readonly [routed: bigint, traps: number]>> = {
  "group 0": [Hcr.FMO, IchHcr.TALL0],
  "group 1": [Hcr.IMO, IchHcr.TALL1],
  common: [Hcr.IMO | Hcr.FMO, IchHcr.TC],
  sends: [Hcr.IMO | Hcr.FMO, IchHcr.TC],
};

type Read = (c: Code, library: Library) => Value;
type Write = (c: Code, library: Library, value: Local) => void;

interface VirtualRegister {
  readonly name: string;
  readonly kind: Kind;
  readonly place: readonly [crn: number, crm: number, op2: number];
  readonly read?: Read;
  readonly write?: Write;
}

const vmcr = (c: Code) => c.load("i32.load", CPU.ICH_VMCR_EL2);
const field = (c: Code, shift: number, mask: number) => vmcr(c).shrU(shift).and(mask);

/** Changes a field of ICH_VMCR_EL2. */
function setField(c: Code, library: Library, shift: number, mask: number, value: Value): void {
  c.store("i32.store", CPU.ICH_VMCR_EL2, vmcr(c).and(~(mask << shift)).or(value.and(mask).shl(shift)));
  c.run(virtualInterface(library, "virtualInterfaceChanged"));
}

/** A register that is a field of ICH_VMCR_EL2. */
const fieldRegister = (shift: number, mask: number): { readonly read: Read; readonly write: Write } => ({
  read: (c) => field(c, shift, mask).wide(),
  write: (c, library, value) => setField(c, library, shift, mask, value.wrap()),
});

const binaryPoint = (c: Code, group: 0 | 1) => field(c, [IchVmcr.VBPR0Shift, IchVmcr.VBPR1Shift][group], IchVmcr.VBPRMask);

function setBinaryPoint(c: Code, library: Library, group: 0 | 1, value: Value): void {
  const least = LEAST_BINARY_POINTS[group], point = c.let(value.and(IchVmcr.VBPRMask));
  const shift = [IchVmcr.VBPR0Shift, IchVmcr.VBPR1Shift][group];
  setField(c, library, shift, IchVmcr.VBPRMask, point.ltU(least).select(constant("i32", least), point));
}

/** With VCBPR, the binary point of group 0 is that of group 1 as well, which counts one more. */
const SECOND_POINT: { readonly read: Read; readonly write: Write } = {
  read: (c) => {
    const next = c.let(binaryPoint(c, 0).add(1));
    const ofBoth = next.gtU(IchVmcr.VBPRMask).select(constant("i32", IchVmcr.VBPRMask), next);
    return vmcr(c).and(IchVmcr.VCBPR).select(ofBoth, binaryPoint(c, 1)).wide();
  },
  write: (c, library, value) => c.if(vmcr(c).and(IchVmcr.VCBPR).not(), () => setBinaryPoint(c, library, 1, value.wrap())),
};

const CONTROL: { readonly read: Read; readonly write: Write } = {
  read: (c) => {
    const bit = (from: number, to: number) => vmcr(c).and(from).nonZero().mul(to);
    return bit(IchVmcr.VCBPR, IcvCtlr.CBPR).or(bit(IchVmcr.VEOIM, IcvCtlr.EOImode)).or(IcvCtlr.Fixed).wide();
  },
  write: (c, library, value) => {
    const bit = (from: number, to: number) => value.wrap().and(from).nonZero().mul(to);
    const bits = bit(IcvCtlr.CBPR, IchVmcr.VCBPR).or(bit(IcvCtlr.EOImode, IchVmcr.VEOIM));
    c.store("i32.store", CPU.ICH_VMCR_EL2, vmcr(c).and(~(IchVmcr.VCBPR | IchVmcr.VEOIM)).or(bits));
    c.run(virtualInterface(library, "virtualInterfaceChanged"));
  },
};

/** ICV_IAR<n>_EL1. An MRS that leaves the core or takes an interrupt is complete nevertheless. */
const acknowledge = (group: 0 | 1): Read => (c, library) => {
  const value = c.let(c.call(virtualInterface(library, "acknowledgeVirtual"), group));
  c.if(c.load("i32.load", CPU.PENDING), () => {
    const register = c.let(c.call(callee(library, "currentWord")).and(31));
    c.if(register.ne(Slot.Zero), () => c.store("i64.store", register.shl(3), value, xAddress(0)));
  });
  return value;
};

/** ICV_HPPIR<n>_EL1. */
const highestPending = (group: 0 | 1): Read => (c, library) => {
  const index = c.let(c.call(virtualInterface(library, "virtualPending")));
  const found = c.let(constant("i64", SPURIOUS));
  c.if(index.geS(0), () => {
    const lr = c.let(listRegister(c, index));
    c.if(groupOf(lr).eq(group), () => c.set(found, virtualOf(lr).wide()));
  });
  return found;
};

/** ICV_AP<group>R0_EL1. */
const activePriorities = (address: number): { readonly read: Read; readonly write: Write } => ({
  read: (c) => c.load("i64.load", address),
  write: (c, library, value) => {
    c.store("i64.store", address, value.and(0xffff_ffff));
    c.run(virtualInterface(library, "virtualInterfaceChanged"));
  },
});

const end = (group: 0 | 1): Write => (c, library, value) => c.run(virtualInterface(library, "endVirtual"), group, value);

const REGISTERS: readonly VirtualRegister[] = [
  { name: "ICC_PMR_EL1", kind: "common", place: [4, 6, 0], ...fieldRegister(IchVmcr.VPMRShift, PRIORITY_BITS) },
  { name: "ICC_IAR0_EL1", kind: "group 0", place: [12, 8, 0], read: acknowledge(0) },
  { name: "ICC_EOIR0_EL1", kind: "group 0", place: [12, 8, 1], write: end(0) },
  { name: "ICC_HPPIR0_EL1", kind: "group 0", place: [12, 8, 2], read: highestPending(0) },
  {
    name: "ICC_BPR0_EL1",
    kind: "group 0",
    place: [12, 8, 3],
    read: (c) => binaryPoint(c, 0).wide(),
    write: (c, library, value) => setBinaryPoint(c, library, 0, value.wrap()),
  },
  { name: "ICC_AP0R0_EL1", kind: "group 0", place: [12, 8, 4], ...activePriorities(CPU.ICH_AP0R0_EL2) },
  { name: "ICC_AP1R0_EL1", kind: "group 1", place: [12, 9, 0], ...activePriorities(CPU.ICH_AP1R0_EL2) },
  {
    name: "ICC_DIR_EL1",
    kind: "common",
    place: [12, 11, 1],
    write: (c, library, value) => c.run(virtualInterface(library, "deactivateVirtual"), value),
  },
  { name: "ICC_RPR_EL1", kind: "common", place: [12, 11, 3], read: (c) => runningPriority(c).wide() },
  { name: "ICC_SGI1R_EL1", kind: "sends", place: [12, 11, 5] },
  { name: "ICC_ASGI1R_EL1", kind: "sends", place: [12, 11, 6] },
  { name: "ICC_SGI0R_EL1", kind: "sends", place: [12, 11, 7] },
  { name: "ICC_IAR1_EL1", kind: "group 1", place: [12, 12, 0], read: acknowledge(1) },
  { name: "ICC_EOIR1_EL1", kind: "group 1", place: [12, 12, 1], write: end(1) },
  { name: "ICC_HPPIR1_EL1", kind: "group 1", place: [12, 12, 2], read: highestPending(1) },
  { name: "ICC_BPR1_EL1", kind: "group 1", place: [12, 12, 3], ...SECOND_POINT },
  { name: "ICC_CTLR_EL1", kind: "common", place: [12, 12, 4], ...CONTROL },
  { name: "ICC_IGRPEN0_EL1", kind: "group 0", place: [12, 12, 6], ...fieldRegister(0, 1) },
  { name: "ICC_IGRPEN1_EL1", kind: "group 1", place: [12, 12, 7], ...fieldRegister(1, 1) },
];

const isEl1 = (c: Code) => c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask).eq(Pstate.EL1);
const isRouted = (c: Code, kind: Kind) => hcr(c).and(CONTROLS[kind][0]).nonZero();

/** Whether EL2 traps an access of EL1. */
function traps(c: Code, { name, kind }: VirtualRegister): Value {
  const bits = CONTROLS[kind][1] | (name === "ICC_DIR_EL1" ? IchHcr.TDIR : 0);
  const isTrapped = c.load("i32.load", CPU.ICH_HCR_EL2).and(bits).nonZero();
  return isEl1(c).and(kind === "sends" ? isTrapped.or(isRouted(c, kind)) : isTrapped);
}

/** Leaves the core if the register is the machine's; the function ends then. */
function leavePhysical(c: Code, library: Library, kind: Kind): void {
  const isVirtual = kind === "sends" ? constant("i32", 0) : isEl1(c).and(isRouted(c, kind));
  c.if(isVirtual.not(), () => {
    c.run(exceptionFunction(library, "trap"), c.call(library.get("systemSyndrome", [], ["i32"])));
    c.return(...c.f.results.map(() => constant("i64", 0)));
  });
}

/** The registers, and what traps them by their names. */
export const ICV_REGISTERS: readonly SystemRegister[] = REGISTERS.map(({ name, kind, place, read, write }) => ({
  name,
  encoding: systemRegisterNumber(3, 0, ...place),
  ...read && {
    read: {
      privilege: 1,
      emit: (c, library) => {
        leavePhysical(c, library, kind);
        return read(c, library);
      },
    },
  },
  ...(write || kind === "sends") && {
    write: {
      privilege: 1,
      emit: (c, library, value) => {
        leavePhysical(c, library, kind);
        write?.(c, library, value);
      },
    },
  },
}));

/** Whether EL2 traps an access of EL1 to a register of this name; undefined: it never does. */
export function trapsInterface(c: Code, name: string): Value | undefined {
  const register = REGISTERS.find((one) => one.name === name);
  return register && traps(c, register);
}
