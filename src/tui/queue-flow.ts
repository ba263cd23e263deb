// The flow of the selected queue or doorbell: the sender, its capability, the content, the
// receiver's capability, the receiver; with both interrupts. And its waiters.

import { drawFrame, type Title } from "./box.ts";
import type { Rectangle, Screen } from "./cells.ts";
import { fit, textWidth } from "./graphemes.ts";
import { countText } from "./numbers.ts";
import type { Pane, PaneState } from "./pane.ts";
import { chipPiece, drawPieces, type Piece, piecesWidth, statePiece } from "./pieces.ts";
import { depthPieces } from "./queue-columns.ts";
import { wrap } from "./row-lines.ts";
import type { TablePane } from "./table-pane.ts";
import type { Look } from "./theme.ts";
import { waitText } from "./waits.ts";
import { sizeText } from "../queries/format.ts";
import { type Answer, type Query, rowsOf } from "../queries/query.ts";
import { type Json, type Row, type RowOf, textsOf } from "../queries/table.ts";
import { CAPS } from "../queries/tables.ts";

/** Columns and rows of a VM's block. */
const BLOCK = { columns: 14, rows: 3 } as const;

const nameOf = (vm: Json) => typeof vm === "string" ? vm.slice("vm:".length) : undefined;

/** The flow. */
export class FlowPane implements Pane {
  readonly name = "flow";
  readonly bare = true;
  readonly selection = undefined;
  readonly page = 1;
  #caps: readonly RowOf<typeof CAPS>[] = [];

  /** @param queues whose selected row it is about */
  constructor(readonly queues: TablePane) {}

  title(): Title {
    const row = this.queues.selection?.row;
    if (!row) return { text: "Flow" };
    const size = row.depth === null ? "a doorbell: flags, no messages" : `depth ${row.depth}, ${sizeText(Number(row.size))} per message`;
    return { text: "Flow", detail: row.id, right: [[{ text: size, role: "dim" }]] };
  }

  wants(): Query | undefined {
    const id = this.queues.selectedId;
    return id === undefined ? undefined : { table: "caps.ls", args: { filter: `obj=${id}` } };
  }

  take(answer: Answer): void {
    this.#caps = rowsOf(CAPS, answer);
  }

  move(): void {}
  click(): boolean {
    return true;
  }

  draw(screen: Screen, area: Rectangle, look: Look, { boxed, past }: PaneState): void {
    const inside = drawFrame(screen, look, area, boxed, this.title(), past ? "past" : "plain", false);
    const row = this.queues.selection?.row;
    if (!row) return void screen.text(inside.x + 1, inside.y, "Nothing is selected.", look.style("dim"));
    const top = inside.y + Math.max(Math.floor((inside.height - BLOCK.rows - 1) / 2), 0);
    const left = inside.x + 2, right = inside.x + inside.width - 2 - BLOCK.columns;
    drawBlock(screen, look, left, top, nameOf(row.from));
    drawBlock(screen, look, right, top, nameOf(row.to));
    const queue = row.kind === "msgqueue", end = right - 2;
    const sends: Piece[][] = [
      this.#capability(row.from, "Send", row.obj),
      [{ text: queue ? "msgqueue_send " : "doorbell_send ", role: "text" }, {
        text: `${look.glyphs.frame.line.repeat(3)}${look.glyphs.folded}`,
        role: "dim",
      }],
      row.send_virq === null ? [] : irqPieces("room", row.send_virq, `at ${row.not_full}`),
    ];
    const receives: Piece[][] = [
      this.#capability(row.to, "Receive", row.obj),
      [{ text: `${look.glyphs.frame.line.repeat(3)}${look.glyphs.folded}`, role: "dim" }, {
        text: queue ? " msgqueue_receive" : " doorbell_receive",
        role: "text",
      }],
      row.receive_virq === null
        ? []
        : irqPieces(queue ? "message" : "flags", row.receive_virq, queue ? `from ${row.not_empty}` : `of ${row.enable}`),
    ];
    const from = left + BLOCK.columns + 2, middle = depthPieces(row, look);
    const half = Math.max(Math.floor((end - from - piecesWidth(middle)) / 2) - 2, 0);
    sends.forEach((pieces, index) => drawPieces(screen, look, from, top + index, pieces, half));
    receives.forEach((pieces, index) => {
      const width = Math.min(piecesWidth(pieces), half);
      drawPieces(screen, look, end - width, top + index, pieces, width);
    });
    drawPieces(screen, look, from + half + 2, top + 1, middle, end - from - half - 2);
    if (top + BLOCK.rows >= inside.y + inside.height) return;
    const sent = `${countText(Number(row.sent))} sent, ${countText(Number(row.rate))} per second`,
      received = `${countText(Number(row.received))} received`;
    screen.text(left, top + BLOCK.rows, sent, look.style("dim"));
    screen.text(right + BLOCK.columns - textWidth(received), top + BLOCK.rows, received, look.style("dim"));
  }

  /** The capability with which a VM may do it. */
  #capability(vm: Json, right: string, object: Json): Piece[] {
    const found = this.#caps.find((row) => row.vm === vm && row.rights.some((one) => one === right));
    if (!found) return [{ text: String(object ?? ""), role: "link" }];
    return [{ text: found.id, role: "link" }, { text: ` ${right}`, role: "dim" }];
  }
}

function irqPieces(when: string, virq: Json, threshold: string): Piece[] {
  return [{ text: `${when} `, role: "dim" }, { text: String(virq), role: "text" }, { text: ` ${threshold}`, role: "dim" }];
}

/** A VM on its fill. */
function drawBlock(screen: Screen, look: Look, x: number, y: number, vm: string | undefined): void {
  const mark = vm === undefined ? undefined : look.vm(vm);
  for (let row = 0; row < BLOCK.rows; row++) {
    const text = row === 1 && mark ? fit(`${mark.letter} ${vm}`, BLOCK.columns - 2) : row === 1 ? "nobody" : "";
    const left = Math.floor((BLOCK.columns - text.length) / 2);
    const line = text.padStart(left + text.length).padEnd(BLOCK.columns);
    screen.text(x, y + row, line, mark ? look.on(mark.fill, "fink", true) : look.style("dim"));
  }
}

/** The waiters of a queue or a doorbell. */
export class QueueWaitsPane implements Pane {
  readonly name = "waits";
  readonly bare = true;
  readonly selection = undefined;
  readonly page = 1;
  #vcpus: readonly Row[] = [];
  #irqs: readonly Row[] = [];

  /** @param queues whose selected row it is about */
  constructor(readonly queues: TablePane) {}

  title(): Title {
    const vm = nameOf(this.queues.selection?.row.to ?? null);
    return vm === undefined ? { text: "Receiver" } : { text: "Receiver", vm };
  }

  wants(): readonly Query[] {
    const row = this.queues.selection?.row;
    if (typeof row?.to !== "string") return [];
    const vcpus: Query = { table: "vcpu.ls", args: { filter: `vm=${row.to}` } };
    return row.receive_virq === null ? [vcpus] : [vcpus, { table: "irq.ls", args: { filter: `id=${row.receive_virq}` } }];
  }

  take(answer: Answer): void {
    if (answer.table === "vcpu.ls") this.#vcpus = answer.rows;
    else if (answer.table === "irq.ls") this.#irqs = answer.rows;
  }

  move(): void {}
  click(): boolean {
    return true;
  }

  draw(screen: Screen, area: Rectangle, look: Look, { boxed, past }: PaneState): void {
    const inside = drawFrame(screen, look, area, boxed, this.title(), past ? "past" : "plain", false);
    const row = this.queues.selection?.row;
    const lines = row ? this.#lines(row, look, inside.width - 2) : [[{ text: "Nothing is selected.", role: "dim" } as const]];
    lines.slice(0, inside.height).forEach((pieces, index) => {
      drawPieces(screen, look, inside.x + 1, inside.y + index, pieces, inside.width - 2);
    });
  }

  #lines(row: Row, look: Look, width: number): (readonly Piece[])[] {
    const lines: (readonly Piece[])[] = [];
    for (const vcpu of this.#vcpus.filter(({ vm }) => vm === row.to)) {
      const name = vcpu.id.slice("vcpu:".length), mark = look.vm(name.split("/")[0]);
      const wakes = waitText(textsOf(vcpu.wakes));
      const who: Piece[] = [chipPiece(mark), { text: ` ${name}  `, role: mark.ink }, statePiece(look, String(vcpu.state))];
      const wait: Piece = { text: `  ${wakes}`, role: "dim" };
      if (piecesWidth([...who, wait]) <= width) lines.push([...who, wait]);
      else lines.push(who, ...wrap(wakes, 0, width - 2).map((text): Piece[] => [{ text: `  ${text}`, role: "dim" }]));
    }
    const irq = this.#irqs.find(({ id }) => id === row.receive_virq);
    const waiting = row.kind === "doorbell" ? Number(row.flags) !== 0 : Number(row.count) > 0;
    const what = row.kind === "doorbell" ? "flags" : "messages";
    if (irq) {
      const state = irq.act ? "active" : irq.pend ? "pending" : "idle";
      lines.push([
        { text: irq.id, role: "link" },
        irq.en ? { text: " enabled", role: "ok" } : { text: " disabled", role: waiting ? "bad" : "dim" },
        { text: `, ${state}, ${countText(Number(irq.rate))} per second`, role: "dim" },
      ]);
    }
    lines.push([]);
    const vm = nameOf(row.to) ?? "nobody";
    if (waiting && irq && !irq.en) {
      lines.push([{ text: "! ", role: "bad", bold: true }, { text: `${vm} gets no interrupt for its ${what}` }]);
    } else if (row.full === true) lines.push([{ text: `full: ${nameOf(row.from) ?? "the sender"} waits for room`, role: "warn" }]);
    else if (waiting) lines.push([{ text: `${what} wait for ${vm} to take them`, role: "text" }]);
    else lines.push([{ text: row.kind === "doorbell" ? "no flag is set" : "the queue is empty", role: "dim" }]);
    return lines;
  }
}
