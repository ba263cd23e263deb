// The generic timers: counters from virtual time, and the timers' conditions. Arm ARM D11.2;
// docs/spec/hypervisor.md §6.4 (virtual count = physical count for every VM). The core holds the
// registers; the layers above it act on deadlines.

import { TICK_NS } from "../architecture/features.ts";
import { Pstate } from "../architecture/exceptions.ts";
import { Hcr } from "../architecture/hypervisor-control.ts";
import { hcr, isHost } from "../exceptions/el2-entry.ts";
import { hasEl2 } from "../state/banks.ts";
import { CPU } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import { type Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";

/** CNTx_CTL_EL0. */
export const TimerControl = { Enable: 1, Imask: 2, Istatus: 4 } as const;

/** CNTKCTL_EL1: what EL0 may use. */
export const Cntkctl = {
  El0PhysicalCounter: 1 << 0,
  El0VirtualCounter: 1 << 1,
  El0VirtualTimer: 1 << 8,
  El0PhysicalTimer: 1 << 9,
  /**
   * The bits that exist: those, and the event stream's, which is not built (spec: only wakes WFE
   * early).
   */
  Mask: 0x3ff,
} as const;

/**
 * The timers of a vCPU: addresses of their registers in the CPU state. CNTHP and CNTHV are EL2's.
 */
export const TIMERS = {
  CNTP: { ctl: CPU.CNTP_CTL_EL0, cval: CPU.CNTP_CVAL_EL0 },
  CNTV: { ctl: CPU.CNTV_CTL_EL0, cval: CPU.CNTV_CVAL_EL0 },
  CNTHP: { ctl: CPU.CNTHP_CTL_EL2, cval: CPU.CNTHP_CVAL_EL2 },
  CNTHV: { ctl: CPU.CNTHV_CTL_EL2, cval: CPU.CNTHV_CVAL_EL2 },
} as const;

/** One of `TIMERS`. */
export type Timer = keyof typeof TIMERS;

/** CNTPCT_EL0, in ticks (i64). Wants IP and END in the CPU state. */
export function counter(c: Code, library: Library): Value {
  c.store("i32.store", CPU.COUNTER_READS, c.load("i32.load", CPU.COUNTER_READS).add(1));
  return c.call(callee(library, "currentTime")).op("i64.trunc_sat_f64_u", "i64").shrU(Math.log2(TICK_NS));
}

/** CNTVCT_EL0 as it reads, as `counter`: EL2 with E2H, and a host's EL0, have no offset. */
export function virtualCounter(c: Code, library: Library): Value {
  if (!hasEl2(library)) return counter(c, library);
  const level = c.let(c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask));
  const isEl2OfHost = level.eq(Pstate.EL2).and(hcr(c).and(Hcr.E2H).nonZero());
  const isPhysical = isEl2OfHost.or(level.not().and(isHost(c)));
  return counter(c, library).sub(isPhysical.select(constant("i64", 0), c.load("i64.load", CPU.CNTVOFF_EL2)));
}

/** The count that a timer compares, as `counter`: CNTV's has the offset wherever it is read. */
export function countOf(c: Code, library: Library, timer: Timer): Value {
  const count = counter(c, library);
  return timer === "CNTV" && hasEl2(library) ? count.sub(c.load("i64.load", CPU.CNTVOFF_EL2)) : count;
}

/** CNTx_CTL as it reads, ISTATUS from the counter. Wants IP and END in the CPU state. */
export function timerControl(c: Code, library: Library, timer: Timer): Value {
  const { ctl, cval } = TIMERS[timer];
  const value = c.let(c.load("i64.load", ctl));
  const enabled = value.and(TimerControl.Enable).nonZero();
  const met = countOf(c, library, timer).geU(c.load("i64.load", cval));
  return value.or(enabled.and(met).wide().mul(TimerControl.Istatus));
}
