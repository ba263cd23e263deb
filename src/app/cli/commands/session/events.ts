// `el2 events`: what happened in a session.

import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { checkAnswered, ExitCode, Failure } from "../../common/failure.ts";
import { checkColumns, type ListOptions, watching, withListOptions } from "../../common/list-options.ts";
import { report, reportGaps, RowStream } from "../../common/print.ts";
import { checkVm, type OpenSession, openSession, withSessionOptions } from "../../common/session.ts";
import { RenamedOption } from "../../common/renamed-option.ts";
import { checkedFilter, parseDuration, parseKinds, parseWhole } from "../../common/values.ts";
import { TRACE_KINDS, type TraceKind } from "../../../../machine/abi/trace.ts";
import { isExactly } from "../../../../model/queries/filters/filter.ts";
import { allOfEvents } from "../../../../model/queries/filters/temporal-filter.ts";
import { withoutKind } from "../../../../model/queries/ids.ts";
import { EVENTS } from "../../../../model/queries/tables.ts";

/** Pause between two checks for new events, ms. */
const POLL = 50;
/** Events of one look. */
const BATCH = 20_000;

export function registerEvents(program: Command, { exit }: CommandContext): void {
  withListOptions(withSessionOptions(program.command("events").description("list the events of a session, oldest first")))
    .option("--filter <filter>", "only matching events, such as kind=rpc or vm=debian")
    .option("--kinds <kinds>", `kinds to record: ${TRACE_KINDS.join(",")}, or all`, parseKinds)
    .option("--vm <vm>", "only events of this VM")
    .option("--process <process>", "of syscall and task: only those of the process with this number or name")
    .option("--follow", "also print new events as they happen")
    .option("--since <time>", "only events from this virtual time on", parseDuration)
    .addOption(new RenamedOption("--limit <events>", "stop after this many events", "--count").argParser(parseWhole(1, 1e9)))
    .addHelpText(
      "after",
      examplesText([
        "events --filter 'kind=rpc res!=ok'",
        "events --follow --kinds hvc,virq --filter vm=ping --limit 100",
        "events --follow --kinds syscall,task --vm debian --process cat",
      ]),
    )
    .action(async (options) => exit(await events(options)));
}

interface EventOptions extends ListOptions {
  readonly json?: boolean;
  readonly session?: string;
  readonly filter?: string;
  readonly vm?: string;
  readonly process?: string;
  readonly kinds?: readonly TraceKind[];
  readonly follow?: boolean;
  readonly since?: number;
  readonly limit?: number;
}

async function events(options: EventOptions): Promise<number> {
  const { session, filter, kinds, follow, watch } = options;
  checkColumns(EVENTS, options);
  if (filter !== undefined) checkedFilter("--filter", filter, EVENTS);
  if (follow && watch) throw new Failure("events: --follow prints new events, --watch all of them every second", "give one");
  using open = await openSession({ session });
  if (options.vm !== undefined) await checkVm(open, options.vm);
  if (kinds) open.session.send({ kind: "watch", kinds });
  return await watching(options, options.json ?? false, () => printEvents(open, options));
}

/** Those of a process by its number, or its name. */
function processFilter(process: string | undefined): string | undefined {
  return process && (/^\d+$/.test(process) ? `process=${process}` : isExactly("comm", process));
}

async function printEvents({ session, asker }: OpenSession, options: EventOptions): Promise<number> {
  const { json = false, kinds, follow = false, since, limit = Infinity } = options;
  const filter = allOfEvents([
    options.filter,
    options.vm && isExactly("vm", withoutKind("vm", options.vm)),
    processFilter(options.process),
  ]);
  const stream = new RowStream(EVENTS, options, json);
  let left = limit, after: string | undefined, gaps = "";
  if (follow && since === undefined) after = (await asker.ask({ table: "events", args: { limit: 1 } })).cursor;
  for (;;) {
    const answer = await asker.ask({ table: "events", args: { filter, since, after, kinds: kinds?.join(","), limit: BATCH } });
    checkAnswered(answer, ExitCode.Usage);
    const now = JSON.stringify(answer.gaps ?? []);
    if (now !== gaps) reportGaps(answer);
    gaps = now;
    if (after !== undefined && answer.dropped) report(`el2: ${answer.dropped} events were lost`);
    for (const row of answer.rows) {
      if (left-- <= 0) break;
      stream.print(session.info.name, answer, row);
    }
    if (left <= 0 || !follow) return ExitCode.Done;
    after = answer.cursor;
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}
