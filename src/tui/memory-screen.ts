// Screen 4: physical memory, what can run out, and memory parcels.

import { columnsOf, type ListColumn } from "./list.ts";
import { inspector } from "./list-screen.ts";
import { MemoryPane } from "./memory-pane.ts";
import { countText } from "./numbers.ts";
import type { Pane } from "./pane.ts";
import { below, beside, type ScreenModel } from "./screen-model.ts";
import { TablePane } from "./table-pane.ts";
import { sizeText } from "../queries/format.ts";
import type { Row } from "../queries/table.ts";
import { TABLES } from "../queries/tables.ts";

/** From this width on limits stand beside the map. */
const TWO_COLUMNS = 100;

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

/** Its panes, and where they stand. */
export function memoryScreen(): ScreenModel {
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
