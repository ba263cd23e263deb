// `el2 logs`: the consoles of a session's VMs in one stream, line by line.

import { runner } from "../../common/argv.ts";
import type { NamedCore } from "../../common/core-session.ts";
import { checkAnswered, ExitCode } from "../../common/failure.ts";
import { LogLines } from "../../common/log-lines.ts";
import { outputBytes, report } from "../../common/print.ts";
import { checkVm, openSession, sessionOption } from "../../common/session.ts";
import { consoleName, LOGS } from "../../../../model/commands/consoles.ts";
import { isConsoleOf, nameOf } from "../../../../model/queries/ids.ts";

/** Wall time (ms) after which an unfinished line, such as a prompt, is printed. */
const UNFINISHED = 300;

export const runLogs = runner(LOGS, {
  options: (command) => command.addOption(sessionOption),
  run: ({ vm, follow, tail }, options) => logs(vm, { ...options, follow, tail }),
});

interface LogsOptions {
  readonly follow?: true;
  readonly tail?: number;
  readonly session?: string;
  readonly core?: NamedCore;
}

async function logs(vms: readonly string[], { follow, tail, session, core }: LogsOptions): Promise<number> {
  const wanted = new Set(vms.map((vm) => consoleName(vm)));
  const terminal = Deno.stdout.isTerminal();
  const lines = new LogLines(terminal && !Deno.env.get("NO_COLOR"));
  const put = (text: string) => outputBytes(new TextEncoder().encode(text));
  const shown = new Map<string, Uint8Array[]>();
  let live = false;
  const consoles = wanted.size ? [...wanted] : undefined;
  using open = await openSession({ session, core, readOnly: true, follow: true, consoles }, (console_, bytes) => {
    if (live) return put(lines.add(console_, bytes, new Date()));
    const before = shown.get(console_);
    if (before) before.push(bytes);
    else shown.set(console_, [bytes]);
  });
  open.session.onLost = (console_, bytes) => report(`el2: ${bytes} bytes of the output of ${console_} were lost`);
  await open.session.caughtUp;
  const answer = await open.asker.ask({ table: "vm.ls", args: {} });
  if (!shown.size) checkAnswered(answer);
  const spoke = (vm: string) => [...shown.keys()].some((console_) => isConsoleOf(vm, console_));
  for (const vm of wanted) if (!spoke(vm)) await checkVm(open, vm);
  const names = answer.rows.map(({ id }) => nameOf(id)).filter((name) => !wanted.size || wanted.has(name));
  lines.align([...names, ...shown.keys()]);
  for (const [console_, chunks] of shown) {
    const text = chunks.map((bytes) => lines.add(console_, bytes, undefined)).join("") + lines.rest(console_);
    put(tail === undefined ? text : lastLines(text, tail));
  }
  if (!follow) return ExitCode.Done;
  live = true;
  setInterval(() => put(lines.unfinished(new Date(Date.now() - UNFINISHED))), UNFINISHED);
  await new Promise(() => {}); // until interrupted
  return ExitCode.Done;
}

function lastLines(text: string, count: number): string {
  const lines = text.split("\n").slice(0, -1);
  return lines.slice(Math.max(0, lines.length - count)).map((line) => `${line}\n`).join("");
}
