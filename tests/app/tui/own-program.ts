// This program's commands, for screens of a test: they are those of el2, and the test runs them.

import type { OwnProgram } from "../../../src/app/tui/app/services/own-program.ts";
import { commandsAbout } from "../../../src/app/cli/common/command-search.ts";
import { commandTree } from "../../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../../src/app/cli/main.ts";
import { programCommands } from "../../../src/app/cli/start/screens/own-program.ts";

export const TREE = commandTree(makeProgram(new URL(import.meta.url), () => {}));

/** Output of a command, and its exit code. */
export type Outcome = Awaited<ReturnType<OwnProgram["run"]>>;

/** A program whose commands do this. */
export function programDoing(run: OwnProgram["run"]): OwnProgram {
  return { load: () => Promise.resolve(), commands: () => programCommands(TREE), about: (words) => commandsAbout(TREE, words), run };
}
