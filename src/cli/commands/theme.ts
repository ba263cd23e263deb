// `el2 theme`: the themes of the screens, and the colors of one.

import type { Command } from "@commander-js/extra-typings";
import { examplesText } from "../common/command.ts";
import { Failure } from "../common/failure.ts";
import { output } from "../common/print.ts";
import { didYouMean } from "../../support/did-you-mean.ts";
import { ROLES } from "../../tui/roles.ts";
import { THEME_NAMES, themeOf } from "../../tui/themes.ts";

/** What each theme is for. */
const ABOUT: Readonly<Record<(typeof THEME_NAMES)[number], string>> = {
  terminal: "the terminal's own sixteen colors",
  dark: "the usual one on a dark terminal",
  light: "the usual one on a light terminal",
  "high-contrast": "a contrast of 7 and more",
  solarized: "the colors of Solarized, dark",
  gruvbox: "the colors of Gruvbox, dark",
  nord: "the colors of Nord",
  deuteranopia: "blue, yellow and orange in place of green and red",
};

/** Adds the commands. */
export function registerTheme(program: Command): void {
  const theme = program.command("theme").description("themes of the screens");
  theme.command("ls")
    .description("list the themes")
    .addHelpText("after", examplesText(["theme ls"]))
    .action(() => {
      for (const name of THEME_NAMES) output(`${name.padEnd(14)} ${ABOUT[name]}\n`);
    });
  theme.command("show")
    .description("print the colors of a theme by role: direct, and of 256")
    .argument("<name>", "its name")
    .addHelpText("after", examplesText(["theme show dark"]))
    .action((name) => {
      const known = THEME_NAMES.find((one) => one === name);
      if (!known) throw new Failure(`no theme called "${name}"${didYouMean(name, THEME_NAMES, `there are ${THEME_NAMES.join(", ")}`)}`);
      const { colors } = themeOf(known);
      if (!colors) return output("the terminal's own colors\n");
      for (const role of ROLES) {
        const [direct, indexed] = colors[role];
        output(`${role.padEnd(8)} #${direct.toString(16).padStart(6, "0")} ${String(indexed).padStart(3)}\n`);
      }
    });
}
