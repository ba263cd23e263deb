// The generic timers: counters from virtual time, conditions of CNTV and CNTP. Arm ARM D11.2;
// docs/spec/hypervisor.md §6.4 (virtual count = physical count for every VM). The core holds the
// registers; the layers above it act on deadlines.

import { TICK_NS } from "../architecture/features.ts";
import { CPU } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import type { Code, Value } from "../wasm/expression.ts";
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

/** The two timers of a vCPU: addresses of their registers in the CPU state. */
export const TIMERS = {
  virtual: { ctl: CPU.CNTV_CTL_EL0, cval: CPU.CNTV_CVAL_EL0 },
  physical: { ctl: CPU.CNTP_CTL_EL0, cval: CPU.CNTP_CVAL_EL0 },
} as const;

/** One of `TIMERS`. */
export type Timer = keyof typeof TIMERS;

/**
 * CNTVCT_EL0, which is CNTPCT_EL0 as well, in ticks (i64). Wants IP and END in the CPU state.
 */
export function counter(c: Code, library: Library): Value {
  c.store("i32.store", CPU.COUNTER_READS, c.load("i32.load", CPU.COUNTER_READS).add(1));
  return c.call(callee(library, "currentTime")).op("i64.trunc_sat_f64_u", "i64").shrU(Math.log2(TICK_NS));
}

/**
 * CNTx_CTL_EL0 as it reads, ISTATUS from the counter. Wants IP and END in the CPU state.
 */
export function timerControl(c: Code, library: Library, timer: Timer): Value {
  const { ctl, cval } = TIMERS[timer];
  const value = c.let(c.load("i64.load", ctl));
  const enabled = value.and(TimerControl.Enable).nonZero();
  const met = counter(c, library).geU(c.load("i64.load", cval));
  return value.or(enabled.and(met).wide().mul(TimerControl.Istatus));
}
