// `el2 screenshot`: the screens as a picture or as text, without a terminal.

import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../common/command.ts";
import { ExitCode, Failure } from "../common/failure.ts";
import { report } from "../common/print.ts";
import { themeOption } from "../options/look.ts";
import {
  DEFAULT_SIZE,
  recordingOption,
  runOption,
  scriptOption,
  scriptSteps,
  sizeOption,
  socketOption,
  type StagedOptions,
  stageOf,
  toOption,
} from "../start/staged.ts";
import type { Size } from "../start/stage.ts";
import type { Screen } from "../../tui/terminal/cells.ts";
import { cannotWrite } from "../../support/named-file.ts";
import { writeWhole } from "../../support/whole-file.ts";

/** Forms of a picture, by the end of the file's name. */
type Form = "svg" | "png" | "txt";

/** Adds the command. */
export function registerScreenshot(program: Command, { entry, exit }: CommandContext): void {
  program.command("screenshot")
    .description("write a picture of the screens of a session or recording, without a terminal")
    .argument("<file>", "file to write: NAME.svg or NAME.png for a picture, NAME.txt for text")
    .addOption(sizeOption())
    .addOption(themeOption)
    .option("--keys <keys>", "keys to press first, separated by blanks: names such as Enter, and words to type")
    .addOption(scriptOption)
    .addOption(socketOption)
    .addOption(recordingOption)
    .addOption(toOption())
    .addOption(runOption)
    .option("--read-only", "with --script: refuse steps that change the session")
    .addHelpText(
      "after",
      `
The session is not changed, except by steps of --script (docs/workstation.md lists the steps).
${
        examplesText([
          "screenshot overview.svg",
          'screenshot rpc.svg --keys "7 /about=ping Enter" --theme light --size 100x30',
          "screenshot overview.png --size 160x48",
          "screenshot end.txt --recording bug.rec --to 12.5s",
          "screenshot start.svg --run phone.toml --script steps.txt",
        ])
      }`,
    )
    .action(async (file, options) => exit(await screenshot(entry, file, options)));
}

interface ScreenshotOptions extends StagedOptions {
  readonly size?: Size;
  readonly keys?: string;
}

async function screenshot(entry: URL, file: string, options: ScreenshotOptions): Promise<number> {
  const form = formOf(file);
  const steps = await scriptSteps(options.script);
  using stage = await stageOf(entry, options, steps);
  const { size = DEFAULT_SIZE } = options;
  const { Tour } = await import("../start/tour.ts");
  const { keysOf } = await import("../start/tour-script.ts");
  const keys = options.keys === undefined ? [] : [{ kind: "keys", keys: keysOf(options.keys) } as const];
  await new Tour(stage, size).play([...steps, ...keys]);
  const screen = await stage.frame(size);
  try {
    writeWhole(file, await contentOf(form, screen, `el2: ${stage.title}`), { mode: 0o644 });
  } catch (error) {
    throw new Failure(`${file}: ${cannotWrite(error)}`);
  }
  report(`el2: ${file}: ${size.columns}x${size.rows} of ${stage.title}`);
  return ExitCode.Done;
}

/** The content of the file. Each form loads its own modules. */
async function contentOf(form: Form, screen: Screen, title: string): Promise<Uint8Array | string> {
  switch (form) {
    case "svg":
      return (await import("../../tui/look/picture.ts")).picture(screen, title);
    case "png":
      return (await import("../../tui/look/picture-pixels.ts")).pixelPicture(screen);
    case "txt":
      return `${screen.toLines().map((line) => line.trimEnd()).join("\n")}\n`;
  }
}

/** @throws Failure for a name that ends otherwise */
function formOf(file: string): Form {
  const form = /\.([a-z]+)$/i.exec(file)?.[1].toLowerCase();
  if (form === "svg" || form === "png" || form === "txt") return form;
  throw new Failure(`${file}: the name has no known ending; use NAME.svg, NAME.png or NAME.txt`);
}
