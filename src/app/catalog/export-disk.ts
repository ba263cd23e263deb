// The disk of a guest of the catalog as the user's image, which a VM may write.

import { catalogEntry } from "./catalog.ts";
import { imageBytes } from "../../kit/formats/image-bytes.ts";
import { createQcow2, Qcow2Disk } from "../../kit/formats/qcow2-disk.ts";
import { WholeFile } from "../../kit/support/files/whole-file.ts";
import { cannotRead } from "../../kit/support/files/named-file.ts";
import { MiB } from "../../kit/support/values/sizes.ts";
import { UserError } from "../../kit/support/problem.ts";

/** Files of guests that are raw disks. */
const DISKS = ["disk", "root.img"];
/** Bytes that are copied at a time; those that are all zeros are left out. */
const PIECE = MiB;

/**
 * Writes the disk of a guest to a new file: a qcow2 image if its name ends in .qcow2, else a raw
 * image with holes.
 * @returns bytes of the disk
 * @param progress may end it with an error
 * @throws Error if the guest has no disk, or the file exists or cannot be written
 */
export async function exportDisk(
  guest: string,
  path: string,
  progress: (done: number, size: number) => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  const { manifest, folder } = await catalogEntry(guest);
  const disk = manifest.files.find(({ name }) => DISKS.includes(name));
  if (!disk) throw new UserError(`guest ${guest} has no disk`, `it has ${manifest.files.map(({ name }) => name).join(", ")}`);
  using source = openKept(`${folder}/${disk.name}`);
  using written = new WholeFile(path, { fresh: true });
  const { file } = written, size = source.statSync().size, from = imageBytes(source), to = imageBytes(file);
  let put = (at: number, bytes: Uint8Array) => to.write(at, bytes);
  if (path.endsWith(".qcow2")) {
    createQcow2(to, size);
    const image = new Qcow2Disk(to, false);
    put = (at, bytes) => image.write(at, bytes);
  } else file.truncateSync(size);
  for (let at = 0; at < size; at += PIECE) {
    const bytes = from.read(at, Math.min(PIECE, size - at));
    if (bytes.some((byte) => byte !== 0)) put(at, bytes);
    await progress(at + bytes.length, size);
  }
  to.flush();
  written.commit();
  return size;
}

/** @throws UserError that says why a file of the catalog cannot be read */
function openKept(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path);
  } catch (error) {
    throw new UserError(cannotRead(error, path));
  }
}
