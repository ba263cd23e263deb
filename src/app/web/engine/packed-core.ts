// The core that comes with the worker's program: generating it takes longer than loading it, and a
// page has no cache for it.

import { CORE } from "./messages.ts";
import { unpacked } from "./unpacked.ts";
import { UserError } from "../../../kit/support/problem.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import type { MachineServer } from "../../../session/worker/machine-server.ts";

/** As the program brings it. */
export interface PackedCore {
  readonly key: string;
  /** Its file, compressed by gzip, in base64. */
  readonly packed: string;
}

/** Bytes of a file, at most. */
const MOST = 4 * MiB;

/** Taken before the worker gives up everything else than the language. */
const core: PackedCore | undefined = Reflect.get(globalThis, CORE);

/**
 * Gives it to the worker's machine.
 * @throws UserError if it is damaged
 */
export async function bringCore(server: Pick<MachineServer, "takeCore">): Promise<void> {
  // A program from the sources generates it.
  if (!core) return;
  const file = await unpacked("the core", Uint8Array.fromBase64(core.packed), MOST);
  if (!server.takeCore({ key: core.key, file })) throw new UserError("the core is damaged", "load the page again");
}
