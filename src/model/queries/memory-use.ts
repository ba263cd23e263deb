// How much a part of a session remembers, in bytes, and how much it may.

import type { RowOf } from "./table.ts";
import type { SESSION_MEMORY } from "./tables.ts";
import { formatId } from "./ids.ts";

/** One part. */
export interface MemoryUse {
  readonly part: string;
  /** Bytes. */
  readonly used: number;
  /** Bytes; undefined if the configuration sets it. */
  readonly limit?: number;
  /** Things that made room for others, or were forgotten. */
  readonly dropped: number;
  /** Its content. */
  readonly what: string;
}

export function memoryRow({ part, used, limit, dropped, what }: MemoryUse): RowOf<typeof SESSION_MEMORY> {
  const share = limit === undefined ? null : used / limit;
  return { id: formatId({ kind: "memory", name: part }), used, limit: limit ?? null, share, dropped, what };
}
