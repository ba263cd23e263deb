// Words and conditions that the menus of several commands share.

import { vmIn } from "../queries/ids.ts";

/** Parts that no change of the machine removes. */
export const BACK = "consoles and events; t goes back to before it";

/** VMs that the others need. */
export const PLATFORM: ReadonlySet<string> = new Set(["host", "rm"]);

/** Why a VM cannot be ended; undefined if it can. */
export const neededVm = (id: string): string | undefined => PLATFORM.has(vmIn(id) ?? "") ? `other VMs need ${id}` : undefined;
