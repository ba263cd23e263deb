// Progress of long work, and its end by Ctrl-C.

import assert from "node:assert/strict";
import { answer } from "../../../../src/app/cli/common/answer.ts";
import { Progress } from "../../../../src/app/cli/common/progress.ts";
import type { OpenSession } from "../../../../src/app/cli/common/session.ts";
import { withProgress } from "../../../../src/app/cli/start/headless/shown-progress.ts";
import type { RecordedRun } from "../../../../src/model/plans/recorded-run.ts";
import type { MachineSample, Request, SessionEvent } from "../../../../src/model/protocol/protocol.ts";
import type { Answer } from "../../../../src/model/queries/query.ts";
import type { Asker } from "../../../../src/session/control/asker.ts";
import type { SessionClient } from "../../../../src/session/worker/client.ts";
import { Rate } from "../../../../src/kit/support/text/rate.ts";

/** Wall time of the test (ms), and what stderr got. */
async function inTime(terminal: boolean, work: (pass: (ms: number) => void) => Promise<void>): Promise<string> {
  const { isTerminal, writeSync } = Deno.stderr, { error } = console, { now } = performance;
  let written = "", time = 1000;
  try {
    performance.now = () => time;
    Object.assign(Deno.stderr, {
      isTerminal: () => terminal,
      writeSync(bytes: Uint8Array) {
        written += new TextDecoder().decode(bytes);
        return bytes.length;
      },
    });
    console.error = (line: string) => void (written += `${line}\n`);
    await work((ms) => time += ms);
    return written;
  } finally {
    Object.assign(Deno.stderr, { isTerminal, writeSync });
    performance.now = now;
    console.error = error;
  }
}

Deno.test("progress has a rate and an end, and is shown only for work that takes long", async () => {
  const line = (text: string) => `\r${text} (Ctrl-C stops)\x1b[K\r`;
  const shown = await inTime(true, async (pass) => {
    using progress = new Progress("writing x", "pages");
    progress.at(0, 1000);
    pass(400);
    progress.at(100, 1000);
    pass(600);
    progress.at(500, 1000);
    progress.at(501, 1000);
    pass(1000);
    progress.at(900, 1000);
    await progress.turn();
  });
  assert.equal(
    shown,
    line("writing x: 50 %, 500 of 1000 pages, 500/s, 1 s left") + line("writing x: 90 %, 900 of 1000 pages, 450/s, 1 s left") +
      "\r\x1b[K\r",
  );
  assert.equal(await inTime(true, () => Promise.resolve(new Progress("writing x", "pages")[Symbol.dispose]())), "");
  // Elsewhere a line now and then.
  const lines = await inTime(false, (pass) => {
    using progress = new Progress("writing x", "pages");
    progress.at(0);
    for (let second = 0; second < 25; second++) {
      pass(1000);
      progress.at(second * 10);
    }
    return Promise.resolve();
  });
  assert.equal(lines, "el2: writing x: 100 pages, 9/s\nel2: writing x: 200 pages, 10/s\n");
  assert.equal(new Rate("bytes").of(5, 10), "5 of 10 bytes");
  assert.equal(new Rate("ns").of(160_000, 1_000_000), "0.2ms of 1.0ms");
});

Deno.test("Ctrl-C ends a long work in order, in a loop and in a wait", async () => {
  const works = ["for (;;) await progress.turn();", "await progress.during(new Promise((resolve) => setTimeout(resolve, 60_000)));"];
  const outcomes = works.map(async (work) => {
    // A test runner ends at the signal, so that it goes to a process.
    const code = `import { Progress } from "${new URL("../../../../src/app/cli/common/progress.ts", import.meta.url)}";
      using progress = new Progress("writing x", "pages");
      console.log("ready");
      try { ${work} } catch (error) { console.log(error.message, error.code); Deno.exit(); }`;
    const config = new URL("../../../../deno.json", import.meta.url).pathname, args = ["eval", "--no-check", "--config", config, code];
    const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
    let said = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (said === "ready\n") child.kill("SIGINT");
    }
    await child.status;
    return said;
  });
  for (const said of await Promise.all(outcomes)) assert.equal(said, "ready\nwriting x: interrupted 130\n");
});

Deno.test("a search of the run for an answer shows how much of it is searched", async () => {
  const found: Answer = { table: "who", at: { ns: "0", insn: "2000" }, rows: [{ id: "insn:0" }], dropped: 0 };
  const shown = await inTime(true, async (pass) => {
    const ask: Asker["ask"] = (_query, { progress } = {}) => {
      pass(1000);
      progress?.(500, 2000);
      return Promise.resolve(found);
    };
    const open = { asker: { ask }, session: { info: { name: "demo" } } } as unknown as OpenSession;
    await answer(open, { table: "who", args: { at: "pa:0x40000000" } }, false, { text: () => "" });
  });
  assert.equal(shown.split("\x1b[K")[0], "\rsearching the run: 25 %, 500 of 2000 instructions (Ctrl-C stops)");
});

Deno.test("a replay shows how far it and its snapshot are, but not in a line that a console has begun, or that is still to be written", async () => {
  const { isTerminal } = Deno.stdout, sent: Request[] = [], taken: SessionEvent[] = [];
  const client: SessionClient = { send: (request) => void sent.push(request), onEvent() {}, close() {} };
  const sample = (instructions: number) => client.onEvent({ kind: "sample", sample: { instructions } as MachineSample });
  const print = (text: string) => client.onEvent({ kind: "console", console: "host", bytes: new TextEncoder().encode(text) });
  try {
    Object.assign(Deno.stdout, { isTerminal: () => true });
    const shown = await inTime(true, (pass) => {
      const check = { at: 9, check: { instructions: 1000, registers: "" } };
      const recording = { inputs: [], checks: [check], end: undefined } as unknown as RecordedRun;
      const replay = withProgress(client, {
        replay: { recording, verify: false, to: undefined },
        from: { path: "x.snap", spare: false, bytes: new Uint8Array() },
      });
      replay.onEvent = (event) => void taken.push(event);
      pass(1000);
      client.onEvent({ kind: "loading", done: 600, total: 2000 });
      sample(0);
      pass(1000);
      sample(250);
      const written = (bytes: number) => replay.send({ kind: "taken", bytes });
      print("login: ");
      written(7);
      pass(1000);
      sample(500);
      print("root\n");
      pass(1000);
      sample(600);
      written(5);
      pass(1000);
      sample(750);
      replay.close();
      return Promise.resolve();
    });
    const lines = shown.split("\r").filter((line) => line !== "" && line !== "\x1b[K").map((line) => line.replace("\x1b[K", ""));
    assert.match(
      lines.join("\n"),
      /^loading x.snap: 30 %, .*600 of 2000 pages.* \(Ctrl-C stops\)\nreplaying: 0 %, .*\nreplaying: 25 %, .* \(Ctrl-C stops\)\nreplaying: 75 %, .* \(Ctrl-C stops\)$/,
    );
    assert.equal(taken.length, 8);
  } finally {
    Object.assign(Deno.stdout, { isTerminal });
  }
});
