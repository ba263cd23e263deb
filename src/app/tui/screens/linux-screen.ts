// The screen Linux: the Linux in VMs, from their memory: processes with what each waits in, the
// log, and of the selected process its stack, files and mappings.

import { columnsOf, type ListColumn, quietPieces } from "../look/list.ts";
import { inspector } from "../panes/inspector.ts";
import { durationText } from "../look/numbers.ts";
import type { Pane } from "../panes/pane.ts";
import type { Piece } from "../look/pieces.ts";
import type { Role } from "../look/theme.ts";
import { gauge, type Glyphs } from "../terminal/glyphs.ts";
import { below, beside, type Body, type Placed, type ScreenPanes, sharedRows } from "./screen-model.ts";
import { TablePane } from "../panes/table-pane.ts";
import { LINUX_TABLES } from "../../../model/queries/linux-tables.ts";
import type { TableArguments } from "../../../model/queries/query.ts";
import type { RowOf, Table } from "../../../model/queries/table.ts";

const PS = LINUX_TABLES["linux.ps"], LOG = LINUX_TABLES["linux.log"];
type TaskRow = RowOf<typeof PS>;
type LogRow = RowOf<typeof LOG>;

/** Rows of the processes, of all; columns of the stack, of all. */
const LIST_SHARE = 0.5, STACK_SHARE = 0.5;
/** Columns from which on the log is next to the processes, which have this share then. */
const WIDE = 160, WIDE_LIST_SHARE = 0.52;
/** Columns from which on there is a pane next to the lower one. */
const BESIDE = 100;
/** Wall time (ms) for which processes and a log are good enough: reading all of them takes time. */
const STAYS_GOOD = 1000;
/** Columns from which on a process has its parent. */
const WITH_PARENT = 130;
/** Columns from which on a process has its name beside its command, and bars. */
const ROOMY = 116;
/** Cells of a bar. */
const BAR = 8;
/** Columns of what a process waits in, and of its command: at the least, and at the most. */
const WAITS = 12, LONGEST_WAITS = 20, LONGEST_WAITS_IF_ROOMY = 32, COMMAND = 16, LONGEST_COMMAND = 400;
/** Levels of the log that are errors, and the warning. */
const ERRORS: ReadonlySet<string> = new Set(["emerg", "alert", "crit", "err"]), WARNING = "warn";

/** States as ps has them: the shape, the word, and whether it is a reason to look. */
const STATES: Readonly<Record<TaskRow["state"], readonly [shape: keyof Glyphs["shapes"], word: string, ink: Role]>> = {
  R: ["runs", "runs", "ok"],
  S: ["waits", "sleeps", "dim"],
  D: ["waits", "blocked", "warn"],
  I: ["off", "idle", "dim"],
  T: ["off", "stopped", "warn"],
  t: ["off", "traced", "warn"],
  P: ["suspended", "parked", "dim"],
  X: ["ended", "dead", "warn"],
  Z: ["ended", "zombie", "warn"],
};

/** The largest time and memory of all processes, which fill a bar. */
interface Largest {
  time: number;
  resident: number;
}

/** A process: its number, state, time and memory, what it waits in, and what it is. */
function taskColumns(width: number, largest: Largest): ListColumn<TaskRow>[] {
  const own = new Map(columnsOf(PS).map((column) => [column.name, column])), resident = own.get("resident"), isRoomy = width >= ROOMY;
  const waits = ({ waits, state, cpu }: TaskRow): Piece[] => {
    if (waits !== null) return [{ text: waits, role: state === "D" ? "warn" : "dim" }];
    return state === "R" ? [{ text: `runs on CPU ${cpu ?? "?"}` }] : [{ text: "-", role: "dim" }];
  };
  const named = ({ name, kernel }: TaskRow): Piece[] => [kernel ? { text: name, role: "dim" } : { text: name, role: "strong", bold: true }];
  /** A column with a bar after its value, where there is room. */
  const barred = (name: keyof Largest, column: ListColumn<TaskRow>): ListColumn<TaskRow> =>
    !isRoomy ? column : {
      ...column,
      width: column.width + BAR + 1,
      pieces: (row, context) => {
        const share = Number(row[name] ?? 0) / Math.max(largest[name], 1);
        const bar = gauge(context.look.glyphs.gauge, share, BAR);
        return [...column.pieces(row, context), { text: ` ${bar}`, role: share > 0 ? "g2" : "faint" }];
      },
    };
  return [
    { name: "pid", title: "PID", width: 6, right: true, pieces: ({ pid }) => [{ text: String(pid) }] },
    { name: "ppid", title: "Parent", width: 6, right: true, from: WITH_PARENT, pieces: ({ ppid }) => quietPieces(String(ppid ?? "-")) },
    ...isRoomy ? [{ name: "name", title: "Name", width: 16, pieces: named }] : [],
    {
      name: "state",
      title: "State",
      width: 9,
      pieces: ({ state }, { look }) => {
        const [shape, word, role] = STATES[state];
        return [{ text: `${look.glyphs.shapes[shape]} ${word}`, role }];
      },
    },
    barred("time", {
      name: "time",
      title: "Time",
      width: 8,
      right: true,
      pieces: ({ time }) => quietPieces(durationText(Number(time ?? 0))),
    }),
    ...resident ? [barred("resident", { ...resident, title: "Memory", right: true })] : [],
    { name: "waits", title: "Waits in", width: WAITS, most: isRoomy ? LONGEST_WAITS_IF_ROOMY : LONGEST_WAITS, pieces: waits },
    {
      name: "command",
      title: "Command",
      width: COMMAND,
      most: LONGEST_COMMAND,
      pieces: (row) => row.command === null ? isRoomy ? [{ text: "-", role: "dim" }] : named(row) : [{ text: row.command }],
    },
  ];
}

/** A record: its time, and the text by its level; those of an earlier boot are dim. */
function logColumns(width: number): ListColumn<LogRow>[] {
  const role = ({ record, level }: LogRow): Piece["role"] =>
    record !== null ? "dim" : level === null ? "text" : ERRORS.has(level) ? "bad" : level === WARNING ? "warn" : "text";
  return [
    { name: "t", title: "Time", width: 11, right: true, pieces: ({ t }) => [{ text: (Number(t) / 1e9).toFixed(6), role: "dim" }] },
    {
      name: "text",
      title: "Message",
      width: Math.max(width - 13, 20),
      pieces: (row) => [{ text: row.text.replaceAll("\n", " "), role: role(row) }],
    },
  ];
}

const STACK = LINUX_TABLES["linux.stack"], FILES = LINUX_TABLES["linux.files"], MAPS = LINUX_TABLES["linux.maps"];

/** A frame: the function of the kernel, or the program's file. */
function stackColumns(width: number): ListColumn<RowOf<typeof STACK>>[] {
  const place = Math.max(Math.min(width - 30, 60), 20);
  return [
    { name: "mode", title: "Mode", width: 6, pieces: ({ mode }) => [{ text: mode, role: "dim" }] },
    { name: "symbol", title: "Function", width: place, pieces: ({ symbol, file }) => [{ text: symbol ?? file ?? "-" }] },
    { name: "pc", title: "PC", width: 18, from: 60, pieces: ({ pc }) => [{ text: pc, role: "dim" }] },
  ];
}

const fileColumns = (width: number) => namedColumns(FILES, { fd: 4, file: Math.max(width - 34, 20), access: 6, position: 10, flags: 10 });
const mapColumns = (width: number) => namedColumns(MAPS, { start: 18, access: 6, size: 8, file: Math.max(width - 36, 12) });

/** Columns of a table by their names, which may have other widths. */
function namedColumns<T extends Table>(table: T, widths: Readonly<Record<string, number>>): ListColumn<RowOf<T>>[] {
  const own = new Map(columnsOf(table).map((column) => [column.name, column]));
  return Object.entries(widths).flatMap(([name, width]) => {
    const column = own.get(name);
    return column ? [{ ...column, width }] : [];
  });
}

/** Its panes, and their places. */
export function linuxScreen(): ScreenPanes {
  const largest: Largest = { time: 0, resident: 0 };
  const processes = new TablePane({
    name: "processes",
    table: PS,
    title: "Linux processes",
    columns: (width) => taskColumns(width, largest),
    folds: { what: "kernel threads", of: ({ kernel }) => kernel },
    taken(rows) {
      largest.time = Math.max(0, ...rows.map(({ time }) => Number(time ?? 0)));
      largest.resident = Math.max(0, ...rows.map(({ resident }) => resident ?? 0));
    },
    staysGood: STAYS_GOOD,
    empty: [
      "No VM runs a Linux that can be read",
      "Its kernel has to have turned its MMU on, and to have symbols (kallsyms) in its memory.",
    ],
    first: (rows) => rows.find(({ kernel }) => !kernel),
  });
  const vm = (): TableArguments<"linux.log"> => {
    const row = processes.selection?.row;
    return typeof row?.vm === "string" ? { vm: row.vm } : {};
  };
  const task = (): TableArguments<"linux.stack"> | undefined => {
    const row = processes.selection?.row;
    return row && typeof row.vm === "string" && typeof row.pid === "number" ? { vm: row.vm, pid: row.pid } : undefined;
  };
  const log = new TablePane({
    name: "log",
    table: LOG,
    title: "Linux log",
    columns: logColumns,
    staysGood: STAYS_GOOD,
    args: vm,
    empty: ["No log: no VM runs a Linux that can be read", "Select a process to see the log of its VM."],
    current: (rows) => rows.at(-1),
  });
  const ofTask = { args: task, staysGood: STAYS_GOOD, unasked: "select a process" };
  const stack = new TablePane({ ...ofTask, name: "stack", table: STACK, title: "Call frames", columns: stackColumns });
  const files = new TablePane({ ...ofTask, name: "files", table: FILES, title: "Open files", columns: fileColumns });
  const maps = new TablePane({ ...ofTask, name: "maps", table: MAPS, title: "Mappings", columns: mapColumns });
  const fields = inspector("fields", processes);
  const views: readonly Pane[] = [stack, files, maps, fields];
  const underList = below("under-list"), besideList = beside("beside-list"), besideLower = beside("beside-lower");
  let lower: Pane = stack;

  function layout(body: Body, focused: Pane): Placed[] {
    if (views.includes(focused) || focused === log) lower = focused;
    const shown = lower === log ? stack : lower;
    if (body.width < BESIDE) {
      const [above, under] = underList.cut(body, sharedRows(body, LIST_SHARE, processes, [lower]));
      return [{ pane: processes, area: above }, { pane: lower, area: under }];
    }
    if (body.boxed && body.width >= WIDE) {
      const [above, under] = underList.cut(body, body.height * LIST_SHARE);
      const [left, right] = besideList.cut(above, above.width * WIDE_LIST_SHARE);
      const [first, second] = besideLower.cut(under, under.width * STACK_SHARE);
      return [
        { pane: processes, area: left },
        { pane: log, area: right },
        { pane: stack, area: first },
        { pane: shown === stack ? files : shown, area: second },
      ];
    }
    const [above, under] = underList.cut(body, body.height * LIST_SHARE);
    const [left, right] = besideLower.cut(under, under.width * STACK_SHARE);
    return [{ pane: processes, area: above }, { pane: shown, area: left }, { pane: log, area: right }];
  }

  return {
    panes: [processes, ...views, log],
    views: [views],
    dividers: [underList, besideList, besideLower],
    opens: (focused) => focused === processes ? stack : undefined,
    layout,
  };
}
