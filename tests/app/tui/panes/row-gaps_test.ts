// Gaps between events: times in which nobody had them recorded.

import assert from "node:assert/strict";
import { eventColumns } from "../../../../src/app/tui/panes/event-columns.ts";
import { TablePane } from "../../../../src/app/tui/panes/table-pane.ts";
import { Screen } from "../../../../src/app/tui/terminal/cells.ts";
import { plainLook } from "../../../../src/app/tui/look/theme.ts";
import { type Answer, rowsOf } from "../../../../src/model/queries/query.ts";
import type { Unrecorded } from "../../../../src/model/queries/facts/gap.ts";
import { EVENTS } from "../../../../src/model/queries/tables.ts";
import { phoneRows } from "../phone.ts";

const WIDTH = 80, STATE = { focused: true, boxed: true, past: false };
const [SOME] = rowsOf(EVENTS, { table: "events", rows: phoneRows("events") });

/** A list of events at 10, 20, 30 and 40 ns, and its lines in so many rows. */
function list(unrecorded: readonly Unrecorded[], height = 12) {
  const pane = new TablePane({
    name: "events",
    table: EVENTS,
    title: "Events",
    stream: true,
    columns: (width) => eventColumns(width, false),
  });
  const rows = [10, 20, 30, 40].map((time) => ({
    ...SOME,
    ...{
      id: `ev:h${time}`,
      t: String(time),
      end: String(time),
      kind: "hvc" as const,
      text: `event ${time}`,
      failed: false,
      refused: false,
    },
  }));
  const answer: Answer = { table: "events", at: { ns: "50", insn: "0" }, rows, dropped: 0, unrecorded };
  pane.receive(answer);
  const lines = () => {
    const screen = new Screen(WIDTH, height, "direct"), look = plainLook("dark", "direct", "full");
    look.dress(screen);
    screen.clear();
    pane.draw(screen, { x: 0, y: 0, width: WIDTH, height }, look, STATE);
    return screen.toLines().map((line) => line.trim()).filter((line) => line !== "").slice(1);
  };
  return { pane, lines };
}

const GAP = { from: 15, to: 25, some: false } as const;
const GAPS: readonly Unrecorded[] = [{ ...GAP, kind: "hvc" }, { ...GAP, kind: "virq" }];

Deno.test("a time in which events were not recorded is a line between its rows, which is no row", () => {
  const { pane, lines } = list(GAPS);
  assert.deepEqual(lines().map((line) => /event \d+|not recorded: [\w, ]+\w/.exec(line)?.[0]), [
    ...["event 10", "event 20", "not recorded: hvc, virq", "event 30", "event 40"],
  ]);
  assert.equal(pane.scroll.count, 5);
  assert.ok(!pane.click(3, 5), "a click on it selects nothing");
  assert.ok(pane.click(4, 5));
  assert.equal(pane.selectedId, "ev:h30");
  pane.move(-1);
  assert.equal(pane.selectedId, "ev:h20", "keys pass it");
  const spoken = pane.spoken(plainLook("dark", "none", "ascii"), { width: WIDTH, height: 12 }, true);
  assert.deepEqual(spoken[3].parts, ["not recorded: hvc, virq"]);
});

Deno.test("gaps at one place are one line, of the kinds that the list shows, and none is where rows are sorted", () => {
  const some = (["hvc", "sched", "mmio"] as const).map((kind) => ({ from: 0, to: 24, some: true, kind })), gaps = [...some, ...GAPS];
  const { pane, lines } = list(gaps);
  assert.match(lines()[2], /─ not recorded: hvc, virq; only some of: sched, mmio ─/);
  pane.setFilter("kind=hvc | kind=mmio");
  assert.match(lines()[2], /─ not recorded: hvc; only some of: mmio ─/);
  pane.setFilter("");
  pane.sortNext();
  assert.doesNotMatch(lines().join("\n"), /recorded/);
  const outside = list([5, 60].map((to) => ({ ...GAP, to, kind: "hvc" })));
  assert.doesNotMatch(outside.lines().join("\n"), /recorded/, "before the first row nothing is known, after the last nothing is shown");
});

Deno.test("a list that follows shows its last row with gaps above it in as many rows as there are", () => {
  for (const height of [2, 3, 4, 5]) {
    const { lines } = list([...GAPS, { ...GAP, to: 35, kind: "hvc" }], height);
    assert.match(lines().at(-1) ?? "", /event 40/, `${height} rows`);
    assert.equal(lines().length, height - 1);
  }
});
