// `el2 trace`: recorded events of a session, and the hypercalls of a VM.

import { Argument, type Command } from "@commander-js/extra-typings";
import { addExport } from "./trace-export.ts";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { offering } from "../../common/command-tree.ts";
import { output, printAnswer } from "../../common/print.ts";
import { RenamedOption } from "../../common/common-options.ts";
import { checkVm, type OpenSession, openSession, withSessionOptions } from "../../common/session.ts";
import { parseDuration, parseWhole } from "../../common/values.ts";
import { runJob } from "../../../jobs/run-job.ts";
import { machineOffers } from "../../options/machine-words.ts";
import { hostOption } from "../../options/host.ts";
import { aloneBy } from "../../start/plans/consent.ts";
import { plannedOf } from "../../start/plans/planned.ts";
import { dissectorLua } from "../../../../session/export/dissector.ts";
import { alone } from "../../../../model/plans/plan.ts";
import { withoutKind } from "../../../../model/queries/ids.ts";
import { allOf, isExactly } from "../../../../model/queries/filters/filter.ts";
import type { Answer } from "../../../../model/queries/query.ts";
import type { Row } from "../../../../model/queries/table.ts";
import { VERSION } from "../../../../kit/support/version.ts";

/** Calls that are printed at most. */
const CALLS = 20_000;

/** Events of one question. */
const PAGE = 20_000;

/**
 * The hypercalls that `el2 trace start` has recorded, oldest first; if there are none, those of the
 * log, which has them while a screen or `el2 events` shows them.
 */
async function calls(asker: Pick<OpenSession["asker"], "ask">, filter: string, count: number): Promise<Answer> {
  const rows: Row[] = [];
  for (let after = "0"; rows.length < count;) {
    const page = await asker.ask({ table: "trace.events", args: { after, limit: PAGE, filter } });
    for (const row of page.rows) rows.push(row);
    const last = page.cursor === undefined || page.cursor === after;
    if (rows.length && (last || rows.length >= count)) return { ...page, table: "events", rows: rows.slice(0, count) };
    if (last) break;
    after = page.cursor!;
  }
  return await asker.ask({ table: "events", args: { filter, kinds: "hvc", limit: count } });
}

/** Adds `trace export`, `dissector` and `calls`. */
export function addTraces(trace: Command, context: CommandContext): void {
  addExport(trace, context);
  trace.command("dissector").description("print a Wireshark dissector (Lua) for the captures of trace export FILE.pcapng")
    .addHelpText(
      "after",
      examplesText([
        "trace dissector > el2.lua && tshark -X lua_script:el2.lua -r rpc.pcapng",
      ]),
    )
    .action(() => output(dissectorLua(VERSION)));
  withSessionOptions(
    trace.command("calls").description(
      "list hypercalls with arguments and results: those that a session recorded, or those of a new run",
    ),
  )
    .addArgument(offering(
      new Argument("[what]", "configuration or image to run to its end, as for el2 run; calls are listed below their requests"),
      machineOffers,
      "files",
    ))
    .option("--vm <vm>", "only calls of this VM (default with WHAT: rm)")
    .option("--for <time>", "with WHAT: end after this much virtual time", parseDuration)
    .addOption(hostOption())
    .addOption(new RenamedOption("--limit <calls>", "at most this many calls", "--count").argParser(parseWhole(1, 1e9)))
    .addHelpText("after", "\nExample:\n  el2 trace calls --vm rm assets/guests/hello.bin --for 100ms")
    .action(async (what, options) => {
      if (what !== undefined) {
        const { plan } = await plannedOf(what, aloneBy(options.allowHost));
        const input = { plan, vm: options.vm ?? "rm", json: options.json ?? false, duration: options.for };
        return await runJob(context.entry, { name: "calls", input, plans: [alone(plan)], hear: output });
      }
      using open = await openSession(options);
      const filter = allOf(["kind=hvc", options.vm && isExactly("vm", withoutKind("vm", options.vm))]);
      const answer = await calls(open.asker, filter, options.limit ?? CALLS);
      if (!answer.rows.length && options.vm) await checkVm(open, options.vm);
      printAnswer(open.session.info.name, answer, options.json ?? false);
    });
}
