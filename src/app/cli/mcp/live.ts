// A connection to a session for the duration of one tool call. It is read-only: changes to a
// machine go through the program's commands.

import { checkAnswered, ExitCode, Failure } from "../common/failure.ts";
import { connectNamed } from "../common/session.ts";
import { Asker } from "../../../session/control/asker.ts";
import type { RemoteSession } from "../../../session/control/remote.ts";
import type { Answer, Query } from "../../../model/queries/query.ts";

/** A session, and questions to it. */
interface LiveSession {
  readonly session: RemoteSession;
  /**
   * The answer.
   * @throws Failure with the machine's error on the query
   */
  ask(query: Query): Promise<Answer>;
}

/**
 * Connects, uses the session and closes it, at the latest when the call is canceled.
 * @throws Failure for an unknown session, or if it ends meanwhile
 */
export async function withSession<T>(
  named: string | undefined,
  signal: AbortSignal,
  use: (live: LiveSession) => Promise<T>,
): Promise<T> {
  const session = await connectNamed({ session: named, readOnly: true, naming: 'argument "session"' });
  const asker = new Asker(session);
  const gone = Promise.withResolvers<never>();
  // The rejection is not awaited any more once the call is done.
  gone.promise.catch(() => {});
  const onAbort = () => gone.reject(new Failure("canceled", undefined, ExitCode.Interrupted));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  session.onGone = (reason) =>
    gone.reject(
      new Failure(`session ${session.info.name} is gone${reason === undefined ? "" : `: ${reason}`}`, undefined, ExitCode.NoSession),
    );
  session.onRefused = (message) => gone.reject(new Failure(message, undefined, ExitCode.ReadOnly));
  session.onEvent = (event) => void asker.receive(event);
  const ask = async (query: Query) => {
    const answer = await Promise.race([asker.ask(query), gone.promise]);
    checkAnswered(answer);
    return answer;
  };
  try {
    return await Promise.race([use({ session, ask }), gone.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    session.close();
  }
}
