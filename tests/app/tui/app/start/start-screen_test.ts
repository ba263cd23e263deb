// The start screen: what there is, one key to each kind, and what Enter stands for.

import assert from "node:assert/strict";
import { Screen } from "../../../../../src/app/tui/terminal/cells.ts";
import { roleOf } from "../../../../../src/app/tui/terminal/color.ts";
import { runStart } from "../../../../../src/app/tui/app/start/run-start.ts";
import { hint } from "../../../../../src/kit/support/text/hint.ts";
import { type StartOffers, type StartRow, StartScreen } from "../../../../../src/app/tui/app/start/start-screen.ts";
import { SharedInput, type TerminalPort } from "../../../../../src/app/tui/terminal/terminal.ts";
import { plainLook } from "../../../../../src/app/tui/look/theme.ts";
import { Rig } from "../../rig.ts";

const row = (name: string, deed: StartRow["deed"]): StartRow => ({ name, detail: `about ${name}`, right: "2 h", deed });

const OFFERS: StartOffers = {
  version: "1.2.3",
  learn: [["01-why.md", "START returns EINVAL"]],
  sections: [
    {
      key: "e",
      title: "Run",
      command: hint("run", "WHAT"),
      rows: [row("demo", { kind: "run", what: "demo" }), row("phone.toml", { kind: "run", what: "phone.toml" })],
      empty: ["", ""],
    },
    {
      key: "s",
      title: "Sessions",
      command: hint("ls"),
      rows: [row("nightly", { kind: "attach", session: "nightly" })],
      empty: ["No session.", "el2 up starts one."],
    },
    { key: "g", title: "Guests", command: hint("guests ls"), rows: [], empty: ["No guest is in the cache.", "el2 guests fetch debian"] },
    {
      key: "r",
      title: "Recordings and snapshots",
      command: hint("replay", "FILE"),
      rows: [row("bug.rec", { kind: "replay", recording: "bug.rec" }), row("a.snap", { kind: "load", snapshot: "a.snap" })],
      empty: ["", ""],
    },
  ],
};

function drawn(width: number, height: number, ...keys: string[]): { lines: string[]; screen: Screen } {
  const view = new StartScreen(OFFERS), screen = new Screen(width, height, "direct");
  for (const key of keys) assert.equal(view.key(key), undefined);
  view.draw(screen, plainLook("dark", "direct", "full"));
  return { lines: screen.toLines(), screen };
}

function chosen(...keys: string[]) {
  const view = new StartScreen(OFFERS);
  return keys.map((key) => view.key(key)).at(-1);
}

Deno.test("Enter on the first row is the demo; sessions, guests and recordings are one key away", () => {
  assert.deepEqual(chosen("Enter"), { kind: "run", what: "demo" });
  assert.deepEqual(chosen("s", "Enter"), { kind: "attach", session: "nightly" });
  assert.deepEqual(chosen("r", "Enter"), { kind: "replay", recording: "bug.rec" });
  assert.deepEqual(chosen("r", "j", "Enter"), { kind: "load", snapshot: "a.snap" });
  assert.deepEqual(chosen("e", "Down", "Enter"), { kind: "run", what: "phone.toml" });
  assert.equal(chosen("g", "Enter"), undefined, "an empty section does nothing");
  // Over the end of a section the next one follows.
  assert.deepEqual(chosen("j", "j", "Enter"), { kind: "attach", session: "nightly" });
  assert.deepEqual(chosen("j", "j", "k", "Enter"), { kind: "run", what: "phone.toml" });
  for (const key of ["q", "Esc", "ctrl-c"]) assert.deepEqual(chosen(key), { kind: "leave" });
});

Deno.test("at every size each section that is shown has its rows or says how they come, and the command of the selected row", () => {
  for (const [width, height] of [[60, 16], [80, 24], [100, 30], [120, 36], [200, 60]]) {
    for (const key of ["e", "s", "g", "r"]) {
      const { lines, screen } = drawn(width, height, key);
      assert.equal(lines.length, height);
      assert.ok(lines.some((line) => line.includes("about demo")), `${width}`);
      if (key === "g") assert.match(lines.join("\n"), /No guest is in the cache\.[^]*el2 guests fetch debian/, `${width}x${height}`);
      const shell = lines.at(-1)!.trim();
      assert.equal(shell, { e: "shell  el2 run demo", s: "shell  el2 attach nightly", g: "", r: "shell  el2 replay bug.rec --tui" }[key]);
      assert.match(lines.at(-2)!, /q quit *$/);
      const selected = lines.flatMap((_, y) => screen.cells(y)).filter(({ text, background }) =>
        text === "▌" && roleOf(background) === "sel"
      );
      assert.equal(selected.length, key === "g" ? 0 : 1, `${width} ${key}`);
    }
  }
});

Deno.test("the start screen takes keys from the terminal and gives it back", async () => {
  let written = "";
  const bytes = ["s", "\r"].map((text) => new TextEncoder().encode(text));
  const terminal: TerminalPort = {
    input: new SharedInput((async function* () {
      yield* bytes;
      await new Promise(() => {});
    })()),
    size: () => ({ columns: 80, rows: 24 }),
    write: (text) => {
      written += new TextDecoder().decode(text);
      return Promise.resolve();
    },
    setRaw() {},
    onResize: () => () => {},
  };
  assert.deepEqual(await runStart(terminal, OFFERS, { depth: "16" }), { kind: "attach", session: "nightly" });
  assert.ok(written.lastIndexOf("\x1b[?1049l") > written.lastIndexOf("\x1b[?1049h"));
});

Deno.test(":start asks for the start screen", async () => {
  const rig = new Rig();
  await rig.type(":start\r");
  assert.equal(rig.chosen, 1);
});
