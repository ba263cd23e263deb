// Recorded requests of the translator: the signatures of the modules that a run has made, as the
// cache folder of el2 keeps them beside the modules (session/assembly/code/code-file.ts).

import type { CodeSignature } from "../src/cpu/core/boot.ts";
import { decodeFile, signatureIn } from "../src/session/assembly/code/code-file.ts";

/** The requests of the runs that kept their code in this cache folder of el2, by its files. */
export function recordedRuns(cache: string): CodeSignature[][] {
  const paths = [...Deno.readDirSync(`${cache}/code`)].map(({ name }) => `${cache}/code/${name}`).sort();
  return paths.map((path) => decodeFile(Deno.readFileSync(path)).map(signatureIn));
}
