// Columns of lists of events: when, whose, of what kind, and what happened. In a row that is too
// short, the arguments are cut, not the result, and digits of the event's number distinguish rows.

import type { ListColumn } from "../look/list.ts";
import { chipPiece, type Piece, piecesWidth, vmPieces } from "../look/pieces.ts";
import type { Role } from "../look/theme.ts";
import { eventDigits, isOf, vmIn, withoutKind } from "../../queries/ids.ts";
import { timeText } from "../../support/number-text.ts";
import type { RowOf } from "../../queries/table.ts";
import type { EVENTS } from "../../queries/tables.ts";
import { fit, textWidth } from "../../support/text-width.ts";

type EventRow = RowOf<typeof EVENTS>;

/** Kinds that guests cause, and interrupts; the others are the machine's own. */
const INKS: Readonly<Record<string, Role>> = { hvc: "link", rpc: "link", ioctl: "link", virq: "vm1" };
/** Results that say that it went well. */
const WELL = /^(OK|SUCCESS)\b/;

/** @param brief a VM by its letter alone */
export function eventColumns(width: number, brief: boolean): ListColumn<EventRow>[] {
  const room = Math.max(width - (brief ? 19 : 33), 13);
  return [
    {
      name: "t",
      title: "Time",
      width: brief ? 10 : 12,
      right: true,
      // Rows come in the order in which events end.
      pieces: ({ end }) => [{ text: timeText(Number(end)), role: "dim" }],
    },
    {
      name: "vm",
      title: brief ? "" : "VM",
      width: brief ? 1 : 10,
      pieces: (row, { look, bad }) => {
        const vm = vmNameOf(row);
        if (vm === undefined) return [];
        const mark = look.vm(vm);
        return brief ? [chipPiece(mark)] : vmPieces(bad ? { ...mark, ink: "text" } : mark, vm);
      },
    },
    {
      name: "kind",
      title: "Kind",
      width: 5,
      pieces: ({ kind }, { bad }) => [{ text: kind, role: bad ? "text" : INKS[kind] ?? "dim" }],
    },
    {
      name: "text",
      title: "Event",
      width: room,
      pieces: (row, { bad }) => eventPieces(row, bad, room),
    },
  ];
}

/** The VM of an event; that of a switch is the one that ran before. */
function vmNameOf({ vm, vcpu, fields }: EventRow): string | undefined {
  if (vm !== null) return withoutKind("vm", vm);
  const from = typeof fields === "object" && fields !== null && "from" in fields ? fields.from : undefined;
  const who = vcpu ?? from;
  return typeof who === "string" && isOf("vcpu", who) ? vmIn(who) : undefined;
}

/** The event in this many columns. */
function eventPieces(row: EventRow, bad: boolean, width: number): readonly Piece[] {
  const whole = textPieces(row, bad);
  if (piecesWidth(whole) <= width) return whole;
  const number: Piece = { text: ` #${eventDigits(row.id)}`, role: "dim" }, room = width - textWidth(number.text);
  const [event, ...outcome] = whole;
  // Without room for both, the name takes precedence over the result.
  const kept = room - piecesWidth(outcome), least = row.name.length;
  const text = kept > least + 1 ? fit(event.text, kept) : fit(event.text.slice(0, least), room);
  return [{ ...event, text }, ...cutPieces(outcome, room - textWidth(text)), number];
}

function cutPieces(pieces: readonly Piece[], width: number): Piece[] {
  let left = width;
  return pieces.map((piece) => {
    const text = fit(piece.text, left);
    left -= textWidth(text);
    return { ...piece, text };
  });
}

/** The event, followed by an arrow and its result. */
export function textPieces({ text, res }: Pick<EventRow, "text" | "res">, bad: boolean): Piece[] {
  const at = text.lastIndexOf(" -> ");
  if (at < 0) return [{ text, role: bad ? "bad" : "text" }];
  const result = text.slice(at + " -> ".length);
  const ink: Role = bad ? "bad" : WELL.test(res ?? result) ? "ok" : "text";
  return [{ text: text.slice(0, at) }, { text: " → ", role: "dim" }, { text: result, role: ink }];
}
