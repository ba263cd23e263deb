// Marks that are made while a recording is shown: its file has them.

import { keepMarks } from "../../../session/recordings/file/marks.ts";
import { cannotWrite } from "../../../kit/support/files/named-file.ts";
import { type Problem, problemOf, UserError } from "../../../kit/support/problem.ts";
import type { Mark } from "../../../model/queries/move.ts";
import type { SessionEvent } from "../../../model/protocol/protocol.ts";
import type { SessionClient } from "../../../session/worker/client.ts";

/** The client, whose marks are in the file before it hears that they are made. */
export function withMarksKept(client: SessionClient, path: string): SessionClient {
  let listener: (event: SessionEvent) => void = () => {};
  client.onEvent = (event) => listener(event.kind === "acted" && event.mark ? { ...event, error: kept(path, event.mark) } : event);
  return {
    send: (request) => client.send(request),
    close: () => client.close(),
    get onEvent() {
      return listener;
    },
    set onEvent(listen) {
      listener = listen;
    },
  };
}

/** Why a mark is not in the file, if it is not. */
function kept(path: string, mark: Mark): Problem | undefined {
  try {
    keepMarks(path, [mark]);
  } catch (error) {
    if (error instanceof UserError) return problemOf(error, "the mark is not kept");
    return cannotWrite(error, `the mark is not kept: ${path}`);
  }
}
