// Columns of the list of requests to the Resource Manager, with lanes of who sends to whom.

import type { ListColumn } from "../../look/list.ts";
import { idPieces } from "../../look/list.ts";
import { durationText } from "../../look/numbers.ts";
import { chipPiece, type Piece } from "../../look/pieces.ts";
import type { Look } from "../../look/theme.ts";
import { withoutKind } from "../../../../model/queries/ids.ts";
import { resultName } from "../../../../model/queries/message-bytes.ts";
import { timeText } from "../../../../kit/support/text/number-text.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { RPCS } from "../../../../model/queries/tables.ts";

type RpcRow = RowOf<typeof RPCS>;

/** Columns of id, time, message and result with the blanks after them. */
const FIXED = 78;
/** Widths from which on there is room for the lanes, and for the duration beside them. */
const WITH_LANES = 110, WITH_DURATION = 140;
/** Columns of all lanes, and of the sender's name before the first. */
const LANES = { width: 34, most: 70, name: 9 } as const;

/** Whether a row is a notification of the Resource Manager: it has no sequence to answer to. */
export function isNotification({ request, seq }: RpcRow): boolean {
  return seq === null || typeof request === "object" && request !== null && "to" in request;
}

/** When, what about what, the result, and the arrow from its sender to its receiver. */
export function rpcColumns(width: number): ListColumn<RpcRow>[] {
  const fixed = FIXED + (width >= WITH_DURATION ? 10 : 0);
  const lanes = Math.max(Math.min(width - fixed - 3, LANES.most), LANES.width);
  return [
    { name: "id", title: "Id", width: 9, pieces: ({ id }, { bad }) => [{ text: id, role: bad ? "text" : "link" }] },
    { name: "t", title: "Time", width: 12, right: true, pieces: ({ t }) => [{ text: timeText(Number(t)), role: "dim" }] },
    {
      name: "msg",
      title: "Message",
      width: 22,
      pieces: ({ msg }, { bad }) => [{ text: msg, role: bad ? "strong" : "text", bold: bad }],
    },
    {
      name: "about",
      title: "About",
      width: 11,
      pieces: ({ about }, context) => about !== null ? idPieces(about, { ...context, first: false }) : [{ text: "-", role: "dim" }],
    },
    { name: "res", title: "Result", width: 14, pieces: resultPieces },
    {
      name: "latency",
      title: "Took",
      width: 8,
      right: true,
      from: WITH_DURATION,
      pieces: ({ latency }) => [{ text: durationText(Number(latency)), role: "dim" }],
    },
    {
      name: "lanes",
      title: lanesTitle(lanes),
      width: lanes,
      from: WITH_LANES,
      pieces: (row, { look }) => lanePieces(row, look, lanes),
    },
  ];
}

/** Columns of the arrows from the sender to the Resource Manager, and on to the hypervisor. */
function arrowsOf(width: number): readonly [asks: number, calls: number] {
  const both = Math.max(width, LANES.width) - LANES.name - 3, asks = Math.floor(both / 2);
  return [asks, both - asks];
}

function lanesTitle(width: number): string {
  const [asks, calls] = arrowsOf(width);
  return `${"From".padEnd(LANES.name + asks)}rm${"hypervisor".padStart(calls + 1)}`;
}

function resultPieces({ res, refused }: RpcRow): Piece[] {
  if (res === null) return [{ text: "-", role: "dim" }];
  return [{ text: resultName(res), role: refused ? "bad" : res === "ok" ? "ok" : "text" }];
}

/** Lanes of a VM, the Resource Manager and the hypervisor: arrows from one to the next. */
function lanePieces(row: RpcRow, look: Look, width: number): Piece[] {
  const { glyphs: { frame: { line, side }, folded, shapes } } = look;
  const [asks, called] = arrowsOf(width);
  const vm = withoutKind("vm", row.vm), mark = look.vm(vm);
  const lane: Piece = { text: side, role: "border" };
  const left: Piece[] = [chipPiece(mark), { text: ` ${vm}`.padEnd(LANES.name - 1).slice(0, LANES.name - 1), role: mark.ink }, lane];
  const empty: Piece[] = [lane, { text: " ".repeat(called) }, lane];
  if (isNotification(row)) {
    const word = row.res !== null ? ` ${row.res} ` : "";
    return [...left, { text: `←${line}${word}`.padEnd(asks, line).slice(0, asks), role: look.vm("rm").ink }, ...empty];
  }
  const refused = row.refused, calls = row.calls ?? 0, inCall = row.refused_by === "hypervisor";
  const request: Piece = { text: line.repeat(asks - 1) + folded, role: refused ? "bad" : "accent" };
  if (refused && !inCall) {
    const words = [` refused, ${calls ? countOf(calls) : "no call"}`, " refused here", " refused"];
    const text = words.find(({ length }) => length <= called) ?? "";
    return [...left, request, lane, { text: ` ${shapes.fault}${text}`, role: "bad" }];
  }
  if (!calls) return [...left, request, ...empty];
  const words = ` ${countOf(calls)} `;
  const before = line.repeat(Math.max(Math.floor((called - words.length - 1) / 2), 1));
  const arrow = `${before}${words}`.padEnd(called - 1, line).slice(0, called - 1);
  return [...left, request, lane, { text: arrow + (inCall ? shapes.fault : folded), role: inCall ? "bad" : "hyp" }, lane];
}

function countOf(calls: number): string {
  return calls === 1 ? "1 call" : `${calls} calls`;
}
