// Reads of files that are open, and the wait for a file that is not ready.

/** Blocks this thread for some milliseconds. */
export function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** The bytes of a file from `at` on; fewer at its end. */
export function readPart(file: Deno.FsFile, at: number, size: number): Uint8Array<ArrayBuffer> {
  file.seekSync(at, Deno.SeekMode.Start);
  const bytes = new Uint8Array(size);
  return bytes.subarray(0, fill(file, bytes));
}

/** Reads up to the end, or as much as fits. Returns the number of bytes. */
export function fill(file: Deno.FsFile, bytes: Uint8Array): number {
  let length = 0;
  for (let read = file.readSync(bytes); read !== null && read > 0; read = file.readSync(bytes.subarray(length))) length += read;
  return length;
}
