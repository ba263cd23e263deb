// The pane about the selected row of a list.

import type { Pane } from "./pane.ts";
import { fieldLines } from "./row-lines.ts";
import { TextPane } from "./text-pane.ts";

/** Every field of the row that another pane has selected. */
export function inspector(name: string, of: { readonly selection: Pane["selection"] }): TextPane {
  return new TextPane({
    name,
    title: () => ({ text: of.selection?.row.id ?? "Nothing selected", right: [[{ text: "every field", role: "dim" }]] }),
    lines: (width) => of.selection ? fieldLines(of.selection, width) : [],
  });
}
