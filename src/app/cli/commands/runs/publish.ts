// `el2 publish`: a recording as a folder of static files, which replays it in a browser.

import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode } from "../../common/failure.ts";
import { readNamedFile, writing } from "../../common/named-file.ts";
import { report } from "../../common/print.ts";
import { refusedEngine } from "../../start/plans/other-engine.ts";
import { RecordingError } from "../../../../session/recordings/file/recording.ts";
import { writeWhole } from "../../../../kit/support/files/whole-file.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { formatSize } from "../../../../kit/support/text/units.ts";
import { copiedDisks, reportAbsent } from "./copied-disks.ts";
import { tried } from "./recording-pack.ts";

export function registerPublish(program: Command, { entry, exit }: CommandContext): void {
  program.command("publish").description("make a folder of static files that replays a recording in a browser")
    .argument("<file>", "recording")
    .argument("<folder>", "folder to make; with its files it works on any web server, in any folder, and offline")
    .addHelpText("after", examplesText(["publish bug.rec site/", "recording pack bug.rec for-bo.rec --redact paths"]))
    .action(async (file, folder) => {
      await published(entry, file, folder.replace(/\/+$/, ""));
      exit(ExitCode.Done);
    });
}

async function published(entry: URL, file: string, folder: string): Promise<void> {
  const bytes = readNamedFile(file, "publish");
  const { readRecordingLines } = await import("../../../../session/recordings/file/recording-reader.ts");
  const { FOR_SERVERS, packedFiles, publishedFiles } = await import("../../../web/published/published-files.ts");
  const { packed, absent } = await tried("publish", async () => {
    const refused = refusedEngine(file, readRecordingLines(file, bytes).maker, hint("replay", file));
    if (refused) throw new RecordingError(refused);
    const { disks, absent } = copiedDisks(file, bytes, `publish ${file}: its page`);
    return { packed: await packedFiles(file, bytes, disks), absent };
  });
  const { pageProgram } = await import("./page-program.ts");
  const name = file.slice(file.lastIndexOf("/") + 1);
  const files = publishedFiles({ name, live: false, packed }, await pageProgram(entry));
  let size = 0;
  writing(`publish ${folder}`, () => {
    Deno.mkdirSync(folder, { recursive: true });
    for (const [path, content] of files) {
      writeWhole(`${folder}/${path}`, content, { mode: FOR_SERVERS });
      size += content.length;
    }
  });
  report(`el2: ${folder}: ${files.size} files, ${formatSize(size)}; put them on any web server, and open index.html there`);
  reportAbsent(folder, file, absent);
}
