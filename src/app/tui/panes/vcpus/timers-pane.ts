// The timers of a vCPU: when they are due, their control bits and compare values.

import { vcpuTitle } from "../../look/box.ts";
import { type CellContext, type ListColumn, quietPieces } from "../../look/list.ts";
import { dueText } from "../../look/numbers.ts";
import { digitPieces, type Piece } from "../../look/pieces.ts";
import { TablePane } from "../table-pane.ts";
import { parseAs } from "../../../../model/queries/ids.ts";
import { type RowOf } from "../../../../model/queries/table.ts";
import { TIMERS } from "../../../../model/queries/tables.ts";

type TimerRow = RowOf<typeof TIMERS>;

/** How long (ms) an answer is good enough: numbers change twice per second at most. */
const STAYS_GOOD = 500;
/** Digits of a compare value. */
const DIGITS = 16;

/**
 * The pane.
 * @param vcpu the id of the vCPU that is selected
 */
export function timersPane(vcpu: () => string | undefined): TablePane<typeof TIMERS> {
  return new TablePane({
    name: "timers",
    table: TIMERS,
    title: "Timers",
    staysGood: STAYS_GOOD,
    about: () => vcpuTitle(vcpu()) ?? {},
    columns: () => COLUMNS,
    args: () => {
      const id = vcpu();
      return id === undefined ? undefined : { vcpu: id };
    },
  });
}

/** When its condition begins to hold, in words; dim where nothing follows from it. */
function duePieces({ due, control }: TimerRow, { at }: CellContext): Piece[] {
  const bits = control;
  if (!bits.includes("ENABLE")) return [{ text: "off", role: "dim" }];
  const when = due === null ? "never" : Number(due) > 0 ? dueText(at + Number(due)) : "now";
  return [{ text: when, role: due === null || bits.includes("IMASK") ? "dim" : "strong" }];
}

/** The bits that the guest has written: ISTATUS says what `now` says. */
function controlPieces({ control }: TimerRow): Piece[] {
  return quietPieces(control.filter((bit) => bit !== "ISTATUS").join(" ") || "-");
}

const COLUMNS: readonly ListColumn<TimerRow>[] = [
  { name: "name", title: "Timer", width: 8, pieces: ({ name }) => [{ text: name }] },
  { name: "due", title: "Due", width: 13, pieces: duePieces },
  { name: "control", title: "Control", width: 12, pieces: controlPieces },
  {
    name: "irq",
    title: "IRQ",
    width: 3,
    pieces: ({ irq }) => [{ text: String(parseAs("irq", irq)?.intid ?? "?"), role: "dim" }],
  },
  {
    name: "compare",
    title: "Compare value",
    width: DIGITS,
    pieces: ({ compare }) => digitPieces(compare.replace(/^0x/, "").padStart(DIGITS, "0"), "text"),
  },
];
