// Files that keep the variables of firmware in flash.

import { bankSize } from "../../machine/host/boards/flash-size.ts";
import type { VariablesPlan } from "../../machine/host/interface.ts";
import { FLASH_MAX } from "../../machine/hardware/memory-map.ts";
import { cannotRead } from "../../kit/support/files/named-file.ts";
import { UserError } from "../../kit/support/problem.ts";
import { formatSize } from "../../kit/support/text/units.ts";
import { closedFile, type Files, inFolder, problemFact, type Refuse } from "./files.ts";

/** The file that a key names, and its content; undefined without one, or if it cannot be used. */
export async function keptVariables(
  key: string,
  named: string | undefined,
  files: Files,
  refuse: Refuse,
): Promise<VariablesPlan | undefined> {
  if (named === undefined) return undefined;
  const path = inFolder(named, files);
  try {
    const variables = files.closed ? { path, content: wholeBank(closedFile(named, files)) } : await read(path);
    files.taken?.variables.set(path, variables.content);
    return variables;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const missing = error instanceof Deno.errors.NotFound;
    if (missing) refuse(key, { code: "rule", ...cannotRead(error, `${key} ${named}`), wayOut: `make it with: truncate -s 2M ${named}` });
    else refuse(key, problemFact(error, key));
    return undefined;
  }
}

async function read(path: string): Promise<VariablesPlan> {
  // Few machines have flash: the others need not wait for the formats of disks.
  const { readVars } = await import("../../session/assembly/layout/firmware-variables.ts");
  return readVars(path);
}

/** The content of a bank. @throws UserError if it is not one's */
function wholeBank(content: Uint8Array): Uint8Array {
  if (bankSize("the variables", content.length, FLASH_MAX) === content.length) return content;
  throw new UserError(`the variables have ${formatSize(content.length)}`, "a bank of flash has a power of two, 2MiB or more");
}
