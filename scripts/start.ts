// `scripts/start.ts ENTRY ARGS`: runs a program of this checkout with the permissions and settings
// of el2, which are too long for the line that Deno prints of a task. With --settings it prints
// those instead, for benches that run other checkouts.

import { MALLOC_SETTINGS } from "../src/kit/support/computer/garbage.ts";
import { LAUNCHER_VARIABLE } from "../src/kit/support/computer/launcher.ts";
import { killedText } from "../src/kit/support/computer/limits.ts";
import { RESET } from "../src/app/tui/terminal/terminal-modes.ts";
import { lockOf, PERMISSIONS } from "../src/app/cli/common/runtime.ts";

const [entry, ...args] = Deno.args;
const root = new URL("..", import.meta.url);

/** Whether Deno has this checkout's packages. */
function hasPackages(): boolean {
  const home = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/deno`;
  try {
    return [...Deno.readDirSync(`${home}/npm`)].some(({ isDirectory }) => isDirectory);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The output of stty; undefined if it fails. */
function stty(argument: string): string | undefined {
  const { success, stdout } = new Deno.Command("stty", { args: [argument], stdin: "inherit", stderr: "null" }).outputSync();
  return success ? new TextDecoder().decode(stdout).trim() : undefined;
}

if (entry === "--settings") {
  console.log(JSON.stringify({ environment: MALLOC_SETTINGS, options: PERMISSIONS }));
} else {
  if (!hasPackages()) console.error("el2: fetching its libraries, 4 MB, once");
  // The keys of a terminal reach the program too, which decides what follows.
  for (const signal of ["SIGINT", "SIGQUIT"] as const) Deno.addSignalListener(signal, () => {});
  const program = new URL(entry, root), preflight = `${import.meta.dirname}/preflight.sh`;
  const run = [Deno.execPath(), "run", "-q", ...PERMISSIONS, ...lockOf(new URL("main.ts", root)), program.href, ...args];
  // Deno may not read the limits of this process: the shell gives them to the program.
  const words = Deno.build.os === "windows" ? run : ["sh", "-c", '. "$0" && exec "$@"', preflight, ...run];
  const modes = Deno.build.os !== "windows" && Deno.stdin.isTerminal() ? stty("-g") : undefined;
  const child = new Deno.Command(words[0], {
    args: words.slice(1),
    env: { ...MALLOC_SETTINGS, [LAUNCHER_VARIABLE]: String(Deno.pid) },
  }).spawn();
  for (const signal of ["SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(signal, () => child.kill(signal));
  // If a signal has ended the program, the code is already 128 plus the signal's number.
  const { code, signal } = await child.status;
  if (code !== 0 && modes !== undefined && stty("-a")?.includes("-isig")) {
    // A program that is killed cannot give the terminal back.
    stty(modes);
    if (Deno.stdout.isTerminal()) Deno.stdout.writeSync(new TextEncoder().encode(RESET));
  }
  if (signal === "SIGKILL") console.error(`el2: ${killedText()}`);
  Deno.exit(code);
}
