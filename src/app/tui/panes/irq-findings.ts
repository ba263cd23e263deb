// The defect of an interrupt, as a card: what is wrong, and the remedy; and the path
// that an interrupt takes from its source to its vCPU.

import { countText, grouped } from "../look/numbers.ts";
import type { Line } from "./pane.ts";
import { chipPiece, type Piece, wrapPieces } from "../look/pieces.ts";
import { wrap } from "./row-lines.ts";
import type { Look } from "../look/theme.ts";
import { IRQ_FINDINGS, type IrqStep, STOPPED_STEP } from "../../../model/queries/facts/irq-finding.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { IRQS } from "../../../model/queries/tables.ts";
import { afterVm, nameOf, vmOfName } from "../../../model/queries/ids.ts";

type IrqRow = RowOf<typeof IRQS>;

function countOf({ rate: value }: IrqRow): string {
  return value < 1e6 ? grouped(String(Math.round(value))) : countText(value);
}

function namePieces(id: string, look: Look): Piece[] {
  const name = nameOf(id), vm = vmOfName(name);
  return [chipPiece(look.vm(vm)), { text: ` ${vm}`, role: "text" }, { text: afterVm(name), role: "strong", bold: true }];
}

/** A card for each interrupt with which something is wrong. */
export function findingLines(rows: readonly IrqRow[], look: Look, width: number): Line[] {
  const cards = rows.flatMap((row): Line[][] => {
    if (row.fact === null) return [];
    const wayOut = IRQ_FINDINGS.wayOutText(row.fact);
    const side: Piece = { text: `${look.glyphs.frame.side} `, role: "border" };
    const lines = (name: string, text: string, role: Piece["role"]): Line[] =>
      wrapPieces([{ text: `${name} `, role: "dim" }, { text, role }], 0, width - 3).map((pieces) => ({
        text: "",
        pieces: [side, ...pieces],
      }));
    const named: Piece[] = [{ text: "! ", role: "bad", bold: true }, ...namePieces(row.id, look), {
      text: ` ${IRQ_FINDINGS.text(row.fact)}`,
      role: "text",
    }];
    return [[
      ...wrapPieces(named, 2, width - 1).map((pieces): Line => ({ text: "", tint: "badbg", pieces })),
      ...wayOut ? lines("way out", wayOut, "ok") : [],
    ]];
  });
  if (!cards.length) {
    const about = wrap("Storms and interrupts that cannot be delivered are listed here.", 0, width);
    return [{ text: "No problems found." }, ...about.map((text): Line => ({ text, role: "dim" }))];
  }
  return cards.flatMap((card, index) => index ? [{ text: "" }, ...card] : card);
}

/** The steps of an interrupt, with a shape each; the step that blocks it is marked. */
export function pathLines(row: IrqRow, look: Look): Line[] {
  const stops = row.fact ? STOPPED_STEP[row.fact.code] : undefined;
  const { shapes } = look.glyphs;
  const state = row.act ? "active" : row.pend ? "pending" : "not pending";
  const steps: readonly (readonly [step: IrqStep, text: string, done: boolean])[] = [
    ["source", (row.source || "none") + (row.line ? `, line ${row.line}` : ""), row.source !== ""],
    ["enabled", row.en ? "yes" : "no", row.en],
    ["priority", row.priority, true],
    ...stops === "group" && row.fact ? [["group", IRQ_FINDINGS.text(row.fact), true] as const] : [],
    ["route", (row.route ?? "its own vCPU") + (row.vcpu ? `: ${nameOf(row.vcpu)}` : ""), row.vcpu !== null],
    ["pending", `${state}, ${row.trigger}`, row.pend || row.act],
    ["taken", `${countOf(row)}/s, ${grouped(String(row.count))} in all`, row.rate > 0],
  ];
  const stopped = steps.findIndex(([step]) => step === stops);
  return steps.map(([step, text, done], index): Line => {
    const wrong = index === stopped;
    const beyond = stopped >= 0 && index > stopped;
    const shape = wrong ? shapes.fault : done && !beyond ? shapes.runs : shapes.ready;
    return {
      text: "",
      tint: wrong ? "badbg" : undefined,
      pieces: [
        { text: `${shape} `, role: wrong ? "bad" : done && !beyond ? "ok" : "dim" },
        { text: step.padEnd(10), role: wrong ? "text" : "dim" },
        { text, role: wrong ? "bad" : beyond || !done ? "dim" : "text" },
      ],
    };
  });
}
