// The screen Events: all events, and every field of the selected one.

import { DensityPane } from "../panes/density-pane.ts";
import { eventColumns } from "../panes/event-columns.ts";
import { inspector } from "../panes/inspector.ts";
import { below, beside, type Body, type Placed, type ScreenPanes } from "./screen-model.ts";
import { TablePane } from "../panes/table-pane.ts";
import { EVENTS } from "../../../model/queries/tables.ts";

/** Share of the list: of the width next to the fields, of the height above them. */
const LIST_SHARE = 82 / 120;
const LIST_SHARE_ABOVE = 0.7;

/** Rows of the density, from these heights of the body on. */
const DENSITY_ROWS = 6, TALL_DENSITY_ROWS = 7;
const WITH_DENSITY = 26, TALL = 50;

export function eventScreen(): ScreenPanes {
  const events = new TablePane({
    name: "events",
    table: EVENTS,
    title: "Events",
    stream: true,
    columns: (width) => eventColumns(width, false),
  });
  const density = new DensityPane((time) => events.seek(({ t }) => Number(t) >= time));
  const fields = inspector("fields", events);
  const beneath = below("under-list"), aside = beside("beside-list");
  return {
    panes: [events, fields],
    views: [[fields]],
    dividers: [beneath, aside],
    layout(body: Body): Placed[] {
      if (body.boxed && body.height >= WITH_DENSITY) {
        const rows = body.height >= TALL ? TALL_DENSITY_ROWS : DENSITY_ROWS;
        const under = { ...body, y: body.y + rows, height: body.height - rows };
        const [list, rest] = aside.cut(under, body.width * LIST_SHARE);
        return [{ pane: density, area: { ...body, height: rows } }, { pane: events, area: list }, { pane: fields, area: rest }];
      }
      const [list, rest] = body.boxed ? aside.cut(body, body.width * LIST_SHARE) : beneath.cut(body, body.height * LIST_SHARE_ABOVE);
      return [{ pane: events, area: list }, { pane: fields, area: rest }];
    },
  };
}
