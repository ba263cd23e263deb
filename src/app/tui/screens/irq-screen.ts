// The screen Interrupts: interrupts, their defects, and the path of the selected one.

import type { Activity } from "../panes/overview/activity.ts";
import { graph, samplesOf } from "../terminal/glyphs.ts";
import { scaled } from "../look/history.ts";
import { irqColumns, isStorm } from "../panes/irq-columns.ts";
import { findingLines, pathLines } from "../panes/irq-findings.ts";
import { inspector } from "../panes/inspector.ts";
import { countText } from "../look/numbers.ts";
import type { Line, Pane } from "../panes/pane.ts";
import { below, beside, type Body, type Placed, type ScreenPanes, sharedRows } from "./screen-model.ts";
import { TablePane } from "../panes/table-pane.ts";
import { TextPane } from "../panes/text-pane.ts";
import type { Look } from "../look/theme.ts";
import { isGuest, nameOf } from "../../../model/queries/ids.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { IRQS } from "../../../model/queries/tables.ts";

type IrqRow = RowOf<typeof IRQS>;

/** Rows of the list, of all; columns of the findings, of all. */
const LIST_SHARE = 0.55;
const FINDINGS_SHARE = 0.6;
/** Columns from which on the path is shown next to the findings. */
const BESIDE = 100;
const GRAPH_ROWS = 4;
/** Columns from which on the path is shown next to the list, which has this share then. */
const WIDE = 180;
const WIDE_LIST_SHARE = 0.65;
/** Columns of the graph's scale. */
const SCALE = 8;

/** @param clock wall time in ms */
export function irqScreen(activity: Activity, clock: () => number): ScreenPanes {
  const histories = activity.newHistories();
  const irqs = new TablePane({
    name: "irqs",
    table: IRQS,
    title: "Interrupts",
    columns: (width) => irqColumns(histories, width),
    right: () => [{ text: "busiest first", role: "dim" }],
    first: (rows) => rows.find(({ vm }) => isGuest(vm)),
    taken(rows) {
      histories.add(clock(), rows.map(({ id, rate }): [string, number] => [id, rate]));
      histories.keep(new Set(rows.map(({ id }) => id)));
    },
  });
  const wrong = () => irqs.rows.filter(({ fact }) => fact !== null);
  const findings = new TextPane({
    name: "findings",
    title: () => ({
      text: "Findings",
      count: wrong().length,
      right: wrong().length ? [[{ text: `! ${wrong().length}`, role: "bad", bold: true }]] : [],
    }),
    lines: (width, look) => findingLines(wrong(), look, width),
  });
  const path = new TextPane({
    name: "path",
    title: () => ({ text: "Path", detail: irqs.selectedId && nameOf(irqs.selectedId), right: [[{ text: "where it stops", role: "dim" }]] }),
    lines(width, look) {
      const row = irqs.selection?.row;
      if (!row) return [{ text: "No interrupt is selected.", role: "dim" }];
      return [...pathLines(row, look), { text: "" }, ...rateLines(histories.of(row.id), isStorm(row), width, look)];
    },
  });
  const fields = inspector("fields", irqs);
  const underList = below("under-list"), besideFindings = beside("beside-findings"), besideList = beside("beside-list");
  let lower: Pane = findings;

  function layout(body: Body, focused: Pane): Placed[] {
    if (focused === findings || focused === path || focused === fields) lower = focused;
    if (body.boxed && body.width >= WIDE) {
      const [above, under] = underList.cut(body, sharedRows(body, LIST_SHARE, irqs, [lower === path ? findings : lower]));
      const [list, aside] = besideList.cut(above, above.width * WIDE_LIST_SHARE);
      return [{ pane: irqs, area: list }, { pane: path, area: aside }, { pane: lower === path ? findings : lower, area: under }];
    }
    const shown = body.width >= BESIDE ? [lower === path ? findings : lower, path] : [lower];
    const [above, under] = underList.cut(body, sharedRows(body, LIST_SHARE, irqs, shown));
    if (body.width < BESIDE) return [{ pane: irqs, area: above }, { pane: lower, area: under }];
    const [left, right] = besideFindings.cut(under, body.width * FINDINGS_SHARE);
    return [{ pane: irqs, area: above }, { pane: lower === path ? findings : lower, area: left }, { pane: path, area: right }];
  }

  return {
    panes: [irqs, findings, path, fields],
    views: [[findings, fields]],
    dividers: [underList, besideFindings, besideList],
    layout,
  };
}

/** How often it came in the last minute: a graph, and its peak. */
function rateLines(values: readonly number[], storm: boolean, width: number, look: Look): Line[] {
  const peak = Math.max(...values, 0), columns = Math.max(Math.min(width - SCALE - 2, 60), 1);
  const shown = samplesOf(look.glyphs, columns) >= 2 * values.length ? values.flatMap((value) => [value, value]) : values;
  const labels = ["rate", countText(peak), "", "0"];
  return graph(look.glyphs, scaled(shown), columns, GRAPH_ROWS).map((text, row): Line => ({
    text: "",
    pieces: [{ text: labels[row].padEnd(SCALE), role: "dim" }, { text, role: storm ? "bad" : "g2" }],
  }));
}
