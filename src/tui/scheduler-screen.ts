// Screen 8: which vCPU ran on which physical CPU when.

import { LanesPane } from "./lanes-pane.ts";
import { listScreen } from "./list-screen.ts";
import type { ScreenModel } from "./screen-model.ts";
import { TablePane } from "./table-pane.ts";

/** Its panes, and where they stand. */
export function schedulerScreen(): ScreenModel {
  const lanes = new LanesPane();
  const list = new TablePane({ name: "slices", table: "sched.ls", title: "Switches", stream: true });
  return listScreen("8", lanes, [list], 0.45);
}
