// A file as the bytes of a disk image.

import type { ImageBytes } from "./qcow2-disk.ts";

/** The bytes of a file for an image. */
export function imageBytes(file: Deno.FsFile): ImageBytes {
  return {
    read(offset, size) {
      // A damaged image names places that no file has.
      if (offset >= file.statSync().size) return new Uint8Array();
      file.seekSync(offset, Deno.SeekMode.Start);
      const bytes = new Uint8Array(size);
      let done = 0;
      for (let count: number | null = 1; done < size && count; done += count ?? 0) count = file.readSync(bytes.subarray(done));
      return bytes.subarray(0, done);
    },
    write(offset, bytes) {
      file.seekSync(offset, Deno.SeekMode.Start);
      for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
    },
    flush: () => file.syncDataSync(),
    size: () => file.statSync().size,
  };
}
