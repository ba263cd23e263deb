// Shows an invalid configuration on a terminal until it is valid or the user quits.

import type { ColorDepth } from "../../terminal/color.ts";
import { ConfigErrorScreen } from "./config-errors.ts";
import type { Key } from "../../terminal/keys.ts";
import { LoneScreen } from "./lone-screen.ts";
import { type ReadingOptions, readKeys } from "../../terminal/read-keys.ts";
import type { Cut, TerminalPort } from "../../terminal/terminal.ts";
import type { LookWish } from "../../look/theme.ts";
import type { Problem } from "../../../../kit/support/problem.ts";

/** Requirements of the screen. */
interface ConfigErrorOptions extends LookWish, ReadingOptions {
  readonly file: string;
  readonly depth: ColorDepth;
  /** Text and problems of the file now. */
  readonly check: () => Promise<{ readonly text: string; readonly problems: readonly Problem[] }>;
  /** Opens an editor at a line and comes back when it has ended. */
  readonly edit: (line: number) => Promise<void>;
}

/** True once the configuration is valid; false when the user quits; the end by a signal. */
export async function runConfigErrors(port: TerminalPort, options: ConfigErrorOptions): Promise<boolean | Cut> {
  const { file } = options;
  const first = await options.check();
  if (!first.problems.length) return true;
  const view = new ConfigErrorScreen(file, first.text, first.problems);
  await using shown = new LoneScreen(port, view, options);
  /** Checks again; true when all errors are fixed. */
  const again = async () => {
    const { text, problems } = await options.check();
    view.update(text, problems);
    return problems.length === 0;
  };
  const decided = Promise.withResolvers<boolean>();
  const take = async ({ name }: Key) => {
    if (name === "q" || name === "ctrl-c") return decided.resolve(false);
    else if (name === "j" || name === "Down") view.move(1);
    else if (name === "k" || name === "Up") view.move(-1);
    else if (name === "r" && await again()) return decided.resolve(true);
    else if (name === "Enter") {
      await shown.hide();
      await options.edit(view.selected?.at?.line ?? 1);
      if (await again()) return decided.resolve(true);
      await shown.show();
    }
    shown.request();
  };
  await shown.show();
  return await Promise.race([decided.promise, shown.cut, readKeys(port.input, take, options).then(() => false)]);
}
