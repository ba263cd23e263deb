// The clock of a machine that continues later: it starts with the computer's time, and advances
// with virtual time alone, so that a run repeats exactly.

/** Seconds of difference that a run has anyway: virtual time is not the computer's. */
const USUAL = 60;
const UNITS = [["day", 86_400], ["hour", 3600], ["minute", 60]] as const;

/**
 * Says by how much a clock is behind that started with the computer's time; undefined if it is not
 * behind, or started with a time that the user chose.
 * @param start of a clock with the computer's time, seconds since 1970; undefined without one
 * @param time of the machine (ns)
 * @param now of the computer (ms since 1970)
 */
export function staleClock(start: number | undefined, time: number, now: number): string | undefined {
  if (start === undefined) return undefined;
  const shows = start + Math.floor(time / 1e9), seconds = Math.floor(now / 1000) - shows;
  if (seconds < USUAL) return undefined;
  const [unit, size] = UNITS.find(([, size]) => seconds >= size)!, count = Math.floor(seconds / size);
  const date = new Date(1000 * shows).toISOString().replace(".000", "");
  return `the guest's clock is ${count} ${unit}${count === 1 ? "" : "s"} behind: it continues at ${date}; set it in the guest with date -s`;
}
