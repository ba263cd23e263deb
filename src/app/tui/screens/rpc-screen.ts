// The screen RPC: requests to the Resource Manager and its notifications, and the selected one: its
// bytes, fields and answer.

import { inspector } from "../panes/inspector.ts";
import { durationText } from "../look/numbers.ts";
import type { Line, Pane } from "../panes/pane.ts";
import type { Piece } from "../look/pieces.ts";
import { byteLines } from "../panes/queues/rpc-bytes.ts";
import { isNotification, rpcColumns } from "../panes/queues/rpc-columns.ts";
import { below, beside, type Body, type Placed, type ScreenPanes, sharedRows } from "./screen-model.ts";
import { TablePane } from "../panes/table-pane.ts";
import { TextPane } from "../panes/text-pane.ts";
import { fieldText } from "../../../model/queries/texts/format.ts";
import { parseId } from "../../../model/queries/ids.ts";
import type { Json, RowOf } from "../../../model/queries/table.ts";
import { RPCS } from "../../../model/queries/tables.ts";
import { Look } from "../look/theme.ts";

type RpcRow = RowOf<typeof RPCS>;

/** Rows of the list and columns of the request, of all. */
const LIST_SHARE = 0.6;
const REQUEST_SHARE = 0.55;
/** Columns from which on the answer is shown next to the request. */
const BESIDE = 100;
/** Columns and rows from which on request and answer are shown next to the list; shares of both. */
const WIDE = 180, TALL = 40;
const WIDE_LIST_SHARE = 0.65, BYTES_ROWS = 0.4, REQUEST_ROWS = 0.6;
/** Columns of the names of fields. */
const NAME = 12;

/** Its panes, and their places. */
export function rpcScreen(): ScreenPanes {
  const rpcs = new TablePane({
    name: "rpcs",
    table: RPCS,
    title: "Requests to the Resource Manager",
    stream: true,
    columns: rpcColumns,
  });
  const row = () => rpcs.selection?.row;
  const narrow = { answer: false };
  const about = (lines: (row: RpcRow, width: number, look: Look) => readonly Line[]) => (width: number, look: Look): readonly Line[] => {
    const selected = row();
    return selected ? lines(selected, width, look) : [{ text: "No request is selected.", role: "dim" }];
  };
  const request = new TextPane({
    name: "request",
    title() {
      const selected = row();
      return { text: selected && isNotification(selected) ? "Notification" : "Request", detail: selected?.id, right: headOf(selected) };
    },
    lines: about((selected) => {
      const own = fieldLines(selected.request);
      return narrow.answer ? [...answerLines(selected), ...own] : own;
    }),
  });
  const bytes = new TextPane({
    name: "bytes",
    title: () => ({ text: "Bytes", detail: row()?.id, right: headOf(row()) }),
    lines: about(byteLines),
  });
  const answer = new TextPane({
    name: "answer",
    title: () => ({ text: "Answer", detail: row()?.res ?? undefined }),
    lines: about(answerLines),
  });
  const fields = inspector("fields", rpcs);
  const underList = below("under-list"), besideRequest = beside("beside-request");
  const besideList = beside("beside-list"), underBytes = below("under-bytes", 2);
  const underRequest = below("under-request");
  /** The chosen pane beside the answer; otherwise fields in narrow terminals, bytes in others. */
  let chosen: Pane | undefined;

  function layout(body: Body, focused: Pane): Placed[] {
    if (focused === request || focused === bytes || focused === fields) chosen = focused;
    narrow.answer = body.width < BESIDE;
    if (narrow.answer) {
      const lower = chosen ?? request;
      const [above, under] = underList.cut(body, sharedRows(body, LIST_SHARE, rpcs, [lower]));
      return [{ pane: rpcs, area: above }, { pane: lower, area: under }];
    }
    if (body.boxed && body.width >= WIDE && body.height >= TALL) {
      const [list, aside] = besideList.cut(body, body.width * WIDE_LIST_SHARE);
      const [above, rest] = underBytes.cut(aside, sharedRows(aside, BYTES_ROWS, bytes, [request, answer]));
      const middle = chosen === fields ? fields : request;
      const [between, under] = underRequest.cut(rest, sharedRows(rest, REQUEST_ROWS, middle, [answer]));
      return [
        { pane: rpcs, area: list },
        { pane: bytes, area: above },
        { pane: middle, area: between },
        { pane: answer, area: under },
      ];
    }
    const shown = chosen ?? bytes;
    const [above, under] = underList.cut(body, sharedRows(body, LIST_SHARE, rpcs, [shown, answer]));
    const [left, right] = besideRequest.cut(under, body.width * REQUEST_SHARE);
    return [{ pane: rpcs, area: above }, { pane: shown, area: left }, { pane: answer, area: right }];
  }

  return {
    panes: [rpcs, bytes, request, answer, fields],
    views: [[bytes, request, fields]],
    dividers: [underList, besideRequest, besideList, underBytes, underRequest],
    layout,
  };
}

/** The message's name, and its sequence number. */
function headOf(row: RpcRow | undefined): Piece[][] {
  if (!row) return [];
  return [[
    { text: row.msg, role: "strong", bold: true },
    ...row.seq === null ? [] : [{ text: ` seq ${row.seq}`, role: "dim" } as const],
  ]];
}

/** Decoded fields, one line each; structures continue below their name. */
function fieldLines(fields: Json): Line[] {
  const entries = fields !== null && typeof fields === "object" && !Array.isArray(fields) ? Object.entries(fields) : [];
  if (!entries.length) return [{ text: "It has no fields.", role: "dim" }];
  return entries.flatMap(([name, value]): Line[] => {
    const values = Array.isArray(value) ? value : [value];
    if (!values.length) return [fieldLine(name, "-", "dim")];
    return values.map((one, index) => fieldLine(index ? "" : name, fieldText(name, one), "text"));
  });
}

function fieldLine(name: string, text: string, role: Piece["role"]): Line {
  return { text: "", pieces: [{ text: `${name.padEnd(NAME)} `, role: "dim" }, { text, role: parseId(text) ? "link" : role }] };
}

/** The result: the driver's errno, the duration, the reason, and the fields of the reply. */
function answerLines(row: RpcRow): Line[] {
  if (isNotification(row)) return [{ text: "A notification has no answer.", role: "dim" }];
  const refused = row.refused, res = row.res ?? "";
  const lines: Line[] = [
    {
      text: "",
      tint: refused ? "badbg" : undefined,
      pieces: [
        { text: "result".padEnd(NAME + 1), role: refused ? "text" : "dim" },
        res ? { text: res, role: refused ? "bad" : "ok" } : { text: "none yet", role: "dim" },
      ],
    },
  ];
  if (row.errno !== null) lines.push(fieldLine("driver", `returns ${row.errno}`, "text"));
  const took = Number(row.latency), { calls } = row;
  lines.push(fieldLine("took", took > 0 ? durationText(took) : "no virtual time", "text"));
  if (calls !== null) lines.push(fieldLine("needed", calls === 1 ? "1 hypercall" : `${calls || "no"} hypercalls`, "text"));
  if (row.why !== null) {
    lines.push({
      text: "",
      pieces: [
        { text: "why".padEnd(NAME + 1), role: "dim" },
        { text: row.why, role: "link" },
        { text: "  w", role: "accent", bold: true },
        { text: " the whole chain", role: "dim" },
      ],
    });
  }
  const reply = row.reply !== null && typeof row.reply === "object" && Object.keys(row.reply).length ? fieldLines(row.reply) : [];
  return [...lines, ...reply];
}
