// The screen vCPUs: what each vCPU does and waits for; of the selected one registers, code, call
// stack, exits, PSCI calls and timers.

import type { Activity } from "../panes/overview/activity.ts";
import { codePane } from "../panes/vcpus/code-pane.ts";
import { eventColumns } from "../panes/event-columns.ts";
import { exitsPane } from "../panes/vcpus/exits-pane.ts";
import { vcpuTitle } from "../look/box.ts";
import { columnsOf, idPieces, type ListColumn, loadPieces, quietPieces } from "../look/list.ts";
import { inspector } from "../panes/inspector.ts";
import { countText, durationText } from "../look/numbers.ts";
import type { Pane } from "../panes/pane.ts";
import { digitPieces, historyPieces, keyPieces, type Piece, statePiece } from "../look/pieces.ts";
import { RegisterLines } from "../panes/vcpus/registers.ts";
import { below, beside, type Body, type Placed, type ScreenPanes } from "./screen-model.ts";
import { TablePane } from "../panes/table-pane.ts";
import { TextPane } from "../panes/text-pane.ts";
import { timersPane } from "../panes/vcpus/timers-pane.ts";
import { waitText } from "../panes/vcpus/waits.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { EVENTS, REGISTERS, STACK, VCPUS } from "../../../model/queries/tables.ts";
import { nameOf } from "../../../model/queries/ids.ts";
import { rowsOf } from "../../../model/queries/query.ts";
import { hex } from "../../../kit/support/text/number-text.ts";

type VcpuRow = RowOf<typeof VCPUS>;
type FrameRow = RowOf<typeof STACK>;

/** PSCI calls of a vCPU that are shown. */
const HISTORY = 200;
/** Rows of the list: as many as it has rows, between these; in a low terminal its share. */
const LEAST_LIST_ROWS = 6;
const LIST_ROWS = 11;
const TALL = 50;
const TALL_LIST_ROWS = 20;
const LIST_SHARE = 0.45;
/** From this width on registers, code and stack are side by side; code's share of the two. */
const WIDE = 180;
const WIDE_CODE_SHARE = 0.52;
/** Share of the exits there, beside PSCI calls and timers; and of PSCI calls in those two. */
const WIDE_EXITS_SHARE = 0.39, WIDE_PSCI_SHARE = 0.48;
/** Share of registers and code in what is below the list. */
const MIDDLE_SHARE = 0.66;
/** Digits of an address. */
const DIGITS = 16;
/** Widths from which on the PC and the physical CPU have room. */
const WITH_PC = 117, WITH_PCPU = 126;
/** Columns of a wait, at the least and at the most; of the others, with two blanks between all. */
const WAIT = 30, WIDE_WAIT = 60, BESIDE_WAIT = 91;
/** Columns of the history. */
const SAMPLES = 10;

/** The state of each vCPU, its duration, CPU, load, and what it waits for. */
function vcpuColumns(activity: Activity): (width: number) => ListColumn<VcpuRow>[] {
  const waits: ListColumn<RowOf<typeof VCPUS>>["pieces"] = ({ waits, state, symbol }, { at, width }) => {
    if (state === "run") return [{ text: "runs" }];
    const stuck = state === "vmmio" || state === "proxy";
    return [{ text: waitText(waits, at, width) || (symbol ?? "-"), role: stuck ? "warn" : "dim" }];
  };
  const pc = ({ symbol, pc, native }: VcpuRow): Piece[] =>
    symbol ? [{ text: symbol, role: "link" }] : [{ text: native || !pc ? "native" : pc, role: "dim" }];
  const beforeWait: readonly ListColumn<VcpuRow>[] = [
    { name: "id", title: "vCPU", width: 12, pieces: ({ id }, context) => idPieces(id, { ...context, first: true }) },
    { name: "state", title: "State", width: 11, pieces: ({ state }, { look }) => [statePiece(look, state)] },
    {
      name: "since",
      title: "for",
      width: 7,
      right: true,
      pieces: ({ since, state }) => quietPieces(state === "run" ? "0" : durationText(Number(since))),
    },
    {
      name: "pcpu",
      title: "pCPU",
      width: 4,
      from: WITH_PCPU,
      pieces: ({ pcpu }) => quietPieces(pcpu ? `p${nameOf(pcpu)}` : "-"),
    },
    {
      name: "cpu",
      title: "CPU ",
      width: 6,
      right: true,
      pieces: ({ cpu }) => loadPieces(cpu),
    },
    {
      name: "",
      title: `last ${SAMPLES} s`,
      width: SAMPLES,
      from: 110,
      pieces: ({ id, vm }, { look, width }) => historyPieces(look, activity.histories.of(id), width, look.vm(vm).fill),
    },
    {
      name: "exits_rate",
      title: "exits/s",
      width: 7,
      right: true,
      from: 90,
      pieces: (row) => quietPieces(countText(Math.round(row.exits_rate))),
    },
  ];
  const afterWait: ListColumn<VcpuRow> = { name: "pc", title: "PC", width: 18, from: WITH_PC, pieces: pc };
  return (width) => {
    const wait = Math.min(Math.max(width - BESIDE_WAIT, WAIT), WIDE_WAIT);
    return [...beforeWait, { name: "wakes", title: "Waits for", width: wait, pieces: waits }, afterWait];
  };
}

/** Columns of a call frame before its place, with their gaps; the least of a place. */
const BEFORE_PLACE = 2 * DIGITS + 26 + 6, PLACE = 24;

/** Call frames: the function bold, its offset and addresses dim. */
function stackColumns(paneWidth: number): ListColumn<FrameRow>[] {
  const own = new Map(columnsOf(STACK).map((column) => [column.name, column]));
  const address = (name: "pc" | "frame", title: string, from?: number): ListColumn<FrameRow> => ({
    name,
    title,
    width: DIGITS,
    from,
    pieces: (row) => {
      const value = row[name];
      if (value === null) return [{ text: "-", role: "dim" }];
      return digitPieces(value.slice(2).padStart(DIGITS, "0"), name === "pc" ? "text" : "dim");
    },
  });
  const symbol = (row: FrameRow): Piece[] => {
    const known = row.function !== null, offset = row.offset ? `+${hex(row.offset)}` : "";
    return [{ text: row.function ?? "-", role: known ? "strong" : "dim", bold: known }, { text: offset, role: "dim" }];
  };
  const note = own.get("note");
  const place = (row: FrameRow): Piece[] => {
    const source = row.source !== null ? [{ text: row.source.slice(row.source.lastIndexOf("/") + 1) }] : [];
    const text: Piece[] = row.text !== null ? [{ text: `  ${row.text}`, role: "dim" }] : [];
    return [...source, ...text, ...row.note !== null ? [{ text: `${source.length ? "  " : ""}${row.note}` }] : []];
  };
  return [
    address("pc", "PC"),
    { name: "symbol", title: "Function", width: 26, pieces: symbol },
    address("frame", "Frame record", 64),
    ...note ? [{ ...note, width: Math.max(PLACE, paneWidth - BEFORE_PLACE), from: 96, pieces: place }] : [],
  ];
}

/** The registers of the selected vCPU. */
function registersPane(vcpus: TablePane<typeof VCPUS>): TextPane {
  const registers = new RegisterLines();
  let asked = "";
  return new TextPane({
    name: "registers",
    title: () => ({
      text: "Registers",
      ...vcpuTitle(vcpus.selectedId),
      right: [[{ text: "*", role: "warn" }, { text: " changed since the last look", role: "dim" }]],
      bottom: keyPieces("v", "the next view"),
    }),
    lines: (width) => registers.lines(width).length ? registers.lines(width) : [{ text: REGISTERS.empty, role: "dim" }],
    selection: () => vcpus.selection,
    queries() {
      asked = vcpus.selectedId ?? "";
      return asked ? { table: "vcpu.regs", args: { vcpu: asked } } : undefined;
    },
    receive: (answer) => registers.update(asked, rowsOf(REGISTERS, answer)),
  });
}

function stackPane(vcpus: TablePane<typeof VCPUS>): Pane {
  return new TablePane({
    name: "stack",
    table: STACK,
    title: "Call stack",
    columns: stackColumns,
    args: () => vcpus.selectedId ? { vcpu: vcpus.selectedId } : undefined,
  });
}

function psciPane(vcpus: TablePane<typeof VCPUS>): Pane {
  return new TablePane({
    name: "psci",
    table: EVENTS,
    title: "PSCI calls",
    columns: (width) => eventColumns(width, true),
    empty: ["No PSCI call was recorded yet", "Guests make them when they start CPUs, suspend or shut down."],
    args: () => vcpus.selectedId ? { kinds: "psci", filter: `vcpu=${vcpus.selectedId}`, limit: HISTORY } : undefined,
  });
}

/** A list of vCPUs, and around it what is known of the selected one. */
class VcpuScreen implements ScreenPanes {
  readonly #vcpus: TablePane<typeof VCPUS>;
  readonly #registers: Pane;
  readonly #code: Pane;
  readonly #stack: Pane;
  readonly #exits: Pane;
  readonly #psci: Pane;
  readonly #timers: Pane;
  readonly #fields: Pane;
  readonly #lower: readonly Pane[];
  readonly #underList = below("under-list", 2);
  readonly #underRegisters = below("under-registers");
  readonly #besideRegisters = beside("beside-registers");
  readonly #besideCode = beside("beside-code");
  readonly #besideStack = beside("beside-stack");
  readonly #besideExits = beside("beside-exits");
  readonly #besidePsci = beside("beside-psci");
  readonly dividers = [
    ...[this.#underList, this.#underRegisters, this.#besideRegisters, this.#besideCode, this.#besideStack],
    ...[this.#besideExits, this.#besidePsci],
  ];
  /** The pane below the list where there are rules; and the last one that has its place in turn. */
  #shown: Pane;
  #last: Pane;
  #views: readonly (readonly Pane[])[];

  constructor(activity: Activity) {
    const vcpus = this.#vcpus = new TablePane({
      name: "vcpus",
      table: VCPUS,
      title: "vCPUs",
      columns: vcpuColumns(activity),
      // Guests come first: native vCPUs have no instructions to show.
      first: (rows) => rows.find(({ native }) => !native),
    });
    this.#shown = this.#registers = registersPane(vcpus);
    this.#code = codePane(() => vcpus.selectedId);
    this.#stack = stackPane(vcpus);
    this.#last = this.#exits = exitsPane(() => vcpus.selection?.row);
    this.#psci = psciPane(vcpus);
    this.#timers = timersPane(() => vcpus.selectedId);
    this.#fields = inspector("fields", vcpus);
    this.#lower = [this.#registers, this.#code, this.#stack, this.#exits, this.#psci, this.#timers, this.#fields];
    this.#views = [this.#lower];
  }

  get panes(): readonly Pane[] {
    return [this.#vcpus, ...this.#lower];
  }

  /** Panes that replace each other: where most have a box, only the rest. */
  get views(): readonly (readonly Pane[])[] {
    return this.#views;
  }

  layout(body: Body, focused: Pane): Placed[] {
    if (!body.boxed) return this.#rules(body, focused);
    if ([this.#exits, this.#psci, this.#timers, this.#fields].includes(focused)) this.#last = focused;
    return body.width >= WIDE && body.height >= TALL ? this.#wide(body) : this.#boxes(body);
  }

  #boxes(body: Body): Placed[] {
    this.#views = [[this.#exits, this.#psci, this.#timers, this.#fields]];
    const most = body.height >= TALL ? TALL_LIST_ROWS : LIST_ROWS;
    const [list, rest] = this.#underList.cut(body, Math.min(this.#listRows, most, body.height * LIST_SHARE));
    const [middle, bottom] = this.#underRegisters.cut(rest, rest.height * MIDDLE_SHARE);
    const [left, right] = this.#besideRegisters.cut(middle, middle.width / 2);
    const [first, second] = this.#besideStack.cut(bottom, bottom.width / 2);
    return [
      { pane: this.#vcpus, area: list },
      { pane: this.#registers, area: left },
      { pane: this.#code, area: right },
      { pane: this.#stack, area: first },
      { pane: this.#last, area: second },
    ];
  }

  #wide(body: Body): Placed[] {
    this.#views = [[this.#psci, this.#fields]];
    const [list, rest] = this.#underList.cut(body, Math.min(this.#listRows, TALL_LIST_ROWS));
    const [middle, bottom] = this.#underRegisters.cut(rest, rest.height * MIDDLE_SHARE);
    const [left, beyond] = this.#besideRegisters.cut(middle, middle.width / 3);
    const [center, right] = this.#besideCode.cut(beyond, beyond.width * WIDE_CODE_SHARE);
    const [first, others] = this.#besideExits.cut(bottom, bottom.width * WIDE_EXITS_SHARE);
    const [second, third] = this.#besidePsci.cut(others, others.width * WIDE_PSCI_SHARE);
    return [
      { pane: this.#vcpus, area: list },
      { pane: this.#registers, area: left },
      { pane: this.#code, area: center },
      { pane: this.#stack, area: right },
      { pane: this.#exits, area: first },
      { pane: this.#last === this.#fields ? this.#fields : this.#psci, area: second },
      { pane: this.#timers, area: third },
    ];
  }

  #rules(body: Body, focused: Pane): Placed[] {
    this.#views = [this.#lower];
    if (this.#lower.includes(focused)) this.#shown = focused;
    const [list, rest] = this.#underList.cut(body, body.height * LIST_SHARE);
    return [{ pane: this.#vcpus, area: list }, { pane: this.#shown, area: rest }];
  }

  get #listRows(): number {
    return Math.max(this.#vcpus.rows.length + 3, LEAST_LIST_ROWS);
  }
}

export function vcpuScreen(activity: Activity): ScreenPanes {
  return new VcpuScreen(activity);
}
