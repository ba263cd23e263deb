// Partitions of a disk as util-linux finds them.

import assert from "node:assert/strict";
import { runNative } from "./oracles.ts";

/** Lines of partx, with places in units of 512 bytes. @param columns as `--output` has them */
export async function partitionsIn(path: string, sector: number, columns: string): Promise<string[]> {
  const form = ["--raw", "--noheadings", "--bytes", "--sector-size", `${sector}`, "--output", columns];
  const { code, stdout, stderr } = await runNative("partx", [...form, path]);
  assert.equal(code, 0, stderr);
  return stdout.trim().split("\n");
}
