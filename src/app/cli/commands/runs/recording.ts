// `el2 recording show|pack|merge`: what is in the file of a recording, and marks of its copies.

import type { Command } from "@commander-js/extra-typings";
import { addPack, tried } from "./recording-pack.ts";
import { jsonOption } from "../../common/common-options.ts";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode } from "../../common/failure.ts";
import { readNamedFile } from "../../common/named-file.ts";
import { output, report } from "../../common/print.ts";
import { fileOfLink } from "../../start/plans/recordings.ts";
import { documentText, RECORDING } from "../../../../model/queries/documents.ts";

export function registerRecording(program: Command, { exit }: CommandContext): void {
  const group = program.command("recording").description("the file of a recording: its contents, copies for others, and marks of copies");
  group.command("show").description("show what somebody sees who gets the file: images, disks, typed input, names and paths")
    .argument("<file>", "recording")
    .addOption(jsonOption)
    .addHelpText("after", examplesText(["recording show bug.rec", "recording show bug.rec --json | jq .typed"]))
    .action(async (named, { json }) => {
      const { contentsJson, contentsOf, contentsText } = await import("./recording-contents.ts");
      const file = fileOfLink(named), bytes = readNamedFile(file, "recording show");
      const contents = await tried("recording show", () => contentsOf(file, bytes));
      output(json ? `${documentText(RECORDING, contentsJson(contents))}\n` : contentsText(file, contents));
      exit(ExitCode.Done);
    });
  addPack(group, exit);
  group.command("merge").description("add the marks of copies to a recording; of two with a name, the copy's counts")
    .argument("<file>", "recording")
    .argument("<copy...>", "copies of it, with marks of others")
    .addHelpText("after", examplesText(["recording merge bug.rec from-ann.rec from-bo.rec"]))
    .action(async (file, copies) => {
      const { mergeMarks } = await import("../../../../session/recordings/file/marks.ts");
      const marks = await tried("recording merge", () => mergeMarks(read(file), copies.map(read)));
      report(`el2: ${file}: ${marks} mark${marks === 1 ? "" : "s"}`);
      exit(ExitCode.Done);
    });
}

/** @throws Failure */
const read = (path: string) => ({ path, bytes: readNamedFile(path, "recording merge") });
