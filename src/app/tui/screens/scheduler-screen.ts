// The screen Scheduler: the timeline of vCPUs on physical CPUs, and of their waits for one.

import { SLICE_REASONS } from "../../../model/queries/facts/slice-reason.ts";
import { LanesPane, NO_SWITCH } from "../panes/vcpus/lanes-pane.ts";
import { type Slice } from "../panes/vcpus/lanes.ts";
import { LaneWaitsPane } from "../panes/vcpus/lanes-waits.ts";
import type { ListColumn } from "../look/list.ts";
import { vmPieces } from "../look/pieces.ts";
import { below, beside, type Body, type Placed, type ScreenPanes } from "./screen-model.ts";
import { TablePane } from "../panes/table-pane.ts";
import { nameOf, vmOfName } from "../../../model/queries/ids.ts";
import { timeText } from "../../../kit/support/text/number-text.ts";
import { SLICES } from "../../../model/queries/tables.ts";

/** Rows that the lists below the lanes keep, and that the lanes do. */
const LEAST_BELOW = 10, LEAST_LANES = 10;
/** Columns of the switches, of all. */
const SWITCHES_SHARE = 0.58;
/** Columns and rows of the body from which on there are lists below the lanes at all times. */
const LEAST = { width: 100, height: 24 } as const;

/** A switch: time, CPU, the new vCPU, and why the one before stopped. */
function switchColumns(): ListColumn<Slice>[] {
  return [
    { name: "t", title: "Time", width: 12, right: true, pieces: ({ t }) => [{ text: timeText(Number(t)), role: "dim" }] },
    { name: "pcpu", title: "CPU", width: 3, pieces: ({ pcpu }) => [{ text: `p${pcpu}` }] },
    {
      name: "vcpu",
      title: "Runs now",
      width: 13,
      pieces({ vcpu, seen }, { look }) {
        if (vcpu === null) return [{ text: !seen ? "?" : "idle", role: "dim" }];
        const name = nameOf(vcpu);
        return vmPieces(look.vm(vmOfName(name)), name);
      },
    },
    {
      name: "reason",
      title: "Because",
      width: 31,
      pieces(row, { look }) {
        const { fact } = row;
        if (!fact || fact.code === "unseen") return [{ text: row.reason || "-", role: "dim" }];
        const vcpu = nameOf(fact.vcpu);
        return [{ text: vcpu, role: look.vm(vmOfName(vcpu)).ink }, { text: ` ${SLICE_REASONS.text(fact)}` }];
      },
    },
  ];
}

/** Its panes, and their places. */
export function schedulerScreen(): ScreenPanes {
  const lanes = new LanesPane(), waits = new LaneWaitsPane(lanes);
  const list = new TablePane({
    name: "slices",
    table: SLICES,
    title: "Switches",
    empty: [NO_SWITCH.what, NO_SWITCH.how],
    stream: true,
    columns: switchColumns,
  });
  const underLanes = below("under-list"), besideSwitches = beside("beside-switches");

  function placed(body: Body): Placed[] {
    const [above, under] = underLanes.cut(body, Math.max(Math.min(lanes.rows + 2, body.height - LEAST_BELOW), LEAST_LANES));
    if (body.width < LEAST.width) return [{ pane: lanes, area: above }, { pane: list, area: under }];
    const [left, right] = besideSwitches.cut(under, body.width * SWITCHES_SHARE);
    return [{ pane: lanes, area: above }, { pane: list, area: left }, { pane: waits, area: right }];
  }

  return {
    panes: [lanes, list],
    views: [],
    dividers: [underLanes, besideSwitches],
    // In a low terminal the list has its rows only while it has the keys.
    layout: (body, focused) => body.height < LEAST.height && focused === lanes ? [{ pane: lanes, area: body }] : placed(body),
  };
}
