// prng_get_entropy: random numbers for guests, a few at a time (docs/spec/hypervisor.md §4.10).

import { ErrorCode } from "../../abi/errors.ts";
import { hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";

/** Most bytes in one call, and bytes in a result register. */
const MAXIMUM_BYTES = 16;
const WORD_BYTES = 4;

export const calls: readonly HypercallDefinition[] = [
  hypercall("prng_get_entropy", {
    handler(call, { num_bytes }) {
      if (num_bytes === 0 || num_bytes > MAXIMUM_BYTES) {
        return call.refuse(ErrorCode.ARGUMENT_SIZE, "1 to 16 bytes in one call", { num_bytes });
      }
      if (num_bytes % WORD_BYTES !== 0) return call.refuse(ErrorCode.ARGUMENT_ALIGNMENT, "whole words only", { num_bytes });
      const { entropy, services: { now, random } } = call.caller;
      if (!entropy.spend(now)) {
        return call.refuse(ErrorCode.BUSY, "at most 4 calls in 33 ms on a vCPU", { now_ns: now });
      }
      const words = [0, 1, 2, 3].map((index) => index * WORD_BYTES < num_bytes ? random.next() : 0);
      return { data0: words[0], data1: words[1], data2: words[2], data3: words[3] };
    },
  }),
];
