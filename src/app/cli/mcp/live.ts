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
 * Connects, uses the session and closes it. `hear` gets the output of one console.
 * @throws Failure for an unknown session, or if it ends meanwhile
 */
export async function withSession<T>(
  named: string | undefined,
  use: (live: LiveSession) => Promise<T>,
  output?: { readonly console: string; readonly hear: (bytes: Uint8Array) => void },
): Promise<T> {
  const session = await connectNamed({
    session: named,
    readOnly: true,
    ...output && { follow: true, consoles: [output.console] },
    naming: 'argument "session"',
  });
  const asker = new Asker(session);
  const gone = Promise.withResolvers<never>();
  // The rejection is not awaited any more once the call is done.
  gone.promise.catch(() => {});
  session.onGone = (reason) =>
    gone.reject(
      new Failure(`session ${session.info.name} is gone${reason === undefined ? "" : `: ${reason}`}`, undefined, ExitCode.NoSession),
    );
  session.onRefused = (message) => gone.reject(new Failure(message, undefined, ExitCode.ReadOnly));
  session.onEvent = (event) => {
    if (asker.receive(event) || event.kind !== "console") return;
    session.send({ kind: "taken", bytes: event.bytes.length });
    output?.hear(event.bytes);
  };
  const ask = async (query: Query) => {
    const answer = await Promise.race([asker.ask(query), gone.promise]);
    checkAnswered(answer);
    return answer;
  };
  try {
    return await Promise.race([use({ session, ask }), gone.promise]);
  } finally {
    session.close();
  }
}
