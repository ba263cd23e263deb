// Self-hosted debug: the breakpoints, watchpoints and the single step that a guest sets for itself.
// Arm ARM D2.3 (where debug exceptions are enabled), D2.9 (breakpoints), D2.10 (watchpoints), D2.12
// (software step), D13.3 (DBGBCR, DBGWCR, MDSCR_EL1). EL2 holds the comparators (traps-sysreg.ts);
// the core looks here while MDSCR_EL1 turns anything on, and nowhere else. The OS lock is not
// implemented, as on the recorded platform. A breakpoint that names a context and no address
// (DBGBCR.BT 2 and up) matches only by a link to it, as on the recorded CPU.

import { ExceptionClass, Mdscr, Pstate, syndrome } from "../architecture/exceptions.ts";
import type { FeatureName } from "../../isa/cpus/features.ts";
import { BREAKPOINTS, CONTEXT_BREAKPOINTS, WATCHPOINTS } from "../../isa/cpus/identification.ts";

/** IFSC and DFSC of debug exceptions. */
const DEBUG_EVENT = 0x22;
/** ISS of a software step: EX says whether the instruction was a load-exclusive, if ISV is set. */
const STEP_ISV = 1 << 24, STEP_EX = 1 << 6;
const WNR = 1 << 6;
/** DBGBCR, DBGWCR. */
const ENABLE = 1n;
const BT_LINKED_ADDRESS = 1, BT_LINKED_CONTEXT = 3;
const SSC_SECURE = 2;

const bits = (value: bigint, low: number, width: number) => Number(value >> BigInt(low) & (1n << BigInt(width)) - 1n);
/** Bits of the address in a comparator, the highest of which is its sign. */
const ADDRESS_BITS = 49, LARGE_ADDRESS_BITS = 53;

/** The bits that comparators of a CPU have; FEAT_LVA has more. */
export const comparedBits = (features: ReadonlySet<FeatureName>): number => features.has("FEAT_LVA") ? LARGE_ADDRESS_BITS : ADDRESS_BITS;

const signExtended = (va: bigint, width: number) => BigInt.asUintN(64, BigInt.asIntN(width, va));

/** The comparators of one vCPU, as EL1 writes them. */
export class DebugComparators {
  readonly bvr = new Array<bigint>(BREAKPOINTS).fill(0n);
  readonly bcr = new Array<bigint>(BREAKPOINTS).fill(0n);
  readonly wvr = new Array<bigint>(WATCHPOINTS).fill(0n);
  readonly wcr = new Array<bigint>(WATCHPOINTS).fill(0n);
  /** Counts writes: values derived at an older version are stale. */
  version = 0;
}

/** An address that may stop, whatever the exception level is. */
interface ArmedBreakpoint {
  readonly address: bigint;
  readonly control: bigint;
}

interface ArmedWatchpoint {
  readonly first: bigint;
  readonly last: bigint;
  readonly control: bigint;
}

/** An access that a watchpoint stops. */
export interface GuestWatchHit {
  /** The first byte that is watched and would be accessed. */
  readonly address: bigint;
  /** It is the write that is watched. */
  readonly write: boolean;
}

/** The stops that the comparators of a vCPU ask for. */
export class ArmedDebug {
  readonly breakpoints: readonly ArmedBreakpoint[];
  readonly watchpoints: readonly ArmedWatchpoint[];
  readonly #comparators: DebugComparators;

  /**
   * @param stage2 the tables that its addresses were translated by when this was made
   * @param width `comparedBits` of the CPU
   */
  constructor(comparators: DebugComparators, readonly version: number, readonly stage2: number, width: number) {
    this.#comparators = comparators;
    const { bvr, bcr, wvr, wcr } = comparators;
    this.breakpoints = bcr.flatMap((control, index) => {
      const type = bits(control, 20, 4);
      if (!(control & ENABLE) || type > BT_LINKED_ADDRESS) return [];
      return [{ address: signExtended(bvr[index], width) & ~3n, control }];
    });
    this.watchpoints = wcr.flatMap((control, index) => control & ENABLE ? watched(signExtended(wvr[index], width), control) : []);
  }

  /** Whether a breakpoint stops before the instruction at `pc`, at exception level `el`. */
  stopsAt(pc: bigint, el: number, contextId: bigint): boolean {
    return this.breakpoints.some(({ address, control }) =>
      address === pc && isFor(control, el) && (bits(control, 20, 4) !== BT_LINKED_ADDRESS || this.#linked(control, contextId))
    );
  }

  /**
   * The watchpoint that stops an access inside one page; "page" when a watchpoint lies elsewhere in
   * the page, so that no TLB may hold it.
   */
  look(va: bigint, size: number, reads: boolean, writes: boolean, el: number, contextId: bigint): GuestWatchHit | "page" | undefined {
    const first = BigInt.asUintN(64, va), last = first + BigInt(size) - 1n;
    let inPage = false;
    for (const watch of this.watchpoints) {
      const { control } = watch;
      if (watch.first >> 12n > first >> 12n || watch.last >> 12n < first >> 12n) continue;
      inPage = true;
      const kind = bits(control, 3, 2);
      if (!(kind & 1 && reads || kind & 2 && writes) || !isFor(control, el) || watch.first > last || watch.last < first) continue;
      if (bits(control, 20, 1) && !this.#linked(control, contextId)) continue;
      // An atomic that a read would have stopped is a read.
      return { address: first > watch.first ? first : watch.first, write: !(kind & 1 && reads) };
    }
    return inPage ? "page" : undefined;
  }

  /** Whether the context breakpoint that a comparator is linked to matches. */
  #linked(control: bigint, contextId: bigint): boolean {
    const { bcr, bvr } = this.#comparators, index = bits(control, 16, 4);
    const compares = index >= BREAKPOINTS - CONTEXT_BREAKPOINTS && index < BREAKPOINTS;
    return compares && (bcr[index] & ENABLE) !== 0n && bits(bcr[index], 20, 4) === BT_LINKED_CONTEXT &&
      BigInt.asUintN(32, bvr[index]) === BigInt.asUintN(32, contextId);
  }
}

/**
 * The bytes of a watchpoint: a power of two of them by MASK, or the first run of those that BAS
 * selects in a doubleword.
 */
function watched(value: bigint, control: bigint): ArmedWatchpoint[] {
  const mask = bits(control, 24, 5), base = value & ~3n;
  if (mask > 2) {
    const size = 1n << BigInt(mask), first = base & ~(size - 1n);
    return [{ first, last: first + size - 1n, control }];
  }
  // A word that is not at a doubleword has BAS[3:0] only.
  const selected = bits(control, 5, 8) & (base & 4n ? 0xf : 0xff);
  if (!selected) return [];
  const start = 31 - Math.clz32(selected & -selected);
  let end = start;
  while (selected >> end & 1) end++;
  return [{ first: base + BigInt(start), last: base + BigInt(end - 1), control }];
}

/** PMC or PAC, HMC, and SSC, of a comparator: whether it is for a non-secure exception level. */
function isFor(control: bigint, el: number): boolean {
  const levels = bits(control, 1, 2), counts = el === 2 ? bits(control, 13, 1) : levels & (el === 0 ? 2 : 1);
  return bits(control, 14, 2) !== SSC_SECURE && counts !== 0;
}

const exceptionLevel = (pstate: number) => pstate >> 2 & 3;

/** State that decides about debug exceptions. */
export interface DebugControls {
  readonly pstate: number;
  readonly mdscr: number;
  /** MDCR_EL2.TDE or HCR_EL2.TGE: they are for EL2, not EL1. */
  readonly toEl2: boolean;
}

/** Levels between the one in use and the one that debug exceptions are for. */
const levelsBelow = ({ pstate, toEl2 }: DebugControls) => (toEl2 ? 2 : 1) - exceptionLevel(pstate);

/** Whether debug exceptions are enabled, from their own level unless PSTATE masks them. */
export function debugEnabled(controls: DebugControls): boolean {
  const below = levelsBelow(controls), { pstate, mdscr } = controls;
  return below > 0 || below === 0 && (mdscr & Mdscr.KDE) !== 0 && (pstate & Pstate.D) === 0;
}

/** The class of an exception from a lower level, or from the level that it is for. */
const classOf = (controls: DebugControls, lower: number, same: number) => levelsBelow(controls) > 0 ? lower : same;

/** ESR_ELx of a breakpoint exception. */
export function breakpointSyndrome(controls: DebugControls): number {
  return syndrome(classOf(controls, ExceptionClass.BreakpointLower, ExceptionClass.Breakpoint), DEBUG_EVENT);
}

/** ESR_ELx of a watchpoint exception. */
export function watchpointSyndrome(controls: DebugControls, writes: boolean): number {
  const exceptionClass = classOf(controls, ExceptionClass.WatchpointLower, ExceptionClass.Watchpoint);
  return syndrome(exceptionClass, DEBUG_EVENT | (writes ? WNR : 0));
}

/**
 * The report of a software step on the instruction before it: none, another, or a load-exclusive.
 */
export type Stepped = "none" | "other" | "exclusive";

/** ESR_ELx of a software step exception. */
export function stepSyndrome(controls: DebugControls, stepped: Stepped): number {
  const exceptionClass = classOf(controls, ExceptionClass.SoftwareStepLower, ExceptionClass.SoftwareStep);
  const iss = stepped === "none" ? 0 : STEP_ISV | (stepped === "exclusive" ? STEP_EX : 0);
  return syndrome(exceptionClass, DEBUG_EVENT | iss);
}

/**
 * Whether an instruction is a load-exclusive: LDXR, LDAXR, LDXP, LDAXP and the narrower ones
 * (C4.1.66 "Load/store exclusive").
 */
export function isLoadExclusive(word: number): boolean {
  return (word & 0x3fe00000) === 0x08400000 || (word & 0xbfe00000 | 0) === (0x88600000 | 0);
}
