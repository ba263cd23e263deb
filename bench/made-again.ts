// How many instructions of recorded requests an earlier request has made already, and why they were
// made again: a region begins elsewhere in the same code, or reaches further than it did. Requests
// have no addresses: instructions are the same where a block has the same words at the same place
// in a page. Whole modules that were made again are the counters of a run (translator/counters.ts).

import type { RegionPart } from "../src/cpu/core/translator/emission/code-signature.ts";
import type { Block } from "../src/cpu/core/translator/regions/region.ts";
import { INSTRUCTIONS_PER_PAGE } from "../src/cpu/core/state/layout.ts";

/** Instructions by why they are in a request. */
export interface Again {
  /** No earlier request has them. */
  new: number;
  /** An earlier one has the region as it is, in a module with others; */
  same: number;
  /** has a region with this head, and these instructions in it; */
  grown: number;
  /** has them in regions with other heads, and this head as well; */
  inner: number;
  /** or has them, but not this head. */
  outer: number;
}

/** Adds the instructions of a run's requests, in their order. */
export function addAgain(requests: Iterable<readonly RegionPart[]>, sums: Again): void {
  /** Regions; instructions by the heads of their regions; all instructions: their keys. */
  const regions = new Set<string>(), byHead = new Map<string, Set<string>>(), all = new Set<string>();
  for (const parts of requests) {
    for (const { blocks } of parts) {
      const keys = blocks.flatMap(keysOf), [head] = keys, region = keys.join();
      const known = byHead.get(head) ?? new Set(), isSame = regions.has(region), isInner = all.has(head);
      for (const key of keys) {
        if (isSame) sums.same++;
        else if (known.has(key)) sums.grown++;
        else if (all.has(key)) sums[isInner ? "inner" : "outer"]++;
        else sums.new++;
      }
      regions.add(region);
      byHead.set(head, known);
      for (const key of keys) {
        known.add(key);
        all.add(key);
      }
    }
  }
}

/** A key for each instruction of a block: its place in its page, its word, and those around it. */
function keysOf({ first, instructions }: Block): string[] {
  const words = instructions.map(({ word }) => word);
  return words.map((word, i) => `${first + i & INSTRUCTIONS_PER_PAGE - 1}:${words[i - 1] ?? ""}:${word}:${words[i + 1] ?? ""}`);
}
