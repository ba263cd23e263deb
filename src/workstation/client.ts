// A client of a session: sends requests, receives events. The embedded session runs in a worker of this process.

import type { Request, SessionEvent } from "./protocol.ts";

/** One connection to a machine. */
export interface SessionClient {
  send(request: Request): void;
  /** Called for each event, in order. One listener; set it before the first `send`. */
  onEvent: (event: SessionEvent) => void;
  /** Ends the connection; an embedded machine ends with it. */
  close(): void;
}

/** Name under which the worker finds that it is the machine, so that one bundle can play both roles. */
export const WORKER_NAME = "el2-machine";

/**
 * Starts the machine's worker.
 * @param entry the module to run; it must call `serveMachine` when its global is a worker named `WORKER_NAME`.
 */
export function connectEmbedded(entry: URL): SessionClient {
  const worker = new Worker(entry, { type: "module", name: WORKER_NAME });
  const early: Request[] = [];
  let ready = false;
  const client: SessionClient = {
    send(request) {
      if (ready) worker.postMessage(request);
      else early.push(request);
    },
    onEvent() {},
    close() {
      worker.terminate();
    },
  };
  worker.onmessage = (message: MessageEvent<SessionEvent>) => {
    if (message.data.kind === "ready") {
      // Messages posted before the worker listens could be lost: nothing leaves before it says so.
      ready = true;
      for (const request of early.splice(0)) worker.postMessage(request);
    }
    client.onEvent(message.data);
  };
  worker.onerror = (error) => {
    error.preventDefault();
    client.onEvent({ kind: "failed", message: error.message });
  };
  return client;
}
