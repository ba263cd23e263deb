// Caches that cannot be used: a machine runs without them.

import { isOfSystem } from "../system-error.ts";
import { NotOurs } from "./own-files.ts";
import { warn } from "../warn.ts";

/**
 * Result of `work`; undefined if files cannot be used here (no permission, no space, gone
 * meanwhile). `loss` begins the warning where others can change them.
 */
export function unlessUnusable<T>(loss: string, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof NotOurs) warn(`${loss}: ${error.message}`);
    else if (!isOfSystem(error)) throw error;
    return undefined;
  }
}
