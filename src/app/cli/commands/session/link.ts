// `el2 link`: a link to a place of a recorded run, on stdout and on the clipboard.

import { resolve } from "node:path";
import { runner } from "../../common/argv.ts";
import { checkAnswered, ExitCode, Failure } from "../../common/failure.ts";
import { output, outputBytes, report } from "../../common/print.ts";
import type { RunOptions } from "../../common/run-command.ts";
import { openSession } from "../../common/session.ts";
import { hintAt, LINK, type LinkPlace, linkText, NOT_RECORDED, shownPlace } from "../../../../model/commands/link.ts";
import { documentText, LINKED } from "../../../../model/queries/documents.ts";
import { isRecording } from "../../start/plans/recordings.ts";
import { cannotRead, pathFromHere } from "../../../../kit/support/files/named-file.ts";
import { hintText } from "../../../../kit/support/text/hint.ts";

export const runLink = runner(LINK, {
  async run({ file, ...given }, options) {
    const { path, place } = given.to === undefined ? await inSession(file, options) : { path: file, place: undefined };
    if (path === undefined) throw new Failure("link: --to needs a recording", "name it: bug.rec --to 12ms");
    checkRecording(path);
    const linked: LinkPlace = { ...given, to: given.to ?? place }, link = linkText(path, linked), command = hintText(hintAt(path, linked));
    if (options.json) output(`${documentText(LINKED, { link, command })}\n`);
    else {
      output(`${link}\n`);
      if (Deno.stdout.isTerminal()) await copy(link);
      report(`el2: ${command} goes there`);
    }
    return ExitCode.Done;
  },
});

/** The place that a session shows, and the recording that it is in. */
async function inSession(file: string | undefined, { session, core }: RunOptions) {
  using open = await openSession({ session, core });
  const { info } = open.session, { recording } = info;
  if (file !== undefined && recording !== undefined && resolve(file) !== recording) {
    throw new Failure(`link: session ${info.name} is in ${pathFromHere(recording)}, not in ${file}`, "name a place of the file with --to");
  }
  const path = file ?? (recording === undefined ? undefined : pathFromHere(recording));
  if (path === undefined) throw new Failure({ ...NOT_RECORDED, what: `link: session ${info.name}: ${NOT_RECORDED.what}` });
  const answer = await open.asker.ask({ table: "time.ls", args: {} });
  checkAnswered(answer);
  return { path, place: shownPlace(answer) };
}

/** @throws Failure if it is not a recording */
function checkRecording(path: string): void {
  try {
    if (isRecording(path)) return;
  } catch (error) {
    throw new Failure(cannotRead(error, `link: ${path}`));
  }
  throw new Failure(`link: ${path} is not a recording`);
}

async function copy(text: string): Promise<void> {
  const { copySequence } = await import("../../../tui/terminal/clipboard.ts");
  outputBytes(new TextEncoder().encode(copySequence(text, Deno.env.get("TMUX") !== undefined)));
}
