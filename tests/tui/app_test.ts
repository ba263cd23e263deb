import assert from "node:assert/strict";
import { App } from "../../src/tui/app.ts";
import { Screen } from "../../src/tui/cells.ts";
import { KeyParser, textBytes } from "../../src/tui/keys.ts";
import type { MachineSample, Request } from "../../src/workstation/protocol.ts";

const SAMPLE: MachineSample = {
  time: 12_481_306_000,
  instructions: 2_657_004_118,
  mips: 212.4,
  physicalCpus: 2,
  vms: [
    {
      name: "host",
      vmid: 3,
      state: "RUNNING",
      schedule: "native",
      console: undefined,
      vcpus: [{ index: 0, state: "WFI", pcpu: 0, instructions: 0, load: 0.03, waitsFor: "irq:host/961 mq:1", pc: "" }],
    },
    {
      name: "hello",
      vmid: 0x80,
      state: "RUNNING",
      schedule: "proxy",
      console: "hello",
      vcpus: [{ index: 0, state: "RUN", pcpu: 0, instructions: 1_234_567, load: 0.66, waitsFor: "", pc: "0x0000000080000184" }],
    },
  ],
};

function start() {
  const requests: Request[] = [];
  let left = false;
  const app = new App("demo", {
    send: (request) => requests.push(request),
    changed() {},
    leave: () => left = true,
    redraw() {},
  });
  const parser = new KeyParser();
  const type = (text: string) => parser.push(textBytes(text)).forEach((key) => app.key(key));
  app.apply({ kind: "sample", sample: SAMPLE });
  app.apply({ kind: "console", console: "hello", bytes: textBytes("hello from EL1\r\n$ ") });
  const lines = async (width: number, height: number) => {
    const screen = new Screen(width, height, "16");
    app.draw(screen);
    await new Promise((resolve) => setTimeout(resolve, 20)); // the emulator takes its input in a task of its own
    app.draw(screen);
    return screen.toLines();
  };
  return { app, requests, type, lines, left: () => left };
}

for (const [width, height] of [[80, 24], [120, 36], [180, 50]]) {
  Deno.test(`the overview at ${width}x${height}`, async (t) => {
    const { lines } = start();
    const shown = await lines(width, height);
    assert.equal(shown.length, height);
    await t.assertSnapshot(shown);
  });
}

Deno.test("help lists every action and leaves with ?", async () => {
  const { type, lines } = start();
  type("?");
  const shown = (await lines(120, 60)).join("\n");
  assert.match(shown, /== help/);
  assert.match(shown, /stop the machine and leave/);
  type("?");
  assert.doesNotMatch((await lines(120, 60)).join("\n"), /== help/);
});

Deno.test("keys go to the guest until ctrl-] d, ctrl-] ctrl-] sends one 0x1d, and ctrl-c is the guest's", () => {
  const { type, requests } = start();
  type("c"); // the guest is selected: the first VM that has a console
  type("ls\x03\x17\x1a");
  type("\x1d\x1d");
  type("\x1dd");
  type("j");
  const typed = requests.filter((r) => r.kind === "input").flatMap((r) => [...r.bytes]);
  assert.deepEqual(typed, [...textBytes("ls\x03\x17\x1a\x1d")]);
});

Deno.test("q leaves, and only outside a console", () => {
  const { type, left } = start();
  type("c");
  type("q");
  assert.equal(left(), false);
  type("\x1ddq");
  assert.equal(left(), true);
});

Deno.test("a row without a console says so", async () => {
  const { type, lines } = start();
  type("gc");
  assert.match((await lines(80, 24)).join("\n"), /vm:host has no console/);
});

Deno.test("a terminal below 60x16 gets one line that asks for room", async () => {
  const { lines } = start();
  const shown = await lines(59, 15);
  assert.match(shown[0], /needs 60x16/);
  assert.ok(shown.slice(1).every((line) => line === ""));
});

Deno.test("no line is wider than the screen and the selection survives a resize", async () => {
  const { type, lines } = start();
  type("gjj");
  for (const [width, height] of [[80, 24], [61, 17], [200, 60], [80, 24]]) {
    const shown = await lines(width, height);
    assert.ok(shown.every((line) => line.length <= width));
    assert.ok(shown.some((line) => line.startsWith("> ") && line.includes("hello")), `${width}x${height}`);
  }
});
