// The heap of this thread, without garbage where that matters.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

/** Bytes that objects hold; where they seem to be more than `most`, without garbage. */
export function heap(most = Infinity): number {
  const { heapUsed, external } = Deno.memoryUsage();
  if (heapUsed + external < most) return heapUsed + external;
  // The first leaves buffers to be swept.
  collect();
  collect();
  const after = Deno.memoryUsage();
  return after.heapUsed + after.external;
}
