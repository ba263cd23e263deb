// The screens: what tabs, keys, help, hints, palette, links and questions know of each. Its panes
// are in its file of `screens/`, which the first frame does not load.

import type { NameIn } from "./action-table.ts";
import type { TraceKind } from "../../../machine/abi/trace.ts";
import type { IdKind } from "../../../model/queries/ids.ts";
import type { SCREEN_NAMES } from "../../../model/commands/link.ts";
import type { ListTable } from "../../../model/queries/query.ts";
import { type Hint, hint } from "../../../kit/support/text/hint.ts";

/** A pane that shows objects, and the table with the row of one. */
type ShownIn = readonly [pane: string, table?: ListTable | "mem.owner"];

interface ScreenRow {
  readonly key: string;
  /** Its name in actions and links. */
  readonly name: (typeof SCREEN_NAMES)[number];
  /** Its name on its tab, and on a narrow one. */
  readonly title: string;
  readonly short: string;
  readonly help: string;
  /** Words that other programs have for it. */
  readonly aliases?: readonly string[];
  /** The command that shows the same. */
  readonly command?: Hint;
  /** Frequent actions on it, in the order of use; without them, those of most screens. */
  readonly hints?: readonly NameIn<"lists">[];
  /**
   * Frequent kinds of events, which are recorded while it is shown, and how many between two
   * samples; without a budget all.
   */
  readonly watched?: { readonly kinds: readonly TraceKind[]; readonly budget?: number };
  /** Objects that it shows, by the kinds of their ids. */
  readonly shows: Readonly<Partial<Record<IdKind, ShownIn>>>;
}

/** On the overview a few of the newest are enough. */
const BUSY: readonly TraceKind[] = ["hvc", "trap", "virq", "mmio", "mem"], GLANCE = 8;
/** Events between two samples from which exits are counted. */
const EXITS = 40;

/** The table, in the order of the tabs. */
const ROWS = [
  {
    key: "1",
    name: "over",
    title: "Overview",
    short: "Over",
    help: "overview: VMs, a console, events",
    aliases: ["overview", "vm", "vms", "top"],
    command: hint("vm ls"),
    hints: ["object.go", "pane.next", "console.enter", "object.why", "object.actions", "filter.edit", "machine.pause", "time.travel"],
    watched: { kinds: BUSY, budget: GLANCE },
    shows: { vm: ["tree", "vm.ls"], con: ["console"] },
  },
  {
    key: "2",
    name: "vcpu",
    title: "vCPUs",
    short: "vCPU",
    help: "vCPUs: states, waits, registers",
    aliases: ["vcpus", "registers", "regs"],
    command: hint("vcpu ls"),
    hints: ["object.go", "pane.next", "time.on", "time.back", "machine.stop-rule", "list.view", "object.why", "filter.edit", "copy.menu"],
    watched: { kinds: ["hvc", "trap", "mmio"], budget: EXITS },
    shows: { vcpu: ["vcpus", "vcpu.ls"] },
  },
  {
    key: "3",
    name: "irq",
    title: "Interrupts",
    short: "IRQ",
    help: "interrupts and their defects",
    aliases: ["irqs", "interrupts"],
    command: hint("irq ls"),
    shows: { irq: ["irqs", "irq.ls"] },
  },
  {
    key: "4",
    name: "mem",
    title: "Memory",
    short: "Mem",
    help: "memory: who owns and maps what, parcels, limits",
    aliases: ["memory"],
    command: hint("mem map"),
    hints: ["object.go", "pane.next", "list.view", "list.closer", "list.wider", "object.why", "object.actions", "filter.edit", "copy.menu"],
    watched: { kinds: ["mem"], budget: EXITS },
    shows: {
      parcel: ["parcels", "mem.parcels"],
      pa: ["map", "mem.owner"],
      ipa: ["map", "mem.owner"],
      limit: ["limits", "mem.limits"],
    },
  },
  {
    key: "5",
    name: "caps",
    title: "Rights",
    short: "Rights",
    help: "capabilities and objects",
    aliases: ["rights", "capabilities"],
    command: hint("caps ls"),
    shows: { cap: ["caps", "caps.ls"], obj: ["objects", "obj.ls"] },
  },
  {
    key: "6",
    name: "queue",
    title: "Queues",
    short: "Queue",
    help: "message queues and doorbells",
    aliases: ["queues", "doorbells"],
    command: hint("queue ls"),
    shows: { mq: ["queues", "queue.ls"], db: ["queues", "queue.ls"] },
  },
  {
    key: "7",
    name: "rpc",
    title: "RPC",
    short: "RPC",
    help: "requests to the Resource Manager",
    aliases: ["rpcs", "messages"],
    command: hint("rpc ls"),
    shows: { rpc: ["rpcs"] },
  },
  {
    key: "8",
    name: "sched",
    title: "Scheduler",
    short: "Sched",
    help: "scheduler timeline",
    aliases: ["scheduler", "timeline"],
    command: hint("events", { filter: "kind=sched" }),
    hints: ["object.go", "pane.next", "list.closer", "list.wider", "time.travel", "filter.edit", "copy.menu"],
    watched: { kinds: ["sched"] },
    shows: { pcpu: ["lanes"] },
  },
  {
    key: "9",
    name: "event",
    title: "Events",
    short: "Event",
    help: "all events",
    aliases: ["events", "trace"],
    command: hint("events"),
    hints: ["object.go", "pane.next", "list.follow", "time.event-on", "machine.stop-rule", "time.travel", "object.why", "filter.edit"],
    watched: { kinds: [...BUSY, "sched"] },
    shows: { ev: ["events"] },
  },
  {
    key: "0",
    name: "why",
    title: "Why",
    short: "Why",
    help: "why operations were refused",
    aliases: ["refusals", "reasons"],
    command: hint("why"),
    hints: ["object.go", "pane.next", "rule.read", "time.travel", "copy.menu", "object.references", "filter.edit"],
    shows: { why: ["reasons"] },
  },
  {
    key: "L",
    name: "linux",
    title: "Linux",
    short: "Linux",
    help: "Linux in VMs: processes, log, stacks, files",
    shows: { task: ["processes", "linux.ps"] },
  },
] as const satisfies readonly ScreenRow[];

type KnownScreen = (typeof ROWS)[number];
export type ScreenName = KnownScreen["name"];

/** A screen of the table. */
export interface ScreenEntry extends ScreenRow {
  readonly name: ScreenName;
}

/** The screens, in the order of their tabs. */
export const SCREENS: readonly ScreenEntry[] = ROWS;

/** Where an object of a kind is shown. */
export interface ShownAt {
  readonly screen: ScreenEntry;
  readonly pane: string;
  /** The table with its row, if there is one. */
  readonly table: ShownIn[1];
}

type KeyOf<T> = T extends unknown ? keyof T : never;
/** Kinds of objects that screens show. */
type ShownKind = KeyOf<KnownScreen["shows"]>;

const SHOWN: ReadonlyMap<string, ShownAt> = new Map(
  SCREENS.flatMap((screen) =>
    Object.entries(screen.shows).map(([kind, [pane, table]]): [string, ShownAt] => [kind, { screen, pane, table }])
  ),
);

/** Where objects of a kind are shown; undefined for those that no screen shows. */
export function whereShown(kind: IdKind): ShownAt | undefined {
  return SHOWN.get(kind);
}

/** The screen that shows objects of a kind. */
export function screenOf(kind: ShownKind): ScreenEntry {
  const shown = whereShown(kind);
  if (!shown) throw new Error(`no screen shows ${kind}`);
  return shown.screen;
}
