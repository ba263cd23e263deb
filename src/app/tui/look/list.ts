// Columns of lists: their content per row, as pieces. Tables have their own columns; a list may
// declare others. Widths are fixed by kind; text without a usual length may take what is left over.

import type { CellSpan, Rectangle, Screen } from "../terminal/cells.ts";
import { pad } from "../../../kit/support/text/text-width.ts";
import { isQuiet, shareMark, shareText, valueText } from "./numbers.ts";
import { drawPieces, type Piece, piecesWidth, statePiece, vmPieces } from "./pieces.ts";
import type { Look, Role } from "./theme.ts";
import { kindOf, nameOf, vmIn } from "../../../model/queries/ids.ts";
import { alignsRight } from "../../../model/queries/texts/format.ts";
import { type Column, isAlarm, type Json, type RowOf, type Table } from "../../../model/queries/table.ts";

/** Input for drawing a cell. */
export interface CellContext {
  readonly look: Look;
  readonly width: number;
  /** Virtual time (ns) of the rows. */
  readonly at: number;
  /** The row was refused, or is broken. */
  readonly bad: boolean;
  /** The row is selected, or has another tint: the inks of VMs are not for it. */
  readonly first: boolean;
}

export interface ListColumn<R> {
  /** The table's column that it shows: sorting and marks of changes go by it. */
  readonly name: string;
  readonly title: string;
  readonly width: number;
  /** It grows to what its rows need, up to this, where the others leave room. */
  readonly most?: number;
  readonly right?: boolean;
  /** Panes narrower than this leave it out. */
  readonly from?: number;
  pieces(row: R, context: CellContext): readonly Piece[];
}

/** The order of rows: by a column, reversed or not. */
export interface Sort {
  readonly column: string;
  readonly reverse: boolean;
}

/** Blanks between columns: two where they fit. */
const GAP = 2;
/** Text that is cut to less says nothing. */
const LEAST_CUT = 4;
/** Columns in which a state needs a shape and its longest word. */
const STATE_WIDTH = 11;
/** Tables whose states are those of VMs and vCPUs. */
const STATEFUL: ReadonlySet<string> = new Set(["vcpu.ls", "vm.ls"]);
/** Kinds of ids that the first column names anyway. */
const NAMED: ReadonlySet<string> = new Set(["vm", "vcpu", "irq", "cap", "con"]);
/** Columns that report errors. */
const VERDICTS: ReadonlySet<string> = new Set(["res", "err", "errno", "state", "finding"]);

/** The columns that a table declares. */
export function columnsOf<T extends Table>(table: T): ListColumn<RowOf<T>>[] {
  return Object.entries(table.columns).filter(([, { width }]) => width !== undefined).map(([name, column]): ListColumn<RowOf<Table>> => {
    // A cell for `!` after a value that can be too high.
    const mark = column.alarm === undefined ? 0 : 1;
    const title = headingOf(column.title ?? name) + " ".repeat(mark);
    const isState = name === "state" && STATEFUL.has(table.name);
    return {
      name,
      title,
      width: Math.max((column.width ?? 0) + mark, title.length, isState ? STATE_WIDTH : 0),
      right: alignsRight(column),
      from: column.from,
      pieces: (row, context) => isState ? [statePiece(context.look, String(row[name]))] : cellPieces(name, column, row[name], context),
    };
  });
}

/** A heading: its first letter is a capital, but for names that have their own spelling. */
function headingOf(name: string): string {
  return /^(id|pc|pa|ipa|vm|vmid|ram|cpu|pcpu|vcpu|rpc|irq|intid)$/.test(name)
    ? HEADINGS[name] ?? name.toUpperCase()
    : name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
}

const HEADINGS: Readonly<Record<string, string>> = { pcpu: "pCPU", vcpu: "vCPU", id: "Id" };

/** A list's text of a value. */
function cellPieces(name: string, column: Column, value: Json, context: CellContext): Piece[] {
  const text = valueText(column, value);
  if (text === "-") return [{ text, role: "dim" }];
  if (column.kind === "id") return idPieces(String(value), context);
  const { bad } = context;
  const alarm = isAlarm(column, value);
  const role: Role = bad && VERDICTS.has(name)
    ? "bad"
    : alarm
    ? column.kind === "share" ? shareMark(Number(value)).role : "warn"
    : column.kind === "share"
    ? shareMark(Number(value)).role
    : isQuiet(text) || column.kind === "time" && !bad
    ? "dim"
    : "text";
  if (column.alarm === undefined) return [{ text, role }];
  return [{ text, role }, { text: alarm ? "!" : " ", role: role === "bad" ? "bad" : "warn" }];
}

/** An id: that of a VM in its ink, after its letter if the column's heading names the kind. */
export function idPieces(id: string, { look, bad, first }: CellContext): Piece[] {
  const vm = vmIn(id), kind = kindOf(id);
  if (vm === undefined || kind === undefined) return [{ text: id, role: bad ? "text" : "link" }];
  const mark = look.vm(vm), shown = first && NAMED.has(kind) || kind === "vm" || kind === "vcpu" ? nameOf(id) : id;
  if (first || kind === "vm") return vmPieces(bad ? { ...mark, ink: "text" } : mark, shown);
  return [{ text: shown, role: bad ? "text" : mark.ink }];
}

/** Columns with their places in a row. */
export interface Placement<R> {
  readonly columns: readonly { readonly column: ListColumn<R>; readonly x: number; readonly width: number }[];
  /** Some columns did not fit. */
  readonly cut: boolean;
}

/**
 * Columns that a width has room for: those that need most go first, as the table declares it
 * (`from`).
 */
export function fittingColumns<R>(columns: readonly ListColumn<R>[], width: number): ListColumn<R>[] {
  const shown = [...columns];
  const needed = () => shown.reduce((sum, column) => sum + column.width + 1, -1);
  while (needed() > width) {
    const last = shown.reduce((at, { from }, index) => from !== undefined && from >= (shown[at]?.from ?? 0) ? index : at, -1);
    if (last < 1) break;
    shown.splice(last, 1);
  }
  return shown;
}

/**
 * Places columns in a width: two blanks apart where all have room then, else one; the last takes
 * the rest.
 */
export function placeColumns<R>(columns: readonly ListColumn<R>[], width: number): Placement<R> {
  const sum = (gap: number) => columns.reduce((all, column) => all + column.width + gap, -gap);
  const gap = sum(GAP) <= width ? GAP : 1;
  let x = 0;
  const placed = columns.flatMap((column, index) => {
    const room = width - x, last = index === columns.length - 1;
    // A number that has not room for all its digits is left out.
    if (room <= 0 || column.right && room < column.width || room < Math.min(column.width, LEAST_CUT)) return [];
    const place = { column, x, width: last ? room : Math.min(column.width, room) };
    x += column.width + gap;
    return [place];
  });
  return { columns: placed, cut: placed.length < columns.length || sum(gap) > width };
}

/** Draws headings; an arrow follows the one that the rows are sorted by. */
export function drawHeadings<R>(screen: Screen, look: Look, area: Rectangle, { columns }: Placement<R>, sort?: Sort): void {
  for (const { column: { name, title, right, width: own }, x, width } of columns) {
    const text = pad(title, right ? Math.min(own, width) : width, right).trimEnd();
    const after = area.x + x + screen.text(area.x + x, area.y, text, look.style("dim"));
    if (sort?.column === name) screen.text(after, area.y, sort.reverse ? "↓" : "↑", look.bold("accent"));
  }
}

/** Draws a cell in its place; numbers are right-aligned. */
export function drawCell(screen: Screen, look: Look, { x, y, width }: CellSpan, pieces: readonly Piece[], right = false): void {
  const used = piecesWidth(pieces);
  drawPieces(screen, look, right ? x + Math.max(width - used, 0) : x, y, pieces, width);
}

/** A text that is dim where it says nothing. */
export function quietPieces(text: string): Piece[] {
  return [{ text, role: isQuiet(text) ? "dim" : "text" }];
}

/** A share of a CPU, with a cell for `!` after it. */
export function loadPieces(load: number): Piece[] {
  const share = Math.max(load, 0), { role, alarm } = shareMark(Math.min(share, 1));
  const [number, unit] = shareText(share).split(" ");
  const mark: Piece = { text: alarm ? "!" : " ", role: "warn" };
  // A CPU in full use is not an error.
  return [{ text: number, role: role === "bad" ? "warn" : role }, { text: ` ${unit}`, role: "dim" }, mark];
}
