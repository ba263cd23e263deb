// `el2 test merge FOLDER..`: the results of all parts of a run as one report.

import type { Command } from "@commander-js/extra-typings";
import { examplesText } from "../../common/command.ts";
import { ExitCode, failed, Failure } from "../../common/failure.ts";
import { junitFile, writeJunit } from "./test-junit.ts";
import { readShard, type ReportedScenario, type Shard } from "./test-results.ts";
import { Tap } from "./test-tap.ts";
import { copyWhole } from "../../../../kit/support/files/whole-file.ts";
import { cannotWrite } from "../../../../kit/support/files/named-file.ts";
import { lstatIfThere } from "../../../../kit/support/files/own-files.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";
import { type Exits, exitsText, withExits } from "../../common/command-tree.ts";

const EXITS: Exits = {
  codes: { 0: "every step passed", 1: "a step failed, or a part is missing", 2: "a folder has no results of this run" },
};

/** Adds the command below `test`. */
// deno-lint-ignore no-explicit-any
export function registerTestMerge(test: Command<any, any, any>, exit: (code: number) => void): void {
  withExits(test.command("merge"), EXITS)
    .description("merge the results of all parts of a run: prints TAP; fails if a part is missing")
    .argument("<folder...>", "folders that el2 test --shard I/N --results has written, in any order")
    .option("--junit <file>", "also write the results as JUnit XML")
    .option("--recordings <folder>", "copy the recordings of failed scenarios here")
    .addHelpText(
      "after",
      `\n${exitsText(EXITS)}\n${examplesText(["test merge parts/* --junit results.xml --recordings failed"])}`,
    )
    .action(async (folders, options, command) => {
      // `test` has options of the same names, and takes them first.
      const { junit, recordings } = { ...command.parent?.opts(), ...options } as typeof options;
      using report = junitFile(junit);
      const { results, missing } = merged(folders);
      const kept = recordings === undefined ? results : await copyRecordings(results, recordings);
      const tap = new Tap(kept);
      for (const result of kept) tap.scenario(result, result.recording);
      if (report) writeJunit(report, kept);
      if (missing.length) {
        const parts = missing.map(({ index, count }) => `${index}/${count}`).join(", ");
        throw failed(`no results of part ${parts}`, `run it again with --shard ${parts.split(",")[0]} and the same files`);
      }
      exit(kept.every(({ ok }) => ok) ? ExitCode.Done : ExitCode.Failed);
    });
}

/**
 * All results in the order of the run's files, and the parts without any.
 * @throws Failure
 */
function merged(folders: readonly string[]): { results: ReportedScenario[]; missing: { index: number; count: number }[] } {
  const shards = new Map<number, Shard>();
  let first: Shard | undefined;
  for (const folder of folders) {
    const shard = readShard(folder);
    if (!shard) continue;
    first ??= shard;
    if (shard.count !== first.count || shard.files.join("\n") !== first.files.join("\n")) {
      throw new Failure(`${folder}: a part of another run: it has other files, or another number of parts`);
    }
    if (shards.has(shard.index)) {
      throw new Failure(`${folder}: part ${shard.index}/${shard.count} is there twice`, "name one of its folders");
    }
    // Recordings have come here with the folder.
    const results = shard.results.map((result) => ({
      ...result,
      recording: result.recording && `${folder}/${/[^\\/]*$/.exec(result.recording)![0]}`,
    }));
    shards.set(shard.index, { ...shard, results });
  }
  if (!first) {
    throw new Failure(`no results in ${folders.join(", ")}`, way`${hint("test", "*.test.toml", { results: folders[0] })} writes them`);
  }
  const { count, files } = first;
  const places = new Map(files.map((file, place) => [file, place]));
  const results = [...shards.values()].flatMap(({ results }) => results)
    .sort((a, b) => places.get(a.scenario.file)! - places.get(b.scenario.file)!);
  const missing = Array.from({ length: count }, (_, index) => ({ index: index + 1, count })).filter(({ index }) => !shards.has(index));
  return { results, missing };
}

/** Copies recordings into a folder; two of one name get different ones. */
async function copyRecordings(results: readonly ReportedScenario[], folder: string): Promise<ReportedScenario[]> {
  const taken = new Set<string>();
  return await Promise.all(results.map(async (result) => {
    if (result.recording === undefined) return result;
    const name = result.recording.slice(result.recording.lastIndexOf("/") + 1, -".rec".length);
    let free = name;
    for (let number = 2; taken.has(free); number++) free = `${name}-${number}`;
    taken.add(free);
    const recording = `${folder}/${free}.rec`;
    // Results may come from whoever had the tests run: a link would have any file copied.
    if (lstatIfThere(result.recording)?.isFile === false) {
      throw failed(`recording ${result.recording}: is not a regular file`);
    }
    try {
      await Deno.mkdir(folder, { recursive: true });
      copyWhole(result.recording, recording);
    } catch (error) {
      throw new Failure(cannotWrite(error, `recording ${result.recording}`));
    }
    return { ...result, recording };
  }));
}
