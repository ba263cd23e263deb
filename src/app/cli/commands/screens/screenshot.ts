// `el2 screenshot`: the screens as a picture or as text, without a terminal.

import { type Command, Option } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { NamedFile } from "../../common/named-file.ts";
import { report } from "../../common/print.ts";
import { connectNamed, sessionOption } from "../../common/session.ts";
import { anywayOption, hostOption } from "../../options/host.ts";
import { offering } from "../../common/command-tree.ts";
import { themeOffers } from "../reference/theme.ts";
import type { Size, Stage } from "../../start/screens/stage.ts";
import type { Screen } from "../../../tui/terminal/cells.ts";
import { bytesOfKey } from "../../../tui/terminal/keys.ts";
import { BadArgument, parsePlaceOfRun } from "../../common/values.ts";
import { PLACES_OF_RUN } from "../../../../model/commands/kinds.ts";
import type { PlaceOfRun } from "../../../../model/queries/move.ts";

/** Forms of a picture, by the end of the file's name. */
type PictureForm = "svg" | "txt";

/** Sizes of terminals that el2 draws. */
const LEAST = { columns: 60, rows: 16 }, MOST = { columns: 400, rows: 200 };
const DEFAULT_SIZE: Size = { columns: 120, rows: 36 };

export function registerScreenshot(program: Command, { entry, exit }: CommandContext): void {
  const size = `columns and rows of the terminal (default: ${DEFAULT_SIZE.columns}x${DEFAULT_SIZE.rows})`;
  program.command("screenshot")
    .description("write a picture of the screens of a session or recording, without a terminal")
    .argument("<file>", "file to write: NAME.svg for a picture, NAME.txt for text")
    .addOption(new Option("--size <size>", size).argParser(parseTerminalSize))
    .addOption(offering(
      new Option("--theme <name>", "colors of the picture: auto, or a theme that el2 reference theme lists"),
      () => [{ word: "auto", help: "by the background of the terminal" }],
      themeOffers,
    ))
    .option("--keys <keys>", "keys to press first, separated by blanks: names such as Enter, and words to type")
    .addOption(sessionOption)
    .option("--recording <file>", "show a recording instead of a session")
    .option("--to <place>", `with --recording: replay up to a place: ${PLACES_OF_RUN} (default: to the end)`, parsePlaceOfRun)
    .option("--run <what>", "show a new machine, paused at its start: a configuration, demo, debian")
    .addOption(hostOption())
    .addOption(anywayOption)
    .addHelpText(
      "after",
      `
The session is not changed.
${
        examplesText([
          "screenshot overview.svg",
          'screenshot rpc.svg --keys "7 /about=ping Enter" --theme light --size 100x30',
          "screenshot end.txt --recording bug.rec --to 12.5s",
          "screenshot start.svg --run phone.toml",
        ])
      }`,
    )
    .action(async (file, options) => exit(await screenshot(entry, file, options)));
}

interface ScreenshotOptions {
  readonly size?: Size;
  readonly theme?: string;
  readonly keys?: string;
  readonly session?: string;
  readonly recording?: string;
  readonly to?: PlaceOfRun;
  readonly run?: string;
  readonly allowHost?: readonly string[];
  readonly anyway?: boolean;
}

async function screenshot(entry: URL, file: string, options: ScreenshotOptions): Promise<number> {
  const form = formOf(file);
  const { size = DEFAULT_SIZE, keys = "" } = options;
  using written = new NamedFile(file, "screenshot");
  using stage = await stageOf(entry, options);
  await stage.pressAll(keysOf(keys), size);
  const screen = await stage.frame(size);
  written.end(await contentOf(form, screen, `el2: ${stage.title}`));
  report(`el2: ${file}: ${size.columns}x${size.rows} of ${stage.title}`);
  return ExitCode.Done;
}

/**
 * The session, recording or new machine that the options name. The connection to a session is
 * read-only.
 * @throws Failure
 */
async function stageOf(entry: URL, { recording, run, session, to, theme, allowHost, anyway }: ScreenshotOptions): Promise<Stage> {
  const given = Object.entries({ "--recording": recording, "--run": run, "--session": session }).filter(([, value]) => value !== undefined);
  if (given.length > 1) throw new Failure(`${given.map(([flag]) => flag).join(" and ")} are mutually exclusive`, "give one");
  if (to !== undefined && recording === undefined) throw new Failure("--to: only a recording has an end", "name it with --recording");
  const { hostConsent, typedBy } = await import("../../start/plans/consent.ts");
  const { Stage, withoutNetworkFor } = await import("../../start/screens/stage.ts");
  if (recording !== undefined) {
    const { onlyPlace, readLinked } = await import("../../start/plans/recordings.ts");
    const { placeIn } = await import("../../../replays/planned-recording.ts");
    const { path, recording: { plan, ...recorded }, linked } = await readLinked(recording, hostConsent(allowHost), anyway);
    const place = onlyPlace(to, recorded);
    withoutNetworkFor(plan);
    const stage = Stage.ofPlan(entry, {
      ...plan,
      replay: { recording: recorded, verify: false, to: place && placeIn(recorded, path, place) },
    }, {
      title: `replay ${path.split("/").at(-1)}`,
      theme,
      replay: true,
      linked,
    });
    await stage.ready();
    await stage.runToEnd();
    return stage;
  }
  if (run !== undefined) {
    const { plannedOf } = await import("../../start/plans/planned.ts");
    const { checkedUi } = await import("../../start/look/file-ui.ts");
    const { plan, ui } = await plannedOf(run, typedBy(allowHost));
    withoutNetworkFor(plan);
    const stage = Stage.ofPlan(entry, plan, { title: run.split("/").at(-1)!, theme, ui: await checkedUi(run, ui) });
    await stage.ready();
    return stage;
  }
  const { uiOfFile } = await import("../../start/look/surroundings.ts");
  const shown = await connectNamed({ session, readOnly: true, follow: true });
  const stage = Stage.ofSession(shown, { title: shown.info.name, theme, ui: await uiOfFile(shown.info.configuration) });
  await stage.ready();
  return stage;
}

/** The bytes of keys: names such as `Enter`, letters, and other words as they are typed. */
function keysOf(text: string): string[] {
  return text.split(/ +/).filter((word) => word !== "").flatMap((word) => bytesOfKey(word) ?? [...word]);
}

/** The content of the file. */
async function contentOf(form: PictureForm, screen: Screen, title: string): Promise<string> {
  if (form === "svg") return (await import("../../../tui/look/picture.ts")).picture(screen, title);
  return `${screen.toLines().map((line) => line.trimEnd()).join("\n")}\n`;
}

/** @throws Failure for a name that ends otherwise */
function formOf(file: string): PictureForm {
  const form = /\.([a-z]+)$/i.exec(file)?.[1].toLowerCase();
  if (form === "svg" || form === "txt") return form;
  throw new Failure(`${file}: the name has no known ending`, "use NAME.svg or NAME.txt");
}

function parseTerminalSize(text: string): Size {
  const match = /^(\d{1,4})x(\d{1,4})$/.exec(text);
  const size = { columns: Number(match?.[1]), rows: Number(match?.[2]) };
  const { columns, rows } = size;
  if (!(columns >= LEAST.columns && columns <= MOST.columns && rows >= LEAST.rows && rows <= MOST.rows)) {
    throw new BadArgument(
      `"${text}" is not a size from ${LEAST.columns}x${LEAST.rows} to ${MOST.columns}x${MOST.rows}`,
      "use for example 120x36",
    );
  }
  return size;
}
