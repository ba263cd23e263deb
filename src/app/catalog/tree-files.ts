// Folders and files that el2 adds to a guest's tree. The guest's own users read them, such as
// systemd-network its network: they have their modes whatever the umask of el2's user forbids.

import { exists } from "../../kit/support/files/cache.ts";

/** Makes a folder, if it does not exist, and those above it. */
export async function makeTreeFolder(path: string): Promise<void> {
  const above = path.replace(/\/[^/]*$/, "");
  if (above !== "" && !await exists(above)) await makeTreeFolder(above);
  try {
    await Deno.mkdir(path);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    throw error;
  }
  await Deno.chmod(path, 0o755);
}

/** Writes a file, and makes the folders above it. */
export async function writeTreeFile(path: string, content: string | Uint8Array, permissions = 0o644): Promise<void> {
  await makeTreeFolder(path.replace(/\/[^/]*$/, ""));
  if (typeof content === "string") await Deno.writeTextFile(path, content);
  else await Deno.writeFile(path, content);
  await Deno.chmod(path, permissions);
}
