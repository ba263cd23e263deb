// Panes' texts instead of rows.

import assert from "node:assert/strict";
import { type Blank, drawBlank } from "../../../../src/app/tui/panes/blank.ts";
import { Screen } from "../../../../src/app/tui/terminal/cells.ts";
import { roleOf } from "../../../../src/app/tui/terminal/color.ts";
import { plainLook } from "../../../../src/app/tui/look/theme.ts";
import { phoneAnswer } from "../phone.ts";
import { Rig } from "../rig.ts";
import type { QueryProblem } from "../../../../src/model/queries/facts/problem.ts";
import { problemText } from "../../../../src/kit/support/problem.ts";

function drawn(blank: Blank, height = 12): { lines: string[]; screen: Screen } {
  const screen = new Screen(60, height, "direct"), look = plainLook("dark", "direct", "full");
  look.dress(screen);
  screen.clear();
  drawBlank(screen, look, { x: 0, y: 0, width: 60, height }, blank);
  return { lines: screen.toLines().map((line) => line.trimEnd()), screen };
}

Deno.test("a pane without rows says what would be there and how it comes, in its middle third", () => {
  const { lines, screen } = drawn({ kind: "empty", what: "no request recorded yet", how: "The host sends requests." });
  assert.deepEqual(lines.filter((line) => line), [" No request recorded yet.", " The host sends requests."]);
  const y = lines.findIndex((line) => line);
  assert.ok(y >= 3 && y < 8, String(y));
  assert.deepEqual([y, y + 1].map((row) => roleOf(screen.cells(row)[1].foreground)), ["text", "dim"]);
  assert.equal(drawn({ kind: "empty", what: "nothing" }, 4).lines[0], " Nothing.", "low panes begin at once");
});

Deno.test("an answer that is awaited is said after 0.3 s, and with its seconds after 1 s", () => {
  const said = (since: number) => drawn({ kind: "loading", since }).lines.join("").trim();
  assert.deepEqual([0, 299, 300, 999, 1000, 5200].map(said), ["", "", "loading", "loading", "loading, 1 s", "loading, 5 s"]);
});

Deno.test("an error has a cross, the sentence, and the way out below it", async () => {
  const { lines, screen } = drawn({ kind: "error", what: "vm:host has no vCPU that executes instructions", wayOut: "select another one" });
  const y = lines.findIndex((line) => line);
  assert.equal(lines[y], " × vm:host has no vCPU that executes instructions");
  assert.equal(lines[y + 1], "   Select another one.");
  assert.deepEqual([y, y + 1].map((row) => roleOf(screen.cells(row)[3].foreground)), ["bad", "text"]);
  const rig = new Rig(120, 36, { ascii: false }, "direct");
  rig.answer = (query) => {
    const answer = phoneAnswer(query);
    if (query.table !== "irq.ls") return answer;
    const problem: QueryProblem = { code: "query", what: "no such filter", wayOut: "see el2 reference schema" };
    return { ...answer, rows: [], error: problemText(problem), problem };
  };
  await rig.type("3");
  assert.match(await rig.text(), /× no such filter {3,}[^]*See el2 reference schema\./);
});
