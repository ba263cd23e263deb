// The files of a dump, which the worker of guests opens by itself before it gives up its rights. It
// reads the pages that are asked for.

import type { NamedDump } from "../../inside/dumps/dump.ts";
import { DumpError, type DumpSource } from "../../inside/dumps/file-memory.ts";
import type { OpenedDump } from "../../model/protocol/protocol.ts";
import { cannotRead } from "../../kit/support/files/named-file.ts";
import { fill } from "../../kit/support/files/open-file.ts";
import type { Problem } from "../../kit/support/problem.ts";

/** Opens the files. One that cannot be opened or read is reported where it is needed. */
export function openDumps(files: readonly OpenedDump[]): NamedDump[] {
  return files.map(({ path, address }) => ({ source: opened(path), address }));
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
function broken(name: string, problem: Problem): DumpSource {
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
  try {
    file.seekSync(at, Deno.SeekMode.Start);
    into.fill(0, fill(file, into));
  } catch (error) {
    throw new DumpError(cannotRead(error, path));
  }
}
