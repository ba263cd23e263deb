// The screen Memory: physical memory, the page under the cursor, limits, and memory parcels.

import { eventColumns } from "../panes/event-columns.ts";
import { inspector } from "../panes/inspector.ts";
import { byNearness, limitColumns, parcelColumns } from "../panes/memory/memory-columns.ts";
import { PagePane } from "../panes/memory/memory-page.ts";
import { MemoryPane } from "../panes/memory/memory-pane.ts";
import { ZoomPane } from "../panes/memory/memory-zoom.ts";
import type { Pane } from "../panes/pane.ts";
import { below, beside, type Body, type Placed, type ScreenPanes } from "./screen-model.ts";
import { TablePane } from "../panes/table-pane.ts";
import { EVENTS, LIMITS, MEMORY, PARCELS } from "../../../model/queries/tables.ts";

/** Columns of the map, of all; at the least those of its right neighbor stay. */
const MAP_SHARE = 0.7;
/** Rows of the panes, in usual terminals and in tall ones. */
const ROWS = { page: 11, zoom: 5, parcels: 7 } as const;
const TALL_ROWS = { page: 16, zoom: 8, parcels: 14 } as const;
const TALL = 50;
/** A page's pane that is narrower continues its lines, which takes more rows. */
const WIDE_PAGE = 36, WRAPPED_ROWS = 1;
/** Columns from which on changes are shown next to the parcels, which have this share then. */
const WITH_CHANGES = 180;
const PARCELS_SHARE = 0.58;
/** Rows where panes have no boxes. */
const LOW_ROWS = { page: 5, limits: 4 } as const;

/** Its panes, and their places. */
export function memoryScreen(): ScreenPanes {
  const map = new MemoryPane();
  const page = new PagePane(map), zoom = new ZoomPane(map);
  const list = new TablePane({ name: "runs", table: MEMORY, title: "Physical memory" });
  const limits = new TablePane({
    name: "limits",
    table: LIMITS,
    title: "Limits",
    columns: limitColumns,
    order: byNearness,
    right: () => [{ text: "nearest first", role: "dim" }],
  });
  const parcels = new TablePane({
    name: "parcels",
    table: PARCELS,
    title: "Memory parcels",
    columns: parcelColumns,
    right: () => [{ text: "blocked first", role: "dim" }],
  });
  const changes = new TablePane({
    name: "changes",
    table: EVENTS,
    title: "Changes",
    empty: [
      "No change of memory was recorded yet",
      "Mappings, and requests to share, lend and reclaim, are recorded while this screen is open.",
    ],
    stream: true,
    columns: (width) => eventColumns(width, true),
    args: () => ({ kinds: "mem,rpc", filter: "kind=mem | name~MEM" }),
  });
  const fields = inspector("fields", parcels);
  let upper: Pane = map, lower: Pane = parcels;
  const underMap = below("under-map"), besideMap = beside("beside-map"), underPage = below("under-page");
  const besideParcels = beside("beside-parcels");

  function boxes(body: Body): Placed[] {
    const rows = body.height >= TALL ? TALL_ROWS : ROWS;
    const [above, under] = underMap.cut(body, body.height - rows.zoom - rows.parcels);
    const zoomRows = Math.min(rows.zoom, Math.max(under.height - 3, 0));
    const [left, right] = besideMap.cut(above, body.width * MAP_SHARE);
    const narrow = right.width < WIDE_PAGE ? WRAPPED_ROWS : 0;
    const [first, second] = underPage.cut(right, Math.min(rows.page, Math.floor(right.height / 2) + 1 + narrow));
    const last = { ...under, y: under.y + zoomRows, height: under.height - zoomRows };
    const [list, aside] = body.width >= WITH_CHANGES ? besideParcels.cut(last, last.width * PARCELS_SHARE) : [last, undefined];
    return [
      { pane: upper, area: left },
      { pane: page, area: first },
      { pane: limits, area: second },
      { pane: zoom, area: { ...under, height: zoomRows } },
      { pane: lower, area: list },
      ...aside ? [{ pane: changes, area: aside }] : [],
    ];
  }

  function rules(body: Body, focused: Pane): Placed[] {
    const [above, under] = underMap.cut(body, body.height - LOW_ROWS.page - LOW_ROWS.limits);
    if (focused === parcels || focused === fields) return [{ pane: upper, area: above }, { pane: focused, area: under }];
    const [first, second] = underPage.cut(under, LOW_ROWS.page);
    return [{ pane: upper, area: above }, { pane: page, area: first }, { pane: limits, area: second }];
  }

  return {
    panes: [map, list, limits, parcels, fields, changes],
    views: [[map, list], [parcels, fields]],
    dividers: [underMap, besideMap, underPage, besideParcels],
    layout(body, focused) {
      if (focused === map || focused === list) upper = focused;
      if (focused === parcels || focused === fields) lower = focused;
      return body.boxed ? boxes(body) : rules(body, focused);
    },
  };
}
