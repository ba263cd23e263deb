// The computer of a worker without rights: another thread acts for it.

import type { Address } from "../../kit/formats/ip-addresses.ts";
import { useComputer } from "../outside/computer.ts";
import { useFiles } from "../../kit/support/files/files.ts";
import { Calls } from "./calls.ts";
import type { WorkerSurroundings } from "./confined-worker.ts";
import type { OwnDisks } from "./own-disks.ts";
import { remoteComputer, remoteFiles } from "./remote-computer.ts";
import { RemoteSockets } from "./remote-sockets.ts";

/** From now on another thread acts for this one, which has no rights once its machine begins. */
export function useSurroundings({ port, mailbox }: WorkerSurroundings, disks: OwnDisks): RemoteSockets {
  const calls = new Calls(port, mailbox);
  const sockets = new RemoteSockets(
    (command, moved) => port.postMessage(command, moved),
    () => calls.call(0, "nameServer") as Address,
  );
  useFiles(remoteFiles(calls));
  useComputer(remoteComputer(calls, sockets, disks));
  return sockets;
}
