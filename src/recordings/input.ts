// The one way in: what was typed, said by a socket or asked for reaches its machine, at first and
// whenever a recording of it is run again.

import type { System } from "../assembly/system.ts";
import type { Input } from "../plans/recorded-run.ts";

/**
 * Lets an input into the machine, which stands between two turns. What went wrong with an action,
 * or undefined.
 */
export function letIn(system: Pick<System, "consoles" | "outside" | "inspector">, input: Input): string | undefined {
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
