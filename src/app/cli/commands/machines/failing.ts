// The VMs of a session that have failed or hang, for whoever lists or starts sessions.

import { Asker } from "../../../../session/control/asker.ts";
import { connectSession, sessionInfo } from "../../../../session/control/remote.ts";
import { nameOf } from "../../../../model/queries/ids.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import { DIAGNOSES } from "../../../../model/queries/tables.ts";

/** Time between two questions, ms. */
const LOOK = 20;

type Failing = Pick<RowOf<typeof DIAGNOSES>, "id" | "verdict">;

/** More are counted, and not named. */
const NAMED = 3;

/** `VM VERDICT, VM VERDICT`; of many `45 stuck, 19 failed`. */
export function failingText(failing: readonly Failing[]): string {
  if (failing.length <= NAMED) return failing.map(({ id, verdict }) => `${nameOf(id)} ${verdict}`).join(", ");
  const verdicts = Map.groupBy(failing, ({ verdict }) => verdict);
  return [...verdicts].map(([verdict, { length }]) => `${length} ${verdict}`).join(", ");
}

/** Which verdicts count, and when. */
interface Look {
  readonly filter?: string;
  /** Virtual time (ns) up to which the machine may show a failure. */
  readonly until?: bigint;
  /** Time that a busy session has for its answers, wall ms. */
  readonly patience?: number;
}

/** Their verdicts; those that are known, or none, where the session does not answer in time. */
export async function failingVms(
  path: string,
  { filter = "healthy=no", until = 0n, patience = 1000 }: Look = {},
): Promise<readonly Failing[]> {
  const session = await connectSession(path, { readOnly: true, follow: false });
  const asker = new Asker(session), late = Promise.withResolvers<undefined>();
  session.onEvent = (event) => void asker.receive(event);
  session.onGone = () => late.resolve(undefined);
  const timer = setTimeout(() => late.resolve(undefined), patience);
  let rows: readonly Failing[] = [];
  try {
    for (let before = "";;) {
      const answer = await Promise.race([asker.ask({ table: "diagnose", args: { filter } }), late.promise]);
      if (!answer) return rows;
      rows = rowsOf(DIAGNOSES, answer);
      const { ns } = answer.at, stands = rows.length > 0 && ns === before;
      if (stands || BigInt(ns) >= until || (await sessionInfo(path)).ended !== undefined) return rows;
      before = ns;
      await new Promise((resolve) => setTimeout(resolve, LOOK));
    }
  } finally {
    clearTimeout(timer);
    session.close();
  }
}
