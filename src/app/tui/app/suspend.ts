// Suspends the process as ctrl-z of a terminal does: its whole process group stops until a shell
// continues it. The kernel drops that signal where no shell could (an orphaned process group).

/**
 * Looks for SIGCONT, and the time (ms) between them. They are counted, as time passes while the
 * process is stopped.
 */
const LOOKS = 10, BETWEEN = 20;
const OWN_GROUP = 0;

/** Returns when the process was stopped and is continued; false if it was not stopped. */
export async function stopUntilContinued(): Promise<boolean> {
  // There are neither process groups nor shells that continue them.
  if (Deno.build.os === "windows") return false;
  let continued = false;
  const onContinue = () => {
    continued = true;
  };
  Deno.addSignalListener("SIGCONT", onContinue);
  try {
    Deno.kill(OWN_GROUP, "SIGTSTP");
    for (let look = 0; look < LOOKS && !continued; look++) await new Promise((resolve) => setTimeout(resolve, BETWEEN));
    return continued;
  } finally {
    Deno.removeSignalListener("SIGCONT", onContinue);
  }
}
