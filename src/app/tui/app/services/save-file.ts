// Saves a part of a screen to a file of the name that was typed.

import { writeWhole } from "../../../../kit/support/files/whole-file.ts";
import { node } from "../../../../kit/support/node-modules.ts";

/** Writes a new file without replacing another: `el2-rows.ndjson`, `el2-rows-2.ndjson`. */
export function saveFile(name: string, text: string): Promise<{ path: string } | { error: string }> {
  const extension = node.path.extname(name), stem = name.slice(0, name.length - extension.length);
  for (let number = 1;; number++) {
    const path = number === 1 ? name : `${stem}-${number}${extension}`;
    try {
      writeWhole(path, text, { fresh: true });
      return Promise.resolve({ path });
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) continue;
      return Promise.resolve({ error: error instanceof Error ? error.message : String(error) });
    }
  }
}
