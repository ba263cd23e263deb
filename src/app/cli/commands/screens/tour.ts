// `el2 tour`: a tour of the screens that waits for the reader's keys, on its own machine.

import { Argument, type Command } from "@commander-js/extra-typings";
import { offering } from "../../common/command-tree.ts";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { Failure } from "../../common/failure.ts";
import { output } from "../../common/print.ts";
import { asciiOption, plainOption, themeOption } from "../../options/look.ts";
import { checked } from "../../start/plans/planned.ts";
import { showSession } from "../../start/show.ts";
import { keepChapter, keptChapter } from "../../start/screens/tour-progress.ts";
import { planTour } from "../../../configuration/plan-run.ts";
import { didYouMeanOneOf } from "../../../../kit/support/text/did-you-mean.ts";
import { Guide } from "../../../tui/app/guide/guide.ts";
import { CHAPTERS } from "../../../tui/app/guide/guide-chapters.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";

export function registerTour(program: Command, { entry, exit }: CommandContext): void {
  program.command("tour")
    .description("tour the screens: el2 says what to press, and waits for each step")
    .addArgument(
      offering(
        new Argument("[chapter]", "begin with this chapter (default: where the last tour ended, or the first)"),
        () => CHAPTERS.map(({ name, about }) => ({ word: name, help: about })),
      ),
    )
    .option("--list", "list the chapters")
    .addOption(asciiOption)
    .addOption(plainOption)
    .addOption(themeOption)
    .addHelpText("after", examplesText(["tour", "tour --list", "tour past"]))
    .action(async (chapter, { list, ...look }) => {
      const names = CHAPTERS.map(({ name }) => name);
      if (chapter !== undefined && !names.includes(chapter)) {
        throw new Failure(`no chapter called "${chapter}"`, didYouMeanOneOf(chapter, names));
      }
      if (list) return output(listText(chapter));
      if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) {
        throw new Failure("tour needs a terminal", way`without one: ${hint("tour", { list: true })}, and docs/tutorials`);
      }
      const guide = new Guide(chapter ?? keptChapter());
      const { plan } = checked(await planTour());
      const code = await showSession(entry, plan, {
        title: "tour",
        stdio: false,
        log: undefined,
        timeout: undefined,
        names: true,
        console: undefined,
        look,
        guide,
      });
      keepChapter(guide.chapter);
      exit(code);
    });
}

/** The chapters, a line each, or one of them. */
function listText(only: string | undefined): string {
  const width = Math.max(...CHAPTERS.map(({ name }) => name.length));
  return CHAPTERS.filter(({ name }) => only === undefined || name === only)
    .map(({ name, about }) => `${name.padEnd(width)}  ${about}\n`).join("");
}
