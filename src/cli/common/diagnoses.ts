// Verdicts on VMs, for commands that ask once.

import type { OpenSession } from "./session.ts";
import type { Answer } from "../../queries/query.ts";

/**
 * Looks at a machine, and wall time (ms) between two: only a second look tells a loop from work.
 */
const LOOKS = 5;
const BETWEEN = 100;

/** The verdicts, after several looks while a VM runs. @param filter of the query `diagnose` */
export async function diagnoses(asker: Pick<OpenSession["asker"], "ask">, filter?: string): Promise<Answer> {
  for (let look = 1;; look++) {
    const answer = await asker.ask({ table: "diagnose", args: { filter } });
    if (look === LOOKS || !answer.rows.some(({ verdict }) => verdict === "runs")) return answer;
    await new Promise((resolve) => setTimeout(resolve, BETWEEN));
  }
}
