// Result of an SMCCC call.

import type { DEFERRED } from "../capabilities/hypercall-definition.ts";

/**
 * The registers X0, X1, … that a call writes, unsigned 64 bits; others keep their values.
 * `DEFERRED`: the caller does not continue now, and gets its results in another way or never.
 */
export type SmcccReply = readonly bigint[] | typeof DEFERRED;
