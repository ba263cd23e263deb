// `el2 events`, `el2 why`, `el2 trace`: what happened in a session, why something was refused, who
// called what.

import type { Command } from "@commander-js/extra-typings";
import { ExitCode, Failure } from "./failure.ts";
import { nothingPasses, output, printAnswer, printStreamRow, report } from "./print.ts";
import { checkVm, openSession, withSessionOptions } from "./session.ts";
import { traceCalls } from "./trace-calls.ts";
import { registerTraceExport } from "./trace-export.ts";
import { plannedOf } from "./run.ts";
import { checkedFilter, parseDuration, parseWhole } from "./values.ts";
import { reasonLines } from "../queries/reason-text.ts";
import { isTraceKind, TRACE_KINDS, type TraceKind } from "../abi/trace.ts";
import { allOf } from "../queries/filter.ts";
import { rowsOf } from "../queries/query.ts";
import { EVENTS, REASONS } from "../queries/tables.ts";

/** Pause between two looks at what is new, ms. */
const POLL = 50;
/** Events of one look. */
const BATCH = 20_000;

/** Adds the commands. */
export function registerEvents(program: Command, entry: URL, exit: (code: number) => void): void {
  withSessionOptions(program.command("events").description("what happened in a session, oldest first"))
    .option("--filter <filter>", "only events that it lets through, such as kind=rpc or vm=debian")
    .option("--kinds <kinds>", `kinds to record: ${TRACE_KINDS.join(",")}, or all`, parseKinds)
    .option("--follow", "go on with what happens from now on")
    .option("--since <time>", "from this virtual time on", parseDuration)
    .option("--count <events>", "end after so many", parseWhole(1, 1e9))
    .addHelpText(
      "after",
      "\nExamples:\n  el2 events --filter 'kind=rpc res!=ok'\n  el2 events --follow --kinds hvc,virq --filter vm=debian --count 100",
    )
    .action(async (options) => exit(await events(options)));
  withSessionOptions(
    program.command("why").description("why something was refused: who asked, the chain, the rule, the values, the way out"),
  )
    .argument("[reason]", "last, or why:NUMBER", "last")
    .option("--list", "list the reasons, newest first")
    .option("--vm <vm>", "only what this VM asked")
    .option("--about <id>", "only what is about this object")
    .option("--filter <filter>", "only reasons that it lets through")
    .action(async (reason, options) => exit(await why(reason, options)));
  const trace = program.command("trace").description("calls of a VM, and what is recorded");
  registerTraceExport(trace as unknown as Command, entry, exit, parseKinds);
  withSessionOptions(
    trace.command("calls").description(
      "hypercalls in order, with arguments and results: that a session recorded, or of a run from its start",
    ),
  )
    .argument("[what]", "a configuration or image to run here to its end, as el2 run takes it; its calls stand under their requests")
    .option("--vm <vm>", "only this VM's; with WHAT rm, if nothing is said")
    .option("--for <time>", "with WHAT: end after this much virtual time", parseDuration)
    .option("--count <calls>", "at most so many", parseWhole(1, 1e9))
    .addHelpText("after", "\nExample:\n  el2 trace calls --vm rm assets/guests/hello.bin --for 100ms")
    .action(async (what, options) => {
      if (what !== undefined) {
        return traceCalls((await plannedOf(what)).plan, { vm: options.vm ?? "rm", json: options.json ?? false, duration: options.for });
      }
      using open = await openSession(options);
      const filter = allOf(["kind=hvc", options.vm && `vm=${options.vm}`]);
      const answer = await open.asker.ask({ table: "events", args: { filter, kinds: "hvc", limit: options.count ?? BATCH } });
      if (!answer.rows.length && options.vm) await checkVm(open, options.vm);
      printAnswer(open.session.info.name, answer, options.json ?? false);
    });
}

function parseKinds(text: string): TraceKind[] {
  if (text === "all") return [...TRACE_KINDS];
  const names = text.split(",");
  const wrong = names.find((name) => !isTraceKind(name));
  if (wrong !== undefined) throw new Failure(`--kinds ${wrong}: no kind of events; there are ${TRACE_KINDS.join(", ")}`);
  return names.filter(isTraceKind);
}

interface EventOptions {
  readonly json?: boolean;
  readonly socket?: string;
  readonly filter?: string;
  readonly kinds?: readonly TraceKind[];
  readonly follow?: boolean;
  readonly since?: number;
  readonly count?: number;
}

async function events({ json = false, socket, filter, kinds, follow = false, since, count = Infinity }: EventOptions): Promise<number> {
  if (filter !== undefined) checkedFilter("--filter", filter, EVENTS);
  using open = await openSession({ socket });
  const { session, asker } = open;
  if (kinds) session.send({ kind: "watch", kinds });
  let left = count, after: string | undefined;
  if (follow && since === undefined) after = (await asker.ask({ table: "events", args: { limit: 1 } })).cursor;
  for (;;) {
    const answer = await asker.ask({ table: "events", args: { filter, since, after, kinds: kinds?.join(","), limit: BATCH } });
    if (answer.error !== undefined) throw new Failure(answer.error);
    if (after !== undefined && answer.dropped) report(`el2: ${answer.dropped} events were lost`);
    for (const row of answer.rows) {
      if (left-- <= 0) break;
      printStreamRow(session.info.name, answer, row, json);
    }
    if (left <= 0 || !follow) return ExitCode.Done;
    after = answer.cursor;
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

interface WhyOptions {
  readonly json?: boolean;
  readonly socket?: string;
  readonly list?: true;
  readonly vm?: string;
  readonly about?: string;
  readonly filter?: string;
}

async function why(reason: string, { json = false, socket, list, vm, about, filter }: WhyOptions): Promise<number> {
  const number = reason === "last" ? undefined : /^(?:why:)?(\d+)$/.exec(reason)?.[1];
  if (reason !== "last" && number === undefined) throw new Failure(`${reason} is no reason; write last or why:NUMBER`);
  if (filter !== undefined) checkedFilter("--filter", filter, REASONS);
  using open = await openSession({ socket });
  const terms = allOf([filter, vm && `vm=${vm}`, about && `"${about}"`, number && `id=why:${number}`]);
  const ask = (filter: string) => open.asker.ask({ table: "why", args: { filter, limit: list ? undefined : 1 } });
  // What was refused on the way to a success is seldom what somebody asks for.
  const failed = reason === "last" && !list ? await ask(allOf([terms, "failed=yes"])) : undefined;
  const answer = failed?.rows.length ? failed : await ask(terms);
  if (answer.error !== undefined) throw new Failure(answer.error);
  if (!answer.rows.length && vm) await checkVm(open, vm);
  if (json || list) printAnswer(open.session.info.name, answer, json, nothingPasses(terms));
  else for (const row of rowsOf(REASONS, answer)) output(reasonLines(row).map(({ text }) => `${text}\n`).join(""));
  if (!answer.rows.length && !list) {
    throw new Failure(number ? `no why:${number} is kept` : "nothing like that was refused", ExitCode.Failed);
  }
  return ExitCode.Done;
}
