// The machine's side of the protocol, in a worker: it runs the machine in slices, and returns to
// its event loop between them, so that input and requests are never far away.

import { keepCores, saveRegions } from "../assembly/core-cache.ts";
import type { Request, SessionEvent } from "../protocol/protocol.ts";
import { writeBugReport } from "../engine/bug-report.ts";
import type { Connection } from "./client.ts";
import { MachineServer } from "./machine-server.ts";
import { Outbox } from "./outbox.ts";

/** Listens to requests. Call it once, in the worker. */
export function serveMachine(): void {
  let bell: Int32Array = new Int32Array(1);
  let taken = 0;
  const outbox = new Outbox((events: readonly SessionEvent[]) => {
    // The worker may be gone as soon as its client knows.
    if (events.some(({ kind }) => kind === "ended")) saveRegions();
    globalThis.postMessage(events);
  });
  const server = new MachineServer(outbox, () => Atomics.load(bell, 0) !== taken, writeBugReport);
  globalThis.onmessage = ({ data }: MessageEvent<readonly Request[] | Connection>) => {
    if ("kind" in data) bell = new Int32Array(data.bell);
    else server.take(data, () => taken++);
  };
  keepCores();
  outbox.tell({ kind: "ready" });
}
