// The command line for programs of tests: as CI has prepared it, which loads four times as fast.

import { preparedProgram } from "../../../src/session/worker/prepared-program.ts";

export const ENTRY = new URL("../../../main.ts", import.meta.url);

/** Where its module is: among the sources, where the program is not prepared. */
export function mainModule(): URL {
  const prepared = preparedProgram(ENTRY);
  return prepared?.isCurrent() ? prepared.module("main") : new URL("src/app/cli/main.ts", ENTRY);
}

/** Its entry point. */
export async function loadMain(): Promise<typeof import("../../../src/app/cli/main.ts").main> {
  return (await import(mainModule().href)).main;
}
