// Words of pages of RAM that have changed are compared with those that the core has noted.

import assert from "node:assert/strict";
import type { WasmCore } from "../../../src/cpu/core/core.ts";
import { mayHave } from "../../../src/session/recordings/past/written-index.ts";

const WORD = 8;

/**
 * Fails unless the core knows of each word that differs that it may have been written since
 * `forgetWritten`.
 * @param pa physical address of the first of the bytes, which begin with a word
 * @returns how many words differ, and how many the core has noted
 */
export function checkNoted(
  core: WasmCore,
  pa: number,
  before: Uint8Array,
  after: Uint8Array,
  which: string,
): { changed: number; noted: number } {
  const written = core.written();
  let changed = 0, noted = 0;
  for (let at = 0; at < after.length; at += WORD) {
    const isNoted = mayHave(written, { pa: pa + at, length: WORD });
    if (isNoted) noted++;
    if (after.subarray(at, at + WORD).every((byte, index) => byte === before[at + index])) continue;
    changed++;
    assert.ok(isNoted, `${which}: the word at 0x${(pa + at).toString(16)} has changed`);
  }
  return { changed, noted };
}
