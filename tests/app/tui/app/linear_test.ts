// Screens as lines of text, for screen readers.

import assert from "node:assert/strict";
import { runTui } from "../../../../src/app/tui/app/run.ts";
import { Reader } from "../../../../src/app/tui/app/linear.ts";
import { SCREENS } from "../../../../src/app/tui/actions/screen-table.ts";
import type { SessionClient } from "../../../../src/session/worker/client.ts";
import { copySequence } from "../../../../src/app/tui/terminal/clipboard.ts";
import { PHONE_SAMPLE, phoneAnswer } from "../phone.ts";
import { Rig } from "../rig.ts";
import { ScriptedTerminal } from "../scripted-terminal.ts";
import { snapshotsOf } from "../snapshots.ts";
import { STATES } from "../states.ts";
import { PATIENCE } from "../../../support/patience.ts";

const SNAPSHOTS = snapshotsOf(import.meta.url);

/** Answers come, and what hangs on them is asked and answered. */
async function lines(rig: Rig): Promise<readonly string[]> {
  for (let round = 0; round < 3; round++) {
    rig.app.linear();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return rig.app.linear().lines;
}

for (const { key, title } of SCREENS) {
  Deno.test(`--plain: screen ${key}, ${title}, as lines`, async (t) => {
    const rig = new Rig();
    await rig.type(key);
    const shown = await lines(rig);
    for (const line of shown) assert.match(line, /^[\x20-\x7e]+$/);
    await t.assertSnapshot(shown, SNAPSHOTS);
  });
}

Deno.test("--plain: an overlay is read instead of the screen below it", async () => {
  for (const [name, begin] of STATES.slice(0, 8)) {
    const rig = new Rig();
    await lines(rig);
    const before = rig.app.linear();
    await begin(rig);
    await lines(rig);
    const after = rig.app.linear();
    assert.ok(after.place !== before.place || after.message !== before.message, name);
    for (const line of after.lines) assert.doesNotMatch(line, /^[-+=|]+$|\|$/, `${name}: ${line}`);
  }
});

Deno.test("--plain: a change is one line, figures alone are none", async () => {
  const rig = new Rig(), reader = new Reader();
  await rig.type("g");
  await lines(rig);
  let now = 0;
  const read = () => reader.take(rig.app.linear(), now += 1000);
  assert.ok(read().length > 5, "all at first");
  assert.deepEqual(read(), []);

  await rig.type("j");
  assert.deepEqual(read().length, 1, "the row that is selected now");
  await rig.type("k");
  assert.match(read().join("\n"), /^selected: H, host\b[^\n]*$/);

  rig.time += 1000;
  rig.apply({
    kind: "sample",
    sample: {
      ...PHONE_SAMPLE,
      time: PHONE_SAMPLE.time + 5e8,
      vms: PHONE_SAMPLE.vms.map((vm) => ({ ...vm, vcpus: vm.vcpus.map((vcpu) => ({ ...vcpu, load: 0.11 })) })),
    },
  });
  assert.deepEqual(read(), [], "figures");

  rig.apply({ kind: "stopped", rule: "stop:1", text: "vm:rt ended" } as never);
  assert.deepEqual(read(), ["stop:1 stopped the machine: vm:rt ended"]);
  assert.deepEqual(read(), []);

  rig.apply({ kind: "paused", paused: true });
  await lines(rig);
  assert.match(read().join("\n"), /^el2, phone, PAUSED,[^\n]*$/);

  await rig.type("9");
  await lines(rig);
  assert.match(read().join("\n"), /Screen 9, Events\./);
});

Deno.test("--plain: a row that changes all the time is read each 10 s at most", () => {
  const reader = new Reader();
  const at = (word: string, now: number) => reader.take({ place: "1", lines: ["el2", `D debian, ${word}`], state: "", message: "" }, now);
  at("runs", 0);
  assert.deepEqual(at("waits", 1000), ["D debian, waits"]);
  assert.deepEqual([at("runs", 2000), at("waits", 9000)], [[], []]);
  assert.deepEqual(at("runs", 12_000), ["D debian, runs"]);
});

Deno.test("--plain: a terminal gets lines, and not one escape sequence", async () => {
  const terminal = new ScriptedTerminal(async function* () {
    for (const key of ["2", "?", "q", "q"]) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      yield new TextEncoder().encode(key);
    }
  });
  const session = { send() {}, onEvent() {}, close() {} };
  await runTui(session, terminal, { title: "x", depth: "direct", ascii: false, mouse: true, slowLink: false, ask: true, plain: true });
  assert.match(terminal.written, /Screen 1, Overview\.\r\n[^]*Screen 2, vCPUs\.\r\n/);
  assert.match(terminal.written, /^(?:[\x20-\x7e]*\r\n)*$/);
});

Deno.test("--plain: what is copied reaches the clipboard, and the mouse is off again at the end", async () => {
  const session = { send() {}, onEvent() {}, close() {} } as SessionClient;
  session.send = (request) => {
    if (request.kind !== "query") return;
    queueMicrotask(() => session.onEvent({ kind: "answer", id: request.id, answer: phoneAnswer(request.query) }));
  };
  const until = async (what: () => boolean) => {
    for (const limit = performance.now() + PATIENCE; !what();) {
      assert.ok(performance.now() < limit, terminal.written.slice(-1000));
      session.onEvent({ kind: "sample", sample: PHONE_SAMPLE });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const key = (text: string) => new TextEncoder().encode(text);
  const reports = () => terminal.written.lastIndexOf("\x1b[?1002h") > terminal.written.lastIndexOf("\x1b[?1002l");
  const terminal: ScriptedTerminal = new ScriptedTerminal(async function* () {
    yield key("2");
    await until(() => terminal.written.includes("debian/0"));
    yield key("yi");
    await until(() => terminal.written.includes(copySequence("vcpu:debian/0", false)));
    yield key(":mouse on\r");
    await until(reports);
    yield key("q");
  });
  await runTui(session, terminal, { title: "x", depth: "direct", ascii: false, mouse: true, slowLink: false, plain: true });
  assert.ok(!reports());
});
