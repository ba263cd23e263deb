// The machine's side of the protocol, in a worker: it runs the machine in slices, and returns to
// its event loop between them, so that input and requests are never far away.

import { keepCores, saveRegions } from "../assembly/core-cache.ts";
import { useComputer } from "../outside/computer.ts";
import { OWN_FILES, useFiles } from "../support/files.ts";
import { boundGarbage } from "../support/garbage.ts";
import type { Address } from "../formats/ip-addresses.ts";
import type { Request, SessionEvent } from "../protocol/protocol.ts";
import { writeBugReport } from "../engine/bug-report.ts";
import { Calls } from "./calls.ts";
import type { Connection, RightsQuestion, SocketMessage } from "./client.ts";
import type { Surroundings } from "./confined-worker.ts";
import { giveUpServices } from "./given-up.ts";
import { MachineServer } from "./machine-server.ts";
import { Outbox } from "./outbox.ts";
import { remoteComputer, remoteFiles } from "./remote-computer.ts";
import { RemoteSockets } from "./remote-sockets.ts";

/** Listens to requests. Call it once, in the worker. */
export function serveMachine(): void {
  // A worker with its process's rights can do more than that anyway.
  if (Deno.permissions.querySync({ name: "write" }).state !== "granted") giveUpServices();
  let bell: Int32Array = new Int32Array(1);
  let taken = 0;
  const outbox = new Outbox((events: readonly SessionEvent[]) => {
    // The worker may be gone as soon as its client knows.
    if (events.some(({ kind }) => kind === "ended")) saveRegions();
    globalThis.postMessage(events);
  });
  const server = new MachineServer(outbox, () => Atomics.load(bell, 0) !== taken, writeBugReport);
  let sockets: RemoteSockets | undefined;
  globalThis.onmessage = ({ data }: MessageEvent<readonly Request[] | Connection | SocketMessage | RightsQuestion>) => {
    if (!("kind" in data)) return server.take(data, () => taken++);
    if (data.kind === "rights") {
      import("./tried-rights.ts").then(({ triedRights }) => data.port.postMessage(triedRights()));
    } else if (data.kind === "connect") {
      bell = new Int32Array(data.bell);
      sockets = data.surroundings && useSurroundings(data.surroundings);
      keepCores(data.surroundings?.folders);
    } else {
      taken++;
      server.outside(() => sockets?.take(data.event));
    }
  };
  outbox.tell({ kind: "ready" });
  boundGarbage(() => server.busy);
}

/** From now on another thread acts for this one, which has no rights. */
function useSurroundings({ port, mailbox }: Surroundings): RemoteSockets {
  const calls = new Calls(port, mailbox);
  const sockets = new RemoteSockets(
    (command, moved) => port.postMessage(command, moved),
    () => calls.call(0, "nameServer") as Address,
  );
  useFiles(remoteFiles(calls, OWN_FILES));
  useComputer(remoteComputer(calls, sockets));
  return sockets;
}
