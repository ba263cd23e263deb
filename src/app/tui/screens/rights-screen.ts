// The screen Rights: capabilities, other holders of a capability's object, and the objects.

import { textPieces } from "../panes/event-columns.ts";
import { type CellContext, idPieces, type ListColumn } from "../look/list.ts";
import { capPieces, holdersPane } from "../panes/holders-pane.ts";
import { inspector } from "../panes/inspector.ts";
import type { Pane } from "../panes/pane.ts";
import type { Piece } from "../look/pieces.ts";
import { below, beside, type Body, type Placed, type ScreenPanes, sharedRows } from "./screen-model.ts";
import { TablePane } from "../panes/table-pane.ts";
import { isGuest } from "../../../model/queries/ids.ts";
import { timeText } from "../../../kit/support/text/number-text.ts";
import { type RowOf } from "../../../model/queries/table.ts";
import { CAPS, OBJECTS } from "../../../model/queries/tables.ts";

type CapRow = RowOf<typeof CAPS>;

/** Rows of the list, of all; columns of who else holds an object, of all. */
const LIST_SHARE = 0.55;
const HOLDERS_SHARE = 0.5;
/** Columns from which on an object's holders are shown next to the fields. */
const BESIDE = 100;
/** Columns from which on the graph is shown next to the list, which has this share then. */
const WIDE = 180;
const WIDE_LIST_SHARE = 0.6;
/** Columns from which on there is room for the mark of master capabilities. */
const WITH_MASTER = 140;
/** Columns of a capability's id. */
const ID = 16;
/** Columns of its object, rights and last answer: at the least, and at the most. */
const OBJECT = 10, LONGEST_OBJECT = 24, RIGHTS = 24, ALL_RIGHTS = 96, ANSWER = 22, LONGEST_ANSWER = 40;

/** A capability's owner, object and rights, and the result of its last use. */
function capColumns(): ListColumn<CapRow>[] {
  return [
    { name: "id", title: "Capability", width: ID, pieces: ({ id }, { look, bad }) => capPieces(id, look, bad) },
    { name: "type", title: "Type", width: 11, pieces: ({ type }) => [{ text: type, role: "dim" }] },
    { name: "obj", title: "Object", width: OBJECT, most: LONGEST_OBJECT, pieces: ({ obj }, context) => objectPieces(obj, context) },
    {
      name: "rights",
      title: "Rights",
      width: RIGHTS,
      most: ALL_RIGHTS,
      pieces: ({ rights }) => {
        const text = rights.join(" ");
        return [text ? { text } : { text: "none", role: "dim" }];
      },
    },
    {
      name: "master",
      title: "Master",
      width: 6,
      from: WITH_MASTER,
      pieces: ({ master }) => [master ? { text: "yes" } : { text: "-", role: "dim" }],
    },
    {
      name: "holders",
      title: "Held by",
      width: 7,
      right: true,
      from: 100,
      pieces: ({ holders }) => [{ text: String(holders), role: holders > 1 ? "text" : "dim" }],
    },
    {
      name: "used",
      title: "Used",
      width: 12,
      right: true,
      from: 110,
      pieces: ({ used }) => [{ text: used === null ? "-" : timeText(Number(used)), role: "dim" }],
    },
    {
      name: "res",
      title: "Answer",
      width: ANSWER,
      most: LONGEST_ANSWER,
      from: 110,
      pieces: ({ res, err }) => res !== null ? textPieces({ text: res, res }, err) : [{ text: "-", role: "dim" }],
    },
  ];
}

function objectPieces(object: string | null, context: CellContext): Piece[] {
  return object !== null ? idPieces(object, { ...context, first: false }) : [{ text: "revoked", role: "dim" }];
}

/** Its panes, and their places. */
export function rightsScreen(): ScreenPanes {
  const caps = new TablePane({
    name: "caps",
    table: CAPS,
    title: "Capabilities",
    filter: "type!=hwirq",
    columns: capColumns,
    first: (rows) => rows.find(({ vm }) => isGuest(vm)),
  });
  const refused = new TablePane({
    name: "refused",
    table: CAPS,
    title: "Last use refused",
    empty: ["No capability's last use was refused", "A hypercall without the right it needs returns CSPACE_INSUFFICIENT_RIGHTS."],
    args: () => ({ filter: "err=yes" }),
    columns: capColumns,
  });
  const objects = new TablePane({ name: "objects", table: OBJECTS, title: "Objects", filter: "type!=hwirq", usual: { state: "active" } });
  const fields = inspector("fields", caps), holders = holdersPane(caps);
  const underList = below("under-list"), besideHolders = beside("beside-holders"), besideList = beside("beside-list");
  let lower: Pane = fields;

  function layout(body: Body, focused: Pane): Placed[] {
    if (focused === holders || focused === fields || focused === objects || focused === refused) lower = focused;
    if (body.boxed && body.width >= WIDE) {
      const [above, under] = underList.cut(body, sharedRows(body, LIST_SHARE, caps, [lower === holders ? fields : lower, refused]));
      const [list, graph] = besideList.cut(above, above.width * WIDE_LIST_SHARE);
      const [left, right] = besideHolders.cut(under, body.width * HOLDERS_SHARE);
      return [
        { pane: caps, area: list },
        { pane: holders, area: graph },
        { pane: lower === holders || lower === refused ? fields : lower, area: left },
        { pane: refused, area: right },
      ];
    }
    if (lower === refused) lower = fields;
    const shown = body.width >= BESIDE ? [holders, lower === holders ? fields : lower] : [lower];
    const [above, under] = underList.cut(body, sharedRows(body, LIST_SHARE, caps, shown));
    if (body.width < BESIDE) return [{ pane: caps, area: above }, { pane: lower, area: under }];
    const [left, right] = besideHolders.cut(under, body.width * HOLDERS_SHARE);
    return [{ pane: caps, area: above }, { pane: holders, area: left }, { pane: lower === holders ? fields : lower, area: right }];
  }

  return {
    panes: [caps, holders, fields, objects, refused],
    views: [[fields, objects]],
    dividers: [underList, besideHolders, besideList],
    layout,
  };
}
