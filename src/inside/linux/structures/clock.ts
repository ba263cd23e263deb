// The clock of a kernel's log (kernel/time/sched_clock.c in the kernel's sources): nanoseconds that
// it computes from the system counter, which virtual time drives.

import { BadMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";

const SECOND = 1_000_000_000n;

/**
 * Gives the virtual time (ns) at which the kernel's clock showed a time (ns): null before the clock
 * counts, and without types.
 */
export function virtualTimes(reading: Reading): (ns: bigint) => string | null {
  const clock = clockOf(reading);
  return (ns) => {
    if (!clock || clock.rate === 0n || ns === 0n) return null;
    const ticks = clock.ticks + ((ns - clock.ns) << clock.shift) / clock.mult;
    return ticks < 0n ? null : String(ticks * SECOND / clock.rate);
  };
}

/**
 * The time (ns) that the kernel's clock shows now; undefined before it counts, and without types.
 */
export function kernelTime(reading: Reading): bigint | undefined {
  const clock = reading.now === undefined ? undefined : clockOf(reading);
  if (!clock || reading.now === undefined || clock.rate === 0n) return undefined;
  const ticks = BigInt(Math.floor(reading.now)) * clock.rate / SECOND;
  // The time of a file of memory is not that of its kernel.
  return ticks < clock.ticks ? undefined : clock.ns + ((ticks - clock.ticks) * clock.mult >> clock.shift);
}

/** The line on which ticks of the system counter become nanoseconds. */
function clockOf(reading: Reading) {
  return reading.kernel.btf && reading.tried("clock", () => {
    const data = reading.global("clock_data", "cd"), read = data.inner("read_data[0]", "clock_read_data");
    const line = { ns: read.big("epoch_ns"), ticks: read.big("epoch_cyc"), mult: read.big("mult"), shift: read.big("shift") };
    if (line.mult === 0n || line.shift >= 64n) throw new BadMemory("invalid", "the clock does not count", data.address);
    return { ...line, rate: data.big("rate") };
  });
}
