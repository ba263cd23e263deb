// The scheduler's timeline: a lane for each physical CPU and for each vCPU. A column is a span of
// virtual time; the cursor is at a switch, which the last lines explain.

import { type Blank, blankOf, drawBlank, spokenBlank } from "../blank.ts";
import type { Title } from "../../look/box.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import type { LaneState } from "../../terminal/glyphs.ts";
import { fitName } from "../../../../kit/support/text/text-width.ts";
import {
  busyShare,
  columnsOf,
  type CpuSpan,
  GrowingLanes,
  recordedColumns,
  runsBetween,
  type Slice,
  type Span,
  ticksOf,
  type VcpuSpan,
  type WaitTimes,
  waitTimes,
} from "./lanes.ts";
import { durationText, secondsText, shareMark, shareText } from "../../look/numbers.ts";
import type { Pane, PaneState } from "../pane.ts";
import { chipPiece, drawPieces, keyPieces, type Piece } from "../../look/pieces.ts";
import { type SpokenLine, spokenPieces, type SpokenSize } from "../../look/speech.ts";
import type { Look, Role } from "../../look/theme.ts";
import { type Answer, type Query, rowsOf } from "../../../../model/queries/query.ts";
import { SLICE_REASONS } from "../../../../model/queries/facts/slice-reason.ts";
import type { Selected } from "../../../../model/queries/table.ts";
import { nameOf, parseAs, vmOfName } from "../../../../model/queries/ids.ts";
import { VCPU_STATES } from "../../../../model/queries/state-words.ts";
import { SLICES, VCPUS } from "../../../../model/queries/tables.ts";
import type { VmMark } from "../../look/vm-marks.ts";

/** Switches that are asked for; twice as many are kept at the most. */
const ROWS = 20_000;
const SCALES = [1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8] as const;
/** 100 us: the least scale that is taken by itself. */
const FIRST_SCALE = SCALES.indexOf(1e5);
/** Switches that are shown at the least, whatever scale that takes. */
const LEAST_SHOWN = 10;

const SECOND = 1e9;

/** Columns of a lane's name. */
const LABEL = 13;
/** Columns from one time of the axis to the next at the least. */
const TICKS_APART = 18;
/** Rows from which on the cursor's time has its own row, and physical CPUs have a blank between. */
const ROOMY = 18;
/** Share of the width in which idleness after the newest switch shows. */
const AFTER_NEWEST = 0.35;
/** Rows below the lanes: the legend, and two lines about the switch. */
const FOOT = 3;

const STATES: readonly (readonly [state: LaneState, word: string, ink: Role])[] = [
  ["runs", VCPU_STATES.run, "text"],
  ["ready", "ready, no CPU", "warn"],
  ["vmm", VCPU_STATES.vmmio, "warn"],
  ["waits", VCPU_STATES.wfi, "border"],
  ["suspended", VCPU_STATES.suspend, "border"],
];
const INKS = new Map(STATES.map(([state, , ink]) => [state, ink]));

/** A text above the lanes, `left` columns from where they begin. */
interface Chip {
  readonly text: string;
  readonly left: number;
}

/** Geometry of a lane's row. */
interface Window {
  readonly x: number;
  readonly width: number;
  readonly start: number;
  readonly step: number;
  /** Columns in which something was recorded. */
  readonly recorded: readonly boolean[];
}

/** The text where no switch was recorded. */
export const NO_SWITCH = { what: "No scheduling event was recorded yet", how: "They are recorded while this screen is open." };
/** Text in lanes before anything was recorded. */
const UNRECORDED = "not recorded";

export class LanesPane implements Pane {
  readonly name = "lanes";
  /** A log is not asked for what it told before. */
  readonly onward = true;
  #rows: Slice[] = [];
  #vcpus: readonly string[] = [];
  /** Physical CPUs that have vCPUs. */
  #cpus: ReadonlySet<number> = new Set();
  #lanes = new GrowingLanes();
  #waits: readonly WaitTimes[] | undefined;
  #loaded = false;
  #error: Blank | undefined;
  #now = 0;
  #scale: number = FIRST_SCALE;
  /** The user has chosen the scale. */
  #scaled = false;
  /** The cursor (ns); undefined: it follows the newest switch. */
  #at: number | undefined;
  /** The right end (ns) while it does not follow. */
  #end = 0;
  #width = 60;

  title(): Title {
    const keys: Piece[] = [
      ...[...keyPieces("+", ""), ...keyPieces("-", "scale  ")],
      ...[...keyPieces("h", ""), ...keyPieces("l", "move")],
    ];
    const follows: Piece[] = [{ text: "● ", role: "ok" }, { text: "follows", role: "dim" }];
    const quiet = this.#quietFor;
    if (quiet !== undefined) follows.push({ text: `  newest ${durationText(quiet)} ago`, role: "dim" });
    return {
      text: "Timeline",
      right: [
        [{ text: "1 column ", role: "dim" }, { text: durationText(SCALES[this.#scale]), role: "text" }],
        this.#at === undefined ? follows : keyPieces("G", "follows"),
      ],
      bottom: keys,
    };
  }

  queries(): readonly Query[] {
    return [{ table: "sched.ls", args: { limit: ROWS } }, { table: "vcpu.ls", args: {} }];
  }

  receive(answer: Answer): void {
    if (answer.table === "vcpu.ls") {
      const rows = rowsOf(VCPUS, answer);
      this.#vcpus = rows.map(({ id }) => nameOf(id));
      this.#cpus = new Set(rows.flatMap(({ pcpu }) => pcpu === null ? [] : (parseAs("pcpu", pcpu)?.number ?? [])));
      return;
    }
    this.#loaded = true;
    this.#error = blankOf(answer);
    const fresh = rowsOf(SLICES, answer), follows = answer.after !== undefined && this.#rows.length + fresh.length <= 2 * ROWS;
    const kept = answer.after === undefined ? [] : this.#rows;
    this.#rows = follows ? kept : kept.slice(-ROWS);
    for (const row of fresh) this.#rows.push(row);
    this.#now = Math.max(Number(answer.at.ns), Number(this.#rows.at(-1)?.t ?? 0));
    if (!follows || fresh.length > 0) this.#waits = undefined;
    if (!follows) this.#lanes = new GrowingLanes();
    this.#lanes.add(follows ? fresh : this.#rows, this.#now);
    if (this.#at === undefined && !this.#scaled) this.#fitScale();
  }

  /** Shows the last switches of a machine at rest, and no more time than it must of a busy one. */
  #fitScale(): void {
    const newest = Number(this.#rows.at(-1)?.t ?? 0);
    /** Whether that many are known, and a scale shows them. */
    const holds = (count: number, scale: number) =>
      newest - Number(this.#rows.at(-count)?.t ?? -Infinity) <= this.#width * SCALES[scale] * (1 - AFTER_NEWEST);
    if (this.#rows.length < LEAST_SHOWN) return;
    while (this.#scale < SCALES.length - 1 && !holds(LEAST_SHOWN, this.#scale)) this.#scale++;
    while (this.#scale > FIRST_SCALE && holds(this.#width, this.#scale - 1)) this.#scale--;
  }

  /** Whether it shows switches; otherwise it says why there are none. */
  get recorded(): boolean {
    return this.#rows.length > 0;
  }

  /** How long vCPUs waited for a CPU. */
  get waits(): readonly WaitTimes[] {
    return this.#waits ??= waitTimes(this.#lanes);
  }

  /** Rows that show all of it. */
  get rows(): number {
    const vcpus = new Set([...this.#vcpus, ...this.#lanes.vcpus.keys()]).size;
    return 2 + 2 * Math.max(this.#cpuLanes().length, 1) + 1 + vcpus + FOOT;
  }

  /** The switch at the cursor. */
  get selection(): Selected<typeof SLICES> | undefined {
    const at = this.#cursor;
    const row = this.#rows.findLast(({ t }) => Number(t) <= at) ?? this.#rows[0];
    return row && { table: SLICES, row };
  }

  get page(): number {
    return 10;
  }

  /** Moves the cursor by switches; Infinity follows the newest. */
  move(by: number): void {
    if (by === Infinity) return this.#follow();
    const at = this.#rows.indexOf(this.selection?.row ?? this.#rows[0]);
    const row = this.#rows[Math.min(Math.max(at + by, 0), this.#rows.length - 1)];
    if (row) this.#moveTo(Number(row.t));
  }

  /** Moves the cursor along the time by columns. */
  pan(columns: number): void {
    this.#moveTo(this.#cursor + columns * SCALES[this.#scale]);
  }

  /** More or less time in a column; the cursor stays in sight. */
  zoom(by: number): void {
    this.#scaled = true;
    const before = SCALES[this.#scale];
    this.#scale = Math.min(Math.max(this.#scale + by, 0), SCALES.length - 1);
    if (this.#at !== undefined) this.#end = this.#at + (this.#end - this.#at) * SCALES[this.#scale] / before;
  }

  click(): boolean {
    return true;
  }

  #follow(): void {
    this.#at = undefined;
  }

  #moveTo(time: number): void {
    const first = Number(this.#rows[0]?.t ?? 0), span = this.#width * SCALES[this.#scale];
    if (this.#at === undefined) this.#end = this.#newest(span);
    this.#at = Math.min(Math.max(time, first), this.#now);
    // The cursor stays inside.
    if (this.#at < this.#end - span) this.#end = this.#at + span;
    else if (this.#at > this.#end) this.#end = this.#at;
  }

  /** The right end (ns) while it follows: now, but with the newest switch in sight. */
  #newest(span: number): number {
    return Math.min(this.#now, Number(this.#rows.at(-1)?.t ?? 0) + span * AFTER_NEWEST);
  }

  /** Virtual time (ns) of the cursor. */
  get #cursor(): number {
    return this.#at ?? Number(this.#rows.at(-1)?.t ?? 0);
  }

  draw(screen: Screen, area: Rectangle, look: Look, { focused }: PaneState): void {
    if (!this.#rows.length) {
      if (this.#error !== undefined) return drawBlank(screen, look, area, this.#error);
      if (this.#loaded) return drawBlank(screen, look, area, { kind: "empty", ...NO_SWITCH });
      return void screen.text(area.x + 1, area.y, "loading", look.style("dim"));
    }
    const window = this.#window(area), { width, start, step } = window, end = start + width * step;
    const cursor = Math.min(Math.max(Math.floor((this.#cursor - start) / step), 0), width - 1);
    const roomy = area.height >= Math.min(this.rows, ROOMY);
    const foot = area.height > FOOT + 4 ? FOOT : 0, bottom = area.y + area.height - foot;
    const chip = this.#chip(window, cursor);
    this.#drawAxis(screen, look, area, window, roomy ? undefined : chip);
    screen.text(window.x + chip.left, area.y + (roomy ? 1 : 0), chip.text, look.on("accent", "ink", true));
    let y = area.y + (roomy ? 2 : 1);
    const top = y, selected = Number(this.selection?.row.pcpu);
    const cpus = this.#cpuLanes();
    const apart = roomy && cpus.length <= 4 ? 2 : 1;
    for (const [cpu, spans] of cpus) {
      if (y >= bottom) break;
      if (cpu === selected) screen.text(area.x, y, look.glyphs.selected, look.style(focused ? "accent" : "faint"));
      const share = busyShare(spans, start, end);
      drawPieces(
        screen,
        look,
        area.x + 1,
        y,
        [{ text: `p${cpu}`.padEnd(3), role: "strong", bold: true }, ...sharePieces(share)],
        LABEL - 2,
      );
      drawCpu(screen, look, y, window, spans);
      y += apart;
    }
    if (window.recorded.indexOf(true) > UNRECORDED.length) screen.text(window.x, top, UNRECORDED, look.style("dim"));
    y = this.#drawVcpus(screen, look, area, y, bottom, window);
    for (let row = top; row < y; row++) drawCursor(screen, look, window.x + cursor, row);
    if (foot) this.#drawFoot(screen, look, { ...area, x: area.x + 1, y: bottom, width: area.width - 2 });
  }

  #window(area: Pick<Rectangle, "width"> & Partial<Rectangle>): Window {
    const width = this.#width = Math.max(area.width - LABEL - 1, 1), step = SCALES[this.#scale];
    // Columns begin at multiples of their time: drawn columns stay as they are.
    const end = Math.ceil((this.#at === undefined ? this.#newest(width * step) : this.#end) / step) * step;
    const start = end - width * step;
    return { x: (area.x ?? 0) + LABEL, width, start, step, recorded: recordedColumns(this.#lanes, start, step, width) };
  }

  /** The state of each CPU and each vCPU at the cursor, and the switch there. */
  spoken(look: Look, size: SpokenSize): readonly SpokenLine[] {
    if (!this.#rows.length) {
      if (this.#error !== undefined) return spokenBlank(look, size.width, this.#error);
      return this.#loaded ? spokenBlank(look, size.width, { kind: "empty", ...NO_SWITCH }) : [{ parts: ["loading"] }];
    }
    const { start, width, step } = this.#window(size), at = this.#cursor, selected = this.selection?.row.pcpu;
    const there = <S extends Span>(spans: readonly S[]) => spans.findLast(({ from }) => from <= at);
    const cpus = this.#cpuLanes().map(([cpu, spans]): SpokenLine => {
      const share = busyShare(spans, start, start + width * step), span = there(spans);
      const runs = !span || span.unseen ? UNRECORDED : span.vcpu === undefined ? "idle" : `runs ${span.vcpu}`;
      return { parts: [`p${cpu}`, ...share === undefined ? [] : [shareText(share)], runs], selected: cpu === selected };
    });
    const words = new Map(STATES.map(([state, word]) => [state, word]));
    const vcpus = this.#allVcpus().map((vcpu): SpokenLine => {
      const state = there(this.#lanes.vcpus.get(vcpu) ?? [])?.state ?? "waits";
      return { parts: [vcpu, words.get(state) ?? state] };
    });
    return [{ parts: [`at ${secondsText(at)} s`] }, ...cpus, ...vcpus, ...this.#sentence(look).map((pieces) => spokenPieces(pieces))].slice(
      0,
      size.height,
    );
  }

  /** vCPUs that the session has, or the lanes. */
  #allVcpus(): string[] {
    return [...new Set([...this.#vcpus, ...this.#lanes.vcpus.keys()])];
  }

  /** A lane for each physical CPU, including those of which nothing was recorded. */
  #cpuLanes(): (readonly [cpu: number, spans: readonly CpuSpan[]])[] {
    const { cpus } = this.#lanes;
    return [...this.#cpus.union(new Set(cpus.keys()))].sort((a, b) => a - b).map((cpu) => [cpu, cpus.get(cpu) ?? []] as const);
  }

  /** Time (ns) since the newest switch, where that is longer than the lanes show. */
  get #quietFor(): number | undefined {
    const quiet = this.#now - Number(this.#rows.at(-1)?.t ?? this.#now);
    return quiet > this.#width * SCALES[this.#scale] ? quiet : undefined;
  }

  /** @param beside the chip in the same row, which no time begins or ends below */
  #drawAxis(screen: Screen, look: Look, area: Rectangle, { x, start, step, width }: Window, beside?: Chip): void {
    ticksOf(start, step, width, TICKS_APART).forEach((tick, index) => {
      const column = Math.floor((tick - start) / step);
      // Where a second begins it is named.
      const text = index && tick % SECOND ? fractionText(tick) : secondsText(tick);
      const covered = beside && column < beside.left + beside.text.length + 1 && column + text.length >= beside.left;
      if (!covered && column + text.length <= width) screen.text(x + column, area.y, text, look.style("dim"));
    });
  }

  /** The cursor's time, as near above the cursor as it fits. */
  #chip({ width }: Window, cursor: number): Chip {
    const text = ` ${fractionText(this.#cursor)} `;
    return { text, left: Math.min(Math.max(cursor - Math.floor(text.length / 2), 0), Math.max(width - text.length, 0)) };
  }

  /** As many lanes of vCPUs as fit: active ones first. */
  #drawVcpus(screen: Screen, look: Look, area: Rectangle, top: number, bottom: number, window: Window): number {
    const all = this.#allVcpus();
    const room = bottom - top - 1;
    if (room < 1) return top;
    const end = window.start + window.width * window.step;
    const active = new Set(all.filter((vcpu) => runsBetween(this.#lanes.vcpus.get(vcpu) ?? [], window.start, end)));
    const kept = new Set([...active, ...all.filter((vcpu) => !active.has(vcpu))].slice(0, room));
    const shown = all.filter((vcpu) => kept.has(vcpu));
    const { line } = look.glyphs.frame, count = shown.length < all.length ? `${shown.length} of ${all.length}` : "";
    screen.text(area.x, top, line.repeat(area.width), look.style("border"));
    drawPieces(screen, look, area.x + 2, top, [
      { text: " vCPUs ", role: "dim" },
      ...count ? [{ text: `${count} `, role: "dim" } as const] : [],
    ], area.width - 4);
    shown.forEach((vcpu, index) => {
      const y = top + 1 + index, mark = look.vm(vmOfName(vcpu));
      drawPieces(screen, look, area.x + 1, y, [chipPiece(mark), { text: ` ${fitName(vcpu, LABEL - 4)}`, role: mark.ink }], LABEL - 2);
      drawVcpu(screen, look, y, window, this.#lanes.vcpus.get(vcpu) ?? [], mark);
    });
    return top + 1 + shown.length;
  }

  #drawFoot(screen: Screen, look: Look, area: Rectangle): void {
    const legend = STATES.flatMap(([state, word, ink], index): Piece[] => [
      { text: `${index ? "   " : ""}${look.glyphs.lanes[state]}`, role: ink },
      { text: ` ${word}`, role: "dim" },
    ]);
    const [first, second] = this.#sentence(look);
    [legend, first, second].forEach((pieces, row) => drawPieces(screen, look, area.x, area.y + row, pieces, area.width));
  }

  /**
   * The vCPU that yielded and the one that got the CPU at the cursor, the reason; and the latter's
   * previous state.
   */
  #sentence(look: Look): [Piece[], Piece[]] {
    const { row } = this.selection ?? {};
    if (!row) return [[], []];
    const at = Number(row.t), { fact } = row, to = row.vcpu === null ? undefined : nameOf(row.vcpu);
    const when: Piece[] = [{ text: fractionText(at), role: "strong", bold: true }, { text: ` p${row.pcpu}  `, role: "dim" }];
    if (fact?.code === "unseen") return [[...when, { text: SLICE_REASONS.text(fact), role: "dim" }], []];
    const vcpu = (name: string): Piece => ({ text: name, role: look.vm(vmOfName(name)).ink });
    const from = fact ? nameOf(fact.vcpu) : undefined;
    const why: Piece[] = !fact
      ? []
      : [{ text: ": it " }, { text: fact.code === "yields" ? "can run, but its turn is over" : SLICE_REASONS.text(fact) }];
    if (to === undefined) {
      return [[...when, ...from === undefined ? [{ text: "idle" }] : [vcpu(from), { text: " leaves the CPU idle" }, ...why]], []];
    }
    const first = from !== undefined && from !== to
      ? [...when, vcpu(from), { text: " yields to " }, vcpu(to), ...why]
      : [...when, vcpu(to), { text: " runs" }];
    const before = this.#lanes.vcpus.get(to)?.findLast((span) => span.to <= at && span.to >= at - 1 && span.state !== "runs");
    if (!before) return [first, []];
    const time = durationText(before.to - before.from);
    const did = BEFORE[before.state](time);
    return [first, [{ text: "before   ", role: "dim" }, vcpu(to), { text: ` ${did}` }]];
  }
}

/** A vCPU's state before it ran, and for how long. */
const BEFORE: Readonly<Record<LaneState, (time: string) => string>> = {
  runs: (time) => `ran for ${time}`,
  ready: (time) => `was ready for ${time} and had no CPU`,
  vmm: (time) => `waited ${time} for its VMM`,
  waits: (time) => `waited for ${time}`,
  suspended: (time) => `was suspended for ${time}`,
};

/** A virtual time without its seconds: `.477 650`. */
function fractionText(ns: number): string {
  return secondsText(ns).replace(/^[\d ]+(?=\.)/, "");
}

function sharePieces(share: number | undefined): Piece[] {
  if (share === undefined) return [{ text: "  ?", role: "dim" }];
  const { role } = shareMark(share), [number, unit] = shareText(share).split(" ");
  // A CPU in full use is not an error.
  return [{ text: number.padStart(4), role: role === "bad" ? "warn" : role }, { text: ` ${unit}`, role: "dim" }];
}

/** A physical CPU: VMs on their fills, a line while it is idle, blanks where unknown. */
function drawCpu(screen: Screen, look: Look, y: number, { x, start, step, width }: Window, spans: readonly CpuSpan[]): void {
  // A vCPU that ran at all in a column shows before idleness.
  const columns = columnsOf(spans, start, step, width, ({ vcpu }) => vcpu === undefined ? 1e-6 : 1);
  const vmOf = (span: CpuSpan | undefined) => span && !span.unseen ? vmOfName(span.vcpu ?? "") : undefined;
  for (let at = 0; at < width;) {
    const vm = vmOf(columns[at]);
    let end = at + 1;
    while (end < width && vmOf(columns[end]) === vm) end++;
    const length = end - at;
    if (vm === "") screen.text(x + at, y, (look.letters ? "_" : look.glyphs.frame.line).repeat(length), look.style("border"));
    else if (vm !== undefined) {
      const { letter, fill } = look.vm(vm);
      const name = length >= vm.length + 2;
      const text = look.letters ? `${letter}${name ? `${vm} ` : ""}`.padEnd(length, letter) : (name ? ` ${vm}` : letter).padEnd(length);
      screen.text(x + at, y, text, look.options.depth === "none" ? look.bold("text") : look.on(fill, "fink", true));
    }
    at = end;
  }
}

/** A vCPU's lane. */
function drawVcpu(
  screen: Screen,
  look: Look,
  y: number,
  { x, start, step, width, recorded }: Window,
  spans: readonly VcpuSpan[],
  { fill, letter }: VmMark,
): void {
  const columns = columnsOf(spans, start, step, width, ({ state }) => state === "runs" ? 1 : 1e-6);
  columns.forEach((span, column) => {
    if (!recorded[column]) return;
    // A vCPU that has not run yet has waited.
    const state = span?.state ?? "waits";
    const runs = state === "runs";
    const text = runs && look.letters ? letter : look.glyphs.lanes[state];
    // A letter is to be read: it is on the fill, as in bars.
    const letters = look.options.depth === "none" ? look.bold("text") : look.on(fill, "fink", true);
    screen.text(x + column, y, text, runs ? look.letters ? letters : look.style(fill) : look.style(INKS.get(state)!));
  });
}

/** The cursor's line; crossed cells keep their background. */
function drawCursor(screen: Screen, look: Look, x: number, y: number): void {
  screen.text(x, y, look.glyphs.frame.side, look.style("accent"));
}
