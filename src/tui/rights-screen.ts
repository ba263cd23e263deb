// Screen 5: capabilities, other holders of a capability's object, and the objects.

import { textPieces } from "./event-columns.ts";
import { type CellContext, idPieces, type ListColumn } from "./list.ts";
import { isGuest } from "./links.ts";
import { inspector } from "./inspector.ts";
import type { Line, Pane } from "./pane.ts";
import { chipPiece, type Piece, piecesWidth } from "./pieces.ts";
import { below, beside, type Body, type Placed, type ScreenModel, sharedRows } from "./screen-model.ts";
import { TablePane } from "./table-pane.ts";
import { wrap } from "./row-lines.ts";
import { TextPane } from "./text-pane.ts";
import type { Look } from "./theme.ts";
import { timeText } from "../queries/format.ts";
import type { Answer } from "../queries/query.ts";
import type { Row } from "../queries/table.ts";

/** Rows of the list, of all; columns of who else holds an object, of all. */
const LIST_SHARE = 0.55;
const HOLDERS_SHARE = 0.5;
/** Columns from which on an object's holders are shown next to the fields. */
const BESIDE = 100;
/** Columns from which on the graph is shown next to the list, which has this share then. */
const WIDE = 180;
const WIDE_LIST_SHARE = 0.6;
/** Columns before rights on separate lines. */
const MARGIN = 5;
/** Columns from which on there is room for the mark of master capabilities, and whole answers. */
const WITH_MASTER = 140;
/** Columns of a capability's id. */
const ID = 16;

/** A capability's owner, object and rights, and the result of its last use. */
function capColumns(width: number): ListColumn[] {
  const answer = width >= WITH_MASTER ? 28 : 20;
  return [
    { name: "id", title: "Capability", width: ID, pieces: ({ id }, { look, bad }) => capPieces(id, look, bad) },
    { name: "type", title: "Type", width: 11, pieces: ({ type }) => [{ text: String(type), role: "dim" }] },
    { name: "obj", title: "Object", width: 16, pieces: ({ obj }, context) => objectPieces(obj, context) },
    {
      name: "rights",
      title: "Rights",
      width: Math.min(Math.max(width - 72 - answer - (width >= WITH_MASTER ? 8 : 0), 24), 60),
      pieces: ({ rights }) => {
        const text = (rights as readonly string[]).join(" ");
        return [text ? { text } : { text: "none", role: "dim" }];
      },
    },
    {
      name: "master",
      title: "Master",
      width: 6,
      from: WITH_MASTER,
      pieces: ({ master }) => [master === true ? { text: "yes" } : { text: "-", role: "dim" }],
    },
    {
      name: "holders",
      title: "Held by",
      width: 7,
      right: true,
      from: 100,
      pieces: ({ holders }) => [{ text: String(holders), role: Number(holders) > 1 ? "text" : "dim" }],
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
      width: answer,
      from: 110,
      pieces: ({ res, err }) => typeof res === "string" ? textPieces({ id: "", text: res }, err === true) : [{ text: "-", role: "dim" }],
    },
  ];
}

/** `cap:host/0x3`: the VM's letter, its name and the slot. */
function capPieces(id: string, look: Look, bad: boolean): Piece[] {
  const [, vm, slot] = /^cap:([^/]+)(\/.*)$/.exec(id) ?? ["", "?", id];
  const mark = look.vm(vm);
  return [chipPiece(mark), { text: ` ${vm}`, role: bad ? "text" : mark.ink }, { text: slot, role: "strong", bold: true }];
}

function objectPieces(object: Row[string], context: CellContext): Piece[] {
  return typeof object === "string" ? idPieces(object, { ...context, first: false }) : [{ text: "revoked", role: "dim" }];
}

/** Its panes, and where they stand. */
export function rightsScreen(): ScreenModel {
  const caps = new TablePane({
    name: "caps",
    table: "caps.ls",
    title: "Capabilities",
    filter: "type!=hwirq",
    columns: capColumns,
    first: (rows) => rows.find(({ vm }) => isGuest(vm)),
  });
  const refused = new TablePane({
    name: "refused",
    table: "caps.ls",
    title: "Last use refused",
    empty: ["No capability's last use was refused", "A hypercall without the right it needs returns CSPACE_INSUFFICIENT_RIGHTS."],
    args: () => ({ filter: "err=yes" }),
    columns: capColumns,
  });
  const objects = new TablePane({ name: "objects", table: "obj.ls", title: "Objects", filter: "type!=hwirq" });
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
    key: "5",
    panes: [caps, holders, fields, objects, refused],
    views: [[fields, objects]],
    dividers: [underList, besideHolders, besideList],
    layout,
  };
}

/** The object of the selected capability, and its holders with their rights, as a tree. */
function holdersPane(caps: TablePane): TextPane {
  let rows: readonly Row[] = [], error: string | undefined, asked: string | undefined;
  const object = () => {
    const obj = caps.selection?.row.obj;
    return typeof obj === "string" ? obj : undefined;
  };
  const lines = (width: number, look: Look): Line[] => {
    const row = caps.selection?.row;
    if (!row) return [{ text: "No capability is selected.", role: "dim" }];
    if (error !== undefined) return [{ text: `× ${error.split("\n")[0]}`, role: "bad" }];
    const holders = [row, ...rows.filter(({ id, obj }) => id !== row.id && obj === row.obj)];
    const { branch: [more, last], frame: { side } } = look.glyphs;
    const object: Line = {
      text: "",
      pieces: [{ text: String(row.obj ?? "revoked"), role: "link", bold: true }, { text: ` ${row.type}`, role: "dim" }],
    };
    const lines = holders.flatMap((holder, index): Line[] => {
      const end = index === holders.length - 1;
      const rights = (holder.rights as readonly string[]).join(" ") || "no rights";
      const name: Piece[] = [
        { text: `${end ? last : more} `, role: "faint" },
        ...capPieces(holder.id, look, false),
        ...index === 0 ? [{ text: " selected", role: "accent" } as const] : [],
      ];
      const inOne: Piece[] = [...name, { text: `  ${rights}`, role: "dim" }];
      if (piecesWidth(inOne) < width - 1) return [{ text: "", pieces: inOne }];
      const margin: Piece = { text: (end ? "" : side).padEnd(MARGIN), role: "faint" };
      return [
        { text: "", pieces: name },
        ...wrap(rights, 0, Math.max(width - MARGIN - 2, 10)).map((text): Line => ({ text: "", pieces: [margin, { text, role: "dim" }] })),
      ];
    });
    const alone: Line[] = holders.length > 1 ? [] : [{ text: "" }, { text: "Nobody else holds this object.", role: "dim" }];
    return [object, ...lines, ...alone];
  };
  return new TextPane({
    name: "holders",
    title: () => ({ text: "Who else holds it", detail: object() }),
    lines,
    wants() {
      const id = object();
      if (id !== asked) rows = [];
      asked = id;
      return id === undefined ? undefined : { table: "caps.ls", args: { filter: `obj=${id}` } };
    },
    take(answer: Answer) {
      rows = answer.rows;
      error = answer.error;
    },
  });
}
