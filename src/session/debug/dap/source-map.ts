// Paths of source files: where the compiler had them, as debug information names them, and where
// they are on this computer.

import type { DebugProtocol } from "@vscode/debugprotocol";

/** Folders of the compiler and where they are here; the first that matches counts. */
export class SourceMap {
  constructor(readonly folders: readonly (readonly [guest: string, here: string])[]) {}

  /** A source file of the guest, for the client. */
  sourceOf(file: string): DebugProtocol.Source {
    const found = this.folders.find(([guest]) => file.startsWith(guest));
    const path = found ? found[1] + file.slice(found[0].length) : file;
    return { name: path.slice(path.lastIndexOf("/") + 1), path };
  }

  /** The guest's path of a file on this computer. */
  guestPath(path: string): string {
    const found = this.folders.find(([, here]) => path.startsWith(here));
    return found ? found[0] + path.slice(found[1].length) : path;
  }
}
