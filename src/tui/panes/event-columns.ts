// Columns of lists of events: when, whose, of what kind, and what happened.

import type { ListColumn } from "../look/list.ts";
import { chipPiece, type Piece, vmPieces } from "../look/pieces.ts";
import type { Role } from "../look/theme.ts";
import { isOf, vmIn, withoutKind } from "../../queries/ids.ts";
import { timeText } from "../../support/number-text.ts";
import type { RowOf } from "../../queries/table.ts";
import type { EVENTS } from "../../queries/tables.ts";

type EventRow = RowOf<typeof EVENTS>;

/** Kinds that guests cause, and interrupts; the others are the machine's own. */
const INKS: Readonly<Record<string, Role>> = { hvc: "link", rpc: "link", ioctl: "link", virq: "vm1" };
/** Results that say that it went well. */
const WELL = /^(OK|SUCCESS)\b/;

/** @param brief the time without its seconds, and a VM by its letter alone */
export function eventColumns(width: number, brief: boolean): ListColumn<EventRow>[] {
  return [
    {
      name: "t",
      title: "Time",
      width: brief ? 7 : 12,
      right: true,
      pieces: ({ t }) => [{ text: timeText(Number(t)).replace(brief ? /^\d+/ : "", ""), role: "dim" }],
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
      width: Math.max(width - (brief ? 16 : 33), 13),
      pieces: (row, { bad }) => textPieces(row, bad),
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

/** The event, followed by an arrow and its result. */
export function textPieces({ text, res }: Pick<EventRow, "text" | "res">, bad: boolean): Piece[] {
  const at = text.lastIndexOf(" -> ");
  if (at < 0) return [{ text, role: bad ? "bad" : "text" }];
  const result = text.slice(at + " -> ".length);
  const ink: Role = bad ? "bad" : WELL.test(res ?? result) ? "ok" : "text";
  return [{ text: text.slice(0, at) }, { text: " → ", role: "dim" }, { text: result, role: ink }];
}
