// The screen Overview: the machine, its VMs, a console, refusals and events.

import type { Activity } from "../panes/overview/activity.ts";
import type { ConsolePane } from "../panes/consoles/console-pane.ts";
import { eventColumns } from "../panes/event-columns.ts";
import { MachinePane } from "../panes/overview/machine-pane.ts";
import type { Pane } from "../panes/pane.ts";
import { RefusalsPane } from "../panes/refusals-pane.ts";
import { below, beside, type Body, type Placed, type ScreenPanes } from "./screen-model.ts";
import { TablePane } from "../panes/table-pane.ts";
import type { TreePane } from "../panes/overview/tree-pane.ts";
import { EVENTS } from "../../../model/queries/tables.ts";

/** From this width on events and refusals are side by side. */
const THREE_BESIDE = 160;
/** From this height of the body on the machine has more rows. */
const TALL = 50;
const MACHINE_ROWS = 6;
const TALL_MACHINE_ROWS = 8;
/** Rows that what is below the VMs keeps. */
const LEAST_BELOW = 9;
const REFUSALS_ROWS = 6;
/** Share of the console in the width, alone with events and with refusals too. */
const CONSOLE_SHARE = 0.575;
const CONSOLE_SHARE_OF_THREE = 0.46;
const EVENTS_SHARE_OF_TWO = 0.45;
/** Columns of most programs' output, with the frame: the console has them before events do. */
const WHOLE_LINES = 82;
/** Columns that events keep. */
const LEAST_EVENTS = 36;
/** Share of the VMs in a low terminal. */
const VMS_SHARE = 0.65;
/** From this height on the VMs leave room for another pane. */
const LEAST_RULES = 7;

export interface OverviewParts {
  readonly tree: TreePane;
  readonly console: ConsolePane;
  readonly activity: Activity;
  /** Refusals that the user has not seen. */
  readonly unseen: () => number;
  /** Whether something was refused in the last minute. */
  readonly refusedLately: () => boolean;
}

export function overview({ tree, console, activity, unseen, refusedLately }: OverviewParts): ScreenPanes {
  const machine = new MachinePane(activity);
  const refusals = new RefusalsPane(unseen);
  const events = new TablePane({
    name: "events",
    table: EVENTS,
    title: "Events",
    stream: true,
    filter: "kind!=sched",
    columns: (width) => eventColumns(width, true),
  });
  const panes: readonly Pane[] = [tree, console, events, refusals];
  const underTree = below("under-tree"), underTreeOfThree = below("under-tree-of-three", 2);
  const besideConsole = beside("beside-console"), besideEvents = beside("beside-events"), overEvents = below("over-events");

  function boxes(body: Body): Placed[] {
    const machineRows = body.height >= TALL ? TALL_MACHINE_ROWS : MACHINE_ROWS;
    const rest = { ...body, y: body.y + machineRows, height: body.height - machineRows };
    const wanted = tree.length + tree.linkLines(body.width - 2) + 3;
    const [upper, lower] = underTreeOfThree.cut(rest, Math.max(Math.min(wanted, rest.height - LEAST_BELOW), 5));
    const top: Placed[] = [{ pane: machine, area: { ...body, height: machineRows } }, { pane: tree, area: upper }];
    const refused = unseen() > 0 || refusedLately();
    const three = refused && body.width >= THREE_BESIDE;
    const whole = lower.width - WHOLE_LINES >= LEAST_EVENTS ? WHOLE_LINES : 0;
    const [left, right] = besideConsole.cut(lower, Math.max(lower.width * (three ? CONSOLE_SHARE_OF_THREE : CONSOLE_SHARE), whole));
    if (three) {
      const [middle, last] = besideEvents.cut(right, right.width * EVENTS_SHARE_OF_TWO);
      return [...top, { pane: console, area: left }, { pane: events, area: middle }, { pane: refusals, area: last }];
    }
    if (!refused) return [...top, { pane: console, area: left }, { pane: events, area: right }];
    const [above, under] = overEvents.cut(right, REFUSALS_ROWS);
    return [...top, { pane: console, area: left }, { pane: refusals, area: above }, { pane: events, area: under }];
  }

  function rules(body: Body, focused: Pane): Placed[] {
    const rest = { ...body, y: body.y + 1, height: body.height - 1 };
    const wanted = tree.length + tree.linkLines(body.width) + 2;
    const top = { pane: machine, area: { ...body, height: 1 } };
    if (rest.height < LEAST_RULES) return [top, { pane: panes.includes(focused) ? focused : tree, area: rest }];
    const [upper, lower] = underTree.cut(rest, Math.min(Math.max(wanted, 4), rest.height * VMS_SHARE));
    const shown = focused === events || focused === refusals ? focused : console;
    return [top, { pane: tree, area: upper }, { pane: shown, area: lower }];
  }

  return {
    panes,
    views: [],
    dividers: [underTree, underTreeOfThree, besideConsole, besideEvents, overEvents],
    layout: (body, focused) => body.boxed ? boxes(body) : rules(body, focused),
  };
}
