// The screen Linux: the Linux in VMs, from their memory: processes with what each waits in, the
// log, and of the selected process its stack, files and mappings.

import { columnsOf, type ListColumn, quietPieces } from "../look/list.ts";
import { inspector } from "../panes/inspector.ts";
import { durationText } from "../look/numbers.ts";
import type { Pane } from "../panes/pane.ts";
import type { Piece } from "../look/pieces.ts";
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
/** Columns of a process other than its wait, with blanks. */
const BESIDE_WAIT = 62;
/** Levels of the log that are errors, and the warning. */
const ERRORS: ReadonlySet<string> = new Set(["emerg", "alert", "crit", "err"]), WARNING = "warn";

/** A process: its number, name and state, how long it ran, and what it waits in. */
function taskColumns(width: number): ListColumn<TaskRow>[] {
  const own = new Map(columnsOf(PS).map((column) => [column.name, column]));
  const resident = own.get("resident");
  const waits = ({ waits, state, cpu }: TaskRow): Piece[] => {
    if (waits !== null) return [{ text: waits, role: state === "D" ? "warn" : "dim" }];
    return state === "R" ? [{ text: `runs on CPU ${cpu ?? "?"}` }] : [{ text: "-", role: "dim" }];
  };
  return [
    { name: "pid", title: "PID", width: 6, right: true, pieces: ({ pid }) => [{ text: String(pid) }] },
    { name: "ppid", title: "Parent", width: 6, right: true, from: 110, pieces: ({ ppid }) => quietPieces(String(ppid ?? "-")) },
    {
      name: "name",
      title: "Name",
      width: 20,
      pieces: ({ name, kernel }) => [kernel ? { text: name, role: "dim" } : { text: name, role: "strong", bold: true }],
    },
    {
      name: "state",
      title: "State",
      width: 5,
      pieces: ({ state }) => [{ text: state, role: state === "D" || state === "Z" ? "warn" : state === "R" ? "text" : "dim" }],
    },
    { name: "time", title: "Time", width: 8, right: true, pieces: ({ time }) => quietPieces(durationText(Number(time ?? 0))) },
    ...resident ? [{ ...resident, title: "Memory", right: true }] : [],
    { name: "waits", title: "Waits in", width: Math.max(width - BESIDE_WAIT, 20), pieces: waits },
  ];
}

/** A record: its time, and the text by its level. */
function logColumns(width: number): ListColumn<LogRow>[] {
  const role = (level: string): Piece["role"] => ERRORS.has(level) ? "bad" : level === WARNING ? "warn" : "text";
  return [
    { name: "t", title: "Time", width: 11, right: true, pieces: ({ t }) => [{ text: (Number(t) / 1e9).toFixed(6), role: "dim" }] },
    {
      name: "text",
      title: "Message",
      width: Math.max(width - 13, 20),
      pieces: ({ text, level }) => [{ text: text.replaceAll("\n", " "), role: role(level) }],
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
  const processes = new TablePane({
    name: "processes",
    table: PS,
    title: "Linux processes",
    columns: taskColumns,
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
