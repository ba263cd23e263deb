// Columns of the list of interrupts.

import { type Histories, scaled } from "../look/history.ts";
import { type ListColumn } from "../look/list.ts";
import { countText, grouped } from "../look/numbers.ts";
import { chipPiece, historyPieces, type Piece } from "../look/pieces.ts";
import { afterVm, nameOf, vmOfName, withoutKind } from "../../../model/queries/ids.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { IRQS } from "../../../model/queries/tables.ts";

type IrqRow = RowOf<typeof IRQS>;

/** Columns of a history. */
const HISTORY = 15;
/** Columns of the source, and of all others. */
const LEAST_SOURCE = 18, MOST_SOURCE = 30;
const OTHERS = 94;
const WORDS: readonly (readonly [field: "act" | "pend", word: string])[] = [["act", "active"], ["pend", "pending"]];

/** The interrupt's owner, source, state and rate. */
export function irqColumns(histories: Histories, width: number): ListColumn<IrqRow>[] {
  return [
    {
      name: "id",
      title: "Interrupt",
      width: 15,
      pieces({ id }, { look, bad }) {
        const name = nameOf(id), vm = vmOfName(name), mark = look.vm(vm);
        return [chipPiece(mark), { text: ` ${vm}`, role: bad ? "text" : mark.ink }, { text: afterVm(name), role: "strong", bold: true }];
      },
    },
    { name: "kind", title: "Kind", width: 4, from: 100, pieces: ({ kind }) => [{ text: kind.toUpperCase(), role: "dim" }] },
    {
      name: "source",
      title: "Source",
      width: Math.min(Math.max(width - OTHERS, LEAST_SOURCE), MOST_SOURCE),
      pieces: sourcePieces,
    },
    { name: "priority", title: "Prio", width: 4, from: 100, pieces: ({ priority }) => [{ text: priority, role: "dim" }] },
    {
      name: "en",
      title: "On",
      width: 3,
      pieces: ({ en }, { look, bad }) => [
        en ? { text: `${look.glyphs.shapes.runs}  `, role: "ok" } : { text: "off", role: bad ? "bad" : "dim" },
      ],
    },
    {
      name: "pend",
      title: "State",
      width: 9,
      pieces(row, { look: { glyphs } }) {
        const word = WORDS.find(([field]) => row[field])?.[1];
        if (word === undefined) return [{ text: `${glyphs.shapes.off} idle`, role: "dim" }];
        return [{
          text: `${word === "active" ? glyphs.shapes.runs : glyphs.shapes.proxy} ${word}`,
          role: word === "active" ? "ok" : "warn",
        }];
      },
    },
    { name: "trigger", title: "Trigger", width: 7, from: 90, pieces: ({ trigger }) => [{ text: trigger, role: "dim" }] },
    {
      name: "vcpu",
      title: "To",
      width: 12,
      from: 130,
      pieces: ({ vcpu }, { look, bad }) => {
        if (vcpu === null) return [{ text: "-", role: "dim" }];
        return [{ text: nameOf(vcpu), role: bad ? "text" : look.vm(vmOfName(nameOf(vcpu))).ink }];
      },
    },
    { name: "count", title: "Count", width: 9, right: true, pieces: ({ count }) => amount(count, "text") },
    {
      name: "rate",
      title: "Rate/s ",
      width: 10,
      right: true,
      pieces(row) {
        const storm = isStorm(row);
        return [...amount(row.rate, storm ? "bad" : "text"), { text: storm ? "!" : " ", role: "bad" }];
      },
    },
    {
      name: "rate",
      title: "Last 30 s",
      width: HISTORY,
      from: 110,
      pieces(row, { look }) {
        const role = isStorm(row) ? "bad" : look.vm(vmOfName(nameOf(row.id))).fill;
        return historyPieces(look, scaled(halved(histories.of(row.id))), HISTORY, role);
      },
    },
  ];
}

function sourcePieces({ source }: IrqRow): Piece[] {
  return [{ text: withoutKind("vcpu", source) || "-", role: source ? "text" : "dim" }];
}

/** Whether an interrupt comes again and again. */
export function isStorm({ fact }: IrqRow): boolean {
  return fact?.code === "storm";
}

/** Every other second of a history, the newest among them. */
function halved(values: readonly number[]): number[] {
  return values.filter((_, index) => (values.length - 1 - index) % 2 === 0);
}

function amount(value: number, role: Piece["role"]): Piece[] {
  const text = value >= 9.95 && value < 1e6 ? grouped(String(Math.round(value))) : countText(value);
  return [{ text, role: value === 0 ? "dim" : role }];
}
