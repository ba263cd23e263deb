// `el2 diagnose`: a verdict on each VM of a session.

import { runner } from "../../common/argv.ts";
import { checkAnswered, ExitCode } from "../../common/failure.ts";
import { asList, checkColumns, watching } from "../../common/list-options.ts";
import { output, printAnswer } from "../../common/print.ts";
import type { RunOptions } from "../../common/run-command.ts";
import { checkVm, type OpenSession, openSession } from "../../common/session.ts";
import { MEM_CHECK } from "../../../../model/commands/mem.ts";
import { DIAGNOSE } from "../../../../model/commands/questions.ts";
import { hintFor } from "../../../../model/commands/words.ts";
import { withKind } from "../../../../model/queries/ids.ts";
import { diagnosisLines } from "../../../../model/queries/texts/diagnosis-text.ts";
import { isExactly } from "../../../../model/queries/filters/filter.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import { DIAGNOSES, VIOLATIONS } from "../../../../model/queries/tables.ts";
import { type Evidence, evidenceLine } from "../../../../model/queries/facts/evidence.ts";
import { VERDICT_FACTS, type VerdictFact, wordOf } from "../../../../model/queries/facts/verdict.ts";
import { hintText, hintValues } from "../../../../kit/support/text/hint.ts";

export const runDiagnose = runner(DIAGNOSE, { run: ({ vm }, options) => diagnose(vm, options) });

const CHECK = hintFor(MEM_CHECK, {});

/** The verdict on the machine, where an invariant of its memory or objects does not hold. */
export async function diagnoseMachine(
  { asker }: { readonly asker: Pick<OpenSession["asker"], "ask"> },
): Promise<RowOf<typeof DIAGNOSES>[]> {
  const violations = rowsOf(VIOLATIONS, await asker.ask({ table: "mem.check", args: {} })).map(({ rule }) => rule);
  if (violations.length === 0) return [];
  const [first, ...others] = violations;
  const fact: VerdictFact = { code: "broken", rule: first }, because = others.map((rule): Evidence => ({ code: "broken", rule }));
  return [{
    id: "machine",
    verdict: wordOf(fact),
    healthy: false,
    text: VERDICT_FACTS.text(fact),
    evidence: because.map(evidenceLine),
    way_out: null,
    next: hintText(CHECK),
    hint: hintValues(CHECK),
    fact,
    because,
  }];
}

/** 1 where something is wrong with a VM. */
async function diagnose(vm: string | undefined, options: RunOptions): Promise<number> {
  checkColumns(DIAGNOSES, options);
  using open = await openSession(options);
  return await watching(options, options.json ?? false, () => diagnoseOnce(open, vm, options));
}

async function diagnoseOnce(open: OpenSession, vm: string | undefined, options: RunOptions): Promise<number> {
  const filter = vm === undefined ? undefined : isExactly("id", withKind("vm", vm));
  let answer = await open.asker.ask({ table: "diagnose", args: { filter } });
  checkAnswered(answer);
  if (!answer.rows.length && vm !== undefined) await checkVm(open, vm);
  if (vm === undefined) answer = { ...answer, rows: [...answer.rows, ...await diagnoseMachine(open)] };
  const rows = rowsOf(DIAGNOSES, answer);
  if (options.json || asList(options)) printAnswer(open.session.info.name, answer, options.json ?? false, DIAGNOSES.empty, options);
  else {
    if (rows.length === 0) output(`${DIAGNOSES.empty}\n`);
    for (const row of rows) output(diagnosisLines(row).map((line) => `${line}\n`).join(""));
  }
  return rows.every(({ healthy }) => healthy) ? ExitCode.Done : ExitCode.Failed;
}
