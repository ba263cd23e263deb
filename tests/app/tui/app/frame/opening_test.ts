import assert from "node:assert/strict";
import { App } from "../../../../../src/app/tui/app/app.ts";
import type { AppOptions } from "../../../../../src/app/tui/app/app-port.ts";
import { Screen } from "../../../../../src/app/tui/terminal/cells.ts";
import type { ColorDepth } from "../../../../../src/app/tui/terminal/color.ts";
import { openingFrame } from "../../../../../src/app/tui/app/frame/opening.ts";
import { runTui } from "../../../../../src/app/tui/app/run.ts";
import { ENTER } from "../../../../../src/app/tui/terminal/terminal-modes.ts";
import { PHONE_SAMPLE } from "../../phone.ts";
import { ScriptedTerminal } from "../../scripted-terminal.ts";
import type { SessionClient } from "../../../../../src/session/worker/client.ts";

const CONTENT = { title: "phone", awaited: "The machine is starting" };

Deno.test("the opening frame has header, tabs and hints of the screens, before they know anything", () => {
  for (const [width, height] of [[80, 24], [120, 36], [200, 60]]) {
    for (const [depth, ascii] of [["direct", false], ["256", false], ["16", true], ["none", true]] as const) {
      const { screen } = openingFrame({ columns: width, rows: height }, { depth, ascii }, CONTENT);
      const drawn = screenOfApp(width, height, depth, { ascii });
      for (const y of [0, 1, height - 2]) {
        assert.deepEqual(cellsShown(screen, y), drawn.cells(y), `${width}x${height} ${depth}: row ${y}`);
      }
      assert.match(screen.shownLines().join("\n"), /^ el2 {2}phone .* LIVE +starting\n[^]*\n {1,2}The machine is starting\.\n/);
    }
  }
  const { screen } = openingFrame({ columns: 120, rows: 36 }, { depth: "direct" }, {
    ...CONTENT,
    screen: "4",
    readOnly: true,
    state: "PAUSED",
  });
  const drawn = screenOfApp(120, 36, "direct", { readOnly: true }, "4");
  for (const y of [1, 34]) assert.deepEqual(cellsShown(screen, y), drawn.cells(y));
  assert.match(screen.shownLines()[0], /PAUSED {3}READ-ONLY/);
});

/** The first frame of the screens, before any event. */
function screenOfApp(width: number, height: number, depth: ColorDepth, options: Partial<AppOptions>, key = "1"): Screen {
  const nothing = () => {}, screen = new Screen(width, height, depth);
  const app = new App({ title: "phone", clock: () => 0, ...options }, {
    ...{
      send: nothing,
      changed: nothing,
      later: nothing,
      leave: nothing,
      redraw: nothing,
      copy: nothing,
      notify: nothing,
      suspend: nothing,
    },
    ...{ mouse: nothing, reconnect: nothing, visit: nothing, choose: nothing },
    save: () => Promise.resolve({ error: "" }),
  });
  app.key({ name: key, bytes: new Uint8Array() });
  app.draw(screen);
  return screen;
}

/** The cells of a row that was written: a frame swaps what was drawn and what is shown. */
function cellsShown(screen: ReturnType<typeof openingFrame>["screen"], y: number) {
  screen.keep();
  return screen.cells(y);
}

Deno.test("a terminal too small for screens is told so by the opening frame", () => {
  const { frame } = openingFrame({ columns: 40, rows: 10 }, { depth: "none" }, CONTENT);
  assert.match(frame, /el2 needs 60x16; this is 40x10/);
});

for (const columns of [80, 100]) {
  Deno.test(`screens take over the opening frame of ${columns} columns in the mode that the terminal has`, async () => {
    const wish = { depth: "256", ascii: false, braille: true, painted: true } as const;
    const { screen, frame } = openingFrame({ columns, rows: 24 }, wish, CONTENT);
    const client: SessionClient = { send() {}, onEvent() {}, close() {} };
    const terminal = new ScriptedTerminal(async function* () {
      client.onEvent({ kind: "sample", sample: PHONE_SAMPLE });
      await new Promise((resolve) => setTimeout(resolve, 60));
      yield new TextEncoder().encode("q");
      await new Promise<void>(() => {});
    });
    terminal.written = ENTER + frame;
    await runTui(client, terminal, { ...wish, title: "phone", mouse: true, slowLink: false, opened: screen });
    assert.ok(terminal.restored());
    assert.equal(terminal.written.split("\x1b[?1049h").length, 2, "the alternate screen is entered once");
    // deno-lint-ignore no-control-regex
    assert.match(terminal.written, /\x1b\[\?1002h/);
    const after = terminal.written.slice(ENTER.length + frame.length);
    assert.match(after, /Virtual machines/);
    // A terminal that has changed its size meanwhile is drawn anew.
    assert.equal(after.includes("\x1b[2J"), columns !== 80);
    // deno-lint-ignore no-control-regex
    assert.equal(/1 Overview/.test(after.replaceAll(/\x1b\[[\d;]*m/g, "")), columns !== 80, "tabs that stand are not written again");
  });
}
