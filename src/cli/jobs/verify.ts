// Job: loads a snapshot and checks it.

import { readSnapshot } from "../../snapshots/file.ts";
import { verifySnapshot } from "../../snapshots/verify.ts";

/** Its defect; undefined for a valid one. */
export function job({ path, bytes }: { readonly path: string; readonly bytes: Uint8Array }): string | undefined {
  return verifySnapshot(readSnapshot(path, false, bytes));
}
