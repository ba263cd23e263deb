// Columns of lists of events: when, whose, of what kind, and what happened. In a row that is too
// short, the arguments are cut, not the result, and digits of the event's number distinguish rows.

import type { ListColumn } from "../look/list.ts";
import { chipPiece, type Piece, piecesWidth, vmPieces } from "../look/pieces.ts";
import type { Role } from "../look/theme.ts";
import { VcpuRunState } from "../../../machine/abi/words.ts";
import { eventDigits, formatId, isOf, parseAs, vmIn, withoutKind, withoutKinds } from "../../../model/queries/ids.ts";
import { hex, timeText } from "../../../kit/support/text/number-text.ts";
import type { Json, RowOf } from "../../../model/queries/table.ts";
import type { EVENTS } from "../../../model/queries/tables.ts";
import { fit, textWidth } from "../../../kit/support/text/text-width.ts";

type EventRow = RowOf<typeof EVENTS>;

/** Kinds that guests cause, and interrupts; the others are the machine's own. */
const INKS: Readonly<Record<string, Role>> = { hvc: "link", rpc: "link", ioctl: "link", virq: "vm1" };
/** Results that say that it went well. */
const WELL = /^(OK|SUCCESS)\b/;

/** Before the name of an error. */
const FAILS = /^-1 (?=E)/;
/** A brief list of fewer columns has no kinds: they follow from the events. */
const KINDS_FROM = 56;
const KIND = 5;

/** @param brief a VM by its letter alone */
export function eventColumns(width: number, brief: boolean): ListColumn<EventRow>[] {
  const kind = !brief || width >= KINDS_FROM;
  const room = Math.max(width - (brief ? 13 : 27) - (kind ? KIND + 1 : 0), 13), time = brief ? 10 : 12;
  const columns: ListColumn<EventRow>[] = [
    {
      name: "t",
      title: "Time",
      width: time,
      right: true,
      // Rows come in the order in which events end.
      pieces: ({ end }) => [{ text: lastDigits(timeText(Number(end)), time), role: "dim" }],
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
      width: KIND,
      pieces: ({ kind }, { bad }) => [{ text: kind, role: bad ? "text" : INKS[kind] ?? "dim" }],
    },
    {
      name: "text",
      title: "Event",
      width: room,
      pieces: (row, { bad }) => eventPieces(row, bad, room),
    },
  ];
  return kind ? columns : columns.filter(({ name }) => name !== "kind");
}

/** A number in this many columns: rows that follow one another differ in its last digits. */
const lastDigits = (text: string, width: number) => text.length > width ? `…${text.slice(text.length - width + 1)}` : text;

/** The VM of an event; that of a switch is the one that ran before. */
function vmNameOf({ vm, vcpu, fields }: EventRow): string | undefined {
  if (vm !== null) return withoutKind("vm", vm);
  const who = vcpu ?? valueIn(fields, "from");
  return typeof who === "string" && isOf("vcpu", who) ? vmIn(who) : undefined;
}

const valueIn = (fields: Json, name: string): Json | undefined =>
  typeof fields === "object" && fields !== null ? Object.entries(fields).find(([one]) => one === name)?.[1] : undefined;

/** The place of an access in its text, with its VM, and without. */
interface Accessed {
  readonly place: string;
  readonly address: string;
}

/** The place at which an event accesses a device; undefined for other events. */
function accessedIn({ kind, fields }: EventRow): Accessed | undefined {
  const id = valueIn(fields, "address"), parsed = kind === "mmio" && typeof id === "string" ? parseAs("ipa", id) : undefined;
  return parsed && { place: withoutKinds(formatId(parsed)), address: hex(parsed.address) };
}

/** The accesses for which vcpu_run comes back, as short as they can be. */
const EXITS: Readonly<Record<number, string | undefined>> = {
  [VcpuRunState.AddrspaceVmmioRead]: "r",
  [VcpuRunState.AddrspaceVmmioWrite]: "w",
};

/** The access for which vcpu_run came back: `w 0x9000000`; undefined for other events. */
function exitAccess({ results }: EventRow): string | undefined {
  const state = valueIn(results, "vcpu_state"), letter = typeof state === "number" ? EXITS[state] : undefined;
  return letter && `${letter} ${valueIn(results, "state_data_0")}`;
}

/** Columns that the name keeps beside its result. */
const LEAST_NAME = 6;

/**
 * The event in this many columns. Where it is too long, ids go without their kinds; where it is
 * cut, its arguments go first, then what follows the first word of its result, and then the end of
 * its name. The address of an access is a part of its name; that of an exit for an access stays
 * rather than the name: `run w 0x9000000`.
 */
function eventPieces(row: EventRow, bad: boolean, width: number): readonly Piece[] {
  const accessed = accessedIn(row), full = textPieces(row, bad, row.kind === "syscall" || accessed !== undefined);
  if (piecesWidth(full) <= width) return full;
  const whole = full.map((piece) => ({ ...piece, text: withoutKinds(piece.text) }));
  if (piecesWidth(whole) <= width) return whole;
  const number: Piece = { text: ` #${eventDigits(row.id)}`, role: "dim" }, room = width - textWidth(number.text);
  const [event, ...rest] = accessed ? accessPieces(row, accessed, whole, room) : whole;
  const outcome = rest.map((piece) => ({ ...piece, text: piece.text.replace(FAILS, "") }));
  const name = event.text.slice(0, accessed ? accessLength(event.text, accessed) : nameLength(row, event.text));
  // The result of an exit has its address after the verb.
  const exit = exitAccess(row), first = firstWidth(outcome, exit === undefined ? 1 : 2);
  if (exit !== undefined && LEAST_NAME + first > room) {
    const named = `run ${exit}`;
    return [{ text: fit(textWidth(named) > room ? exit : named, room) }, number];
  }
  const kept = room - piecesWidth(outcome), least = textWidth(name);
  const text = kept > least + 1 ? fit(event.text, kept) : fit(name, Math.min(least, Math.max(room - first, LEAST_NAME)));
  return [{ ...event, text }, ...cutPieces(outcome, room - textWidth(text)), number];
}

/** An access in a row that is too short, without its VM; in few columns `r 0x9000000 0x41`. */
function accessPieces({ name }: EventRow, accessed: Accessed, [whole, ...rest]: readonly Piece[], width: number): readonly Piece[] {
  const access = { ...whole, text: whole.text.replace(accessed.place, accessed.address) };
  if (accessLength(access.text, accessed) + firstWidth(rest, 1) <= width) return [access, ...rest];
  const brief = name[0] + access.text.slice(name.length);
  return [{ ...access, text: rest.length ? `${brief} ${rest[1].text}` : brief }];
}

/** Where the address of an access ends. */
const accessLength = (text: string, { address }: Accessed) => text.indexOf(address) + address.length;

/** Where the name ends; that of a system call follows its task. */
const nameLength = ({ kind, name }: EventRow, text: string) => kind === "syscall" ? text.indexOf("(") : name.length;

/** Columns of an arrow and the first words of the result; what follows is an ellipsis. */
function firstWidth(outcome: readonly Piece[], count: number): number {
  if (!outcome.length) return 0;
  const words = outcome[1].text.split(" ");
  return textWidth(outcome[0].text) + textWidth(words.slice(0, count).join(" ")) + (words.length > count ? 1 : 0);
}

function cutPieces(pieces: readonly Piece[], width: number): Piece[] {
  let left = width;
  return pieces.map((piece) => {
    const text = fit(piece.text, left);
    left -= textWidth(text);
    return { ...piece, text };
  });
}

/** The event, followed by a sign and its result. @param isEqual the sign is `=` */
export function textPieces(
  { text, kind, res }: Pick<EventRow, "text" | "res"> & { readonly kind?: string },
  bad: boolean,
  isEqual = false,
): Piece[] {
  const sign = isEqual ? " = " : " -> ", at = text.lastIndexOf(sign);
  // A system call that has not returned may have the sign in its arguments.
  if (at < 0 || kind === "syscall" && res === null) return [{ text, role: bad ? "bad" : "text" }];
  const result = text.slice(at + sign.length);
  const ink: Role = bad ? "bad" : WELL.test(result) ? "ok" : "text";
  return [{ text: text.slice(0, at) }, { text: sign === " -> " ? " → " : sign, role: "dim" }, { text: result, role: ink }];
}
