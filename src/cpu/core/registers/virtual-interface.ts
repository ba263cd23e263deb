// GICv3's virtual CPU interface: which interrupt of the list registers a vCPU sees, what
// acknowledging and ending it does, and the maintenance interrupt. Arm IHI 0069H 4.8, 6.2 to 6.4;
// docs/design/el2.md §9. The registers are in ich-registers.ts (EL2's) and icv-registers.ts
// (EL1's).

import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { ExitReason } from "../exceptions/exit.ts";
import {
  FIRST_LPI,
  FIRST_SPECIAL,
  IchHcr,
  IchLr,
  IchMisr,
  IchVmcr,
  IDLE_PRIORITY,
  PRIORITY_SHIFT,
  SPURIOUS,
} from "../architecture/virtual-gic.ts";
import { Hcr } from "../architecture/hypervisor-control.ts";
import { CPU } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";

/** No list register. */
const NONE = -1;
const STATE_PENDING = 1, STATE_SHIFT = 62;

const ichHcr = (c: Code) => c.load("i32.load", CPU.ICH_HCR_EL2);
const vmcr = (c: Code) => c.load("i32.load", CPU.ICH_VMCR_EL2);
/** ICH_LR<index>_EL2, i64; the index is an i32. */
export const listRegister = (c: Code, index: Value) => c.load("i64.load", index.shl(3), CPU.ICH_LR0_EL2);
const setListRegister = (c: Code, index: Value, value: Value) => c.store("i64.store", index.shl(3), value, CPU.ICH_LR0_EL2);
const has = (lr: Value, bits: bigint) => lr.and(bits).nonZero();
/** Group and vINTID of a list register, i32. */
export const groupOf = (lr: Value) => lr.shrU(IchLr.GroupShift).wrap().and(1);
export const virtualOf = (lr: Value) => lr.wrap().and(IchLr.VirtualMask);
const priorityOf = (lr: Value) => lr.shrU(IchLr.PriorityShift).wrap().and(0xff);
const isSpecial = (intid: Value) => intid.geU(FIRST_SPECIAL).and(intid.leU(SPURIOUS));
const lowestBit = (word: Value) => word.op("i32.ctz", "i32");

const FUNCTIONS = {
  /** () -> i32: the list register with the highest priority that is pending, or -1. */
  virtualPending: [[], ["i32"]],
  /** (index i32) -> i32: whether its interrupt is signaled. */
  virtualPreempts: [["i32"], ["i32"]],
  /** () -> i32: ICH_MISR_EL2. */
  maintenanceState: [[], ["i32"]],
  /** (): what follows from the registers: `CPU.VIRTUAL_LINES`. */
  updateVirtualInterface: [[], []],
  /** (): an instruction has changed registers: interrupts, and what the machine has to know. */
  virtualInterfaceChanged: [[], []],
  /** (group i32) -> i64: ICV_IAR<n>_EL1. */
  acknowledgeVirtual: [["i32"], ["i64"]],
  /** (group i32, intid i64): ICV_EOIR<n>_EL1. */
  endVirtual: [["i32", "i64"], []],
  /** (intid i64): ICV_DIR_EL1. */
  deactivateVirtual: [["i64"], []],
} as const satisfies Record<string, readonly [readonly ("i32" | "i64")[], readonly ("i32" | "i64")[]]>;

/** Finds one of `FUNCTIONS`. */
export function virtualInterface(library: Library, name: keyof typeof FUNCTIONS) {
  const [parameters, results] = FUNCTIONS[name];
  return library.get(name, parameters, results);
}

/** Defines the functions for a number of list registers. */
export function defineVirtualInterface(library: Library, listRegisters: number): void {
  const define = (name: keyof typeof FUNCTIONS, isExported = false) => {
    const [parameters, results] = FUNCTIONS[name];
    return new Code(library.define(name, parameters, results, isExported));
  };
  definePending(define("virtualPending"), listRegisters);
  definePreempts(define("virtualPreempts"));
  defineMaintenance(define("maintenanceState"), listRegisters);
  defineUpdate(define("updateVirtualInterface", true), library);
  defineChanged(define("virtualInterfaceChanged"), library);
  defineAcknowledge(define("acknowledgeVirtual"), library);
  defineEnd(define("endVirtual"), library, listRegisters);
  defineDeactivate(define("deactivateVirtual"), library, listRegisters);
}

/** Runs `body` for each list register. */
function forEach(c: Code, listRegisters: number, body: (index: Local, lr: Local) => void): void {
  const index = c.let(constant("i32", 0));
  c.doWhile(() => {
    body(index, c.let(listRegister(c, index)));
    c.set(index, index.add(1));
  }, () => index.ltU(listRegisters));
}

/** The bits of a priority that preempt, in a group: VGroupBits of the specification. */
function groupMask(c: Code, group: Value): Value {
  const field = (shift: number) => vmcr(c).shrU(shift).and(IchVmcr.VBPRMask);
  const usesFirst = group.not().or(vmcr(c).and(IchVmcr.VCBPR));
  const point = usesFirst.select(field(IchVmcr.VBPR0Shift), field(IchVmcr.VBPR1Shift).sub(1));
  return constant("i32", -1).shl(point.add(1));
}

const activePriorities = (c: Code) => c.load("i32.load", CPU.ICH_AP0R0_EL2).or(c.load("i32.load", CPU.ICH_AP1R0_EL2));

/** ICV_RPR_EL1: the priority of what runs. */
export function runningPriority(c: Code): Value {
  const active = c.let(activePriorities(c));
  return active.select(lowestBit(active).shl(PRIORITY_SHIFT), constant("i32", IDLE_PRIORITY));
}

function definePending(c: Code, listRegisters: number): void {
  const found = c.let(constant("i32", NONE)), highest = c.let(constant("i32", IDLE_PRIORITY + 1));
  forEach(c, listRegisters, (index, lr) => {
    const isPending = lr.shrU(STATE_SHIFT).eq(STATE_PENDING).and(vmcr(c).shrU(groupOf(lr)));
    c.if(isPending.and(priorityOf(lr).ltU(highest)), () => {
      c.set(found, index);
      c.set(highest, priorityOf(lr));
    });
  });
  c.result(found);
}

function definePreempts(c: Code): void {
  const lr = c.let(listRegister(c, c.parameter(0)));
  const priority = c.let(priorityOf(lr)), mask = c.let(groupMask(c, groupOf(lr))), running = c.let(runningPriority(c));
  const preempts = running.eq(IDLE_PRIORITY).or(priority.and(mask).ltU(running.and(mask)));
  c.result(ichHcr(c).and(IchHcr.En).and(priority.ltU(vmcr(c).shrU(IchVmcr.VPMRShift))).and(preempts));
}

/** Whether the end of a list register's interrupt has not been seen yet: ICH_EISR_EL2. */
const isEnded = (lr: Value) => lr.and(IchLr.State | IchLr.HW | IchLr.EOI).eq(IchLr.EOI);
/** Whether a list register is free: ICH_ELRSR_EL2. */
const isEmpty = (lr: Value) => has(lr, IchLr.State).not().and(has(lr, IchLr.HW).or(has(lr, IchLr.EOI).not()));

/** A bit for each list register that something holds for. */
function bitsOf(c: Code, listRegisters: number, holds: (lr: Value) => Value): Value {
  const bits = c.let(constant("i32", 0));
  forEach(c, listRegisters, (index, lr) => c.set(bits, bits.or(holds(lr).shl(index))));
  return bits.wide();
}

/** ICH_EISR_EL2. */
export const endedLists = (c: Code, listRegisters: number): Value => bitsOf(c, listRegisters, isEnded);
/** ICH_ELRSR_EL2. */
export const emptyLists = (c: Code, listRegisters: number): Value => bitsOf(c, listRegisters, isEmpty);

function defineMaintenance(c: Code, listRegisters: number): void {
  const ended = c.let(constant("i32", 0)), valid = c.let(constant("i32", 0)), pending = c.let(constant("i32", 0));
  forEach(c, listRegisters, (_, lr) => {
    c.set(ended, ended.or(isEnded(lr)));
    c.set(valid, valid.add(has(lr, IchLr.State)));
    c.set(pending, pending.or(lr.shrU(STATE_SHIFT).eq(STATE_PENDING)));
  });
  const enables = (bit: number) => ichHcr(c).and(bit).nonZero(), enabled = (bit: number) => vmcr(c).and(bit).nonZero();
  const causes = [
    [IchMisr.EOI, ended],
    [IchMisr.U, enables(IchHcr.UIE).and(valid.ltU(2))],
    [IchMisr.LRENP, enables(IchHcr.LRENPIE).and(enables(IchHcr.EOIcount))],
    [IchMisr.NP, enables(IchHcr.NPIE).and(pending.not())],
    [IchMisr.VGrp0E, enables(IchHcr.VGrp0EIE).and(enabled(IchVmcr.VENG0))],
    [IchMisr.VGrp0D, enables(IchHcr.VGrp0DIE).and(enabled(IchVmcr.VENG0).not())],
    [IchMisr.VGrp1E, enables(IchHcr.VGrp1EIE).and(enabled(IchVmcr.VENG1))],
    [IchMisr.VGrp1D, enables(IchHcr.VGrp1DIE).and(enabled(IchVmcr.VENG1).not())],
  ] as const;
  c.result(causes.map(([bit, holds]) => holds.mul(bit)).reduce((state, one) => state.or(one)));
}

function defineUpdate(c: Code, library: Library): void {
  const index = c.let(c.call(virtualInterface(library, "virtualPending")));
  c.store("i32.store", CPU.VIRTUAL_LINES, constant("i32", 0));
  c.if(index.geS(0), () =>
    c.if(c.call(virtualInterface(library, "virtualPreempts"), index), () => {
      const line = groupOf(listRegister(c, index)).select(constant("i32", Number(Hcr.VI)), Number(Hcr.VF));
      c.store("i32.store", CPU.VIRTUAL_LINES, line);
    }));
}

function defineChanged(c: Code, library: Library): void {
  c.run(virtualInterface(library, "updateVirtualInterface"));
  const isAsserted = c.call(virtualInterface(library, "maintenanceState")).nonZero();
  const level = c.let(ichHcr(c).and(IchHcr.En).and(isAsserted));
  const isNews = level.ne(c.load("i32.load", CPU.MAINTENANCE_LINE)).or(c.load("i32.load", CPU.DEACTIVATES).nonZero());
  // The next run takes interrupts first.
  c.if(isNews, () => {
    c.store("i32.store", CPU.MAINTENANCE_LINE, level);
    c.run(exceptionFunction(library, "exitAfter"), ExitReason.VirtualInterface);
  }, () => c.drop(c.call(exceptionFunction(library, "takeInterrupt"), c.call(callee(library, "currentPc")).add(4))));
}

function defineAcknowledge(c: Code, library: Library): void {
  const group = c.parameter(0);
  const index = c.let(c.call(virtualInterface(library, "virtualPending")));
  const nothing = () => c.return(constant("i64", SPURIOUS));
  c.if(index.ltS(0), nothing);
  const lr = c.let(listRegister(c, index)), intid = c.let(virtualOf(lr));
  c.if(groupOf(lr).ne(group).or(c.call(virtualInterface(library, "virtualPreempts"), index).not()), nothing);
  c.if(isSpecial(intid), () => setListRegister(c, index, lr.and(~IchLr.State)), () => {
    setListRegister(c, index, lr.xor(IchLr.State));
    const priority = priorityOf(lr).and(groupMask(c, group)), first = CPU.ICH_AP0R0_EL2;
    const register = c.let(group.shl(3));
    c.store("i32.store", register, c.load("i32.load", register, first).or(constant("i32", 1).shl(priority.shrU(PRIORITY_SHIFT))), first);
  });
  c.run(virtualInterface(library, "virtualInterfaceChanged"));
  c.result(intid.wide());
}

/** The list register with an active interrupt of this INTID, or -1. */
function activeList(c: Code, listRegisters: number, intid: Value): Local {
  const found = c.let(constant("i32", NONE));
  forEach(c, listRegisters, (index, lr) => {
    c.if(found.ltS(0).and(has(lr, IchLr.Active)).and(virtualOf(lr).eq(intid)), () => c.set(found, index));
  });
  return found;
}

/** An end that no list register knows. */
function countEnd(c: Code): void {
  const counted = ichHcr(c).shrU(IchHcr.EOIcountShift).add(1).shl(IchHcr.EOIcountShift);
  c.store("i32.store", CPU.ICH_HCR_EL2, ichHcr(c).and(~IchHcr.EOIcount).or(counted));
}

/** Active becomes invalid, active and pending becomes pending; so does the physical interrupt. */
function deactivate(c: Code, index: Value): void {
  const lr = c.let(listRegister(c, index));
  setListRegister(c, index, lr.and(~IchLr.Active));
  const physical = c.let(lr.shrU(IchLr.PhysicalShift).wrap().and(IchLr.PhysicalMask));
  c.if(has(lr, IchLr.HW).and(physical.ltU(FIRST_SPECIAL)), () => c.store("i32.store", CPU.DEACTIVATES, physical.add(1)));
}

/** Drops the highest active priority; what it was. Nothing may be active. */
function dropPriority(c: Code): Local {
  const priority = c.let(runningPriority(c)), registers = [CPU.ICH_AP0R0_EL2, CPU.ICH_AP1R0_EL2] as const;
  const [first, second] = registers.map((address) => c.let(c.load("i32.load", address)));
  const drop = (address: number, value: Value) => c.store("i32.store", address, value.and(value.sub(1)));
  // Of the same priority in both groups, that of group 0.
  c.if(lowestBit(first).leU(lowestBit(second)), () => drop(registers[0], first), () => drop(registers[1], second));
  return priority;
}

function defineEnd(c: Code, library: Library, listRegisters: number): void {
  const group = c.parameter(0), intid = c.let(c.parameter(1).wrap().and(IchLr.VirtualMask));
  c.if(isSpecial(intid).or(activePriorities(c).not()), () => c.return());
  const dropped = dropPriority(c), index = activeList(c, listRegisters, intid);
  const isLpi = intid.geU(FIRST_LPI);
  c.if(index.ltS(0), () => c.if(isLpi.not(), () => countEnd(c)), () => {
    const lr = c.let(listRegister(c, index));
    const isIt = groupOf(lr).eq(group).and(priorityOf(lr).and(groupMask(c, group)).eq(dropped));
    // An LPI is never deactivated by itself.
    const deactivates = vmcr(c).and(IchVmcr.VEOIM).not().or(isLpi);
    c.if(isIt.and(deactivates), () => deactivate(c, index));
  });
  c.run(virtualInterface(library, "virtualInterfaceChanged"));
}

function defineDeactivate(c: Code, library: Library, listRegisters: number): void {
  const intid = c.let(c.parameter(0).wrap().and(IchLr.VirtualMask));
  c.if(intid.geU(FIRST_SPECIAL).or(vmcr(c).and(IchVmcr.VEOIM).not()), () => c.return());
  const index = activeList(c, listRegisters, intid);
  c.if(index.ltS(0), () => countEnd(c), () => deactivate(c, index));
  c.run(virtualInterface(library, "virtualInterfaceChanged"));
}
