// `el2 reference theme [NAME]`: the themes of the screens, and the colors of one.

import { Argument, Option } from "@commander-js/extra-typings";
import type { PageOptions, ReferencePage } from "./page.ts";
import { type Offer, offering } from "../../common/command-tree.ts";
import { Failure } from "../../common/failure.ts";
import { readNamedFile } from "../../common/named-file.ts";
import { printListing } from "../../common/list-options.ts";
import { output } from "../../common/print.ts";
import { checkedUi } from "../../start/look/file-ui.ts";
import { userFile, withUserFile } from "../../start/look/user-look.ts";
import { DEFAULT_UI, type FileTheme, type FileUi } from "../../../configuration/schema.ts";
import { OWN_CONFIGURATION, readUi } from "../../../configuration/ui.ts";
import { documentText, type FieldsOf, listingOf, THEME } from "../../../../model/queries/documents.ts";
import { exists } from "../../../../kit/support/files/cache.ts";
import { didYouMeanOneOf } from "../../../../kit/support/text/did-you-mean.ts";
import { ROLES } from "../../../tui/terminal/roles.ts";
import { findTheme, ownThemes, THEME_NAMES } from "../../../tui/look/themes.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";

/** Purpose of each theme. */
const ABOUT: Readonly<Record<(typeof THEME_NAMES)[number], string>> = {
  terminal: "the terminal's own sixteen colors",
  dark: "the default on a dark terminal",
  light: "the default on a light terminal",
  "high-contrast": "a contrast of 7 and more",
  solarized: "the colors of Solarized, dark",
  gruvbox: "the colors of Gruvbox, dark",
  nord: "the colors of Nord",
  deuteranopia: "blue, yellow and orange instead of green and red",
};

export const THEME_PAGE: ReferencePage = {
  name: "theme",
  doc: "list the themes of the screens, also of a configuration and your own; with a name, its colors by role, direct and of 256",
  words: [offering(new Argument("[name]", "a theme of the list"), themeOffers)],
  options: [new Option("--config <file>", "a configuration with themes (default: ./el2.toml, if there is one)")],
  form: "list",
  examples: ["theme", "theme --config phone.toml", "theme dark"],
  async print([name], options) {
    if (name !== undefined) return await printColors(name, options);
    await printListing(listingOf(THEME, "there is no theme"), options, () => themesOf(options.config), (rows) => {
      const width = Math.max(...rows.map(({ name }) => name.length));
      for (const row of rows) output(options.json ? `${documentText(THEME, row)}\n` : `${row.name.padEnd(width)}  ${row.about}\n`);
    });
  },
};

/** The colors of a theme; as JSON its row of the list. */
async function printColors(name: string, { config, json }: PageOptions): Promise<void> {
  const own = ownThemes(Object.fromEntries((await configured(config)).map(({ name, theme }) => [name, theme])));
  const known = findTheme(name, own), row = (await themesOf(config)).find((one) => one.name === known?.name);
  if (!known || !row) {
    throw new Failure(
      `no theme called "${name}"`,
      didYouMeanOneOf(name, [...THEME_NAMES, ...own.map(({ name }) => name)]),
    );
  }
  if (json) return output(`${documentText(THEME, row)}\n`);
  const { colors } = known;
  if (!colors) return output("the terminal's own colors\n");
  for (const role of ROLES) {
    const [direct, indexed] = colors[role];
    output(`${role.padEnd(8)} #${direct.toString(16).padStart(6, "0")} ${String(indexed).padStart(3)}\n`);
  }
}

/** The themes, for completion. */
export async function themeOffers(): Promise<Offer[]> {
  return (await themesOf(undefined)).map(({ name, about }) => ({ word: name, help: about }));
}

/**
 * The themes of el2, and one's own.
 * @throws Failure where a file of themes is wrong
 */
async function themesOf(config: string | undefined): Promise<FieldsOf<typeof THEME>[]> {
  return [
    ...THEME_NAMES.map((name) => ({ name, about: ABOUT[name], file: null, based_on: null })),
    ...(await configured(config)).map(({ name, file, theme: { based_on: base } }) => ({
      name,
      file,
      based_on: base,
      about: `of ${file}, based on ${base}`,
    })),
  ];
}

/** A theme of a file. */
interface OwnTheme {
  readonly name: string;
  readonly file: string;
  readonly theme: FileTheme;
}

/**
 * The themes of the named configuration, or of `./el2.toml`, then those of the user's file.
 * @throws Failure
 */
async function configured(named: string | undefined): Promise<OwnTheme[]> {
  const ui = await uiOf(named), own = withUserFile(DEFAULT_UI).ui.themes;
  const of = (file: string, themes: FileUi["themes"]) => Object.entries(themes).map(([name, theme]): OwnTheme => ({ name, file, theme }));
  const users = of(userFile() ?? "", own).filter(({ name }) => !Object.hasOwn(ui.themes, name));
  return [...of(named ?? OWN_CONFIGURATION, ui.themes), ...users];
}

/** @throws Failure */
async function uiOf(named: string | undefined): Promise<FileUi> {
  const file = named ?? OWN_CONFIGURATION;
  if (named === undefined && !await exists(file)) return DEFAULT_UI;
  const ui = readUi(new TextDecoder().decode(readNamedFile(file, "theme")));
  if (!ui) throw new Failure(`${file} is not a configuration`, way`${hint("run", file)} names its errors`);
  return await checkedUi(file, ui);
}
