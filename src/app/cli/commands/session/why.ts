// `el2 why`: why something was refused.

import { runner } from "../../common/argv.ts";
import { checkAnswered, ExitCode, failed, Failure } from "../../common/failure.ts";
import { checkColumns, watching } from "../../common/list-options.ts";
import { nothingPasses, output, outputLink, printAnswer } from "../../common/print.ts";
import type { RunOptions } from "../../common/run-command.ts";
import { checkVm, type OpenSession, openSession } from "../../common/session.ts";
import type { ValuesOf } from "../../../../model/commands/argument.ts";
import { reasonFilter, reasonId, reasonsThatAnswer, WHY } from "../../../../model/commands/questions.ts";
import { lineFor } from "../../../../model/commands/words.ts";
import { diagnosisLines } from "../../../../model/queries/texts/diagnosis-text.ts";
import { isOf, withKind } from "../../../../model/queries/ids.ts";
import { allOf, isExactly } from "../../../../model/queries/filters/filter.ts";
import { allOfEvents } from "../../../../model/queries/filters/temporal-filter.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import { isCited, REASON_MARGIN, reasonLines } from "../../../../model/queries/texts/reason-text.ts";
import { DIAGNOSES, REASONS, VMS } from "../../../../model/queries/tables.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";
import { problemText } from "../../../../kit/support/problem.ts";

/** The entry's values, and how the reasons are printed. */
type WhyOptions = Omit<ValuesOf<typeof WHY.args>, "reason"> & RunOptions;

/** Prints the command for the section of a rule, with a hyperlink; nothing for a rule of el2. */
async function printSpecLine(section: string): Promise<void> {
  const { RULE_BOOKS } = await import("../../start/look/rule-books.ts");
  if (!isCited(section) || await RULE_BOOKS.section(section) === undefined) return;
  outputLink("read".padEnd(REASON_MARGIN), hintText(hint("reference spec", ...section.split(" "))), RULE_BOOKS.target(section));
}

/** `3 refusals were handled by their callers`. */
function handled(count: number): string {
  return count === 1 ? "1 refusal was handled by its caller" : `${count} refusals were handled by their callers`;
}

/**
 * The verdicts on VMs that have not ended and make no progress: nothing was refused there.
 * @param of only this VM
 */
async function hangs({ asker }: Pick<OpenSession, "asker">, of: string | undefined): Promise<string[]> {
  const filter = allOf(["healthy=no", of && isExactly("id", of)]);
  const sick = rowsOf(DIAGNOSES, await asker.ask({ table: "diagnose", args: { filter } }));
  const vms = sick.length === 0 ? [] : rowsOf(VMS, await asker.ask({ table: "vm.ls", args: {} }));
  return sick.filter(({ id }) => !vms.some((vm) => vm.id === id && vm.why !== null)).flatMap(diagnosisLines);
}

export const runWhy = runner(WHY, { run: ({ reason, ...values }, options) => why(reason, { ...options, ...values }) });

async function why(reason: string, options: WhyOptions): Promise<number> {
  const id = reasonId(reason), isVm = reason !== "last" && id === undefined;
  if (isVm && options.vm !== undefined) throw new Failure(`"${reason}" is not a reason`, "use last or why:NUMBER");
  return await explain(id, isVm ? { ...options, vm: reason } : options);
}

/** @param id of a reason; undefined for the last one */
async function explain(id: string | undefined, options: WhyOptions): Promise<number> {
  const { json = false, session, core, vm, about, filter } = options;
  // Columns and forms are those of lists.
  const list = options.list || options.columns || options.output;
  checkColumns(REASONS, options);
  using open = await openSession({ session, core });
  const terms = allOfEvents([filter, reasonFilter({ reason: id ?? "last", vm, about })]);
  const ask = (filter: string) => open.asker.ask({ table: "why", args: { filter, limit: list ? undefined : 1 } });
  const print = async () => {
    const answer = await ask(id === undefined && !list ? allOfEvents([terms, reasonsThatAnswer(about)]) : terms);
    checkAnswered(answer, ExitCode.Usage);
    if (!answer.rows.length && vm) await checkVm(open, vm);
    const isNow = id === undefined && filter === undefined && (about === undefined || isOf("vm", about));
    const told = json || list || !isNow ? [] : await hangs(open, vm === undefined ? about : withKind("vm", vm));
    if (json || list) printAnswer(open.session.info.name, answer, json, nothingPasses(terms), options);
    else {
      output(told.map((line) => `${line}\n`).join(""));
      for (const row of rowsOf(REASONS, answer)) {
        output(reasonLines(row).map(({ text }) => `${text}\n`).join(""));
        await printSpecLine(row.section);
      }
    }
    if (answer.rows.length || list || told.length) return ExitCode.Done;
    if (id !== undefined) throw failed(`${id} is not recorded`, `list the reasons with ${lineFor(WHY, { list: true })}`);
    const others = (await open.asker.ask({ table: "why", args: { filter: allOfEvents([terms, "kind=refused"]) } })).rows.length;
    const wayOut = others ? `${handled(others)}: ${lineFor(WHY, { list: true, vm, about, filter })}` : undefined;
    const problem = { what: `nothing${terms ? " like that" : ""} has failed`, wayOut };
    if (terms) throw failed(problem);
    if (!json) output(`${problemText(problem)}\n`);
    return ExitCode.Done;
  };
  return await watching(options, json, print);
}
