// The ten screens: which panes each has, and where they stand (docs/design/workstation.md §4).

import type { Rectangle } from "./cells.ts";
import type { ConsolePane } from "./console-pane.ts";
import { Divider, LEAST_COLUMNS } from "./divider.ts";
import { LanesPane } from "./lanes-pane.ts";
import { MemoryPane } from "./memory-pane.ts";
import type { Line, Pane } from "./pane.ts";
import { packetLines, reasonLines, recordLines } from "./records.ts";
import { RegisterLines } from "./registers.ts";
import { TablePane } from "./table-pane.ts";
import { TextPane } from "./text-pane.ts";
import type { TreePane } from "./tree-pane.ts";
import { REASONS, REGISTERS } from "../queries/tables.ts";
import { rowsOf } from "../queries/query.ts";

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
  layout(body: Rectangle, focused: Pane): Placed[];
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
    title: "events, some of the newest (9: all)",
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
      const links = tree.linkLines(body.width), wanted = tree.length + links + 2;
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
    layout(body: Rectangle, focused: Pane): Placed[] {
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
    title: () => `${of.selection?.row.id ?? "nothing selected"}  every field`,
    lines: (width) => of.selection ? recordLines(of.selection.table, of.selection.row, width) : [],
  });
}

function vcpuScreen(): ScreenModel {
  const vcpus = new TablePane({ name: "vcpus", table: "vcpu.ls", title: "vCPUs" });
  const registers = new RegisterLines();
  let asked = "";
  const pane = new TextPane({
    name: "registers",
    title: () => `registers of ${vcpus.selectedId ?? "-"}  * changed  (v: stack, code, PSCI, fields)`,
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
    title: "call frames by frame pointers, the innermost first",
    args: () => vcpus.selectedId ? { vcpu: vcpus.selectedId } : undefined,
  });
  const code = new TablePane({
    name: "code",
    table: "code",
    title: "instructions from the PC on",
    args: () => vcpus.selectedId ? { at: `${vcpus.selectedId.slice("vcpu:".length)}:pc` } : undefined,
  });
  const psci = new TablePane({
    name: "psci",
    table: "events",
    title: "power: its PSCI calls",
    args: () => vcpus.selectedId ? { kinds: "psci", filter: `vcpu=${vcpus.selectedId}`, limit: HISTORY } : undefined,
  });
  return listScreen("2", vcpus, [pane, stack, code, psci, inspector("fields", vcpus)]);
}

function irqScreen(): ScreenModel {
  const irqs = new TablePane({ name: "irqs", table: "irq.ls", title: "interrupts" });
  const findings = new TextPane({
    name: "findings",
    title: () => "findings: storms, and interrupts that cannot come  (v: fields)",
    lines: () => {
      const found = irqs.rows.filter((row) => row.finding !== null).map((row): Line => ({
        text: `${row.id} ${row.finding}`,
        role: "refused",
      }));
      return found.length ? found : [{ text: "nothing is wrong with the interrupts shown", role: "dim" }];
    },
  });
  return listScreen("3", irqs, [findings, inspector("fields", irqs)], 0.6);
}

function memoryScreen(): ScreenModel {
  const map = new MemoryPane();
  const list = new TablePane({ name: "runs", table: "mem.map", title: "physical memory, runs of pages" });
  const limits = new TablePane({ name: "limits", table: "mem.limits", title: "limits" });
  const parcels = new TablePane({ name: "parcels", table: "mem.parcels", title: "parcels" });
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
      const [left, right] = besideMap.cut(above, body.width * 0.55);
      return [{ pane: upper, area: left }, { pane: limits, area: right }, { pane: lower, area: under }];
    },
  };
}

function capsScreen(): ScreenModel {
  const caps = new TablePane({ name: "caps", table: "caps.ls", title: "capabilities", filter: "type!=hwirq" });
  const objects = new TablePane({ name: "objects", table: "obj.ls", title: "objects", filter: "type!=hwirq" });
  return listScreen("5", caps, [inspector("fields", caps), objects], 0.6);
}

function queueScreen(): ScreenModel {
  const queues = new TablePane({ name: "queues", table: "queue.ls", title: "message queues and doorbells" });
  const messages = new TablePane({
    name: "messages",
    table: "queue.ring",
    title: "messages, oldest first  (v: RM RPC)",
    unasked: "select a message queue: a doorbell has flags, no messages",
    args: () => queues.selectedId?.startsWith("mq:") ? { queue: queues.selectedId } : undefined,
  });
  return listScreen("6", queues, [messages, rpcFields(messages), inspector("fields", queues)], 0.6);
}

/** What messages between a VM and the resource manager say. */
function rpcFields(messages: TablePane): TextPane {
  return new TextPane({
    name: "rpc",
    title: () => "RM RPC: what the messages say  (v: fields of the queue)",
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
  const rpcs = new TablePane({ name: "rpcs", table: "rpc.ls", title: "requests to the resource manager", stream: true });
  return listScreen("7", rpcs, [inspector("fields", rpcs)], 0.6);
}

function schedScreen(): ScreenModel {
  const lanes = new LanesPane();
  const list = new TablePane({ name: "slices", table: "sched.ls", title: "who ran when", stream: true });
  return listScreen("8", lanes, [list], 0.45);
}

function eventScreen(): ScreenModel {
  const events = new TablePane({ name: "events", table: "events", title: "events", stream: true });
  return listScreen("9", events, [inspector("fields", events)], 0.65);
}

function whyScreen(): ScreenModel {
  const reasons = new TablePane({ name: "reasons", table: "why", title: "refused, newest first" });
  const text = new TextPane({
    name: "reason",
    title: () => `${reasons.selectedId ?? "why"}  the chain, the rule, the way out`,
    lines: (width) =>
      rowsOf(REASONS, { table: "why", rows: reasons.selection ? [reasons.selection.row] : [] }).flatMap((row) => reasonLines(row, width)),
  });
  return listScreen("0", reasons, [text], 0.35);
}
