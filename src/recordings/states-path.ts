// The place of a recording's states in the cache. They follow from the recording and the program.

import { createHash } from "node:crypto";
import { MACHINE } from "../snapshots/instant.ts";
import { codeFolders } from "../support/code-folders.ts";
import { programDigest } from "../support/program-identity.ts";

/** The file for the states of a recording with this content; undefined: there is no cache. */
export function statesPath(recording: Uint8Array): string | undefined {
  const { states } = codeFolders(), hash = createHash("sha256").update(programDigest(MACHINE)).update(recording);
  return states === undefined ? undefined : `${states}/${hash.digest("hex")}.states`;
}
