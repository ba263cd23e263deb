// A way into the trace that leads nowhere, for vCPUs that are made up by tests.

import type { TracePort } from "../../src/machine/abi/trace.ts";

/** A trace without listeners, in which nothing is kept. */
export const NO_TRACE: TracePort = {
  isWanted: () => false,
  event: () => {},
  begin: () => 0,
  recall: () => undefined,
  publish: () => {},
  refuse: () => {},
  disregard: () => {},
  end: () => {},
  carry: () => {},
  resume: () => {},
  suspend: () => {},
};
