// The rule that a reason cites, read without leaving the screens: its section of the book.

import { type AppServices, selectedRow } from "./app-services.ts";
import { LinesOverlay } from "./overlay.ts";
import { wrap } from "./row-lines.ts";
import { citedIn } from "../queries/reason-text.ts";

/** The books that rules cite, as the surroundings have them. */
export interface Books {
  /** Text of a section that is cited as `hypervisor 4.4`; undefined if no book has it. */
  section(cited: string): Promise<string | undefined>;
  /** Target of a hyperlink to it; undefined if it is nowhere but inside the program. */
  target(cited: string): string | undefined;
}

/** Columns around the lines of an overlay. */
const MARGIN = 6;

/** Shows the section that the rule of the selected row cites. */
export async function readRule(app: AppServices, books: Books | undefined): Promise<void> {
  const selected = selectedRow(app);
  if (!selected) return;
  const cited = citedIn(selected.row.rule);
  if (cited === "") return app.say(`${selected.row.id} cites no section of a book`);
  const text = await books?.section(cited);
  if (text === undefined) app.say(`${cited} is not in the books; el2 spec lists them`, "bad");
  else {
    const lines = text.split("\n").flatMap((line) => wrap(line, 0, app.windows.width - MARGIN));
    app.show(new LinesOverlay(cited, lines.map((line) => ({ text: line, role: line.startsWith("#") ? "strong" : "text" }))));
  }
  app.changed();
}
