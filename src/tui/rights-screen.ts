// Screen 5: capabilities, and the objects that they are to.

import { inspector, listScreen } from "./list-screen.ts";
import type { ScreenModel } from "./screen-model.ts";
import { TablePane } from "./table-pane.ts";

/** Its panes, and where they stand. */
export function rightsScreen(): ScreenModel {
  const caps = new TablePane({ name: "caps", table: "caps.ls", title: "Capabilities", filter: "type!=hwirq" });
  const objects = new TablePane({ name: "objects", table: "obj.ls", title: "Objects", filter: "type!=hwirq" });
  return listScreen("5", caps, [inspector("fields", caps), objects], 0.6);
}
