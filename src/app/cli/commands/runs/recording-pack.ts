// `el2 recording pack`: copies of recordings for others: with the files of their runs, and without
// what can be left out.

import { type Command, Option } from "@commander-js/extra-typings";
import { examplesText } from "../../common/command.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { readNamedFile, writeNamedFile } from "../../common/named-file.ts";
import { report } from "../../common/print.ts";
import { hostOption } from "../../options/host.ts";
import { copiedDisks, reportAbsent } from "./copied-disks.ts";
import { checkCopied } from "../../start/plans/consent.ts";
import { checkedValue } from "../../common/values.ts";
import { choice } from "../../../../model/commands/kinds.ts";
import { RecordingError } from "../../../../session/recordings/file/recording.ts";
import { readRecordingLines } from "../../../../session/recordings/file/recording-reader.ts";
import { cannotWrite } from "../../../../kit/support/files/named-file.ts";
import { lstatIfThere } from "../../../../kit/support/files/own-files.ts";
import { problemOf } from "../../../../kit/support/problem.ts";

/** Parts that a copy can lack, where the run allows it. */
const REDACTIONS = ["input", "paths", "console"] as const;
type Redaction = typeof REDACTIONS[number];

interface PackOptions {
  readonly withoutImages?: true;
  readonly withSources?: true;
  readonly allowHost?: readonly string[];
  readonly redact?: readonly Redaction[];
}

/** Adds the command below `recording`. */
// deno-lint-ignore no-explicit-any
export function addPack(group: Command<any, any, any>, exit: (code: number) => void): void {
  group.command("pack").description(
    "copy a recording with the files of its run inside, its disks after asking; into a folder: each file once for all recordings there",
  )
    .argument("<file...>", "recordings, and last the file or FOLDER/ to write")
    .option("--without-images", "leave out the files of the run: whoever opens it is asked for them by their digests")
    .option(
      "--with-sources",
      "put in the source files that the debug information of its programs names, after asking; replays show their lines",
    )
    .addOption(hostOption())
    .addOption(
      new Option("--redact <what>", "leave this out, or say why the run does not allow that; repeatable").choices(REDACTIONS)
        .argParser((text: string, all: readonly Redaction[] = []) => [...all, checkedValue("--redact", choice(...REDACTIONS), text)]),
    )
    .addHelpText(
      "after",
      examplesText([
        "recording pack bug.rec for-bo.rec --redact paths",
        "recording pack failed/*.rec shared/",
        "recording pack bug.rec for-bo.rec --with-sources",
      ]),
    )
    .action(async (named: readonly string[], options: PackOptions) => {
      const to = named.at(-1), files = named.slice(0, -1);
      if (options.withSources && options.redact?.includes("paths")) {
        throw new Failure("--with-sources and --redact paths are mutually exclusive: source files have paths", "give one");
      }
      if (to === undefined || files.length === 0) {
        throw new Failure("recording pack: no file to write is named", "name it last: recording pack bug.rec for-bo.rec");
      }
      const isFolder = to.endsWith("/") || files.length > 1;
      for (const file of files) {
        await pack(file, isFolder ? `${to.replace(/\/+$/, "")}/${file.slice(file.lastIndexOf("/") + 1)}` : to, isFolder, options);
      }
      exit(ExitCode.Done);
    });
}

async function pack(file: string, to: string, isFolder: boolean, options: PackOptions): Promise<void> {
  const { withoutImages, withSources, allowHost, redact = [] } = options;
  const { packedRecording } = await import("../../../../session/recordings/file/pack.ts");
  const bytes = readNamedFile(file, "recording pack");
  const images = withoutImages ? "absent" : isFolder ? "beside" : "inside", folder = to.slice(0, to.lastIndexOf("/") + 1);
  const copy = `recording pack ${file}: its copy`;
  const { count, absent } = await tried("recording pack", async () => {
    for (const one of redact) checkRedacted(one, file, bytes);
    const copied = withoutImages ? undefined : copiedDisks(file, bytes, copy, allowHost);
    const { text, files, sources } = await packedRecording(file, bytes, {
      images,
      withoutPaths: redact.includes("paths"),
      ...copied && { disks: copied.disks },
      sources: withSources && ((sources) => checkCopied(copy, sources, allowHost)),
    });
    if (isFolder) Deno.mkdirSync(folder, { recursive: true });
    if (images === "beside") { for (const [path, content] of files) writeShared(`${folder}${path}`, content); }
    writeNamedFile(to, "recording pack", text);
    return { count: sources, absent: copied?.absent ?? [] };
  });
  report(`el2: ${to}: a copy of ${file}${count || withSources ? `, with ${count} source file${count === 1 ? "" : "s"}` : ""}`);
  reportAbsent(to, file, absent);
}

/** A file that is there already stays: its name is its content's sum. */
function writeShared(path: string, content: Uint8Array): void {
  if (lstatIfThere(path)?.size === content.length) return;
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  writeNamedFile(path, "recording pack", content);
}

/** @throws RecordingError if the run does not allow this part to be left out */
function checkRedacted(one: Redaction, file: string, bytes: Uint8Array): void {
  if (one === "console") {
    throw new RecordingError(`--redact console: ${file} has no console output: a replay prints it, as it follows from the run`);
  }
  if (one === "paths") return;
  const typed = readRecordingLines(file, bytes).inputs.flatMap(({ input }) =>
    input.kind === "console" ? [input.bytes.length] : input.kind === "act" && input.action.kind.startsWith("input.") ? [1] : []
  );
  if (typed.length === 0) return;
  throw new RecordingError(
    `--redact input: ${file} has ${typed.reduce((sum, size) => sum + size, 0)} bytes that were typed, from which the run follows`,
    "record the run again without them",
  );
}

/** @throws Failure for a file that is not the right recording, or cannot be read or written */
export async function tried<T>(command: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(error instanceof RecordingError ? problemOf(error, command) : cannotWrite(error, command));
  }
}
