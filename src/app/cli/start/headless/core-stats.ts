// The core's counters for `--stats` at the end of a run.

import type { MachineSample } from "../../../../model/protocol/protocol.ts";

/**
 * One line of JSON: instructions of all guests, those of them that were only
 * counted, exits to EL2 by reason, the translator's counts and
 * what an instruction of a region costs. Microseconds are real time: other programs inflate them.
 */
export function coreStats({ instructions, spared, exits, translator }: MachineSample): string {
  return JSON.stringify({
    schema: "el2.core/1",
    instructions,
    spared,
    exits,
    translator: translator && { ...translator, ...costs(translator) },
  });
}

function costs(counts: Readonly<Record<string, number>>) {
  const { instructions, milliseconds, coldInstructions, coldMilliseconds, wasmBytes } = counts;
  const microseconds = (spent: number, of: number) => of > 0 ? spent * 1000 / of : 0;
  return {
    coldMicroseconds: microseconds(coldMilliseconds, coldInstructions),
    warmMicroseconds: microseconds(milliseconds - coldMilliseconds, instructions - coldInstructions),
    bytesPerInstruction: instructions > 0 ? wasmBytes / instructions : 0,
  };
}
