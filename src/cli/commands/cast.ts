// `el2 cast`: the screens as a film (asciicast v2): of this terminal, or of a script without one.

import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../common/command.ts";
import { ExitCode, Failure } from "../common/failure.ts";
import { report } from "../common/print.ts";
import { connectNamed } from "../common/session.ts";
import { readOnlyOption, themeOption } from "../options/look.ts";
import { CastFile } from "../start/cast-file.ts";
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
} from "../start/staged.ts";
import type { Size } from "../start/stage.ts";
import { cannotWrite } from "../../support/named-file.ts";

/** Adds the command. */
export function registerCast(program: Command, { entry, exit }: CommandContext): void {
  program.command("cast")
    .description("record the screens as an asciicast: those on this terminal, or those of a script")
    .argument("<file>", "file to write, such as demo.cast; asciinema play FILE plays it")
    .addOption(scriptOption)
    .addOption(sizeOption())
    .addOption(themeOption)
    .addOption(socketOption)
    .addOption(recordingOption)
    .addOption(runOption)
    .addOption(readOnlyOption)
    .addHelpText(
      "after",
      `
Without --script, shows the session on this terminal, as el2 attach does, until you quit. What you type is not recorded.
${
        examplesText([
          "cast bug.cast",
          "cast tour.cast --run demo --script tour.txt --size 100x30",
          "cast replay.cast --recording bug.rec --script steps.txt",
        ])
      }`,
    )
    .action(async (file, options) => {
      exit(options.script === undefined ? await castAttached(entry, file, options) : await castScript(entry, file, options));
    });
}

interface CastOptions extends StagedOptions {
  readonly size?: Size;
}

async function castScript(entry: URL, file: string, options: CastOptions): Promise<number> {
  const steps = await scriptSteps(options.script);
  using stage = await stageOf(entry, options, steps);
  const { size = DEFAULT_SIZE } = options;
  using cast = open(file, size, stage.title);
  const { Tour } = await import("../start/tour.ts");
  await new Tour(stage, size, cast).play(steps);
  cast.commit();
  report(`el2: ${file}: ${cast.length.toFixed(1)} s of ${stage.title}`);
  return ExitCode.Done;
}

async function castAttached(entry: URL, file: string, { socket, readOnly, theme, size, recording, run }: CastOptions): Promise<number> {
  const elsewhere = Object.entries({ "--size": size, "--recording": recording, "--run": run }).find(([, value]) => value !== undefined);
  if (elsewhere) throw new Failure(`${elsewhere[0]}: only with --script; without it, this terminal is recorded`);
  if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) throw new Failure("cast needs a terminal; without one, use --script FILE");
  const session = await connectNamed({ socket, readOnly, follow: true });
  using cast = open(file, Deno.consoleSize(), session.info.name, Math.floor(Date.now() / 1000));
  const { castScreens, showRemote } = await import("../start/screens.ts");
  castScreens(cast);
  const code = await showRemote(session, { theme }, entry);
  cast.commit();
  report(`el2: ${file}: ${cast.length.toFixed(1)} s of ${session.info.name}`);
  return code;
}

/** @throws Failure if it cannot be written */
function open(file: string, size: Size, what: string, began?: number): CastFile {
  try {
    return new CastFile(file, { ...size, title: `el2: ${what}`, began });
  } catch (error) {
    throw new Failure(`${file}: ${cannotWrite(error)}`);
  }
}
