// Options of the commands that show a session: the look of the screens, read-only, and logs.

import { Option } from "@commander-js/extra-typings";
import { LOG_LEVELS } from "../start/log.ts";

export const asciiOption = new Option("--ascii", "draw with ASCII only, except guests' text");
export const plainOption = new Option(
  "--plain",
  "for screen readers: write lines of text instead of screens, and one line for each change",
);
export const themeOption = new Option(
  "--theme <name>",
  "colors of the screens: auto, or a theme that el2 reference theme lists (default: EL2_THEME, [ui] theme, or by the background)",
);
export const rawOption = new Option(
  "--raw",
  "without a screen: pass guests' escape sequences to this terminal instead of showing them as text",
);
export const readOnlyOption = new Option("--read-only", "refuse input to guests, and every change");
export const keepGoingOption = new Option("--keep-going", "without screens: run on when a VM has crashed or panicked");
export const logOption = new Option(
  "--log <file[,level]>",
  `write one line per event: refusals, accesses to unmapped addresses, undefined instructions; level: ${
    LOG_LEVELS.join(", ")
  }, each with ` +
    "those before it (docs/workstation.md; default: info)",
);
