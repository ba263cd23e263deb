// Screen 6: message queues and doorbells, and what is in them.

import { packetLines } from "./records.ts";
import { inspector, listScreen } from "./list-screen.ts";
import type { ScreenModel } from "./screen-model.ts";
import { TablePane } from "./table-pane.ts";
import { TextPane } from "./text-pane.ts";

/** Its panes, and where they stand. */
export function queueScreen(): ScreenModel {
  const queues = new TablePane({ name: "queues", table: "queue.ls", title: "Message queues and doorbells" });
  const messages = new TablePane({
    name: "messages",
    table: "queue.ring",
    title: "Messages",
    unasked: "select a message queue: a doorbell has flags, no messages",
    args: () => queues.selectedId?.startsWith("mq:") ? { queue: queues.selectedId } : undefined,
  });
  return listScreen("6", queues, [messages, rpcFields(messages), inspector("fields", queues)], 0.6);
}

/** What messages between a VM and the resource manager say. */
function rpcFields(messages: TablePane): TextPane {
  return new TextPane({
    name: "rpc",
    title: () => ({ text: "RM RPC", right: [[{ text: "what the messages say", role: "dim" }]] }),
    lines(width) {
      const lines = packetLines(messages.rows, width);
      if (lines.length) return lines;
      return [{ text: messages.rows.length ? "neither end is the resource manager: v shows bytes" : messages.emptyText, role: "dim" }];
    },
    wants: () => messages.wants(),
    take: (answer) => messages.take(answer),
  });
}
