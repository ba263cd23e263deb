// Virtual time: one retired instruction is 1 ns, and the system counter ticks at CNTFRQ
// (docs/design/decisions.md §3).

/** Frequency of the system counter in Hz, as CNTFRQ_EL0 shows it. */
export const CNTFRQ = 62_500_000;

/** Virtual nanoseconds in a tick of the system counter. */
export const NS_PER_TICK = 1_000_000_000 / CNTFRQ;

/** A physical CPU runs this long (ns) before the next one has its turn. */
export const QUANTUM = 20_000;

/** Most turns that a CPU which is alone runs in one piece: what the core counts stays small. */
export const JOINED_TURNS = 64;

/**
 * The value of a field or variable of virtual time before it is set. V8 keeps small integers
 * and doubles apart: a time that passes 2^31 (after 2 s) changes its form, and all code that was
 * optimized for the other is thrown away at once. With this it is a double from the start. The
 * class of such a field has no parameter properties: with them the compiler moves initial values
 * into the constructor, so that the field is undefined first, and V8 keeps a pointer in it to a
 * number that it allocates anew at each store.
 */
export const DOUBLE = NaN;

/**
 * The end of virtual time (ns), after 104 days: a CPU that runs on beyond its turn, or is delayed,
 * still has a time below 2^53.
 */
export const TIME_END = 2 ** 53 - 2 ** 40;

/**
 * The first virtual time (ns) at which the system counter shows `ticks`; Infinity beyond the time
 * range.
 */
export function timeOfTicks(ticks: bigint): number {
  const ns = Number(ticks) * NS_PER_TICK;
  return ns <= Number.MAX_SAFE_INTEGER ? ns : Infinity;
}
