// Verdicts on VMs, for commands that ask once.

import type { OpenSession } from "./session.ts";
import type { Answer } from "../../queries/query.ts";

/**
 * Minimum number of looks where a VM runs: a second look is needed to distinguish a loop or a storm
 * from work.
 */
const LOOKS = 5;
/** Wall time between two looks, and for all of them, ms. */
const BETWEEN = 100, LONGEST = 3000;
/** Virtual time that the looks have to cover, ns: rates are measured over some of it. */
const WATCHED = 300e6;

/** The verdicts, after several looks while a VM runs. @param filter of the query `diagnose` */
export async function diagnoses(asker: Pick<OpenSession["asker"], "ask">, filter?: string): Promise<Answer> {
  const begun = performance.now();
  let first: number | undefined;
  for (let look = 1;; look++) {
    const answer = await asker.ask({ table: "diagnose", args: { filter } });
    if (!answer.rows.some(({ verdict }) => verdict === "runs")) return answer;
    const watched = Number(answer.at.ns) - (first ??= Number(answer.at.ns));
    // A paused machine shows nothing new, however long one looks.
    const enough = watched >= WATCHED || watched === 0 || performance.now() - begun > LONGEST;
    if (look >= LOOKS && enough) return answer;
    await new Promise((resolve) => setTimeout(resolve, BETWEEN));
  }
}
