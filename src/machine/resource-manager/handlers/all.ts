// All handlers by message id.

import { configurationHandlers } from "./configuration.ts";
import { consoleHandlers } from "./console.ts";
import type { Handler } from "./handler.ts";
import { interruptHandlers } from "./interrupts.ts";
import { lifecycleHandlers } from "./lifecycle.ts";
import { memoryHandlers } from "./memory.ts";
import { platformHandlers } from "./platform.ts";
import { queryHandlers } from "./queries.ts";
import { resourceHandlers } from "./resources.ts";

const all: readonly Handler[] = [
  ...lifecycleHandlers,
  ...configurationHandlers,
  ...queryHandlers,
  ...resourceHandlers,
  ...memoryHandlers,
  ...interruptHandlers,
  ...consoleHandlers,
  ...platformHandlers,
];

/** Handlers of every declared request. */
export const handlers: ReadonlyMap<number, Handler> = new Map(all.map((handler) => [handler.message.id, handler]));
