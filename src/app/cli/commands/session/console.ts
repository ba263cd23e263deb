// `el2 console VM`: reads, types into and waits for a guest's console in a session, for scripts.

import { runner } from "../../common/argv.ts";
import { ExitCode, failed, Failure } from "../../common/failure.ts";
import { output, outputBytes, report } from "../../common/print.ts";
import type { RunOptions } from "../../common/run-command.ts";
import { openSession, sessionOption } from "../../common/session.ts";
import { rawOption } from "../../options/look.ts";
import { shownOnStdout } from "../../start/headless/console-output.ts";
import type { ValuesOf } from "../../../../model/commands/argument.ts";
import { CONSOLE, CONSOLE_BREAK, consoleName } from "../../../../model/commands/consoles.ts";
import type { Asker } from "../../../../session/control/asker.ts";
import { PAST } from "../../../../model/protocol/protocol.ts";
import { joined } from "../../../../kit/support/values/bytes.ts";
import { LinearRegex } from "../../../../kit/support/text/linear-regex.ts";
import { RecentText } from "../../../../kit/support/text/recent-text.ts";
import { ShownText } from "../../../../kit/support/text/shown-text.ts";
import { KiB } from "../../../../kit/support/values/sizes.ts";
import { nameOf, vmId } from "../../../../model/queries/ids.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import { VMS } from "../../../../model/queries/tables.ts";
import { problemOf } from "../../../../kit/support/problem.ts";
import { followParent } from "../../../../kit/support/computer/launcher.ts";
import { hasEnded } from "../../../../model/queries/facts/problem.ts";

const DEFAULT_TIMEOUT = 5e9;
/** Characters of the output, the latest, in which `--expect` looks for a match. */
const EXPECT_MAX = 64 * KiB;

export const runConsole = runner(CONSOLE, {
  options: (command) =>
    command.addOption(sessionOption).option("--read-only", "read-only; --send and --break exit with 5").addOption(rawOption),
  run: ({ vm, ...values }, options) => console_(vm, { ...options, ...values }),
});

type ConsoleOptions = Omit<ValuesOf<typeof CONSOLE.args>, "vm"> & Omit<RunOptions, "follow"> & { readonly raw?: true };

async function console_(vm: string, options: ConsoleOptions): Promise<number> {
  const named = consoleName(vm), [name] = named.split("/", 1);
  let console = named;
  const pattern = options.expect === undefined ? undefined : regex(options.expect);
  if (pattern) followParent();
  const seen = new ShownText();
  // On a terminal, guests' output is shown as text, unless raw output was requested.
  const visible = shownOnStdout(options.raw ?? false);
  const put = (bytes: Uint8Array) => outputBytes(visible(console, bytes));
  /** Output so far, by console. */
  const before = new Map<string, Uint8Array[]>();
  const fresh = new RecentText(EXPECT_MAX);
  let live = false, isMatched = false;
  const matched = Promise.withResolvers<number>();
  const search = (bytes: Uint8Array) => {
    // More may come before the program has ended: the match is printed once.
    if (!pattern || isMatched) return;
    fresh.add(seen.of(bytes).replaceAll("\r", ""));
    const match = fresh.take(pattern);
    if (match === undefined) return;
    isMatched = true;
    output(`${match}\n`);
    matched.resolve(ExitCode.Done);
  };
  using open = await openSession({ ...options, follow: true, consoles: [named] }, (from, bytes) => {
    if (!live) return void before.set(from, [...before.get(from) ?? [], bytes]);
    if (from !== console) return;
    if (options.follow) put(bytes);
    search(bytes);
  });
  const { session, asker } = open, over = open.next<never>(() => undefined);
  const lost = new Map<string, number>();
  session.onLost = (from, bytes) => {
    lost.set(from, (lost.get(from) ?? 0) + bytes);
    report(`el2: ${bytes} bytes of output were lost`);
  };
  await session.caughtUp;
  const found = await vmWithConsole(asker, name);
  if (named === name) console = consoleName(found.console);
  const shown = before.get(console) ?? [];
  live = true;
  // Output that answers an earlier input may have come before this command.
  if (options.send === undefined && !options.break) {
    search(joined(shown).subarray(Math.max(session.beforeInput(console) - (lost.get(console) ?? 0), 0)));
  }
  if (options.break) {
    const error = await asker.act(CONSOLE_BREAK.of({ console }));
    if (error !== undefined) throw failed(error);
  }
  if (options.send !== undefined) {
    await checkPresent(asker);
    if (found.input_refused !== null) throw failed(found.input_refused, found.input_way_out ?? undefined);
    session.send({ kind: "input", console, bytes: options.send });
    // A refusal comes before this answer.
    await asker.ask({ table: "vm.ls", args: { limit: 1 } });
  }
  if (pattern) {
    // A machine that is over prints nothing more.
    if (!isMatched && session.info.ended !== undefined) throw failed(hasEnded(session.info.ended));
    const timeout = (options.timeout ?? DEFAULT_TIMEOUT) / 1e6;
    const late = setTimeout(() => matched.resolve(ExitCode.TimedOut), timeout);
    const code = await Promise.race([matched.promise, over]).finally(() => clearTimeout(late));
    if (code === ExitCode.TimedOut) {
      report(`el2: no output matched "${options.expect}" within ${timeout / 1000} s; the console ends with:\n${fresh.tail(500)}`);
      const { send } = options;
      if (send !== undefined && !send.some((byte) => byte === 10 || byte === 13)) {
        report("el2: --send typed no Enter, which is \\n");
      }
    }
    return code;
  }
  if (options.follow) {
    shown.forEach(put);
    await new Promise(() => {}); // until interrupted
  } else if (options.send === undefined && !options.break) shown.forEach(put);
  return ExitCode.Done;
}

/**
 * The row of a VM that has a console.
 * @throws Failure
 */
async function vmWithConsole(asker: Asker, name: string) {
  const answer = await asker.ask({ table: "vm.ls", args: {} });
  const rows = rowsOf(VMS, answer), found = rows.find(({ id }) => id === vmId(name));
  if (!found) throw failed(`no VM called "${name}"`, `there are ${rows.map(({ id }) => nameOf(id)).join(", ")}`);
  const { console } = found;
  if (console === null) throw failed(`${vmId(name)} has no console`);
  return { ...found, console };
}

/**
 * Input typed while the past is shown would be lost.
 * @throws Failure
 */
async function checkPresent(asker: Asker): Promise<void> {
  const { rows } = await asker.ask({ table: "time.ls", args: { filter: "kind=shown" } });
  if (rows.length) throw failed(PAST);
}

function regex(text: string): LinearRegex {
  try {
    return new LinearRegex(text, "m");
  } catch (error) {
    throw new Failure(problemOf(error, `--expect ${text}`));
  }
}
