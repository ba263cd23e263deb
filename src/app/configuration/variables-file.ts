// Files that keep the variables of firmware in flash.

import type { VariablesPlan } from "../../machine/host/interface.ts";
import { cannotRead } from "../../kit/support/files/named-file.ts";
import { type Files, inFolder, problemFact, type Refuse } from "./files.ts";

/** The file that a key names, and its content; undefined without one, or if it cannot be used. */
export async function keptVariables(
  key: string,
  path: string | undefined,
  files: Files,
  refuse: Refuse,
): Promise<VariablesPlan | undefined> {
  if (path === undefined) return undefined;
  // Few machines have flash: the others need not wait for the formats of disks.
  const { readVars } = await import("../../session/assembly/layout/firmware-variables.ts");
  try {
    return readVars(inFolder(path, files));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const missing = error instanceof Deno.errors.NotFound;
    if (missing) refuse(key, { code: "rule", ...cannotRead(error, `${key} ${path}`), wayOut: `make it with: truncate -s 2M ${path}` });
    else refuse(key, problemFact(error, key));
    return undefined;
  }
}
