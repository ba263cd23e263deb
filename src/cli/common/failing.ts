// The VMs of a session that have failed or hang, for whoever lists or starts sessions.

import { Asker } from "../../control/asker.ts";
import { connectSession } from "../../control/remote.ts";
import { nameOf } from "../../queries/ids.ts";
import { rowsOf } from "../../queries/query.ts";
import type { RowOf } from "../../queries/table.ts";
import { DIAGNOSES } from "../../queries/tables.ts";

/** How long a busy session has for its answer, wall ms. */
const PATIENCE = 1000;

type Failing = Pick<RowOf<typeof DIAGNOSES>, "id" | "verdict">;

/** `VM VERDICT`. */
export const failingText = ({ id, verdict }: Failing) => `${nameOf(id)} ${verdict}`;

/**
 * Their verdicts; none where the session does not answer in time.
 * @param filter which verdicts count
 */
export async function failingVms(path: string, filter = "healthy=no"): Promise<readonly Failing[]> {
  const session = await connectSession(path, { readOnly: true, follow: false });
  const asker = new Asker(session), late = Promise.withResolvers<undefined>();
  session.onEvent = (event) => void asker.take(event);
  session.onGone = () => late.resolve(undefined);
  const timer = setTimeout(() => late.resolve(undefined), PATIENCE);
  try {
    const answer = await Promise.race([asker.ask({ table: "diagnose", args: { filter } }), late.promise]);
    return answer ? rowsOf(DIAGNOSES, answer) : [];
  } finally {
    clearTimeout(timer);
    session.close();
  }
}
