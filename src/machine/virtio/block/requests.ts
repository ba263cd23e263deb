// Requests to a virtio disk, and their names in rules of injected faults.

/** Request types (section 5.2.6). */
export const BlockRequest = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8, DISCARD: 11, WRITE_ZEROES: 13 } as const;

/** Names of the requests in rules of injected faults. */
export const OPERATIONS: ReadonlyMap<number, string> = new Map([
  [BlockRequest.IN, "read"],
  [BlockRequest.OUT, "write"],
  [BlockRequest.FLUSH, "flush"],
  [BlockRequest.GET_ID, "identify"],
  [BlockRequest.DISCARD, "discard"],
  [BlockRequest.WRITE_ZEROES, "zero"],
] as [number, string][]);
/** Those of a request without a whole header, and of one whose type is none of these. */
export const MALFORMED = "malformed", UNKNOWN = "unknown";

/** The names of all requests. */
export const BLOCK_OPERATIONS: readonly string[] = [...OPERATIONS.values(), MALFORMED, UNKNOWN];
