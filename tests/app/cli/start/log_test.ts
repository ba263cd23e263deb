// `--log FILE,LEVEL`: what each level has, on the command line and in the background; the
// run is the same.

import assert from "node:assert/strict";
import { LOG_LEVELS } from "../../../../src/app/cli/start/log.ts";
import { TRACE_KINDS } from "../../../../src/machine/abi/trace.ts";
import { LONG } from "../../../support/long.ts";
import { el2, el2Process, el2With } from "../program.ts";

const DEMO = new URL("../../../../assets/demo.toml", import.meta.url).pathname;
const LINE = /^[ !]\d+\.\d{6} \S+ ([a-z]+) .+$/;

/** The lines of a log, but for the last, which says how the run ended; and their kinds. */
async function readLog(file: string): Promise<{ lines: string[]; kinds: Set<string> }> {
  const lines = (await Deno.readTextFile(file)).trimEnd().split("\n");
  assert.match(lines.pop()!, /^ended with 0: /);
  const kinds = new Set(lines.map((line) => {
    const match = LINE.exec(line);
    assert.ok(match, line);
    return match[1];
  }));
  return { lines, kinds };
}

Deno.test("--log FILE,LEVEL: each level has what those before it have, and the run is the same", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-log-" });
  try {
    const run = ["run", DEMO, "--headless", "--turbo", "--for", "50ms", "--inject", "virq vm=pong nth=5 -> delay 1ms"];
    const plain = await el2(...run);
    const logs = new Map<string, Awaited<ReturnType<typeof readLog>>>();
    for (const level of LOG_LEVELS) {
      const outcome = await el2(...run, "--log", `${folder}/${level},${level}`);
      assert.deepEqual(outcome, plain);
      logs.set(level, await readLog(`${folder}/${level}`));
    }
    const [error, warn, info, debug, trace] = LOG_LEVELS.map((level) => logs.get(level)!);
    assert.ok(
      error.lines.length > 0 && error.lines.every((line) => line.startsWith("!") && !line.includes(" rule ")),
      error.lines.join("\n"),
    );
    assert.deepEqual(warn.lines.filter((line) => !error.lines.includes(line)).map((line) => LINE.exec(line)![1]), ["rule"]);
    assert.ok(warn.lines.some((line) => line.includes("virq vm=pong nth=5 -> delay 1ms")));
    assert.deepEqual(info.lines.filter((line) => line.includes(" vm:ping state running")).length, 1);
    for (const [less, more] of [[error, warn], [warn, info]]) assert.deepEqual(less.lines.filter((line) => !more.lines.includes(line)), []);
    // Refusals with their rules, and beside them every call.
    for (const line of error.lines) assert.ok(debug.lines.includes(line) && trace.lines.includes(line), line);
    for (const kind of ["hvc", "rpc", "ioctl", "msg", "state", "rule"]) assert.ok(debug.kinds.has(kind), kind);
    for (const kind of ["trap", "virq", "sched", "mmio", "mem"]) assert.ok(!debug.kinds.has(kind) && trace.kinds.has(kind), kind);
    assert.ok([...trace.kinds].every((kind) => (TRACE_KINDS as readonly string[]).includes(kind)));

    // It is what a trace of the same run has, and the rules.
    const [recording, exported] = [`${folder}/a.rec`, `${folder}/a.ndjson`];
    assert.equal((await el2(...run, "--record", recording)).code, 0);
    assert.equal((await el2("trace", "export", exported, "--recording", recording)).code, 0);
    const rows = (await Deno.readTextFile(exported)).trimEnd().split("\n").map((line) => JSON.parse(line));
    const expected = rows.map(({ t, vcpu, vm, kind, text, refused }) =>
      `${refused ? "!" : " "}${(Number(t) / 1e9).toFixed(6)} ${vcpu?.slice("vcpu:".length) ?? vm ?? "machine"} ${kind} ${text}`
    );
    assert.deepEqual(trace.lines.filter((line) => !error.lines.includes(line)).toSorted(), expected.toSorted());
    if (!LONG) return;
    // A replay tells the same.
    assert.equal((await el2("replay", recording, "--log", `${folder}/again,trace`)).code, 0);
    assert.deepEqual((await readLog(`${folder}/again`)).lines.toSorted(), trace.lines.toSorted());
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("up --log writes the events of a session in the background, whoever else watches it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-log-" });
  try {
    const env = { XDG_RUNTIME_DIR: folder };
    // Names of files are relative to the folder.
    const session = (...args: string[]) => args[0] === "up" ? el2Process(args, env, folder) : el2With(env, ...args);
    const refused = await session("up", DEMO, "--name", "s", "--log", "none/events");
    assert.match(refused.stderr, /^el2: --log .*none\/events: no such folder$/m);
    assert.equal(refused.code, 2);
    const up = await session("up", DEMO, "--name", "s", "--log", "events,debug");
    assert.equal(up.code, 0, up.stderr);
    // A client that asks for other kinds does not take the log's away.
    assert.equal((await session("events", "--follow", "--kinds", "sched", "--filter", "kind=sched", "--limit", "50")).code, 0);
    assert.equal((await session("console", "hello", "--expect", "tick 1", "--timeout", "60s")).code, 0);
    assert.equal((await session("down", "s")).code, 0);
    const { lines, kinds } = await readLog(`${folder}/events`);
    assert.ok(lines.length > 1000, `${lines.length} lines`);
    assert.ok(kinds.has("hvc") && kinds.has("rpc") && !kinds.has("sched"), [...kinds].join());
    const last = Number(lines.at(-1)!.slice(1).split(" ")[0]);
    assert.ok(last > 0.9, `the last line is of ${last} s`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
