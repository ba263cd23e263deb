// `el2 explain`: what the lines of logs say, why, and what to try. It needs no session and no
// machine.

import type { Command } from "@commander-js/extra-typings";
import { jsonOption } from "../../common/common-options.ts";
import { examplesText } from "../../common/command.ts";
import { Failure } from "../../common/failure.ts";
import { readNamedFile, writeNamedFile, writing } from "../../common/named-file.ts";
import { output, report } from "../../common/print.ts";
import type { Explanation } from "../../../explain/explain.ts";
import type { LogFile } from "../../../explain/read.ts";
import { documentText, EXPLAINED } from "../../../../model/queries/documents.ts";
import { CHECKOUT } from "../../../../kit/support/files/checkout.ts";
import { lstatIfThere } from "../../../../kit/support/files/own-files.ts";
import { formatSize } from "../../../../kit/support/text/units.ts";
import { joined } from "../../../../kit/support/values/bytes.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";
import { way, wayOutText } from "../../../../kit/support/text/way-out.ts";
import { basename, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const STDIN = "-", STDIN_NAME = "stdin", PIECE = 2 ** 16;

export function registerExplain(program: Command): void {
  program.command("explain")
    .description("say what a log's lines about VMs mean, why they are there, and what to try")
    .argument(
      "<files...>",
      "dmesg, logcat, strace of a VMM, a console, /proc/iomem, a devicetree, a listing of /dev, in any order; - for stdin",
    )
    .option("--scenario <file>", "write a scenario for el2 test that shows the first cause; its files go into a folder beside it")
    .addOption(jsonOption)
    .addHelpText(
      "after",
      `
Lines of Gunyah, GenieZone, their drivers, crosvm, QEMU's ports, and of their guests are explained; others are passed over. Files may be
mixed, and lines may be torn. Nothing is sent anywhere.
${examplesText(["explain dmesg.txt crosvm.log", "explain - --json", "explain dmesg.txt --scenario shown.test.toml"])}`,
    )
    .action(async (files, { scenario, json }) => {
      const { BYTES_MAX } = await import("../../../explain/lines.ts");
      const read = files.map((name) => readLog(name, BYTES_MAX));
      const { explain } = await import("../../../explain/explain.ts");
      const explanation = await explain(read);
      if (json) output(`${documentText(EXPLAINED, await explanationAsJson(explanation))}\n`);
      else output(`${(await import("../../../explain/text.ts")).explanationText(explanation)}\n`);
      if (scenario !== undefined) await writeScenario(scenario, explanation);
    });
}

/** @throws Failure for a file that cannot be read, or is too large */
function readLog(name: string, most: number): LogFile {
  const bytes = name === STDIN ? readStdin(most) : readNamedFile(name, "explain");
  if (bytes.length <= most) return { name: name === STDIN ? STDIN_NAME : name, bytes };
  throw new Failure(`explain ${name}: has more than ${formatSize(most)}`, "give the part of it around the failure: grep -C 50 gunyah");
}

/** All of the standard input, or so much that it is too large. */
function readStdin(most: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  let size = 0;
  while (size <= most) {
    const piece = new Uint8Array(PIECE), count = Deno.stdin.readSync(piece);
    if (count === null) break;
    pieces.push(piece.subarray(0, count));
    size += count;
  }
  return joined(pieces);
}

async function explanationAsJson({ files, lines, causes, notes }: Explanation) {
  const { bookHint, chanceOf, mysteryHint } = await import("../../../explain/text.ts");
  const place = ({ at: { file, line } }: Explanation["lines"][number]) => ({ file, line });
  return {
    files: [...files],
    lines: lines.map((one) => ({
      ...place(one),
      text: one.text,
      by: one.by,
      says: one.says,
      call: one.call ?? null,
      rule: one.book ? hintText(bookHint(one.book)) : null,
      count: one.count,
      cut: one.cut === true,
      failure: !one.quiet,
      sign: { kind: one.sign.kind, ...one.sign.values },
    })),
    causes: causes.map((ranked) => {
      const { cause: { id, says, certain, tries, asks = [], book, mystery }, points, lines, against } = ranked;
      return {
        id,
        says,
        certain,
        points,
        chance: chanceOf(ranked),
        lines: lines.map(place),
        against: against.map(place),
        tries: tries.map((one) => wayOutText(one)),
        asks: asks.map((one) => wayOutText(one)),
        rule: book ? hintText(bookHint(book)) : null,
        shows: mystery === undefined ? null : hintText(mysteryHint(mystery)),
      };
    }),
    notes: [...notes],
  };
}

/** @throws Failure if nothing of the log can be shown, or a file cannot be written */
async function writeScenario(file: string, explanation: Explanation): Promise<void> {
  const { scenarioOf } = await import("../../../explain/scenario.ts");
  const folder = `${file.replace(/(?:\.test)?\.toml$/, "")}-files`;
  const scenario = scenarioOf(explanation, basename(folder), {
    files: filesOfMystery,
    ownFile: (path) => relative(resolve(folder), fileURLToPath(new URL(path, CHECKOUT))),
  });
  if (scenario === undefined) {
    throw new Failure("explain: no cause of this log can be shown in a scenario", "without --scenario the causes are printed");
  }
  if (scenario.files.size > 0) writing(`--scenario ${folder}`, () => Deno.mkdirSync(folder, { recursive: true }));
  for (const [name, bytes] of scenario.files) writeNamedFile(`${folder}/${name}`, "--scenario", bytes);
  writeNamedFile(file, "--scenario", scenario.text);
  report(`el2: ${file}: ${wayOutText(way`run it with ${hint("test", file)}`)}`);
}

/** The files of a mystery, in a checkout of this program. */
function filesOfMystery(name: string): ReadonlyMap<string, Uint8Array> | undefined {
  const folder = CHECKOUT && new URL(`examples/mysteries/${name}/`, CHECKOUT);
  if (folder === undefined || !lstatIfThere(fileURLToPath(folder))?.isDirectory) return undefined;
  return new Map(
    [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).map(({ name }) => [name, Deno.readFileSync(new URL(name, folder))]),
  );
}
