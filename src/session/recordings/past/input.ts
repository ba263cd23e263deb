// The only way in: typed input, events of sockets and requests reach the machine here, in the
// original run and in every replay.

import type { System } from "../../assembly/system/system.ts";
import type { Input } from "../../../model/plans/recorded-run.ts";
import type { Problem } from "../../../kit/support/problem.ts";

/**
 * Enters an input into the machine, which is between two turns. Returns the problem of an
 * action that could not be done.
 */
export function letIn(system: Pick<System, "consoles" | "outside" | "inspector">, input: Input): Problem | undefined {
  system.outside.arrivals++;
  switch (input.kind) {
    case "console":
      system.consoles.type(input.console, input.bytes);
      return undefined;
    case "outside":
      system.outside.deliver(input.source, input.data);
      return undefined;
    case "act":
      return system.inspector.act(input.action);
  }
}
