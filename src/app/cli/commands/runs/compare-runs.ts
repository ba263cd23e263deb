// `el2 compare-runs`: events and functions that tell bad runs from good ones.

import { basename } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { jsonOption, RenamedOption } from "../../common/common-options.ts";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { output } from "../../common/print.ts";
import { Progress } from "../../common/progress.ts";
import { parseWhole } from "../../common/values.ts";
import { Jobs } from "../../../jobs/run-job.ts";
import { anywayOption, hostOption } from "../../options/host.ts";
import { hostConsent } from "../../start/plans/consent.ts";
import { readNamedRecording } from "../../start/plans/recordings.ts";
import { alone } from "../../../../model/plans/plan.ts";
import { COMPARE_RUNS, documentText } from "../../../../model/queries/documents.ts";
import { compareRuns, type DistinctFeature, type RunComparison } from "../../../../session/recordings/runs/compare-runs.ts";
import type { RunFeatures } from "../../../../session/recordings/runs/run-features.ts";
import { timeText } from "../../../../kit/support/text/number-text.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";
import { type Exits, exitsText, withExits } from "../../common/command-tree.ts";

const EXITS: Exits = {
  codes: { 0: "something in all bad runs and in no good one, or the other way round", 1: "nothing" },
};

/** Rows that are printed by default. */
const ROWS = 20;

interface CompareOptions {
  readonly good?: readonly string[] | undefined;
  readonly bad?: readonly string[] | undefined;
  readonly limit: number;
  readonly json?: true | undefined;
  readonly allowHost?: readonly string[] | undefined;
  readonly anyway?: boolean | undefined;
}

export function registerCompareRuns(program: Command, { entry, exit }: CommandContext): void {
  withExits(program.command("compare-runs"), EXITS)
    .description("compare good and bad recordings: list the events and functions that occur in all bad runs and in no good one")
    .argument("[files...]", "recordings; names that begin with good or bad say which they are")
    .option("--good <files...>", "recordings of good runs")
    .option("--bad <files...>", "recordings of bad runs")
    .addOption(new RenamedOption("--limit <rows>", "print at most this many rows", "--rows").argParser(parseWhole(1, 1e6)).default(ROWS))
    .addOption(hostOption())
    .addOption(anywayOption)
    .addOption(jsonOption)
    .addHelpText(
      "after",
      `
el2 runs each recording again. Listed are events and functions in all bad runs and in no good one, or the other way round, ordered by when
they occur first: causes come before effects. If there are none, el2 compares the order of events; if that does not differ either, it lists
what most bad runs have and most good ones lack, or the other way round.

${exitsText(EXITS)}
${
        examplesText([
          "compare-runs good*.rec bad*.rec",
          "compare-runs --good monday.rec --bad tuesday.rec wednesday.rec --json",
        ])
      }`,
    )
    .action(async (files, options) => exit(await compare(files, options, entry)));
}

async function compare(files: readonly string[], options: CompareOptions, entry: URL): Promise<number> {
  const { limit, json } = options, runs = sorted(files, options);
  using jobs = new Jobs(entry);
  const consent = hostConsent(options.allowHost), features: Record<Kind, RunFeatures[]> = { good: [], bad: [] };
  for (const { kind, file } of runs) {
    const recording = await readNamedRecording(file, consent, options.anyway);
    using progress = new Progress(basename(file), "ns");
    features[kind].push(
      await progress.during(jobs.run({
        name: "features",
        input: recording,
        plans: [alone(recording.plan)],
        hear: (time) => progress.at(time, recording.end?.at),
      })),
    );
  }
  const compared = compareRuns(features.good, features.bad), { good, bad } = { good: features.good.length, bad: features.bad.length };
  if (json) {
    const { exact, features: all } = compared;
    const shown = all.slice(0, limit).map(({ time, ...one }) => ({ ...one, ns: String(Math.round(time)) }));
    output(`${documentText(COMPARE_RUNS, { good, bad, exact, found: all.length, features: shown })}\n`);
  } else output(comparisonText(compared, { good, bad }, limit));
  return compared.exact ? ExitCode.Done : ExitCode.Failed;
}

type Kind = "good" | "bad";

/**
 * The recordings, each with its kind.
 * @throws Failure if one has none, or there are not both kinds
 */
function sorted(files: readonly string[], { good = [], bad = [] }: CompareOptions): { readonly kind: Kind; readonly file: string }[] {
  const named = files.map((file) => {
    const [, kind] = /^(good|bad)/.exec(basename(file)) ?? [];
    if (kind !== "good" && kind !== "bad") throw new Failure(`compare-runs: is "${file}" good or bad? name it --good or --bad`);
    return { kind, file } as const;
  });
  const runs = [...named, ...good.map((file) => ({ kind: "good", file }) as const), ...bad.map((file) => ({ kind: "bad", file }) as const)];
  for (const wanted of ["good", "bad"] as const) {
    if (!runs.some(({ kind }) => kind === wanted)) {
      throw new Failure(`compare-runs: no ${wanted} run`, way`give both, such as ${hint("compare-runs", "good.rec", "bad.rec")}`);
    }
  }
  return runs;
}

function comparisonText({ exact, features }: RunComparison, runs: Record<Kind, number>, limit: number): string {
  const lines = [`${runs.bad} bad runs, ${runs.good} good runs`];
  if (!exact) lines.push("nothing occurs in all bad runs and in no good one, or the other way round");
  if (!exact && features.length > 0) lines.push("closest:");
  for (const one of features.slice(0, limit)) lines.push(featureText(one, runs));
  if (features.length > limit) lines.push(`and ${features.length - limit} more; --limit ROWS prints more`);
  return lines.map((line) => `${line}\n`).join("");
}

function featureText({ kind, vm, text, time, good, bad }: DistinctFeature, runs: Record<Kind, number>): string {
  const where = bad / runs.bad > good / runs.good ? "bad" : "good";
  return `  ${where.padEnd(4)}  ${bad}/${runs.bad} bad ${good}/${runs.good} good  t=${timeText(time)}  ${kind} ${vm ?? ""}  ${text}`;
}
