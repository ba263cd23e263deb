// A client of `el2 dap` that sends anything: broken frames, huge lengths, requests out of order and
// with arguments of the wrong kinds. Each request is answered, and the server ends in order.

import assert from "node:assert/strict";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { DapReader, encodeMessage } from "../../../../src/session/debug/dap/messages.ts";
import { DapSession } from "../../../../src/session/debug/dap/session.ts";
import type { DapEvents, DapMachines, DapTarget } from "../../../../src/session/debug/dap/target.ts";
import { noAnswer } from "../../../../src/model/queries/query.ts";
import { Random } from "../../../support/random.ts";
import { DapClient } from "./client.ts";
import { LONG } from "../../../support/long.ts";

const ROUNDS = LONG ? 50_000 : 2_000;

const COMMANDS = [
  ...["initialize", "launch", "attach", "configurationDone", "restart", "disconnect", "terminate", "threads", "stackTrace", "scopes"],
  ...[
    "variables",
    "setVariable",
    "evaluate",
    "setBreakpoints",
    "setFunctionBreakpoints",
    "setInstructionBreakpoints",
    "setDataBreakpoints",
  ],
  ...[
    "setExceptionBreakpoints",
    "dataBreakpointInfo",
    "exceptionInfo",
    "continue",
    "reverseContinue",
    "next",
    "stepIn",
    "stepOut",
    "stepBack",
  ],
  ...["pause", "readMemory", "writeMemory", "disassemble", "toString", "__proto__", "constructor", ""],
];
const NAMES = [
  ...[
    "threadId",
    "frameId",
    "variablesReference",
    "breakpoints",
    "source",
    "line",
    "name",
    "expression",
    "memoryReference",
    "offset",
    "count",
  ],
  ...[
    "instructionCount",
    "instructionOffset",
    "data",
    "dataId",
    "accessType",
    "filters",
    "filterOptions",
    "filterId",
    "condition",
    "hitCondition",
  ],
  ...[
    "logMessage",
    "boot",
    "what",
    "vm",
    "vms",
    "symbols",
    "sourceMap",
    "path",
    "granularity",
    "startFrame",
    "levels",
    "start",
    "value",
    "bytes",
    "asAddress",
  ],
];

/** A machine that stops at once, and knows nothing. */
function machine(events: DapEvents): DapTarget {
  const stop = () => queueMicrotask(() => events.stopped({ cause: "asked", vcpu: 0, pc: 0x1000n }));
  return {
    name: "fuzz",
    vms: undefined,
    ask: (access) =>
      Promise.resolve(
        access.kind === "vcpus"
          ? { kind: "vcpus", vcpus: [{ index: 0, name: "host/0", waits: [] }, { index: 0x300, name: "rt/0", waits: [] }] }
          : access.kind === "read"
          ? { kind: "memory", bytes: new Uint8Array(Math.min(access.size, 100)) }
          : access.kind === "registers"
          ? { kind: "registers", values: Array.from({ length: 100 }, () => 1n) }
          : { kind: "done" },
      ),
    query: () => Promise.resolve(noAnswer("nothing is known")),
    stopAtEvents: () => Promise.resolve(undefined),
    addSymbols: () => Promise.resolve("no file"),
    stop,
    go: stop,
    back: stop,
    detach: () => {},
    kill: () => Promise.resolve(),
  };
}

function value(random: Random, depth = 0): unknown {
  switch (random.word() % (depth > 2 ? 8 : 11)) {
    case 0:
      return random.word() % 20 - 5;
    case 1:
      return random.word() * 0x1_0000_0000;
    case 2:
      return random.word() / 7;
    case 3:
      return [
        "0x1000",
        "pa:0x10",
        "",
        "x".repeat(random.word() % 6000),
        "-1",
        "[object Object]",
        "hvc",
        "rt/0:0x10",
        "0x10:4",
        "event:kind=hvc",
      ][random.word() % 10];
    case 4:
      return null;
    case 5:
      return random.word() % 2 === 0;
    case 6:
      return "AAAA";
    case 7:
      return 1;
    case 8:
      return Array.from({ length: random.word() % 4 }, () => value(random, depth + 1));
    default:
      return args(random, depth + 1);
  }
}

function args(random: Random, depth = 0): Record<string, unknown> {
  return Object.fromEntries(Array.from({ length: random.word() % 6 }, () => [NAMES[random.word() % NAMES.length], value(random, depth)]));
}

Deno.test("every request has one answer, whatever its arguments and its time", async () => {
  const random = new Random(19);
  for (let round = 0; round < ROUNDS / 50; round++) {
    const sent: DebugProtocol.ProtocolMessage[] = [];
    const launch: DapMachines["launch"] = (_, events) => {
      queueMicrotask(() => events.stopped({ cause: "start", vcpu: 0, pc: 0n }));
      return Promise.resolve(machine(events));
    };
    const session = new DapSession(
      { launch, attach: (_, events) => launch(undefined!, events) },
      (message) => sent.push(message),
      () => {},
    );
    let seq = 1;
    const request = async (command: string, given: unknown) => {
      await session.receive({ seq: seq++, type: "request", command, arguments: given });
    };
    if (round % 2) {
      await request("initialize", {});
      await request("launch", { boot: "a", stopOnEntry: round % 4 === 1 });
      await request("configurationDone", {});
    }
    for (let count = 0; count < 50; count++) {
      await request(COMMANDS[random.word() % COMMANDS.length], random.word() % 8 ? args(random) : value(random));
    }
    const answers = sent.filter((message) => message.type === "response") as DebugProtocol.Response[];
    assert.deepEqual(answers.map((one) => one.request_seq), Array.from({ length: seq - 1 }, (_, index) => index + 1), `round ${round}`);
    for (const answer of answers) if (!answer.success) assert.equal(typeof answer.body.error.format, "string");
    assert.deepEqual(sent.map((message) => message.seq), sent.map((_, index) => index + 1));
    await session.lost();
  }
});

Deno.test("frames of any kind are split into messages, or refused", () => {
  const random = new Random(20);
  for (let round = 0; round < ROUNDS; round++) {
    const good = encodeMessage({ seq: 1, type: "request", command: "threads" } as DebugProtocol.Request);
    const bytes = new Uint8Array([...good, ...good]);
    for (let changes = random.word() % 4; changes > 0; changes--) bytes[random.word() % bytes.length] = random.word();
    const reader = new DapReader(), pieces = 1 + random.word() % 5;
    let messages = 0;
    for (let piece = 0; piece < pieces; piece++) {
      const part = bytes.subarray(Math.floor(piece * bytes.length / pieces), Math.floor((piece + 1) * bytes.length / pieces));
      for (const _ of reader.push(part)) messages++;
    }
    assert.ok(messages <= 2);
  }
});

Deno.test("a frame without a length, or with a huge one, ends the connection with an answer", async () => {
  for (const header of ["Content-Length: 99999999999\r\n\r\n", "Length: 5\r\n\r\nhello", "x".repeat(5000)]) {
    const client = DapClient.inProcess();
    await client.raw(header);
    await client[Symbol.asyncDispose]();
    assert.deepEqual(client.unasked.map(({ success }) => success), [false], header.slice(0, 40));
  }
  await using client = DapClient.inProcess();
  await client.raw("Content-Length: 2\r\n\r\n{]Content-Length: 2\r\n\r\n42");
  assert.equal((await client.send("fly")).success, false);
  assert.deepEqual(client.unasked.map(({ success }) => success), [false, false, false]);
});
