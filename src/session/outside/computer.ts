// Parts of the computer that machines use besides files (`files.ts`): disks, shared folders, logs,
// sockets. A thread without rights lets another act for it (`useComputer`).

import type { BlockBacking } from "../../machine/virtio/block/backing.ts";
import type { OutsideNetwork, UnixSockets } from "../../machine/virtio/outside-network.ts";
import type { SharedFolder } from "../../machine/virtio/p9/folder.ts";
import { ConsoleLog } from "./console-log.ts";
import { openDisk } from "./disk-file.ts";
import type { OutsideDoor } from "./outside.ts";
import { ComputerFolder } from "./shared-folder.ts";
import { computerSockets, unixSockets } from "./sockets.ts";

/** A disk that can be given back. */
export interface OpenDisk extends BlockBacking {
  close(): void;
}

/** The log of a console. */
export interface OpenLog {
  /** Once writing has failed: the path, the reason and the remedy. */
  readonly failed: string | undefined;
  write(bytes: Uint8Array): void;
  close(): void;
}

/** Access to the computer. */
export interface Computer {
  /** @throws Error if it cannot be used, see `DiskFile` */
  disk(path: string, readOnly: boolean): OpenDisk;
  /** @throws Error if it is not one */
  folder(path: string): SharedFolder;
  log(path: string): OpenLog;
  sockets(): OutsideNetwork;
  unixSockets(): UnixSockets;
}

/** A disk of a machine, which gives it back at its end. */
export function machineDisk(path: string, readOnly: boolean, outside: Pick<OutsideDoor, "add">): OpenDisk {
  const disk = computer().disk(path, readOnly);
  outside.add({ listens: false, busy: false, close: () => disk.close() });
  return disk;
}

/** The computer with the rights of this thread. */
const OWN_COMPUTER: Computer = {
  disk: (path, readOnly) => openDisk(path, readOnly),
  folder: (path) => new ComputerFolder(path),
  log: (path) => new ConsoleLog(path),
  sockets: computerSockets,
  unixSockets,
};

let current = OWN_COMPUTER;

/** The computer of this thread. */
export function computer(): Computer {
  return current;
}

/** From now on this thread uses this computer. */
export function useComputer(others: Computer): void {
  current = others;
}
