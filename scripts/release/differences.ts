// Two builds, byte by byte.

import { sameBytes } from "../../src/kit/support/values/bytes.ts";
import { filesBelow } from "../dist/split.ts";

/** Follows from the others, and names only the parts that were built. */
const SUMS = "SHA256SUMS";

/** The files of a build that another one lacks, or has with other bytes. */
export async function differences(first: string, second: string): Promise<{ readonly count: number; readonly different: string[] }> {
  const files = (await filesBelow(second)).filter((path) => path !== SUMS);
  const different: string[] = [];
  for (const path of files) if (!await equal(`${first}/${path}`, `${second}/${path}`)) different.push(path);
  return { count: files.length, different };
}

async function equal(first: string, second: string): Promise<boolean> {
  const [a, b] = await Promise.all([first, second].map((path) =>
    Deno.readFile(path).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return undefined;
    })
  ));
  return a !== undefined && b !== undefined && sameBytes(a, b);
}
