// A file as the bytes of a disk image.

import { readPart } from "../support/files/open-file.ts";
import { writePart } from "../support/files/write-all.ts";
import type { ImageBytes } from "./qcow2-disk.ts";

export function imageBytes(file: Deno.FsFile): ImageBytes {
  // Its status needs a right to its path, which the worker of guests has given up.
  const end = () => file.seekSync(0, Deno.SeekMode.End);
  return {
    read(offset, size) {
      // A damaged image names places that no file has.
      if (offset >= end()) return new Uint8Array();
      return readPart(file, offset, size);
    },
    write: (offset, bytes) => writePart(file, offset, bytes),
    flush: () => file.syncDataSync(),
    size: end,
  };
}
