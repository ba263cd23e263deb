// Shows a session in the way that the surroundings allow: the TUI on a terminal, consoles as text elsewhere.

import { withGdb } from "./gdb.ts";
import { runHeadless } from "./headless.ts";
import { colourDepth, runTui } from "../tui/run.ts";
import { ProcessTerminal } from "../tui/terminal.ts";
import { withLog } from "./log.ts";
import { connectEmbedded } from "../workstation/client.ts";
import type { SessionPlan } from "../workstation/plan.ts";

/** How a session is shown. */
export interface ShowOptions {
  readonly title: string;
  /** Join the (first) console to stdin and stdout. */
  readonly stdio: boolean;
  /** File that gets a line for each event. */
  readonly log: string | undefined;
  /** Wall time in ms. */
  readonly timeout: number | undefined;
  /** Port of the gdb server for the VM that the plan gives to a debugger. */
  readonly gdb?: number;
  /** Whether consoles on stdout have their names before each line. */
  readonly names: boolean;
  /** The console that `stdio` joins. */
  readonly console: string | undefined;
}

/** Runs the plan in a worker and returns the exit code. */
export async function showSession(entry: URL, plan: SessionPlan, options: ShowOptions): Promise<number> {
  const client = withGdb(withLog(connectEmbedded(entry), options.log), options.gdb);
  const start = () => client.send({ kind: "start", plan });
  const terminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  if (options.stdio || !terminal) {
    const ended = runHeadless(client, {
      stdio: options.stdio,
      console: options.console,
      names: !options.stdio && options.names,
      timeout: options.timeout,
      interactive: terminal,
    });
    start();
    return await ended;
  }
  try {
    const ended = runTui(client, new ProcessTerminal(), {
      title: options.title,
      depth: colourDepth((name) => Deno.env.get(name)),
      mouse: true,
      slowLink: Deno.env.get("SSH_CONNECTION") !== undefined,
    });
    start();
    const end = await ended;
    // The screen is gone: what it said last must not be.
    if (end) console.error(`el2: ${end.message}`);
    return end?.code ?? 0;
  } finally {
    client.close();
  }
}
