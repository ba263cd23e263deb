// The files of a dump, which the worker of guests opens by itself before it gives up its rights. It
// reads the pages that are asked for.

import { DumpError, type DumpSource } from "../../inside/dumps/file-memory.ts";
import type { OpenedDump } from "../../model/protocol/protocol.ts";
import { cannotRead } from "../../kit/support/files/named-file.ts";

/** Opens the files. One that cannot be opened or read is reported where it is needed. */
export function openDumps(files: readonly OpenedDump[]): DumpSource[] {
  return files.map(({ path }) => opened(path));
}

function opened(path: string): DumpSource {
  try {
    // Opening a pipe would wait for its writer.
    const { isFile, isBlockDevice, isDirectory } = Deno.statSync(path);
    if (!isFile && !isBlockDevice) {
      return broken(path, { what: isDirectory ? `${path}: is a folder` : `${path}: is not a file or a block device` });
    }
    const file = Deno.openSync(path), size = file.seekSync(0, Deno.SeekMode.End);
    return { name: path, size, read: (at, into) => readAt(file, path, at, into) };
  } catch (error) {
    return broken(path, cannotRead(error, path));
  }
}

/** A file that cannot be read says so when it is. */
function broken(name: string, problem: ConstructorParameters<typeof DumpError>[0]): DumpSource {
  return {
    name,
    get size(): number {
      throw new DumpError(problem);
    },
    read() {
      throw new DumpError(problem);
    },
  };
}

function readAt(file: Deno.FsFile, path: string, at: number, into: Uint8Array): void {
  let done = 0;
  try {
    file.seekSync(at, Deno.SeekMode.Start);
    while (done < into.length) {
      const count = file.readSync(into.subarray(done));
      if (count === null) break;
      done += count;
    }
  } catch (error) {
    throw new DumpError(cannotRead(error, path));
  }
  into.fill(0, done);
}
