// `--allow-host`, of commands that load a snapshot.

import { Option } from "@commander-js/extra-typings";

/** `--allow-host`, of commands that load a snapshot. */
export function hostOption() {
  return new Option("--allow-host", "restore access to host resources: disks, folders, sockets, the network");
}
