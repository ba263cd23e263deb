// The usual screen: a list, and below it one of several panes about its selected row.

import type { Pane } from "./pane.ts";
import { recordLines } from "./records.ts";
import { below, type Body, type Placed, type ScreenModel, sharedRows } from "./screen-model.ts";
import { TextPane } from "./text-pane.ts";

/** A list, and below it one of several panes about the selected row. */
export function listScreen(
  key: string,
  list: Pane,
  lower: readonly Pane[],
  share = 0.5,
  views: readonly (readonly Pane[])[] = [lower],
): ScreenModel {
  let shown = 0;
  const divider = below("under-list");
  const screen = {
    key,
    panes: [list, ...lower],
    views,
    dividers: [divider],
    layout(body: Body, focused: Pane): Placed[] {
      const at = lower.indexOf(focused);
      if (at >= 0) shown = at;
      const [above, under] = divider.cut(body, sharedRows(body, share, list, [lower[shown]]));
      return [{ pane: list, area: above }, { pane: lower[shown], area: under }];
    },
  };
  return screen;
}

/** Every field of the row that another pane has selected. */
export function inspector(name: string, of: { readonly selection: Pane["selection"] }): TextPane {
  return new TextPane({
    name,
    title: () => ({ text: of.selection?.row.id ?? "Nothing selected", right: [[{ text: "every field", role: "dim" }]] }),
    lines: (width) => of.selection ? recordLines(of.selection.table, of.selection.row, width) : [],
  });
}
