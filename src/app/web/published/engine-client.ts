// The page's end of the worker in which its machine runs.

import type { Opened, OpenMessage } from "../engine/messages.ts";
import type { Request, SessionEvent } from "../../../model/protocol/protocol.ts";
import type { SessionClient } from "../../../session/worker/client.ts";

/** A machine that runs. */
export interface OpenedRun extends Extract<Opened, { kind: "opened" }> {
  readonly client: SessionClient;
}

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
      if (!("kind" in data)) return data.forEach((event) => tell(event));
      resolve(data.kind === "opened" ? { ...data, client } : data);
    };
    worker.onerror = (error) => {
      reject(new Error(error.message));
      tell({ kind: "failed", message: error.message });
    };
    worker.postMessage(opening, [...opening.packed.values()].map(({ buffer }) => buffer));
  });
}
