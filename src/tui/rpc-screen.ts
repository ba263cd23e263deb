// Screen 7: requests to the resource manager.

import { inspector, listScreen } from "./list-screen.ts";
import type { ScreenModel } from "./screen-model.ts";
import { TablePane } from "./table-pane.ts";

/** Its panes, and where they stand. */
export function rpcScreen(): ScreenModel {
  const rpcs = new TablePane({ name: "rpcs", table: "rpc.ls", title: "Requests to the resource manager", stream: true });
  return listScreen("7", rpcs, [inspector("fields", rpcs)], 0.6);
}
