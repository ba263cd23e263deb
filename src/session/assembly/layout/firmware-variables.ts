// Reads the file that keeps the variables of firmware in flash.

import type { VariablesPlan } from "../../../machine/host/interface.ts";
import { bankSize, contentSize } from "../../../machine/host/boards/flash-size.ts";
import { FLASH_MAX } from "../../../machine/hardware/memory-map.ts";
import type { OpenDisk } from "../../outside/computer.ts";
import { DiskFile } from "../../outside/disk-file.ts";
import { UserError } from "../../../kit/support/problem.ts";
import { formatSize } from "../../../kit/support/text/units.ts";

/**
 * Content of the variables file, without erased bytes at its end.
 * @param open opens it for reading
 * @throws Error if the file cannot be used
 */
export function readVars(path: string, open: (path: string) => OpenDisk = (path) => new DiskFile(path, true)): VariablesPlan {
  const file = open(path);
  try {
    const bytes = new Uint8Array(file.size);
    file.read(0, bytes);
    const size = bankSize("the variables", contentSize(bytes), FLASH_MAX);
    if (file.size < size) {
      throw new UserError(
        `${path} has ${formatSize(file.size)}, the flash of variables ${formatSize(size)}`,
        `make it with: truncate -s ${size} ${path}`,
      );
    }
    return { path, content: bytes.subarray(0, size) };
  } finally {
    file.close();
  }
}
