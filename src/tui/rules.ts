// The rule that a reason cites, read without leaving the screens: its section of the book.

import { type Host, selectedRow } from "./host.ts";
import { LinesOverlay } from "./overlay.ts";
import { wrap } from "./records.ts";
import { citedIn } from "../queries/reason-text.ts";

/** The books that rules cite, as the surroundings have them. */
export interface Books {
  /** Text of a section that is cited as `hypervisor 4.4`; undefined where no book has it. */
  section(cited: string): Promise<string | undefined>;
  /** Target of a hyperlink to it; undefined where it is nowhere but inside the program. */
  target(cited: string): string | undefined;
}

/** Columns around the lines of an overlay. */
const MARGIN = 6;

/** Shows the section that the rule of the selected row cites. */
export async function readRule(host: Host, books: Books | undefined): Promise<void> {
  const selected = selectedRow(host);
  if (!selected) return;
  const cited = citedIn(selected.row.rule);
  if (cited === "") return host.say(`${selected.row.id} cites no section of a book`);
  const text = await books?.section(cited);
  if (text === undefined) host.say(`${cited} is not in the books; el2 spec lists them`, "bad");
  else {
    const lines = text.split("\n").flatMap((line) => wrap(line, 0, host.windows.width - MARGIN));
    host.show(new LinesOverlay(cited, lines.map((line) => ({ text: line, role: line.startsWith("#") ? "strong" : "text" }))));
  }
  host.changed();
}
