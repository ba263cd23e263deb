// All handlers by message id. A declared request without a handler stops the Resource Manager by name when it is called.

import { RPC_MESSAGES } from "../../abi/rpc/messages.ts";
import { configurationHandlers } from "./configuration.ts";
import { consoleHandlers } from "./console.ts";
import type { Handler } from "./handler.ts";
import { interruptHandlers } from "./interrupts.ts";
import { lifecycleHandlers } from "./lifecycle.ts";
import { memoryHandlers } from "./memory.ts";
import { platformHandlers } from "./platform.ts";
import { queryHandlers } from "./queries.ts";
import { resourceHandlers } from "./resources.ts";

const built: readonly Handler[] = [
  ...lifecycleHandlers,
  ...configurationHandlers,
  ...queryHandlers,
  ...resourceHandlers,
  ...memoryHandlers,
  ...interruptHandlers,
  ...consoleHandlers,
  ...platformHandlers,
];

/** A request that is declared but not built: it says so instead of answering. */
function notBuilt(name: string, id: number): Handler {
  const stop = (): never => {
    throw new Error(`the resource manager's ${name} (0x${id.toString(16)}) is not built`);
  };
  return { name, id, answer: stop, refuse: stop };
}

/** Handlers of every declared request. */
export const handlers: ReadonlyMap<number, Handler> = new Map(
  [...RPC_MESSAGES.values()].filter(({ kind }) => kind === "request").map(({ name, id }) => {
    return [id, built.find((handler) => handler.id === id) ?? notBuilt(name, id)];
  }),
);
