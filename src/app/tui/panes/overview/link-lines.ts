// Shared objects of VMs, below the tree of VMs: how full their queues are, flags of their
// doorbells, parcels that cannot be reclaimed.

import { type ScreenEntry, screenOf } from "../../actions/screen-table.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import { fit } from "../../../../kit/support/text/text-width.ts";
import { gauge, type Glyphs } from "../../terminal/glyphs.ts";
import type { Line } from "../pane.ts";
import { linkArrow } from "../queues/queue-columns.ts";
import type { Look } from "../../look/theme.ts";
import { nameOf } from "../../../../model/queries/ids.ts";
import { countText, sizeText } from "../../../../kit/support/text/number-text.ts";
import { type Answer, type Query, rowsOf } from "../../../../model/queries/query.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import { PARCELS, QUEUES } from "../../../../model/queries/tables.ts";

const QUERIES: readonly Query[] = [
  // Those of the Resource Manager are every VM's; another screen lists their requests.
  { table: "queue.ls", args: { filter: "!vm=vm:rm" } },
  { table: "mem.parcels", args: { filter: "state=blocked" } },
];

/** Lines of each kind. */
const MOST = 2;
const BAR = 8;
const MARGIN = 1;
const GAP = 4;

export class LinkLines {
  #queues: readonly RowOf<typeof QUEUES>[] = [];
  #parcels: readonly RowOf<typeof PARCELS>[] = [];

  /** The questions to ask. */
  queries(): readonly Query[] {
    return QUERIES;
  }

  receive(answer: Answer): void {
    if (answer.table === QUEUES.name) this.#queues = rowsOf(QUEUES, answer);
    else this.#parcels = rowsOf(PARCELS, answer);
  }

  /**
   * At most `room` lines of a width, each of pieces next to each other. Parcels come before queues
   * where only a few fit.
   */
  lines(width: number, room: number, glyphs: Glyphs): readonly (readonly Line[])[] {
    const parcels = packed(this.#parcels.map(parcelText), width, Math.min(room, MOST), screenOf("parcel"));
    const queues = packed(this.#queues.map((row) => queueText(row, glyphs)), width, Math.min(room - parcels.length, MOST), screenOf("mq"));
    return [...queues, ...parcels];
  }
}

function columns(line: readonly Line[]): number {
  return line.reduce((sum, { text }) => sum + text.length + GAP, MARGIN);
}

/**
 * Pieces in as few lines as possible, at most `most`; those that do not fit are counted, with the
 * screen that has them.
 */
function packed(pieces: readonly Line[], width: number, most: number, { key }: ScreenEntry): Line[][] {
  if (most <= 0) return [];
  const lines: Line[][] = [];
  for (const piece of pieces) {
    const last = lines.at(-1);
    if (last && columns(last) + piece.text.length <= width) last.push(piece);
    else lines.push([piece]);
  }
  if (lines.length <= most) return lines;
  const shown = lines.slice(0, most), last = shown[most - 1];
  const more = (): Line => ({ text: `${pieces.length - shown.flat().length} more on screen ${key}`, role: "dim" });
  while (last.length > 1 && columns(last) + more().text.length > width) last.pop();
  return [...shown.slice(0, -1), [...last, more()]];
}

function queueText({ id, from, to, count, depth, full, rate, flags, enable }: RowOf<typeof QUEUES>, glyphs: Glyphs): Line {
  const name = (vm: string | null) => vm === null ? "?" : nameOf(vm);
  if (flags !== null) {
    const pending = (BigInt(flags) & BigInt(enable ?? 0)) !== 0n;
    return {
      text: `${id} ${name(from)} ${linkArrow("doorbell", glyphs)} ${name(to)} ${flags}${pending ? " pending" : ""}`,
      role: pending ? "text" : "dim",
    };
  }
  const fill = gauge(glyphs.slot, Number(count) / Number(depth), BAR);
  const text = `${id} ${name(from)} ${linkArrow("msgqueue", glyphs)} ${name(to)} [${fill}] ${count}/${depth}${full ? "!" : ""}  ${
    countText(rate)
  }/s`;
  return { text, role: full ? "warn" : count === 0 ? "dim" : "text" };
}

function parcelText({ id, kind, size, owner, held_by }: RowOf<typeof PARCELS>): Line {
  const names = (vms: readonly string[]) => vms.map(nameOf).join(" ");
  const text = `!${id} ${kind} ${sizeText(size)} of ${names([owner])}  held by ${names(held_by)}  reclaim refused`;
  return { text, role: "bad" };
}

/** Draws the pieces that fit into a line. */
export function drawLinks(screen: Screen, area: Rectangle, look: Look, pieces: readonly Line[]): void {
  const end = area.x + area.width;
  let x = area.x + MARGIN;
  for (const { text, role = "text" } of pieces) {
    // Marked pieces start at the edge, like marks of rows.
    const at = text.startsWith("!") && x === area.x + MARGIN ? area.x : x;
    if (role === "bad") screen.tint({ ...area, x: at, width: Math.min(text.length + 1, end - at) }, "badbg");
    if (at < end) screen.text(at, area.y, fit(text, end - at), look.style(role));
    x += text.length + GAP;
  }
}
