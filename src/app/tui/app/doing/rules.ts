// The rule that a reason cites, read without leaving the screens: its section of the book.

import type { Books } from "../../screens/books.ts";
import { type AppServices, selectedRow } from "../services/app-services.ts";
import { LinesOverlay } from "../overlays/overlay.ts";
import { wrap } from "../../panes/row-lines.ts";
import { rowIn } from "../../../../model/queries/rows.ts";
import { REASONS } from "../../../../model/queries/tables.ts";
import { isCited } from "../../../../model/queries/texts/reason-text.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";

/** Columns around the lines of an overlay. */
const MARGIN = 6;

/** Shows the section that the rule of the selected row cites. */
export async function readRule(app: AppServices, books: Books | undefined): Promise<void> {
  const selected = selectedRow(app);
  if (!selected) return;
  const cited = rowIn(REASONS, selected)?.section;
  if (cited === undefined || !isCited(cited)) return app.say(`${selected.row.id} cites no section of a book`);
  const text = await books?.section(cited);
  if (text === undefined) app.say(`${cited} is not in the books; ${hintText(hint("reference spec"))} lists them`, "bad");
  else {
    const lines = text.split("\n").flatMap((line) => wrap(line, 0, app.windows.width - MARGIN));
    app.show(new LinesOverlay(cited, lines.map((line) => ({ text: line, role: line.startsWith("#") ? "strong" : "text" }))));
  }
  app.changed();
}
