// Rounds of a bench that can be trusted: a fixed computation is timed before and after each, and a
// round is repeated when the machine was busier on one side of it than on the other.

/** How much longer the slower of two calibrations may take. */
const TOLERANCE = 0.15;
/** Repetitions of one round before it is taken as it is. */
const ATTEMPTS = 4;
const CALIBRATION_STEPS = 60_000_000;

/** Result of the fixed computation, kept so that its loop is not optimized away. */
export let calibrated = 0;

/**
 * Milliseconds of the fixed computation: the least of three, so that a short interruption does not
 * count.
 */
function calibrate(): number {
  const once = () => {
    const started = performance.now();
    let state = 1;
    for (let i = 0; i < CALIBRATION_STEPS; i++) state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + i | 0;
    calibrated = state;
    return performance.now() - started;
  };
  return Math.min(once(), once(), once());
}

/** Result of `trustedRounds`. */
export interface Rounds<T> {
  readonly results: T[];
  /** Rounds that were thrown away. */
  readonly repeated: number;
  /** Rounds that were kept although the calibrations around them differ. */
  readonly doubtful: number;
}

/** Runs `round` until `count` of its results can be trusted. */
export async function trustedRounds<T>(count: number, round: () => Promise<T>): Promise<Rounds<T>> {
  const results: T[] = [];
  let repeated = 0, doubtful = 0;
  for (let attempt = 1; results.length < count; attempt++) {
    const before = calibrate(), result = await round(), after = calibrate();
    const steady = Math.max(before, after) / Math.min(before, after) <= 1 + TOLERANCE;
    if (!steady && attempt < ATTEMPTS) {
      repeated++;
      continue;
    }
    if (!steady) doubtful++;
    results.push(result);
    attempt = 0;
  }
  return { results, repeated, doubtful };
}
