// `el2 queue`: the message queues and doorbells of a session.

import type { Command } from "@commander-js/extra-typings";
import type { CommandContext } from "../../common/command.ts";
import { BY_ID, type Group, registerGroup, VM_FILTER } from "../../common/group.ts";
import { parseMask, parseMessage } from "../../common/values.ts";

const QUEUE_ARGUMENT = { name: "queue", help: "mq:NUMBER" } as const;

export const QUEUE: Group = {
  name: "queue",
  help: "the message queues and doorbells of a session",
  queries: [
    {
      ...VM_FILTER,
      name: "ls",
      help: "list message queues and doorbells",
      table: "queue.ls",
      examples: ["queue ls", "queue ls --filter full=yes"],
    },
    {
      ...BY_ID,
      name: "show",
      help: "show everything about a queue or doorbell",
      table: "queue.ls",
      argument: { name: "queue", help: "mq:NUMBER or db:NUMBER" },
      examples: ["queue show mq:289"],
    },
    {
      name: "ring",
      help: "list the messages in a queue, oldest first",
      table: "queue.ring",
      argument: QUEUE_ARGUMENT,
      query: (id) => ({ queue: id! }),
      examples: ["queue ring mq:289"],
    },
  ],
  actions: [
    {
      name: "send",
      help: "send a message on behalf of the queue's sender",
      arguments: [QUEUE_ARGUMENT, { name: "message", help: "hexadecimal digits, or text; text:TEXT where both are possible" }],
      action: (queue, message) => ({ kind: "queue.send", queue, bytes: parseMessage(message) }),
      done: (queue, message) => `sent ${parseMessage(message).length} bytes to ${queue}`,
      examples: ["queue send mq:289 00112233", "queue send mq:289 hello   the demo's pong resets at it", "queue send mq:289 text:cafe"],
    },
    {
      name: "flush",
      help: "remove all messages from a queue",
      arguments: [QUEUE_ARGUMENT],
      action: (queue) => ({ kind: "queue.flush", queue }),
      done: (queue) => `${queue} is empty`,
      examples: ["queue flush mq:289"],
    },
    {
      name: "ring-bell",
      help: "set flags of a doorbell on behalf of its sender",
      arguments: [{ name: "doorbell", help: "db:NUMBER" }, { name: "flags", help: "a mask, such as 0x1" }],
      action: (doorbell, flags) => ({ kind: "doorbell.ring", doorbell, flags: parseMask(flags) }),
      done: (doorbell) => `${doorbell} is rung`,
      examples: ["queue ring-bell db:288 0x1"],
    },
  ],
};

export function registerQueue(program: Command, context: CommandContext): void {
  registerGroup(program, context, QUEUE);
}
