// The flow of the selected queue or doorbell: the sender, its capability, the content, the
// receiver's capability, the receiver; with both interrupts. And its waiters.

import { drawFrame, type Title } from "../../look/box.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import { fit, textWidth } from "../../../../kit/support/text/text-width.ts";
import { countText } from "../../look/numbers.ts";
import type { Pane, PaneState } from "../pane.ts";
import { chipPiece, drawPieces, type Piece, piecesWidth, statePiece, wrapPieces } from "../../look/pieces.ts";
import { depthPieces } from "./queue-columns.ts";
import { wrap } from "../row-lines.ts";
import type { TablePane } from "../table-pane.ts";
import { spokenCells, type SpokenLine, spokenPieces, type SpokenSize } from "../../look/speech.ts";
import type { Look } from "../../look/theme.ts";
import { waitText } from "../vcpus/waits.ts";
import { nameOf, vmOfName } from "../../../../model/queries/ids.ts";
import { type Answer, type Query, rowsOf } from "../../../../model/queries/query.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import { CAPS, IRQS, type QUEUES, VCPUS } from "../../../../model/queries/tables.ts";

type QueueRow = RowOf<typeof QUEUES>;

/** Rows of a VM's block, and its columns: panes narrower than `ROOMY` have narrow ones. */
const BLOCK_ROWS = 3, BLOCK = 14, NARROW_BLOCK = 10;
const ROOMY = 110;
/** Longest line of an arrow. */
const ARROW = 3;

const nameIn = (vm: string | null) => vm === null ? undefined : nameOf(vm);

export class FlowPane implements Pane {
  readonly name = "flow";
  readonly bare = true;
  readonly selection = undefined;
  readonly page = 1;
  #caps: readonly RowOf<typeof CAPS>[] = [];

  /** @param queues whose selected row it is about */
  constructor(readonly queues: TablePane<typeof QUEUES>) {}

  title(): Title {
    const row = this.queues.selection?.row;
    if (!row) return { text: "Flow" };
    const size = row.depth === null ? "a doorbell: flags, no messages" : `depth ${row.depth}, ${row.size} bytes per message`;
    return { text: "Flow", detail: row.id, right: [[{ text: size, role: "dim" }]] };
  }

  queries(): Query | undefined {
    const id = this.queues.selectedId;
    return id === undefined ? undefined : { table: "caps.ls", args: { filter: `obj=${id}` } };
  }

  receive(answer: Answer): void {
    this.#caps = rowsOf(CAPS, answer);
  }

  move(): void {}
  click(): boolean {
    return true;
  }

  draw(screen: Screen, area: Rectangle, look: Look, { boxed, past }: PaneState): void {
    const inside = drawFrame(screen, look, area, this.title(), { boxed, kind: past ? "past" : "plain" });
    const row = this.queues.selection?.row;
    if (!row) return void screen.text(inside.x + 1, inside.y, "Nothing is selected.", look.style("dim"));
    const top = inside.y + Math.max(Math.floor((inside.height - BLOCK_ROWS - 1) / 2), 0);
    const block = inside.width < ROOMY ? NARROW_BLOCK : BLOCK;
    const left = inside.x + 2, right = inside.x + inside.width - 2 - block;
    drawBlock(screen, look, left, top, block, nameIn(row.from));
    drawBlock(screen, look, right, top, block, nameIn(row.to));
    const queue = row.kind === "msgqueue", from = left + block + 2, end = right - 2, middle = depthPieces(row, look);
    // Lines above and below the depth may come closer to the middle than the arrows.
    const half = Math.max(Math.floor((end - from - piecesWidth(middle)) / 2) - 2, 0),
      more = Math.max(Math.floor((end - from) / 2) - 1, half);
    const arrow = (call: string) =>
      look.glyphs.frame.line.repeat(Math.min(Math.max(half - call.length - 2, 1), ARROW)) + look.glyphs.folded;
    const send = queue ? "msgqueue_send" : "doorbell_send", receive = queue ? "msgqueue_receive" : "doorbell_receive";
    const sends: (readonly Piece[])[] = [
      this.#capability(row.from, "Send", row.obj),
      [{ text: `${send} `, role: "text" }, { text: arrow(send), role: "dim" }],
      sendIrq(row, more),
    ];
    const receives: (readonly Piece[])[] = [
      this.#capability(row.to, "Receive", row.obj),
      [{ text: arrow(receive), role: "dim" }, { text: ` ${receive}`, role: "text" }],
      receiveIrq(row, more),
    ];
    const room = (index: number) => index === 1 ? half : more;
    sends.forEach((pieces, index) => drawPieces(screen, look, from, top + index, pieces, room(index)));
    receives.forEach((pieces, index) => {
      const width = Math.min(piecesWidth(pieces), room(index));
      drawPieces(screen, look, end - width, top + index, pieces, width);
    });
    drawPieces(screen, look, from + half + 2, top + 1, middle, end - from - half - 2);
    if (top + BLOCK_ROWS >= inside.y + inside.height) return;
    const sent = `${countText(Number(row.sent))} sent, ${countText(row.rate)} per second`,
      received = `${countText(Number(row.received))} received`;
    screen.text(left, top + BLOCK_ROWS, sent, look.style("dim"));
    screen.text(right + block - textWidth(received), top + BLOCK_ROWS, received, look.style("dim"));
  }

  spoken(look: Look): readonly SpokenLine[] {
    const row = this.queues.selection?.row;
    if (!row) return [{ parts: ["Nothing is selected."] }];
    const queue = row.kind === "msgqueue", call = queue ? "msgqueue" : "doorbell";
    const end = (vm: string | null, right: string, does: string, count: string, wakes: readonly Piece[]) =>
      spokenCells([[{ text: nameIn(vm) ?? "nobody" }], [{ text: `${call}_${does}` }], this.#capability(vm, right, row.obj), [{
        text: count,
      }], wakes]);
    const sent = `${countText(Number(row.sent))} sent, ${countText(row.rate)} per second`;
    return [
      end(row.from, "Send", "send", sent, sendIrq(row)),
      spokenCells([depthPieces(row, look), ...this.title().right ?? []]),
      end(row.to, "Receive", "receive", `${countText(Number(row.received))} received`, receiveIrq(row)),
    ];
  }

  /** The capability with which a VM may do it. */
  #capability(vm: string | null, right: string, object: string): Piece[] {
    const found = this.#caps.find((row) => row.vm === vm && row.rights.some((one) => one === right));
    if (!found) return [{ text: object, role: "link" }];
    return [{ text: found.id, role: "link" }, { text: ` ${right}`, role: "dim" }];
  }
}

/** The interrupt that wakes the sender, and when, in at most `width` columns. */
function sendIrq({ send_virq: virq, not_full: left }: QueueRow, width = Infinity): readonly Piece[] {
  return virq === null ? [] : irqPieces(virq, [`wakes it when ${left} ${left === 1 ? "is" : "are"} left`, `at ${left} left`], width);
}

/** The same of the receiver. */
function receiveIrq({ kind, receive_virq: virq, not_empty: sent, enable }: QueueRow, width = Infinity): readonly Piece[] {
  if (virq === null) return [];
  const when = kind === "msgqueue"
    ? [`wakes it when ${sent} ${sent === 1 ? "waits" : "wait"}`, `at ${sent} waiting`]
    : [`wakes it for flags ${enable}`];
  return irqPieces(virq, when, width);
}

/** @param when the same condition in several words, the longest first */
function irqPieces(virq: string, when: readonly string[], width: number): readonly Piece[] {
  const text = when.find((one) => textWidth(virq) + 1 + textWidth(one) <= width) ?? when.at(-1);
  return [{ text: virq, role: "text" }, { text: ` ${text}`, role: "dim" }];
}

/** A VM on its fill. */
function drawBlock(screen: Screen, look: Look, x: number, y: number, width: number, vm: string | undefined): void {
  const mark = vm === undefined ? undefined : look.vm(vm);
  for (let row = 0; row < BLOCK_ROWS; row++) {
    const text = row === 1 && mark ? fit(`${mark.letter} ${vm}`, width - 2) : row === 1 ? "nobody" : "";
    const left = Math.floor((width - text.length) / 2);
    const line = text.padStart(left + text.length).padEnd(width);
    screen.text(x, y + row, line, mark ? look.on(mark.fill, "fink", true) : look.style("dim"));
  }
}

/** The waiters of a queue or a doorbell. */
export class QueueWaitsPane implements Pane {
  readonly name = "waits";
  readonly bare = true;
  readonly selection = undefined;
  readonly page = 1;
  /** Virtual time (ns) of the vCPUs. */
  #at = 0;
  #vcpus: readonly RowOf<typeof VCPUS>[] = [];
  #irqs: readonly RowOf<typeof IRQS>[] = [];

  /** @param queues whose selected row it is about */
  constructor(readonly queues: TablePane<typeof QUEUES>) {}

  title(): Title {
    const vm = nameIn(this.queues.selection?.row.to ?? null);
    return vm === undefined ? { text: "Receiver" } : { text: "Receiver", vm };
  }

  queries(): readonly Query[] {
    const row = this.queues.selection?.row;
    if (typeof row?.to !== "string") return [];
    const vcpus: Query = { table: "vcpu.ls", args: { filter: `vm=${row.to}` } };
    return row.receive_virq === null ? [vcpus] : [vcpus, { table: "irq.ls", args: { filter: `id=${row.receive_virq}` } }];
  }

  receive(answer: Answer): void {
    if (answer.table === "vcpu.ls") [this.#vcpus, this.#at] = [rowsOf(VCPUS, answer), Number(answer.at.ns)];
    else if (answer.table === "irq.ls") this.#irqs = rowsOf(IRQS, answer);
  }

  move(): void {}
  click(): boolean {
    return true;
  }

  draw(screen: Screen, area: Rectangle, look: Look, { boxed, past }: PaneState): void {
    const inside = drawFrame(screen, look, area, this.title(), { boxed, kind: past ? "past" : "plain" });
    this.#shown(look, inside).forEach((pieces, index) => {
      drawPieces(screen, look, inside.x + 1, inside.y + index, pieces, inside.width - 2);
    });
  }

  spoken(look: Look, size: SpokenSize): readonly SpokenLine[] {
    return this.#shown(look, size).map((pieces) => spokenPieces(pieces));
  }

  #shown(look: Look, { width, height }: SpokenSize): (readonly Piece[])[] {
    const row = this.queues.selection?.row;
    return row ? this.#lines(row, look, width - 2).slice(0, height) : [[{ text: "Nothing is selected.", role: "dim" }]];
  }

  #lines(row: QueueRow, look: Look, width: number): (readonly Piece[])[] {
    const lines: (readonly Piece[])[] = [];
    for (const vcpu of this.#vcpus.filter(({ vm }) => vm === row.to)) {
      const name = nameOf(vcpu.id), mark = look.vm(vmOfName(name));
      const wakes = waitText(vcpu.waits, this.#at);
      const who: Piece[] = [chipPiece(mark), { text: ` ${name}  `, role: mark.ink }, statePiece(look, vcpu.state)];
      const wait: Piece = { text: `  ${wakes}`, role: "dim" };
      if (piecesWidth([...who, wait]) <= width) lines.push([...who, wait]);
      else lines.push(who, ...wrap(wakes, 0, width - 2).map((text): Piece[] => [{ text: `  ${text}`, role: "dim" }]));
    }
    const irq = this.#irqs.find(({ id }) => id === row.receive_virq);
    const waiting = row.kind === "doorbell" ? Number(row.flags) !== 0 : Number(row.count) > 0;
    const what = row.kind === "doorbell" ? "flags" : "messages";
    if (irq) {
      const state = irq.act ? "active" : irq.pend ? "pending" : "idle";
      const pieces: Piece[] = [
        { text: irq.id, role: "link" },
        irq.en ? { text: " enabled", role: "ok" } : { text: " disabled", role: waiting ? "bad" : "dim" },
        { text: `, ${state}, ${countText(irq.rate)}/s`, role: "dim" },
      ];
      lines.push(...wrapPieces(pieces, 2, width));
    }
    lines.push([]);
    const vm = nameIn(row.to) ?? "nobody";
    if (waiting && irq && !irq.en) {
      lines.push([{ text: "! ", role: "bad", bold: true }, { text: `${vm} gets no interrupt for its ${what}` }]);
    } else if (row.full) lines.push([{ text: `full: ${nameIn(row.from) ?? "the sender"} waits for room`, role: "warn" }]);
    else if (waiting) lines.push([{ text: `${what} wait for ${vm} to take them`, role: "text" }]);
    else lines.push([{ text: row.kind === "doorbell" ? "no flag is set" : "the queue is empty", role: "dim" }]);
    return lines;
  }
}
