// Columns of the list of requests to the resource manager, with lanes of who sends to whom.

import type { ListColumn } from "./list.ts";
import { idPieces } from "./list.ts";
import { durationText } from "./numbers.ts";
import type { Piece } from "./pieces.ts";
import type { Look } from "./theme.ts";
import { timeText } from "../queries/format.ts";
import type { Row } from "../queries/table.ts";

/** Columns of the lanes, and the least of an arrow between two. */
const LANES = { width: 33, arrow: 14 } as const;

/** Whether a row is a notification of the resource manager: it has no sequence to answer to. */
export function isNotification({ request, seq }: Row): boolean {
  return seq === null || typeof request === "object" && request !== null && "to" in request;
}

/** When, what about what, the result, and the arrow from its sender to its receiver. */
export function rpcColumns(): ListColumn[] {
  return [
    { name: "id", title: "Id", width: 9, pieces: ({ id }, { bad }) => [{ text: id, role: bad ? "text" : "link" }] },
    { name: "t", title: "Time", width: 12, right: true, pieces: ({ t }) => [{ text: timeText(Number(t)), role: "dim" }] },
    {
      name: "msg",
      title: "Message",
      width: 22,
      pieces: ({ msg }, { bad }) => [{ text: String(msg), role: bad ? "strong" : "text", bold: bad }],
    },
    {
      name: "about",
      title: "About",
      width: 12,
      pieces: ({ about }, context) =>
        typeof about === "string" ? idPieces(about, { ...context, first: false }) : [{ text: "-", role: "dim" }],
    },
    { name: "res", title: "Result", width: 18, pieces: resultPieces },
    {
      name: "latency",
      title: "Took",
      width: 8,
      right: true,
      from: 130,
      pieces: ({ latency }) => [{ text: durationText(Number(latency)), role: "dim" }],
    },
    { name: "lanes", title: "Sender and receiver", width: LANES.width, from: 110, pieces: (row, { look }) => lanePieces(row, look) },
  ];
}

function resultPieces({ res, refused }: Row): Piece[] {
  if (typeof res !== "string") return [{ text: "-", role: "dim" }];
  return [{ text: res.replace(/^0x[0-9a-f]+ /, ""), role: refused === true ? "bad" : res === "ok" ? "ok" : "text" }];
}

/** The lanes of a VM and of the resource manager: an arrow from one to the other. */
function lanePieces(row: Row, look: Look): Piece[] {
  const { glyphs: { frame: { line, side }, folded, shapes } } = look;
  const vm = String(row.vm).replace(/^vm:/, ""), mark = look.vm(vm), rm = look.vm("rm");
  const lane: Piece = { text: side, role: "border" };
  const left: Piece[] = [{ text: mark.letter, role: "fink", fill: mark.fill, bold: true }, {
    text: ` ${vm}`.padEnd(9).slice(0, 9),
    role: mark.ink,
  }, lane];
  const right: Piece[] = [lane, { text: " " }, { text: rm.letter, role: "fink", fill: rm.fill, bold: true }, {
    text: " rm ",
    role: rm.ink,
  }];
  if (isNotification(row)) {
    const word = typeof row.res === "string" ? ` ${row.res} ` : "";
    const text = `←${line}${word}`.padEnd(LANES.arrow, line).slice(0, LANES.arrow);
    return [...left, { text, role: rm.ink }, ...right];
  }
  // A refused request ends at the resource manager.
  const refused = row.refused === true;
  return [...left, { text: line.repeat(LANES.arrow - 1) + (refused ? shapes.fault : folded), role: refused ? "bad" : "accent" }, ...right];
}
