// How much a session may remember beside its machine: `--memory-budget` divides into the parts that
// grow while it runs. RAM of guests is apart: the configuration sets it.

import { KiB, MiB } from "../../kit/support/values/sizes.ts";

/** Bytes of each part. */
export interface MemoryLimits {
  /** Events: of the log, for readers, and those that `el2 trace` records. */
  readonly traces: number;
  /** States of the run from which going back starts. */
  readonly history: number;
  /** Everything that entered since the start, without which nothing can be run again. */
  readonly inputs: number;
  /** Console output for clients that attach later. */
  readonly consoles: number;
  /** WebAssembly of translated code, and the machine code that is made of it. */
  readonly code: number;
}

/** Bytes of an event on average, measured on the demo with all kinds recorded. */
export const EVENT_BYTES = 480;
/** Machine code takes about five times the WebAssembly of a region. */
export const CODE_FACTOR = 6;

/** Limits of a session without a budget, which are those of the parts themselves. */
export const DEFAULT_LIMITS: MemoryLimits = {
  traces: 665_536 * EVENT_BYTES,
  history: 160 * MiB,
  inputs: 256 * MiB,
  consoles: 64 * MiB,
  code: 32 * MiB * CODE_FACTOR,
};

const SHARES: { readonly [part in keyof MemoryLimits]: number } = { traces: 0.3, history: 0.3, inputs: 0.1, consoles: 0.05, code: 0.25 };

/** Bytes of the file for states of the run, without a budget for it, and at most. */
export const DEFAULT_DISK_BUDGET = 1024 * MiB, DISK_BUDGET_MAX = 1024 * 1024 * MiB;

/** The least budget with which a session is of use, and the most. */
export const BUDGET_MIN = 16 * MiB, BUDGET_MAX = 64 * 1024 * MiB;

/** Limits under a budget: no part gets more than without one. */
export function memoryLimits(budget: number | undefined): MemoryLimits {
  if (budget === undefined) return DEFAULT_LIMITS;
  const share = (part: keyof MemoryLimits) => Math.min(DEFAULT_LIMITS[part], Math.floor(budget * SHARES[part] / KiB) * KiB);
  return {
    traces: share("traces"),
    history: share("history"),
    inputs: share("inputs"),
    consoles: share("consoles"),
    code: share("code"),
  };
}
