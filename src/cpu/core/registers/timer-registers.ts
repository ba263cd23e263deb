// The registers of the counters and timers, in the form of system-registers.ts. Arm ARM D11.2,
// D13.8. With HCR_EL2.E2H, EL2 and a host's EL0 have EL2's timers by the names of EL1's
// (el2-controls.ts).

import { systemRegisterNumber } from "../../isa/names/system-register-names.ts";
import { CNTFRQ_EL0 } from "../architecture/features.ts";
import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { ExitReason } from "../exceptions/exit.ts";
import { hasEl2 } from "../state/banks.ts";
import { CPU } from "../state/cpu-state.ts";
import type { Code, Local } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { timersOfEl0 } from "./el2-controls.ts";
import { Cntkctl, counter, countOf, type Timer, TimerControl, timerControl, TIMERS, virtualCounter } from "./generic-timer.ts";
import { type AllowedAccess, constantRegister, type El0Control, masked, readOnly, type SystemRegister } from "./system-register.ts";

const cntkctlAllows = (mask: number): El0Control => ({
  allowed: (c, library) => (hasEl2(library) ? timersOfEl0(c) : c.load("i32.load", CPU.CNTKCTL_EL1)).and(mask),
});

const timerWritten = (c: Code, library: Library) => c.run(exceptionFunction(library, "exitAfter"), ExitReason.Timer);

/** Where the registers of a timer are: op1 and CRm of their encodings, and who may access them. */
interface TimerPlace {
  readonly op1: number;
  readonly crm: number;
  readonly level: "EL0" | "EL2";
  readonly privilege: El0Control;
}

/** TVAL, CTL and CVAL of a timer. */
function timerRegisters(timer: Timer, { op1, crm, level, privilege }: TimerPlace): SystemRegister[] {
  const { ctl, cval } = TIMERS[timer];
  const access = <T>(emit: T): AllowedAccess<T> => ({ privilege, emit });
  return [
    {
      name: `${timer}_TVAL_${level}`,
      encoding: systemRegisterNumber(3, op1, 14, crm, 0),
      read: access((c: Code, library: Library) => c.load("i64.load", cval).sub(countOf(c, library, timer)).and(0xffff_ffff)),
      write: access((c: Code, library: Library, value: Local) => {
        c.store("i64.store", cval, countOf(c, library, timer).add(value.wrap().wideSigned()));
        timerWritten(c, library);
      }),
    },
    {
      name: `${timer}_CTL_${level}`,
      encoding: systemRegisterNumber(3, op1, 14, crm, 1),
      read: access((c: Code, library: Library) => timerControl(c, library, timer)),
      write: access((c: Code, library: Library, value: Local) => {
        c.store("i64.store", ctl, value.and(TimerControl.Enable | TimerControl.Imask));
        timerWritten(c, library);
      }),
    },
    {
      name: `${timer}_CVAL_${level}`,
      encoding: systemRegisterNumber(3, op1, 14, crm, 2),
      read: access((c: Code) => c.load("i64.load", cval)),
      write: access((c: Code, library: Library, value: Local) => {
        c.store("i64.store", cval, value);
        timerWritten(c, library);
      }),
    },
  ];
}

/** The registers that every core holds. */
export const TIMER_REGISTERS: readonly SystemRegister[] = [
  masked("CNTKCTL_EL1", [3, 0, 14, 1, 0], CPU.CNTKCTL_EL1, BigInt(Cntkctl.Mask)),
  constantRegister("CNTFRQ_EL0", [3, 3, 14, 0, 0], CNTFRQ_EL0, cntkctlAllows(Cntkctl.El0PhysicalCounter | Cntkctl.El0VirtualCounter)),
  {
    name: "CNTPCT_EL0",
    encoding: systemRegisterNumber(3, 3, 14, 0, 1),
    read: { privilege: cntkctlAllows(Cntkctl.El0PhysicalCounter), emit: counter },
  },
  {
    name: "CNTVCT_EL0",
    encoding: systemRegisterNumber(3, 3, 14, 0, 2),
    read: { privilege: cntkctlAllows(Cntkctl.El0VirtualCounter), emit: virtualCounter },
  },
  ...timerRegisters("CNTP", { op1: 3, crm: 2, level: "EL0", privilege: cntkctlAllows(Cntkctl.El0PhysicalTimer) }),
  ...timerRegisters("CNTV", { op1: 3, crm: 3, level: "EL0", privilege: cntkctlAllows(Cntkctl.El0VirtualTimer) }),
];

/** FEAT_ECV: views of the counters that are read in program order, as all are here. */
export const SELF_SYNCHRONIZED_COUNTERS: readonly SystemRegister[] = [
  {
    name: "CNTPCTSS_EL0",
    encoding: systemRegisterNumber(3, 3, 14, 0, 5),
    read: { privilege: cntkctlAllows(Cntkctl.El0PhysicalCounter), emit: counter },
  },
  {
    name: "CNTVCTSS_EL0",
    encoding: systemRegisterNumber(3, 3, 14, 0, 6),
    read: { privilege: cntkctlAllows(Cntkctl.El0VirtualCounter), emit: virtualCounter },
  },
];

/** A host's EL0 has EL2's timers by the names of EL1's; EL1 never has them. */
const ofHost = (mask: number): El0Control => ({ ...cntkctlAllows(mask), above: 2 });

/** EL2's own. */
export const TIMERS_OF_EL2: readonly SystemRegister[] = [
  masked("CNTHCTL_EL2", [3, 4, 14, 1, 0], CPU.CNTHCTL_EL2, 0xfffn, 2),
  {
    ...readOnly("CNTVOFF_EL2", [3, 4, 14, 0, 3], CPU.CNTVOFF_EL2, 2),
    write: {
      privilege: 2,
      emit: (c, library, value) => {
        c.store("i64.store", CPU.CNTVOFF_EL2, value);
        timerWritten(c, library);
      },
    },
  },
  ...timerRegisters("CNTHP", { op1: 4, crm: 2, level: "EL2", privilege: ofHost(Cntkctl.El0PhysicalTimer) }),
];

/** FEAT_VHE: its virtual timer, whose count has no offset. */
export const VIRTUAL_TIMER_OF_EL2: readonly SystemRegister[] = timerRegisters(
  "CNTHV",
  { op1: 4, crm: 3, level: "EL2", privilege: ofHost(Cntkctl.El0VirtualTimer) },
);
