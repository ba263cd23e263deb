// Columns of the list of message queues and doorbells.

import { cellsOf, type Glyphs } from "../../terminal/glyphs.ts";
import { type Histories, scaled } from "../../look/history.ts";
import type { ListColumn } from "../../look/list.ts";
import { countText, grouped } from "../../look/numbers.ts";
import { historyPieces, type Piece, vmPieces } from "../../look/pieces.ts";
import type { Look } from "../../look/theme.ts";
import { nameOf } from "../../../../model/queries/ids.ts";
import { sizeText } from "../../../../kit/support/text/number-text.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { QUEUES } from "../../../../model/queries/tables.ts";

type QueueRow = RowOf<typeof QUEUES>;

/** Squares of a queue's depth: deeper ones have a square for several messages. */
const SQUARES = 8;
const HISTORY = 15;

/** From whom to whom, how much is in it, and how often something comes. */
export function queueColumns(histories: Histories): ListColumn<QueueRow>[] {
  return [
    { name: "id", title: "Id", width: 7, pieces: ({ id }) => [{ text: id, role: "link" }] },
    { name: "from", title: "From", width: 11, pieces: ({ from }, { look }) => endPieces(from, look) },
    { name: "kind", title: "", width: 2, pieces: ({ kind }, { look }) => [{ text: linkArrow(kind, look.glyphs), role: "dim" }] },
    { name: "to", title: "To", width: 11, pieces: ({ to }, { look }) => endPieces(to, look) },
    { name: "count", title: "Messages", width: 16, pieces: (row, { look }) => depthPieces(row, look) },
    {
      name: "size",
      title: "Size",
      width: 5,
      right: true,
      from: 90,
      pieces: ({ size }) => [size === null ? { text: "-", role: "dim" } : { text: sizeText(size) }],
    },
    {
      name: "rate",
      title: "Rate/s",
      width: 8,
      right: true,
      pieces: ({ rate }) => [{ text: countText(rate), role: rate > 0 ? "text" : "dim" }],
    },
    {
      name: "rate",
      title: `Last ${HISTORY} s`,
      width: HISTORY,
      from: 100,
      pieces: ({ id, from }, { look }) => historyPieces(look, scaled(histories.of(id)), HISTORY, from === null ? "g2" : look.vm(from).fill),
    },
    {
      name: "sent",
      title: "Sent",
      width: 8,
      right: true,
      from: 110,
      pieces: ({ sent }) => [{ text: countText(Number(sent)), role: Number(sent) > 0 ? "text" : "dim" }],
    },
    {
      name: "received",
      title: "Received",
      width: 8,
      right: true,
      from: 110,
      pieces: ({ received }) => [{ text: countText(Number(received)), role: Number(received) > 0 ? "text" : "dim" }],
    },
  ];
}

/** Messages go along a line, doorbells along a broken one. */
export function linkArrow(kind: string, { name, frame, folded }: Glyphs): string {
  return `${kind === "doorbell" ? name === "full" ? "╌" : "=" : frame.line}${folded}`;
}

function endPieces(vm: string | null, look: Look): Piece[] {
  return vm !== null ? vmPieces(look.vm(vm), nameOf(vm)) : [{ text: "-", role: "dim" }];
}

/** How full a queue is; which flags of a doorbell are set. */
export function depthPieces({ kind, count, depth, full, flags }: QueueRow, { glyphs }: Look): Piece[] {
  if (kind === "doorbell") {
    const set = Number(flags) !== 0;
    return [
      { text: `${set ? glyphs.shapes.runs : glyphs.shapes.ready} `, role: set ? "warn" : "dim" },
      set ? { text: `flags ${flags}` } : { text: "no flag", role: "dim" },
    ];
  }
  const [used] = cellsOf([Number(count) / Number(depth)], Math.min(Number(depth), SQUARES));
  const [taken, free] = glyphs.slot;
  return [
    { text: taken.repeat(used), role: full ? "warn" : "accent" },
    { text: free.repeat(Math.min(Number(depth), SQUARES) - used), role: "faint" },
    { text: ` ${grouped(String(count))} of ${grouped(String(depth))}`, role: full ? "warn" : Number(count) ? "text" : "dim" },
  ];
}
