// Stop rules, as the commands that set them and wait for them share it.

import { ExitCode, failed, Failure } from "./failure.ts";
import type { OpenSession } from "./session.ts";
import type { StopChange } from "../../../model/queries/stop-rule.ts";

/**
 * Changes the stop rules of a session.
 * @throws Failure if it refuses
 */
export async function changeStops({ asker }: OpenSession, change: StopChange): Promise<void> {
  const error = await asker.stopRule(change);
  if (error !== undefined) throw failed(error);
}

/** The first stop from now on. */
export function firstStop(open: OpenSession): Promise<{ readonly rule: string; readonly text: string }> {
  return open.next((event) => event.kind === "stopped" ? event : undefined);
}

/** Result of `coming`, unless `timeout` (ns of wall time) passes before. */
export async function within<T>(coming: Promise<T>, timeout: number | undefined, failure: string): Promise<T> {
  if (timeout === undefined) return await coming;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Failure(`${failure} within ${timeout / 1e9} s`, undefined, ExitCode.TimedOut)),
    timeout / 1e6,
  );
  try {
    return await Promise.race([coming, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
