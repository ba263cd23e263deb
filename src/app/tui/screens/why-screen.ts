// The screen Why: why operations were refused: the list, the answer about the selected one, and its
// object.

import { objectPane } from "../panes/object-pane.ts";
import type { Piece } from "../look/pieces.ts";
import { vmPieces } from "../look/pieces.ts";
import { reasonLines } from "../panes/reason-lines.ts";
import type { Books } from "./books.ts";
import type { Pane } from "../panes/pane.ts";
import { beside, type Body, type Placed, type ScreenPanes } from "./screen-model.ts";
import { TablePane } from "../panes/table-pane.ts";
import { TextPane } from "../panes/text-pane.ts";
import type { Look } from "../look/theme.ts";
import { withoutKind } from "../../../model/queries/ids.ts";
import { timeText } from "../../../kit/support/text/number-text.ts";
import { isCited } from "../../../model/queries/texts/reason-text.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { REASONS } from "../../../model/queries/tables.ts";

/** Share of the list in the width. */
const LIST_SHARE = 44 / 120;
/** Columns of the list at the least: requester and time of a refusal. */
const LEAST_LIST = 40;
/** From this width on the object is beside the answer; shares of list and answer there. */
const WIDE = 180;
const WIDE_LIST_SHARE = 60 / 200, WIDE_ANSWER_SHARE = 90 / 200;

/** A refusal in the list: requester and time, error, rule. */
function card(reason: RowOf<typeof REASONS>, look: Look): Piece[][] {
  const vm = withoutKind("vm", reason.vm);
  return [
    [
      { text: `${reason.id} `, role: "link" },
      { text: `${timeText(Number(reason.t))}  `, role: "dim" },
      ...vmPieces(look.vm(vm), vm),
      ...reason.failed ? [] : [{ text: "  handled", role: "dim" } as const],
    ],
    [
      { text: reason.call, role: "strong", bold: true },
      { text: " → ", role: "dim" },
      { text: reason.err, role: reason.failed ? "bad" : "text" },
    ],
    [{ text: reason.rule, role: "dim" }],
  ];
}

export function whyScreen(books?: Books): ScreenPanes {
  const reasons = new TablePane({
    name: "reasons",
    table: REASONS,
    title: "Refusals",
    right: () => [{ text: "newest first", role: "dim" }],
    // Of a refusal that its caller has handled, users rarely ask why.
    first: (rows) => rows.find(({ failed }) => failed),
    card,
  });
  let height = 0, alone = false, opened = false;
  const text = new TextPane({
    name: "reason",
    title: () => ({ text: reasons.selectedId ?? "Why" }),
    selection: () => reasons.selection,
    queries: () => alone ? reasons.queries() : undefined,
    receive: (answer) => reasons.receive(answer),
    // Where there is no room for the list, nobody else says that it has no rows.
    blank: () => alone ? reasons.blank : undefined,
    lines(width, look) {
      const row = reasons.selection?.row;
      return row ? reasonLines(row, look, width, height, isCited(row.section) ? books?.target(row.section) : undefined) : [];
    },
  });
  const object = objectPane(() => reasons.selection?.row);
  const besideList = beside("beside-list"), besideAnswer = beside("beside-answer");
  /** Panes that replace each other: where all have a box, none. */
  let views: readonly (readonly Pane[])[] = [], about: Pane = text;
  return {
    panes: [reasons, text, object],
    get views() {
      return views;
    },
    dividers: [besideList, besideAnswer],
    layout(body: Body, focused: Pane): Placed[] {
      height = body.height;
      alone = !body.boxed;
      const wide = !alone && body.width >= WIDE;
      views = wide ? [] : [[text, object]];
      if (focused === text || focused === object) about = focused;
      if (alone) {
        // The answer first; the list is shown instead while the user has focused it.
        const pane = opened && focused === reasons ? reasons : about;
        opened = true;
        return [{ pane, area: body }];
      }
      const [left, right] = besideList.cut(body, Math.max(body.width * (wide ? WIDE_LIST_SHARE : LIST_SHARE), LEAST_LIST));
      if (!wide) return [{ pane: reasons, area: left }, { pane: about, area: right }];
      const [answer, rest] = besideAnswer.cut(right, body.width * WIDE_ANSWER_SHARE);
      return [{ pane: reasons, area: left }, { pane: text, area: answer }, { pane: object, area: rest }];
    },
  };
}
