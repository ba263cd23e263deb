// The page's end of the worker in which its machine runs.

import type { Opened, OpenMessage } from "../engine/messages.ts";
import type { Request, SessionEvent } from "../../../model/protocol/protocol.ts";
import type { SessionClient } from "../../../session/worker/client.ts";
import type { Problem } from "../../../kit/support/problem.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";

/** A machine that runs. */
export interface OpenedRun extends Extract<Opened, { kind: "opened" }> {
  readonly client: SessionClient;
}

/** The answer to a mark in a recording's page, which cannot write the recording's file. */
const NOT_KEPT: Problem = {
  what: "the mark is in this page alone, until it is closed",
  wayOut: way`to keep it, use ${hint("mark")} where ${hint("replay")} shows the recording`,
};

const withoutFile = (event: SessionEvent): SessionEvent =>
  event.kind === "acted" && event.mark && event.error === undefined ? { ...event, error: NOT_KEPT } : event;

/** Starts the machine of a recording in the page's worker. */
export function openRun(worker: Worker, opening: OpenMessage): Promise<OpenedRun | Extract<Opened, { kind: "refused" }>> {
  const unheard: SessionEvent[] = [];
  let tell = (event: SessionEvent): void => void unheard.push(event), waiting: Request[] = [];
  const client: SessionClient = {
    send(request) {
      if (waiting.push(request) > 1) return;
      queueMicrotask(() => {
        worker.postMessage(waiting);
        waiting = [];
      });
    },
    get onEvent() {
      return tell;
    },
    set onEvent(listener) {
      tell = listener;
      queueMicrotask(() => unheard.splice(0).forEach(tell));
    },
    close: () => worker.terminate(),
  };
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Opened | readonly SessionEvent[]>) => {
      if (!("kind" in data)) return data.forEach((event) => tell(opening.live ? event : withoutFile(event)));
      resolve(data.kind === "opened" ? { ...data, client } : data);
    };
    worker.onerror = (error) => {
      reject(new Error(error.message));
      tell({ kind: "failed", message: error.message });
    };
    worker.postMessage(opening, [...opening.packed.values()].map(({ buffer }) => buffer));
  });
}
