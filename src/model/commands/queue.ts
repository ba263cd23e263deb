// `el2 queue`: the message queues and doorbells of a session.

import { word } from "./argument.ts";
import { act, action, BACK, command, type Group, MESSAGE_MAX } from "./command.ts";
import { idOf, mask, message } from "./kinds.ts";
import { listArguments, listOfVm } from "./lists.ts";
import { bytes, name, unsigned } from "../queries/fields.ts";

export const QUEUES_OF_A_SESSION: Group = { name: "queue", doc: "the message queues and doorbells of a session" };

const QUEUE = word(idOf("mq"), "mq:NUMBER");

export const QUEUE_LS = listOfVm("queue.ls", {
  ofGunyah: "message queues and doorbells",
  doc: "list message queues and doorbells",
  table: "queue.ls",
  examples: ["queue ls", "queue ls --filter full=yes"],
});

export const QUEUE_RING = command("queue.ring", {
  ofGunyah: "message queues and doorbells",
  doc: "list the messages in a queue, oldest first",
  args: { queue: QUEUE, ...listArguments("queue.ring") },
  right: "looks",
  examples: ["queue ring mq:289"],
  lists: true,
  ask: ({ queue }) => ({ table: "queue.ring", args: { queue } }),
});

/** Puts a message into a queue, as its sender would. */
export const SEND = action("queue.send", { queue: name, bytes: bytes(MESSAGE_MAX) });
export const QUEUE_SEND = command("queue.send", {
  ofGunyah: "message queues and doorbells",
  doc: "send a message on behalf of the queue's sender",
  args: { queue: QUEUE, message: word(message, "hexadecimal digits, or text; text:TEXT where both are possible") },
  right: "changes",
  examples: ["queue send mq:289 00112233", "queue send mq:289 hello   the demo's pong resets at it", "queue send mq:289 text:cafe"],
  steps: ({ queue, message }) => act(SEND.of({ queue, bytes: message })),
  done: ({ queue, message }) => `sent ${message.length} bytes to ${queue}`,
  menus: [{
    on: ["mq"],
    key: "w",
    label: "send: queue a message",
    of: (id) => ({ queue: id }),
    prompt: { sign: (id) => `message for ${id}, hexadecimal or text:TEXT`, fills: "message" },
    asks: (id, typed) => ({
      question: `Send ${typed} into ${id}?`,
      act: `send into ${id}`,
      effect: "The receiver gets a message that its peer has not sent.",
      lost: "nothing; a receiver that does not expect it may misbehave",
      stays: BACK,
    }),
  }],
});

/** Takes all messages out of a queue. */
export const FLUSH = action("queue.flush", { queue: name });
export const QUEUE_FLUSH = command("queue.flush", {
  ofGunyah: "message queues and doorbells",
  doc: "remove all messages from a queue",
  args: { queue: QUEUE },
  right: "changes",
  examples: ["queue flush mq:289"],
  steps: ({ queue }) => act(FLUSH.of({ queue })),
  done: ({ queue }) => `${queue} is empty`,
  menus: [{
    on: ["mq"],
    key: "f",
    label: "flush: remove all messages",
    of: (id) => ({ queue: id }),
    asks: (id) => ({
      question: `Remove all messages of ${id}?`,
      act: `flush ${id}`,
      effect: "The queue is empty after it, as with msgqueue_flush.",
      lost: "all messages in it; the receiver never sees them",
      stays: BACK,
    }),
  }],
});

/** Sets flags of a doorbell, as its sender would. */
export const RING = action("doorbell.ring", { doorbell: name, flags: unsigned(64) });
export const QUEUE_RING_BELL = command("queue.ring-bell", {
  ofGunyah: "message queues and doorbells",
  doc: "set flags of a doorbell on behalf of its sender",
  args: { doorbell: word(idOf("db"), "db:NUMBER"), flags: word(mask, "a mask, such as 0x1") },
  right: "changes",
  examples: ["queue ring-bell db:288 0x1"],
  steps: ({ doorbell, flags }) => act(RING.of({ doorbell, flags })),
  done: ({ doorbell }) => `${doorbell} is rung`,
  menus: [{
    name: "doorbell.ring",
    on: ["db"],
    key: "w",
    label: "ring: set flag 0",
    of: (id) => ({ doorbell: id, flags: 1n }),
    asks: (id) => ({
      question: `Ring ${id}?`,
      act: `ring ${id}`,
      effect: "Flag 0 is set as with doorbell_send; the receiver gets its interrupt if it waits for that flag.",
      lost: "nothing; a receiver that does not expect it may misbehave",
      stays: BACK,
    }),
  }],
});

export const QUEUE_COMMANDS = [QUEUE_LS, QUEUE_RING, QUEUE_SEND, QUEUE_FLUSH, QUEUE_RING_BELL];
