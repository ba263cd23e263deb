// Pipes and devices that are written: neither a pipe without a reader nor a reader that takes
// nothing keeps the program waiting.

import { folderError } from "../system-error.ts";
import { node } from "../node-modules.ts";
import { UserError } from "../problem.ts";
import { pause } from "./open-file.ts";
import type { SyncWriter } from "./write-all.ts";

/** How long a pipe may have no reader, or its reader take nothing, ms. */
const READER_TIME = 3000;
const POLL = 5;
/** No reader yet, no room now, no reader any more. */
const NO_READER = "ENXIO", NO_ROOM = "EAGAIN", GONE = "EPIPE";

/** A pipe, device or socket that takes no data. */
export class UnusableTarget extends UserError {}

/** An open pipe or device. */
export class OpenTarget implements SyncWriter {
  readonly #file: number;

  /** @throws UnusableTarget; the system's error */
  constructor(readonly path: string, info: Deno.FileInfo, readonly patience = READER_TIME) {
    if (info.isDirectory) throw folderError();
    if (info.isSocket) throw new UnusableTarget("is a socket", "name another file");
    const { O_WRONLY, O_NONBLOCK } = node.fs.constants;
    // Without O_NONBLOCK, opening a pipe waits for its reader, and no signal ends that.
    const open = () => node.fs.openSync(path, O_WRONLY | O_NONBLOCK);
    this.#file = info.isFifo ? this.#waiting(open, NO_READER, "is a pipe that nobody reads", "start its reader first") : open();
  }

  /** @throws UnusableTarget; the system's error */
  writeSync(bytes: Uint8Array): number {
    try {
      return this.#waiting(() => node.fs.writeSync(this.#file, bytes), NO_ROOM, "its reader takes nothing", "name another file");
    } catch (error) {
      if (codeOf(error) === GONE) throw new UnusableTarget("its reader has ended", "name another file");
      throw error;
    }
  }

  close(): void {
    node.fs.closeSync(this.#file);
  }

  /** The result of work that fails with `code` until a reader does its part. */
  #waiting<T>(work: () => T, code: string, what: string, wayOut: string): T {
    for (const limit = performance.now() + this.patience;;) {
      try {
        return work();
      } catch (error) {
        if (codeOf(error) !== code) throw error;
        if (performance.now() > limit) throw new UnusableTarget(what, wayOut);
      }
      pause(POLL);
    }
  }
}

const codeOf = (error: unknown) => error instanceof Error && "code" in error ? error.code : undefined;
