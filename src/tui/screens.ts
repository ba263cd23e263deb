// The ten screens: which panes each has, and where they stand (docs/design/workstation.md §4).

import type { Title } from "./box.ts";
import { irqScreen } from "./irq-screen.ts";
import { inspector, listScreen } from "./list-screen.ts";
import { memoryScreen } from "./memory-screen.ts";
import { queueScreen } from "./queue-screen.ts";
import { reasonLines } from "./records.ts";
import { RegisterLines } from "./registers.ts";
import { rightsScreen } from "./rights-screen.ts";
import { rpcScreen } from "./rpc-screen.ts";
import { schedulerScreen } from "./scheduler-screen.ts";
import type { ScreenModel } from "./screen-model.ts";
import { TablePane } from "./table-pane.ts";
import { TextPane } from "./text-pane.ts";
import { rowsOf } from "../queries/query.ts";
import { REASONS, REGISTERS } from "../queries/tables.ts";

/** PSCI calls of a vCPU that are shown. */
const HISTORY = 200;

/** The screens of a session. */
export function makeScreens(overview: ScreenModel, clock: () => number): ScreenModel[] {
  return [
    overview,
    vcpuScreen(),
    irqScreen(clock),
    memoryScreen(),
    rightsScreen(),
    queueScreen(clock),
    rpcScreen(),
    schedulerScreen(),
    eventScreen(),
    whyScreen(),
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
