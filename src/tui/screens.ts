// The ten screens: which panes each has, and where they stand (docs/design/workstation.md §4).

import type { Rectangle } from "./cells.ts";
import type { Title } from "./box.ts";
import type { ConsolePane } from "./console-pane.ts";
import { Divider, LEAST_COLUMNS } from "./divider.ts";
import { LanesPane } from "./lanes-pane.ts";
import { columnsOf, type ListColumn } from "./list.ts";
import { countText } from "./numbers.ts";
import { MemoryPane } from "./memory-pane.ts";
import type { Line, Pane } from "./pane.ts";
import { packetLines, reasonLines, recordLines } from "./records.ts";
import { RegisterLines } from "./registers.ts";
import { TablePane } from "./table-pane.ts";
import { TextPane } from "./text-pane.ts";
import type { TreePane } from "./tree-pane.ts";
import { rowsOf } from "../queries/query.ts";
import { REASONS, REGISTERS, TABLES } from "../queries/tables.ts";
import type { Row } from "../queries/table.ts";
import { sizeText } from "../queries/format.ts";

/**
 * Where panes stand: with boxes, which abut, or with rules, and a line between those side by side.
 */
export interface Body extends Rectangle {
  readonly boxed?: boolean;
}

/** A pane and its place. */
export interface Placed {
  readonly pane: Pane;
  readonly area: Rectangle;
}

/** A screen. */
export interface ScreenModel {
  readonly key: string;
  readonly panes: readonly Pane[];
  /** Panes that take each other's place, by `v`. */
  readonly views: readonly (readonly Pane[])[];
  /** What stands between its panes, in this layout or another. */
  readonly dividers: readonly Divider[];
  /** Where panes stand; `focused` decides where there is no room for all. */
  layout(body: Body, focused: Pane): Placed[];
}

/**
 * From this height on lower panes stand one below the other; under it the focused one has their
 * place.
 */
const TALL = 30;
const SIDE_BY_SIDE = 160;
const TWO_COLUMNS = 100;

/** PSCI calls of a vCPU that are shown. */
const HISTORY = 200;
/** A title and two rows. */
const LEAST_ROWS = 3;

/** Between one pane and those below it, of which at most so many stand one below the other. */
function below(name: string, panes = 1): Divider {
  return new Divider(name, false, [LEAST_ROWS, LEAST_ROWS * panes]);
}

/** Between one pane and another at its right. */
function beside(name: string): Divider {
  return new Divider(name, true, [LEAST_COLUMNS, LEAST_COLUMNS]);
}

/** The screens of a session. */
export function makeScreens(tree: TreePane, console: ConsolePane): ScreenModel[] {
  return [
    overview(tree, console),
    vcpuScreen(),
    irqScreen(),
    memoryScreen(),
    capsScreen(),
    queueScreen(),
    rpcScreen(),
    schedScreen(),
    eventScreen(),
    whyScreen(),
  ];
}

function overview(tree: TreePane, console: ConsolePane): ScreenModel {
  const events = new TablePane({
    name: "events",
    table: "events",
    title: "Events",
    stream: true,
    filter: "kind!=sched",
  });
  const underTree = below("under-tree"), underTreeOfThree = below("under-tree-of-three", 2);
  const besideTree = beside("beside-tree"), overEvents = below("over-events"), overEventsOfThree = below("over-events-of-three");
  return {
    key: "1",
    panes: [tree, console, events],
    views: [],
    dividers: [underTree, underTreeOfThree, besideTree, overEvents, overEventsOfThree],
    layout(body, focused) {
      if (body.width >= SIDE_BY_SIDE) {
        const [upper, lower] = overEvents.cut(body, body.height - Math.max(Math.floor(body.height / 3), 4));
        const [left, right] = besideTree.cut(upper, body.width * 0.5);
        return [{ pane: tree, area: left }, { pane: console, area: right }, { pane: events, area: lower }];
      }
      const links = tree.linkLines(body.width), wanted = tree.length + links + (body.boxed ? 3 : 2);
      if (body.height < TALL - 4) {
        const [upper, lower] = underTree.cut(body, Math.min(Math.max(wanted, 4), body.height / 2));
        return [{ pane: tree, area: upper }, { pane: focused === events ? events : console, area: lower }];
      }
      const eventRows = Math.max(Math.floor(body.height / 4), 4);
      const [upper, rest] = underTreeOfThree.cut(body, Math.min(Math.max(wanted, 5), (body.height - eventRows) / 2 + links));
      const [middle, lower] = overEventsOfThree.cut(rest, rest.height - eventRows);
      return [{ pane: tree, area: upper }, { pane: console, area: middle }, { pane: events, area: lower }];
    },
  };
}

/** A list, and below it one of several panes about the selected row. */
function listScreen(
  key: string,
  list: Pane,
  lower: readonly Pane[],
  share = 0.5,
  views: readonly (readonly Pane[])[] = [lower],
): ScreenModel {
  let shown = 0;
  const divider = below("under-list");
  const screen = {
    key,
    panes: [list, ...lower],
    views,
    dividers: [divider],
    layout(body: Body, focused: Pane): Placed[] {
      const at = lower.indexOf(focused);
      if (at >= 0) shown = at;
      const [above, under] = divider.cut(body, body.height * share);
      return [{ pane: list, area: above }, { pane: lower[shown], area: under }];
    },
  };
  return screen;
}

/** Every field of the row that another pane has selected. */
function inspector(name: string, of: { readonly selection: Pane["selection"] }): TextPane {
  return new TextPane({
    name,
    title: () => ({ text: of.selection?.row.id ?? "Nothing selected", right: [[{ text: "every field", role: "dim" }]] }),
    lines: (width) => of.selection ? recordLines(of.selection.table, of.selection.row, width) : [],
  });
}

/** What is limited, how much of it is used, and which share that is. */
function limitColumns(width: number): ListColumn[] {
  const amount = (row: Row, name: string) => row.unit === "bytes" ? sizeText(Number(row[name])) : countText(Number(row[name]));
  const used = (row: Row) => row.limit === null ? amount(row, "used") : `${amount(row, "used")} of ${amount(row, "limit")}`;
  const own = columnsOf(TABLES["mem.limits"]);
  const share = own.find(({ name }) => name === "share")!;
  return [
    { ...own[0], width: Math.max(Math.min(32, width - 24), 12) },
    { name: "used", title: "Used", width: 14, right: true, pieces: (row) => [{ text: used(row) }] },
    share,
  ];
}

/** The VM and vCPU that a pane is about. */
function ofVcpu(id: string | undefined): Pick<Title, "vm" | "vmDetail"> {
  const match = /^vcpu:([^/]+)(\/\d+)$/.exec(id ?? "");
  return match ? { vm: match[1], vmDetail: match[2] } : {};
}

function vcpuScreen(): ScreenModel {
  const vcpus = new TablePane({ name: "vcpus", table: "vcpu.ls", title: "vCPUs" });
  const registers = new RegisterLines();
  let asked = "";
  const pane = new TextPane({
    name: "registers",
    title: () => ({
      text: "Registers",
      ...ofVcpu(vcpus.selectedId),
      right: [[{ text: "*", role: "warn" }, { text: " changed since the last stop", role: "dim" }]],
      bottom: [{ text: "v", role: "accent", bold: true }, { text: " stack, code, PSCI, fields", role: "dim" }],
    }),
    lines: (width) => registers.lines(width).length ? registers.lines(width) : [{ text: REGISTERS.empty, role: "dim" }],
    wants() {
      asked = vcpus.selectedId ?? "";
      return asked ? { table: "vcpu.regs", args: { vcpu: asked } } : undefined;
    },
    take: (answer) => registers.take(asked, answer.rows),
  });
  const stack = new TablePane({
    name: "stack",
    table: "vcpu.stack",
    title: "Call stack",
    args: () => vcpus.selectedId ? { vcpu: vcpus.selectedId } : undefined,
  });
  const code = new TablePane({
    name: "code",
    table: "code",
    title: "Code",
    args: () => vcpus.selectedId ? { at: `${vcpus.selectedId.slice("vcpu:".length)}:pc` } : undefined,
  });
  const psci = new TablePane({
    name: "psci",
    table: "events",
    title: "PSCI calls",
    args: () => vcpus.selectedId ? { kinds: "psci", filter: `vcpu=${vcpus.selectedId}`, limit: HISTORY } : undefined,
  });
  return listScreen("2", vcpus, [pane, stack, code, psci, inspector("fields", vcpus)]);
}

function irqScreen(): ScreenModel {
  const irqs = new TablePane({ name: "irqs", table: "irq.ls", title: "Interrupts" });
  const findings = new TextPane({
    name: "findings",
    title: () => ({ text: "Findings", right: [[{ text: "storms, and interrupts that cannot be delivered", role: "dim" }]] }),
    lines: () => {
      const found = irqs.rows.filter((row) => row.finding !== null).map((row): Line => ({
        text: `${row.id} ${row.finding}`,
        role: "bad",
      }));
      return found.length ? found : [{ text: "nothing is wrong with the interrupts shown", role: "dim" }];
    },
  });
  return listScreen("3", irqs, [findings, inspector("fields", irqs)], 0.6);
}

function memoryScreen(): ScreenModel {
  const map = new MemoryPane();
  const list = new TablePane({ name: "runs", table: "mem.map", title: "Physical memory" });
  const limits = new TablePane({ name: "limits", table: "mem.limits", title: "Limits", columns: limitColumns });
  const parcels = new TablePane({ name: "parcels", table: "mem.parcels", title: "Parcels" });
  const fields = inspector("fields", parcels);
  let upper: Pane = map, lower: Pane = parcels;
  const underMap = below("under-map"), besideMap = beside("beside-map");
  return {
    key: "4",
    panes: [map, list, limits, parcels, fields],
    views: [[map, list], [parcels, fields]],
    dividers: [underMap, besideMap],
    layout(body, focused) {
      if (focused === map || focused === list) upper = focused;
      if (focused === parcels || focused === fields) lower = focused;
      const [above, under] = underMap.cut(body, body.height * 0.55);
      if (body.width < TWO_COLUMNS) return [{ pane: focused === limits ? limits : upper, area: above }, { pane: lower, area: under }];
      const [left, right] = besideMap.cut(above, body.width * 0.58);
      return [{ pane: upper, area: left }, { pane: limits, area: right }, { pane: lower, area: under }];
    },
  };
}

function capsScreen(): ScreenModel {
  const caps = new TablePane({ name: "caps", table: "caps.ls", title: "Capabilities", filter: "type!=hwirq" });
  const objects = new TablePane({ name: "objects", table: "obj.ls", title: "Objects", filter: "type!=hwirq" });
  return listScreen("5", caps, [inspector("fields", caps), objects], 0.6);
}

function queueScreen(): ScreenModel {
  const queues = new TablePane({ name: "queues", table: "queue.ls", title: "Message queues and doorbells" });
  const messages = new TablePane({
    name: "messages",
    table: "queue.ring",
    title: "Messages",
    unasked: "select a message queue: a doorbell has flags, no messages",
    args: () => queues.selectedId?.startsWith("mq:") ? { queue: queues.selectedId } : undefined,
  });
  return listScreen("6", queues, [messages, rpcFields(messages), inspector("fields", queues)], 0.6);
}

/** What messages between a VM and the resource manager say. */
function rpcFields(messages: TablePane): TextPane {
  return new TextPane({
    name: "rpc",
    title: () => ({ text: "RM RPC", right: [[{ text: "what the messages say", role: "dim" }]] }),
    lines(width) {
      const lines = packetLines(messages.rows, width);
      if (lines.length) return lines;
      return [{ text: messages.rows.length ? "neither end is the resource manager: v shows bytes" : messages.emptyText, role: "dim" }];
    },
    wants: () => messages.wants(),
    take: (answer) => messages.take(answer),
  });
}

function rpcScreen(): ScreenModel {
  const rpcs = new TablePane({ name: "rpcs", table: "rpc.ls", title: "Requests to the resource manager", stream: true });
  return listScreen("7", rpcs, [inspector("fields", rpcs)], 0.6);
}

function schedScreen(): ScreenModel {
  const lanes = new LanesPane();
  const list = new TablePane({ name: "slices", table: "sched.ls", title: "Switches", stream: true });
  return listScreen("8", lanes, [list], 0.45);
}

function eventScreen(): ScreenModel {
  const events = new TablePane({ name: "events", table: "events", title: "Events", stream: true });
  return listScreen("9", events, [inspector("fields", events)], 0.65);
}

function whyScreen(): ScreenModel {
  const reasons = new TablePane({ name: "reasons", table: "why", title: "Refusals" });
  const text = new TextPane({
    name: "reason",
    title: () => ({ text: reasons.selectedId ?? "Why", right: [[{ text: "the chain, the rule, the way out", role: "dim" }]] }),
    lines: (width) =>
      rowsOf(REASONS, { table: "why", rows: reasons.selection ? [reasons.selection.row] : [] }).flatMap((row) => reasonLines(row, width)),
  });
  return listScreen("0", reasons, [text], 0.35);
}
