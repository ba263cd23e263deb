// `--no-code-cache`, of commands that run a machine.

import { type Command, Option } from "@commander-js/extra-typings";
import { NO_CODE_CACHE } from "../../support/code-cache-switch.ts";

export const noCodeCacheOption = new Option(
  "--no-code-cache",
  "translate all code anew, and keep none of it in the cache folder (results are identical)",
);

/**
 * Applies the option of a command that is about to run: the machine's worker reads the environment.
 */
export function applyNoCodeCache(command: Pick<Command, "getOptionValue">): void {
  if (command.getOptionValue("codeCache") === false) Deno.env.set(NO_CODE_CACHE, "1");
}
