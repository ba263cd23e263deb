// Searches for accesses, to their end.

import type { Accesses, AccessSearch } from "../../../src/session/recordings/past/accesses.ts";

export function resultOf(search: AccessSearch): Accesses {
  for (;;) {
    const found = search.advance(Infinity);
    if (found) return found;
  }
}
