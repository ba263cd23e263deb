// The launcher that waits for this program, so that it can restore the terminal after any end: a
// shell script, scripts/start.ts or the npm package's. Its process and this one end together.

import { type EndSignal, onSignals } from "./signals.ts";

/** Names the process of the launcher, to the program that it starts. */
export const LAUNCHER_VARIABLE = "EL2_LAUNCHER";

/** Wall time (ms) between two looks for the launcher. */
const LOOK = 500;

/** Whether a launcher waits for this program; those that it starts have another parent. */
function isAwaited(): boolean {
  return Deno.env.get(LAUNCHER_VARIABLE) === String(Deno.ppid);
}

/**
 * Undoes what a launcher does to signals: a shell that can forward some starts the program with
 * those of the keyboard ignored. A listener that came and went leaves their default.
 */
export function takeSignals(): void {
  if (isAwaited()) onSignals(["SIGINT", "SIGQUIT"], () => {})();
}

/**
 * Calls for each of these signals, and as for SIGHUP when the launcher was killed, as nothing else
 * would end this program then. The returned function ends that.
 */
export function onEnd<S extends EndSignal>(signals: readonly S[], call: (signal: S | "SIGHUP") => void): () => void {
  const unheard = onSignals(signals, call);
  if (!isAwaited()) return unheard;
  const launcher = Deno.ppid;
  const timer = setInterval(() => {
    if (Deno.ppid === launcher) return;
    clearInterval(timer);
    call("SIGHUP");
  }, LOOK);
  Deno.unrefTimer(timer);
  return () => {
    clearInterval(timer);
    unheard();
  };
}
