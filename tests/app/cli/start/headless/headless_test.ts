// The end of a run without a screen.

import assert from "node:assert/strict";
import { runHeadless } from "../../../../../src/app/cli/start/headless/headless.ts";
import type { Row } from "../../../../../src/model/queries/table.ts";
import type { MachineSample, Request, SessionEvent } from "../../../../../src/model/protocol/protocol.ts";
import type { SessionClient } from "../../../../../src/session/worker/client.ts";
import { PATIENCE } from "../../../../support/patience.ts";

Deno.test("a session ends once: another end while its output drains is ignored", async () => {
  const client: SessionClient = { send() {}, onEvent() {}, close() {} };
  const lines: unknown[] = [];
  const original = console.error;
  console.error = (line) => lines.push(line);
  try {
    const code = runHeadless(client, { stdio: false, console: undefined, names: false, timeout: undefined, interactive: false });
    client.onEvent({ kind: "ended", end: { code: 0, message: "SYSTEM_OFF" } });
    client.onEvent({ kind: "ended", end: { code: 1, message: "stopped" } });
    assert.equal(await code, 0);
  } finally {
    console.error = original;
  }
  assert.deepEqual(lines, ["el2: SYSTEM_OFF"]);
});

Deno.test("a failed run that is being explained is not a run that timed out", async () => {
  const lines: unknown[] = [], held: Request[] = [];
  const answer = (request: Request | undefined) => {
    assert.ok(request?.kind === "query");
    const { id, query: { table } } = request;
    client.onEvent({ kind: "answer", id, answer: { table, at: { ns: "0", insn: "0" }, rows: [], dropped: 0 } });
  };
  const client: SessionClient = {
    send: (request) => {
      if (request.kind === "query") held.push(request);
      if (request.kind === "stop") client.onEvent({ kind: "ended", end: { code: 0, message: "stopped" } });
    },
    onEvent() {},
    close() {},
  };
  const original = console.error;
  console.error = (line) => lines.push(line);
  try {
    const code = runHeadless(client, { stdio: false, console: undefined, names: false, timeout: 1, interactive: false });
    client.onEvent({ kind: "ended", end: { code: 1, message: "VM a failed" } });
    // The time is over before the questions are answered.
    for (const limit = Date.now() + PATIENCE; held.length < 3; await new Promise((resolve) => setTimeout(resolve, 1))) {
      assert.ok(Date.now() < limit);
    }
    answer(held[2]);
    await new Promise((resolve) => setTimeout(resolve, 1));
    for (const request of held.slice(0, 2)) answer(request);
    assert.equal(await code, 1);
  } finally {
    console.error = original;
  }
  assert.deepEqual(lines, ["el2: VM a failed"]);
});

/**
 * How a run ends whose time is over at once.
 * @param rows the answer to `diagnose`; undefined for none
 * @param note an event right before
 */
async function timedOut(
  rows: readonly Row[] | undefined,
  sample?: MachineSample,
  insn = "31400",
  note?: SessionEvent,
): Promise<{ code: number; lines: readonly string[] }> {
  const lines: string[] = [], original = console.error, { setTimeout } = globalThis;
  console.error = (line) => lines.push(line);
  // A machine that is silent is waited for.
  Object.assign(globalThis, { setTimeout: (call: () => void, time = 0) => setTimeout(call, time / 100) });
  const client: SessionClient = {
    send(request) {
      if (request.kind === "stop") client.onEvent({ kind: "ended", end: { code: 0, message: "stopped" } });
      if (request.kind !== "query" || !rows) return;
      const at = { ns: "1500000", insn };
      client.onEvent({ kind: "answer", id: request.id, answer: { table: "diagnose", at, rows, dropped: 0 } });
    },
    onEvent() {},
    close() {},
  };
  try {
    const code = runHeadless(client, { stdio: false, console: undefined, names: false, timeout: 1, interactive: false });
    if (sample) client.onEvent({ kind: "sample", sample });
    if (note) client.onEvent(note);
    return { code: await code, lines };
  } finally {
    Object.assign(globalThis, { setTimeout });
    console.error = original;
  }
}

Deno.test("--timeout says what every VM does or waits for, and how far the machine got", async () => {
  const verdict = (id: string, verdict: string, healthy: boolean, text: string, evidence: string[] = []): Row => {
    const fact = { code: "runs", vcpu: `vcpu:${id.slice("vm:".length)}/0` },
      because = evidence.map(() => ({ code: "masked", masked: true }));
    return { id, verdict, healthy, text, evidence, way_out: null, next: healthy ? null : "el2 vcpu ls", hint: null, fact, because };
  };
  const { code, lines } = await timedOut([
    verdict("vm:a", "waits", true, "a/0 waits for irq:a/27", ["not shown"]),
    verdict("vm:b", "lost", false, "irq:b/27 cannot fire", ["it is disabled"]),
  ]);
  assert.equal(code, 4);
  assert.deepEqual(lines, [
    "vm:b lost: irq:b/27 cannot fire",
    "  it is disabled",
    "  next: el2 vcpu ls",
    "vm:a waits: a/0 waits for irq:a/27",
    "el2: timeout: 0.001 s of wall time passed; the machine got to 0.001500 s of virtual time, 31.4K instructions",
  ]);
});

Deno.test("--timeout says that no VM executes instructions, or that the machine does not answer", async () => {
  assert.match((await timedOut([])).lines[0], /; the machine got to 0\.001500 s .*; no VM executes instructions$/);
  assert.match((await timedOut([], undefined, "0")).lines[0], /wall time passed; no VM has executed an instruction yet$/);
  const { code, lines } = await timedOut(undefined);
  assert.deepEqual([code, lines], [4, ["el2: timeout: 0.001 s of wall time passed; the machine has not answered for 4 s"]]);
  const vcpus = [{ index: 0, state: "WFI", instructions: 0, load: 0, waits: ["wfi"], pc: "" }] as const;
  const vms = [{ name: "a", vmid: 3, state: "RUNNING", schedule: "own", vcpus, devices: [] }] as const;
  const seen = await timedOut(undefined, { time: 2e9, instructions: 7, reasons: 0, mips: 0, physicalCpus: 1, vms });
  assert.deepEqual(seen.lines, [
    "vm:a RUNNING: a/0 WFI (an interrupt (WFI))",
    "el2: timeout: 0.001 s of wall time passed; the machine has not answered for 4 s, " +
    "and was at 2.000000 s of virtual time, 7 instructions before",
  ]);
});

Deno.test("a note that waits to be told comes before the verdict, at the end of a run and at its time-out", async () => {
  const event = { time: 0, pcpu: undefined, kind: "log", vcpu: "vm:a", text: "a device is out of order", refused: true } as const;
  const note: SessionEvent = { kind: "events", events: [event], dropped: 0 };
  const fact = { code: "runs", vcpu: "vcpu:b/0" };
  const row: Row = {
    id: "vm:b",
    verdict: "lost",
    healthy: false,
    text: "b/0",
    evidence: [],
    way_out: null,
    next: null,
    hint: null,
    fact,
    because: [],
  };
  const told = ["el2: a: a device is out of order", "vm:b lost: b/0"];
  const late = await timedOut([row], undefined, undefined, note);
  assert.deepEqual(late.lines.slice(0, -1), told);

  const lines: string[] = [], original = console.error;
  console.error = (line) => lines.push(line);
  const client: SessionClient = {
    send(request) {
      if (request.kind === "save-recording") client.onEvent({ kind: "acted", id: request.id, error: { what: "no room" } });
      if (request.kind !== "query") return;
      const { table } = request.query, at = { ns: "0", insn: "0" };
      client.onEvent({ kind: "answer", id: request.id, answer: { table, at, rows: table === "diagnose" ? [row] : [], dropped: 0 } });
    },
    onEvent() {},
    close() {},
  };
  try {
    const code = runHeadless(client, {
      ...{ stdio: false, console: undefined, names: false, timeout: undefined, interactive: false, recordings: "none" },
    });
    client.onEvent(note);
    client.onEvent({ kind: "ended", end: { code: 1, message: "VM b failed" } });
    assert.equal(await code, 1);
  } finally {
    console.error = original;
  }
  assert.deepEqual(lines, [...told, "el2: VM b failed"]);
});
