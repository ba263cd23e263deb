// The graph of the selected capability: the capabilities to its object, with their rights, lead to
// the object; where there is room, so do those to the other objects that its VM shares.

import type { Line } from "./pane.ts";
import { chipPiece, type Piece, piecesWidth } from "../look/pieces.ts";
import { wrap } from "./row-lines.ts";
import type { TablePane } from "./table-pane.ts";
import { TextPane } from "./text-pane.ts";
import type { Look } from "../look/theme.ts";
import { afterVm, nameOf, vmIn, vmOfName, withoutKind } from "../../../model/queries/ids.ts";
import { type Answer, rowsOf } from "../../../model/queries/query.ts";
import { type RowOf } from "../../../model/queries/table.ts";
import { CAPS, OBJECTS } from "../../../model/queries/tables.ts";

type CapRow = RowOf<typeof CAPS>;

/** Columns of a capability, and of an object's id and type. */
const CAP = 16, OBJECT = 24;
/** Columns of rights at the least. */
const LEAST_RIGHTS = 12;
/** Columns from which on an object has its state. */
const WITH_STATE = 54;
/** Columns from which on the graph has the other objects of the VM. */
const WITH_OTHERS = 64;

type ObjectRow = RowOf<typeof OBJECTS>;

/** `cap:host/0x3`: the VM's letter, its name and the slot. */
export function capPieces(id: string, look: Look, bad: boolean): Piece[] {
  const name = nameOf(id), vm = vmOfName(name), mark = look.vm(vm);
  return [chipPiece(mark), { text: ` ${vm}`, role: bad ? "text" : mark.ink }, { text: afterVm(name), role: "strong", bold: true }];
}

/** An object and the capabilities to it: one row each, and more for rights that do not fit. */
function edgeLines(object: readonly Piece[][], holders: readonly CapRow[], width: number, look: Look): Line[] {
  const { frame: { line, side, joints }, folded } = look.glyphs;
  const room = Math.max(width - CAP - OBJECT - 8, LEAST_RIGHTS);
  const rows = holders.flatMap(({ id, rights }): { readonly left: readonly Piece[]; readonly leads: boolean }[] => {
    const cap = capPieces(id, look, false);
    const [first = "", ...more] = wrap(rights.join(" ") || "no rights", 0, room + 1);
    const margin = " ".repeat(CAP + 4);
    return [
      {
        leads: true,
        left: [
          ...cap,
          { text: ` ${line.repeat(Math.max(CAP - piecesWidth(cap), 0) + 2)} `, role: "border" },
          { text: first, role: "dim" },
          { text: ` ${line.repeat(Math.max(room - first.length, 0) + 1)}`, role: "border" },
        ],
      },
      ...more.map((text) => ({ leads: false, left: [{ text: margin }, { text: text.padEnd(room + 2), role: "dim" }] as Piece[] })),
    ];
  });
  // The object is in the row of the middle one of its capabilities.
  const leading = rows.flatMap(({ leads }, index) => leads ? [index] : []);
  const middle = leading[Math.floor((leading.length - 1) / 2)] ?? 0;
  return rows.map(({ left, leads }, index) => {
    const at = index - middle, lone = rows.length === 1;
    const joint = lone ? line : at === 0 ? "┼" : leads ? joints[1] : side;
    const arrow: Piece[] = [{ text: at === 0 ? `${joint}${folded} ` : `${joint}  `, role: at === 0 ? "accent" : "border" }];
    return { text: "", pieces: [...left, ...arrow, ...object[at] ?? []] };
  });
}

export function holdersPane(caps: TablePane<typeof CAPS>): TextPane {
  let rows: readonly CapRow[] = [], objects: readonly ObjectRow[] = [], error: string | undefined, asked: string | undefined, wide = false;
  const object = () => {
    const obj = caps.selection?.row.obj;
    return typeof obj === "string" ? obj : undefined;
  };
  const lines = (width: number, look: Look): Line[] => {
    wide = width >= WITH_OTHERS;
    const row = caps.selection?.row;
    if (!row) return [{ text: "No capability is selected.", role: "dim" }];
    if (error !== undefined) return [{ text: `× ${error.split("\n")[0]}`, role: "bad" }];
    const holders = [row, ...rows.filter(({ id, obj }) => id !== row.id && obj === row.obj)];
    const shown: Piece[][] = [
      [{ text: row.obj ?? "revoked", role: "link", bold: true }],
      [{ text: `${row.type}${row.state === null || width < WITH_STATE ? "" : `, ${row.state}`}`, role: "dim" }],
    ];
    const alone: Line[] = holders.length > 1 ? [] : [{ text: "" }, { text: "Nobody else holds this object.", role: "dim" }];
    return [...edgeLines(shown, holders, width, look), ...alone, ...wide ? otherLines(row, objects, look) : []];
  };
  return new TextPane({
    name: "holders",
    title: () => ({ text: "Other holders", detail: object() }),
    lines,
    queries() {
      const id = object();
      if (id !== asked) rows = [];
      asked = id;
      if (id === undefined) return undefined;
      const holders = { table: "caps.ls", args: { filter: `obj=${id}` } } as const;
      return wide ? [holders, { table: "obj.ls", args: { filter: "type!=hwirq" } }] : holders;
    },
    receive(answer: Answer) {
      if (answer.table === "obj.ls") objects = rowsOf(OBJECTS, answer);
      else {
        rows = rowsOf(CAPS, answer);
        error = answer.error;
      }
    },
  });
}

/** Other objects to which the VM of a capability and others have capabilities. */
function otherLines({ vm, obj }: CapRow, objects: readonly ObjectRow[], look: Look): Line[] {
  const name = withoutKind("vm", vm), { frame: { line }, folded } = look.glyphs;
  const shared = objects.flatMap(({ name: id, type, holders: caps }) => {
    const mine = caps.filter((cap) => vmIn(cap) === name);
    const others = caps.filter((cap) => vmIn(cap) !== name);
    return mine.length && others.length && id !== obj ? [{ id, type, mine: mine[0], others }] : [];
  });
  if (!shared.length) return [];
  return [
    { text: "" },
    { text: "", pieces: [{ text: "Also shared by " }, { text: name, role: look.vm(name).ink }] },
    ...shared.map(({ id, type, mine, others }): Line => {
      const cap = capPieces(mine, look, false);
      return {
        text: "",
        pieces: [
          ...cap,
          { text: ` ${line.repeat(Math.max(CAP - piecesWidth(cap), 0) + 1)}${folded} `, role: "border" },
          { text: id.padEnd(18), role: "link" },
          { text: type.padEnd(12), role: "dim" },
          ...others.flatMap((other): Piece[] => [...capPieces(other, look, false), { text: "  " }]),
        ],
      };
    }),
  ];
}
