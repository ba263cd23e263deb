// `[[hook]]`: programs on events, from the user's own file.

import assert from "node:assert/strict";
import { el2Process, el2Refused } from "../program.ts";
import { withHooks } from "../../../src/cli/start/hooks.ts";
import { environmentValue, Programs } from "../../../src/cli/start/run-program.ts";
import type { OwnHook } from "../../../src/cli/start/own-programs.ts";
import type { Request, SessionEvent } from "../../../src/protocol/protocol.ts";
import { TABLES } from "../../../src/queries/tables.ts";
import type { Json, Row } from "../../../src/queries/table.ts";
import type { SessionClient } from "../../../src/session/client.ts";

const DEMO = new URL("../../../assets/demo.toml", import.meta.url).pathname;
const folder = () => Deno.realPathSync(Deno.makeTempDirSync({ prefix: "el2-hooks-" }));

/** A machine whose events are given. */
class Events implements SessionClient {
  readonly requests: Request[] = [];
  onEvent: (event: SessionEvent) => void = () => {};
  rows: Row[] = [];

  send(request: Request): void {
    this.requests.push(request);
    if (request.kind !== "query") return;
    const rows = this.rows.splice(0);
    const answer = { table: "events" as const, at: { ns: "0", insn: "0" }, rows, dropped: 0, cursor: "1" };
    queueMicrotask(() => this.onEvent({ kind: "answer", id: request.id, answer }));
  }

  close(): void {}
}

function row(fields: Record<string, Json>): Row {
  const empty = Object.fromEntries(Object.keys(TABLES.events.columns).map((name) => [name, null]));
  return { ...empty, id: "ev:1", t: "0", end: "0", kind: "state", name: "running", text: "", refused: false, ...fields } as Row;
}

const hook = (fields: Partial<OwnHook> & Pick<OwnHook, "run" | "folder">): OwnHook => ({
  ...{ name: "h", on: "kind=state", timeout: 5000, limit: 100 },
  ...fields,
});

/** Messages of hooks during these events, until the end of the session. */
async function heard(hooks: readonly OwnHook[], rows: readonly Row[]): Promise<{ said: string[]; machine: Events }> {
  const machine = new Events(), said: string[] = [], ended = Promise.withResolvers<void>();
  const client = withHooks(machine, hooks, "s");
  client.onEvent = (event) => {
    if (event.kind === "events") said.push(...event.events.map(({ text }) => text));
    if (event.kind === "ended") ended.resolve();
  };
  client.send({ kind: "start", plan: {} as never });
  machine.rows.push(...rows);
  machine.onEvent({ kind: "ended", end: { code: 0, message: "" } });
  await ended.promise;
  await client.finish();
  client.close();
  return { said, machine };
}

Deno.test("a hook of ~/.config/el2/ui.toml runs in every session, at the event, with the event in its environment", async () => {
  const root = folder();
  try {
    const env = { XDG_CONFIG_HOME: `${root}/.config` };
    await Deno.mkdir(`${root}/.config/el2`, { recursive: true });
    await Deno.writeTextFile(
      `${root}/.config/el2/ui.toml`,
      '[[hook]]\nname = "up"\non = "kind=state name=running vm=vm:ping"\n' +
        'run = ["sh", "-c", "echo $EL2_HOOK $EL2_SESSION $EL2_EVENT_VM $EL2_EVENT_NAME \\"$EL2_EVENT_TEXT\\" >> out"]\n',
    );
    const { code, stderr } = await el2Process(["run", DEMO, "--headless", "--for", "200ms", "--turbo"], env, root);
    assert.equal(code, 0, stderr);
    const lines = (await Deno.readTextFile(`${root}/out`)).trimEnd().split("\n");
    assert.ok(lines.length > 0 && lines.every((line) => /^up demo vm:ping running \S+/.test(line)), lines.join("\n"));
    await Deno.writeTextFile(`${root}/.config/el2/ui.toml`, '[[hook]]\nname = "up"\non = "kin=state"\nrun = ["true"]\n');
    const wrong = await el2Refused(["up", DEMO, "--name", "s"], env);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /ui\.toml: hook up: on: no field "kin"/);
    await Deno.chmod(`${root}/.config/el2/ui.toml`, 0o666);
    const open = await el2Refused(["up", DEMO, "--name", "s"], env);
    assert.equal(open.code, 2);
    assert.match(open.stderr, /ui\.toml has mode 0666, others can change it; chmod go-w/);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("text of guests reaches a hook's program as data: control characters are marked, and none of it becomes an argument", async () => {
  const root = folder();
  try {
    const text = `$(touch ${root}/mark); \`touch ${root}/mark\` \x1b]0;title\x07\0 ${"x".repeat(9000)}`;
    const run = ["sh", "-c", 'printf "%s" "$EL2_EVENT_TEXT" > out'];
    assert.deepEqual((await heard([hook({ run, folder: root })], [row({ text })])).said, []);
    const seen = await Deno.readTextFile(`${root}/out`);
    assert.equal(seen, environmentValue(text));
    assert.ok(!/[\0-\x1f]/.test(seen) && seen.includes("^[]0;title^G^@") && seen.length < 5000);
    assert.deepEqual([...Deno.readDirSync(root)].map(({ name }) => name), ["out"]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("a hook runs one program at a time, and at most its limit; a failure is reported once", async () => {
  const root = folder();
  try {
    const run = ["sh", "-c", "mkdir busy || exit 9; echo run >> out; rmdir busy; echo broken >&2; exit 3"];
    const { said } = await heard([hook({ run, folder: root, limit: 5 })], Array.from({ length: 9 }, () => row({})));
    assert.equal(await Deno.readTextFile(`${root}/out`), "run\n".repeat(5));
    assert.deepEqual(said, [
      "hook h: limit 5 is reached; it starts no more programs in this session",
      "hook h: sh: exit code 3: broken",
    ]);
    const many = await heard([hook({ run: ["true"], folder: root })], Array.from({ length: 40 }, () => row({})));
    assert.deepEqual(many.said, ["hook h: 16 events wait for its program; further ones are passed over"]);
    const none = await heard([hook({ run: ["./none"], folder: root })], [row({}), row({ kind: "rpc" })]);
    assert.deepEqual(none.said, [`hook h: ./none: there is no program ${root}/./none`]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("busy kinds are recorded only where a hook names them, beside those of other readers", async () => {
  const watched = (machine: Events) => machine.requests.flatMap((request) => request.kind === "watch" ? [request.kinds] : []);
  assert.deepEqual(watched((await heard([hook({ run: ["true"], folder: "/" })], [])).machine), []);
  const { machine } = await heard([hook({ on: "kind=hvc | kind=trap", run: ["true"], folder: "/" })], []);
  assert.deepEqual(watched(machine), [["hvc", "trap"]]);
  const client = withHooks(machine, [hook({ on: "kind=hvc", run: ["true"], folder: "/" })], "s");
  client.send({ kind: "watch", kinds: ["sched"], budget: 3 });
  assert.deepEqual(watched(machine).at(-1), ["sched", "hvc"]);
});

/** Whether a process exists that is not only waited for. */
async function runs(pid: number): Promise<boolean> {
  const text = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => undefined);
  return text !== undefined && !text.includes(") Z ");
}

Deno.test("a program that takes too long is ended with what it has started, and leaves no zombie", async () => {
  const root = folder();
  try {
    const programs = new Programs();
    const start = { folder: root, env: {}, timeout: 200 };
    const ended = await programs.run({ ...start, run: ["sh", "-c", "trap '' TERM; sleep 60 & echo $! $$; wait; sleep 60"] });
    assert.equal(ended.problem, "ended after 0.2 s, its timeout");
    const pids = ended.output.trim().split(" ").map(Number);
    assert.equal(pids.length, 2);
    for (const pid of pids) assert.equal(await runs(pid), false, `${pid}`);
    assert.equal(await Deno.stat(`/proc/${pids[1]}`).then(() => true, () => false), false, "its parent has waited for it");
    // A child that keeps the output open does not keep el2 waiting.
    const left = await programs.run({ ...start, timeout: 60_000, run: ["sh", "-c", "sleep 60 & echo $!"] });
    assert.equal(left.problem, undefined);
    Deno.kill(Number(left.output), "SIGKILL");
    const much = await programs.run({ ...start, timeout: 60_000, run: ["sh", "-c", "head -c 1000000 /dev/zero"] });
    assert.deepEqual([much.cut, much.output.length], [true, 256 * 1024]);
    const open = programs.run({ ...start, timeout: 60_000, run: ["sleep", "60"] });
    await programs.close();
    assert.equal((await open).problem, "ended by SIGKILL");
    assert.equal((await programs.run({ ...start, run: ["true"] })).problem, "el2 is ending");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
