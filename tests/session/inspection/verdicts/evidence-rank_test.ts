// The order of evidence: what has failed, what is under way, what is idle.

import assert from "node:assert/strict";
import { ranked } from "../../../../src/session/inspection/verdicts/evidence-rank.ts";
import type { Evidence } from "../../../../src/model/queries/facts/evidence.ts";

const bell = (flags: string, sends: number): Evidence => ({
  code: "wakeup",
  wait: { code: "irq", irq: "irq:linux/33", intid: 33, source: null },
  state: { code: "doorbell", bell: "db:276", flags, wakes: "0x3", sends },
});
const queue = (count: number): Evidence => ({
  code: "wakeup",
  wait: { code: "irq", irq: "irq:linux/34", intid: 34, source: null },
  state: { code: "messages", queue: "mq:1", end: "receiver", count, depth: 8, wakes_at: 1, sends: count },
});
const PROGRAM: Evidence = {
  code: "kernel",
  finding: {
    code: "program-waits",
    waits: [{ task: { name: "sh", pid: 85 }, vm: null, for: "input", what: "/dev/ttyAMA0", peers: [], peers_vm: null }],
  },
};
const WARNED: Evidence = {
  code: "kernel",
  finding: {
    code: "reported",
    kind: "hung-task",
    t: "1.0",
    text: "",
    task: null,
    at: null,
    cpu: null,
    device: null,
    for_ns: null,
    over: false,
  },
};

Deno.test("a doorbell that nobody has rung, and an empty queue, stand below what programs wait for", () => {
  assert.deepEqual(ranked([bell("0x0", 0), queue(0), PROGRAM, WARNED]), [WARNED, PROGRAM, bell("0x0", 0), queue(0)]);
  assert.deepEqual(ranked([bell("0x4", 3), PROGRAM]), [PROGRAM, bell("0x4", 3)]);
});

Deno.test("a doorbell whose flags raise its interrupt, and a queue with a message, are under way", () => {
  assert.deepEqual(ranked([bell("0x1", 1), queue(2), PROGRAM]), [bell("0x1", 1), queue(2), PROGRAM]);
});
