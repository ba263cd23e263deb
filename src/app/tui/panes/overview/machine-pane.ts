// The machine at the top of the overview: its speed, the activity of its physical CPUs, the owners
// of its memory. In low or narrow terminals one row has all of it.

import type { Activity } from "./activity.ts";
import { MIPS } from "./activity.ts";
import { type BarPart, drawStacked } from "../../look/bars.ts";
import { drawFrame, type FrameKind, type Title } from "../../look/box.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import { graph, samplesOf } from "../../terminal/glyphs.ts";
import { KEPT, logarithmic, scaled } from "../../look/history.ts";
import { countText, LEAST_MIPS, mipsText, shareMark, shareText, speedPieces } from "../../look/numbers.ts";
import type { Pane, PaneState } from "../pane.ts";
import { drawPieces, historyPieces, type Piece, piecesWidth, vmPieces } from "../../look/pieces.ts";
import { type SpokenLine } from "../../look/speech.ts";
import type { Look, Role } from "../../look/theme.ts";
import { HYPERVISOR_MARK, type VmMark } from "../../look/vm-marks.ts";
import { HOST, pcpuId, vmId, vmOfName, withoutKind } from "../../../../model/queries/ids.ts";
import { sizeText } from "../../../../kit/support/text/number-text.ts";
import { type Answer, type Query, rowsOf } from "../../../../model/queries/query.ts";
import { MEMORY } from "../../../../model/queries/tables.ts";

/** Guest memory starts here; devices are below. */
const RAM_START = 0x4000_0000;
/** Ownership of memory changes seldom, ms. */
const MEMORY_STAYS_GOOD = 2000;

/** Columns of the boxes, in a total of `of`. */
const WIDTHS = { of: 120, speed: 34, cpus: 43 } as const;
const WIDE_WIDTHS = { of: 200, speed: 60, cpus: 60, memory: 48 } as const;
/** Rows of its boxes at the least. */
const MACHINE_ROWS = 5;
/** From this width on there is a box of rates. */
const WITH_ACTIVITY = 200;
/** Up to this many physical CPUs have a history each below their bar. */
const MOST_TWO_ROWS = 4;
/** Least speed (MIPS) that fills the graph: the graph of a machine that is almost idle is low. */
const LEAST_PEAK = 10;
/** Inks of a graph from its lowest row to its highest. */
const GRAPH_INKS: readonly Role[] = ["g0", "g1", "g2", "g3"];

/** A share of memory by owner. */
interface Share {
  readonly mark: VmMark;
  readonly name: string;
  bytes: number;
}

/** Rates of the machine that histories are kept of. */
const RATES = ["exits", "interrupts", "messages", "RPC", "refusals"] as const;
/** Requests to the Resource Manager among which those of the last second (ns) are counted. */
const RPCS = 200;
const SECOND = 1e9;

export class MachinePane implements Pane {
  readonly name = "machine";
  readonly bare = true;
  readonly selection = undefined;
  readonly page = 1;
  readonly staysGood = MEMORY_STAYS_GOOD;
  #owners: { readonly name: string; readonly bytes: number }[] = [];
  #total = 0;
  /** There is a box of rates. */
  #wide = false;

  constructor(readonly activity: Activity) {}

  title(): Title {
    return { text: "Machine" };
  }

  queries(): readonly Query[] {
    const memory: Query = { table: "mem.map", args: {} };
    return this.#wide ? [memory, { table: "irq.ls", args: {} }, { table: "rpc.ls", args: { limit: RPCS } }] : [memory];
  }

  receive(answer: Answer): void {
    if (answer.table === "irq.ls") {
      return this.activity.rate("interrupts", answer.rows.reduce((sum, { rate }) => sum + Number(rate ?? 0), 0));
    }
    if (answer.table === "rpc.ls") {
      const since = this.activity.time - SECOND;
      return this.activity.rate("RPC", answer.rows.filter(({ t }) => Number(t) > since).length);
    }
    const owners = new Map<string, number>();
    this.#total = 0;
    for (const row of rowsOf(MEMORY, answer)) {
      if (Number(row.pa) < RAM_START) continue;
      const bytes = row.size;
      this.#total += bytes;
      if (row.access === "free") continue;
      const vms = row.vm.map(String);
      const owner = row.access === "hypervisor" ? "#" : vms.find((vm) => vm !== vmId(HOST)) ?? vms[0] ?? row.owner_vm ?? "";
      if (owner) owners.set(owner, (owners.get(owner) ?? 0) + bytes);
    }
    this.#owners = [...owners].map(([name, bytes]) => ({ name: withoutKind("vm", name), bytes }));
    this.activity.memory = new Map(this.#owners.map(({ name, bytes }) => [name, bytes]));
  }

  move(): void {}
  click(): boolean {
    return false;
  }

  draw(screen: Screen, area: Rectangle, look: Look, { boxed, past }: PaneState): void {
    if (!boxed || area.height < MACHINE_ROWS) return this.#drawStrip(screen, area, look);
    const wide = this.#wide = area.width >= WITH_ACTIVITY;
    const widths = wide ? WIDE_WIDTHS : WIDTHS;
    const part = (columns: number) => Math.round(area.width * columns / widths.of);
    const speed = part(widths.speed), cpus = part(widths.cpus);
    const memory = wide ? part(WIDE_WIDTHS.memory) : area.width - speed - cpus;
    const kind: FrameKind = past ? "past" : "plain";
    let x = area.x;
    const box = (width: number, title: Title) => {
      const inside = drawFrame(screen, look, { ...area, x, width }, title, { boxed: true, kind });
      x += width;
      return { ...inside, x: inside.x + 1, width: inside.width - 2 };
    };
    this.#drawSpeed(screen, look, box(speed, this.#speedTitle()));
    this.#drawCpus(screen, look, box(cpus, this.#cpusTitle()));
    this.#drawMemory(screen, look, box(memory, this.#memoryTitle()));
    if (wide) {
      this.#drawRates(screen, look, box(area.x + area.width - x, { text: "Activity", right: [[{ text: "per second", role: "dim" }]] }));
    }
  }

  spoken(): readonly SpokenLine[] {
    const cpus = this.activity.cpus.map(({ share }, cpu) => `p${cpu} ${shareText(share)}`);
    return [{ parts: [...cpus, `RAM ${this.#total ? this.#freePieces().map(({ text }) => text).join("") : "loading"}`] }];
  }

  #speedTitle(): Title {
    return {
      text: "Speed",
      right: [speedPieces(this.activity.speed, true)],
      bottom: [{ text: "60 s, log, peak ", role: "dim" }, { text: mipsText(this.activity.peak), role: "text" }],
    };
  }

  #drawSpeed(screen: Screen, look: Look, area: Rectangle): void {
    const mips = this.activity.histories.of(MIPS);
    // A machine at rest is a thousandth as quick as a busy one: both show on a logarithmic scale.
    const values = logarithmic(mips, LEAST_MIPS, Math.max(...mips, LEAST_PEAK));
    // Where there is room for twice the minute each second has two columns.
    const shown = samplesOf(look.glyphs, area.width) >= 2 * KEPT ? values.flatMap((value) => [value, value]) : values;
    graph(look.glyphs, shown, area.width, area.height).forEach((text, row) => {
      const ink = GRAPH_INKS[Math.min(Math.floor((area.height - 1 - row) * GRAPH_INKS.length / area.height), GRAPH_INKS.length - 1)];
      screen.text(area.x, area.y + row, text, look.style(ink));
    });
  }

  #cpusTitle(): Title {
    const [number, unit] = shareText(this.activity.load).split(" ");
    return { text: "Physical CPUs", right: [[{ text: number, role: "strong", bold: true }, { text: ` ${unit}`, role: "dim" }]] };
  }

  #drawCpus(screen: Screen, look: Look, area: Rectangle): void {
    const { cpus } = this.activity;
    const rows = cpus.length <= MOST_TWO_ROWS && cpus.length * 2 <= area.height ? Math.floor(area.height / cpus.length) : 1;
    const columns = cpus.length * rows > area.height ? 2 : 1;
    const width = Math.floor((area.width - (columns - 1) * 2) / columns);
    const perColumn = Math.ceil(cpus.length / columns);
    cpus.forEach(({ parts, share, runs }, cpu) => {
      const x = area.x + Math.floor(cpu / perColumn) * (width + 2), y = area.y + (cpu % perColumn) * rows;
      if (y >= area.y + area.height) return;
      const label = `p${cpu} `;
      const named = columns === 1 && width >= 34;
      const bar = Math.max(width - label.length - 7 - (named ? 11 : 0), 6);
      screen.text(x, y, label, look.style("text"));
      drawStacked(
        screen,
        look,
        { x: x + label.length, y, width: bar },
        parts.map((part) => ({ mark: look.vm(part.vm), share: part.share })),
      );
      drawPieces(screen, look, x + label.length + bar + 1, y, sharePieces(share), 6);
      if (named && runs) {
        const mark = look.vm(vmOfName(runs));
        drawPieces(
          screen,
          look,
          x + label.length + bar + 8,
          y,
          [{ text: runs, role: mark.ink }],
          area.x + area.width - x - label.length - bar - 8,
        );
      }
      const values = this.activity.histories.of(pcpuId(cpu));
      for (let row = 1; row < Math.min(rows, 3); row++) {
        if (rows === 2) drawPieces(screen, look, x + label.length, y + 1, historyPieces(look, values, bar, "g1"), bar);
        else if (row === 1) {
          graph(look.glyphs, values, bar, rows - 1 - (rows > 3 ? 1 : 0)).forEach((text, index) =>
            screen.text(x + label.length, y + 1 + index, text, look.style(GRAPH_INKS[1]))
          );
        }
      }
    });
  }

  #shares(look: Look): Share[] {
    const shares = this.#owners.map(({ name, bytes }): Share => ({
      mark: name === "#" ? HYPERVISOR_MARK : look.vm(name),
      name: name === "#" ? "hypervisor" : name,
      bytes,
    }));
    const rank = ({ name }: Share) => name === "host" ? 0 : name === "rm" ? 1 : name === "hypervisor" ? 3 : 2;
    return shares.sort((a, b) => rank(a) - rank(b));
  }

  #parts(look: Look): BarPart[] {
    return this.#shares(look).map(({ mark, name, bytes }) => ({
      mark,
      name,
      size: sizeText(bytes),
      share: bytes / Math.max(this.#total, 1),
    }));
  }

  #memoryTitle(): Title {
    if (!this.#total) return { text: "Memory" };
    return { text: "Memory", right: [[...this.#freePieces(), { text: ` of ${sizeText(this.#total)}`, role: "dim" }]] };
  }

  /** How much memory nobody owns. */
  #freePieces(): Piece[] {
    const used = this.#owners.reduce((sum, { bytes }) => sum + bytes, 0);
    return [{ text: sizeText(this.#total - used), role: "strong", bold: true }, { text: " free", role: "dim" }];
  }

  #drawMemory(screen: Screen, look: Look, area: Rectangle): void {
    if (!this.#total) return void screen.text(area.x, area.y, "loading", look.style("dim"));
    const parts = this.#parts(look);
    const unnamed = drawStacked(screen, look, area, parts);
    const bars = area.height >= 4 ? 2 : 1;
    if (bars === 2) drawStacked(screen, look, { ...area, y: area.y + 1 }, parts, true);
    let x = area.x, y = area.y + bars;
    for (const { mark, name = "", size = "" } of unnamed) {
      const pieces: Piece[] = [...vmPieces({ ...mark, ink: "text" }, name), { text: ` ${size}`, role: "dim" }];
      const width = piecesWidth(pieces);
      if (x + width > area.x + area.width) [x, y] = [area.x, y + 1];
      if (y >= area.y + area.height) return;
      drawPieces(screen, look, x, y, pieces, width);
      x += width + 3;
    }
  }

  #drawRates(screen: Screen, look: Look, area: Rectangle): void {
    RATES.slice(0, area.height).forEach((name, row) => {
      const value = this.activity.rates.get(name) ?? 0, ink: Role = name === "refusals" && value > 0 ? "bad" : value > 0 ? "text" : "dim";
      const text = countText(value), width = Math.max(area.width - 20, 4);
      screen.text(area.x, area.y + row, name, look.style("dim"));
      screen.text(area.x + 18 - text.length, area.y + row, text, look.style(ink));
      const line = historyPieces(look, scaled(this.activity.histories.of(name)), width, name === "refusals" ? "faint" : "g2");
      drawPieces(screen, look, area.x + 20, area.y + row, line, width);
    });
  }

  #drawStrip(screen: Screen, area: Rectangle, look: Look): void {
    const { cpus } = this.activity;
    // Beyond two physical CPUs there is one bar for all of them.
    const bars = cpus.length <= 2
      ? cpus.map(({ parts, share }, cpu) => ({ label: `p${cpu}`, parts, share }))
      : [{ label: `${cpus.length} pCPUs`, ...together(cpus) }];
    const free = this.#total ? this.#freePieces() : [];
    const fixed = bars.reduce((sum, { label }) => sum + label.length + 9, 0) + 5 + piecesWidth(free);
    const width = Math.max(Math.floor((area.width - fixed - 1) / (bars.length + 1)), 4);
    let x = area.x + 1;
    for (const { label, parts, share } of bars) {
      x += screen.text(x, area.y, `${label} `, look.style("dim"));
      drawStacked(screen, look, { x, y: area.y, width }, parts.map((part) => ({ mark: look.vm(part.vm), share: part.share })));
      x += width + 1;
      drawPieces(screen, look, x, area.y, sharePieces(share), 6);
      x += 7;
    }
    x += screen.text(x, area.y, "RAM ", look.style("dim"));
    const rest = area.x + area.width - 2 - piecesWidth(free) - x;
    if (this.#total) {
      drawStacked(screen, look, { x, y: area.y, width: rest }, this.#parts(look).map((part) => ({ ...part, size: undefined })));
      drawPieces(screen, look, x + rest + 1, area.y, free, piecesWidth(free));
    } else screen.text(x, area.y, "loading", look.style("dim"));
  }
}

/** The activity of several CPUs as if they were one. */
function together(cpus: Activity["cpus"]): Pick<Activity["cpus"][number], "parts" | "share"> {
  const shares = new Map<string, number>();
  for (const { parts } of cpus) for (const { vm, share } of parts) shares.set(vm, (shares.get(vm) ?? 0) + share / cpus.length);
  return {
    parts: [...shares].map(([vm, share]) => ({ vm, share })),
    share: cpus.reduce((sum, { share }) => sum + share, 0) / cpus.length,
  };
}

/** A share of a physical CPU: `94 %!`. Full use is not an error. */
function sharePieces(share: number): Piece[] {
  const { role, alarm } = shareMark(share);
  const [number, unit] = shareText(share).split(" ");
  const ink: Role = role === "bad" ? "warn" : role;
  return [{ text: number.padStart(3), role: ink }, { text: ` ${unit}`, role: "dim" }, { text: alarm ? "!" : " ", role: ink }];
}
