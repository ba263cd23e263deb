// The launcher that waits for this program, so that it can restore the terminal after any end: a
// shell script, scripts/start.ts or the npm package's; or the server of an agent, which runs
// commands so. Its process and this one end together. So do a command and its parent, if only that
// waits for the result.

import { END_CODES, type EndSignal, onSignals } from "./signals.ts";

/** Names the process of the launcher, to the program that it starts. */
export const LAUNCHER_VARIABLE = "EL2_LAUNCHER";

/** Wall time (ms) between two looks for the launcher. */
const LOOK = 500;

/** Whether a launcher waits for this program; those that it starts have another parent. */
function isAwaited(): boolean {
  return Deno.env.get(LAUNCHER_VARIABLE) === String(Deno.ppid);
}

/** Sent to this program when its parent has gone; a listener that ends it prevents the rest. */
const GONE = "el2-launcher-gone";

/**
 * Ends this program when its launcher was killed, and undoes what that does to signals: a shell
 * that can forward some starts the program with those of the keyboard ignored. A listener that came
 * and went leaves their default.
 */
export function followLauncher(): void {
  if (!isAwaited()) return;
  onSignals(["SIGINT", "SIGQUIT"], () => {})();
  endWithParent();
}

/** The same for a program whose result only its parent wants: a job's shell, an editor. */
export function followParent(): void {
  if (!isAwaited()) endWithParent();
}

function endWithParent(): void {
  const parent = Deno.ppid;
  const timer = setInterval(() => {
    if (Deno.ppid === parent) return;
    clearInterval(timer);
    if (dispatchEvent(new Event(GONE, { cancelable: true }))) Deno.exit(END_CODES.SIGHUP);
  }, LOOK);
  Deno.unrefTimer(timer);
}

/**
 * Calls for each of these signals, and as for SIGHUP when the launcher has gone. The returned
 * function ends that.
 */
export function onEnd<S extends EndSignal>(signals: readonly S[], call: (signal: S | "SIGHUP") => void): () => void {
  const unheard = onSignals(signals, call);
  const onGone = (event: Event) => {
    event.preventDefault();
    call("SIGHUP");
  };
  addEventListener(GONE, onGone);
  return () => {
    removeEventListener(GONE, onGone);
    unheard();
  };
}
