// The object of the selected refusal: every field of its row in the list that has it now.

import { queryOf } from "../look/links.ts";
import type { Line } from "./pane.ts";
import { fieldLines, wrap } from "./row-lines.ts";
import { TextPane } from "./text-pane.ts";
import type { Answer, Query } from "../../../model/queries/query.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { type REASONS, TABLES } from "../../../model/queries/tables.ts";

/** How long (ms) an answer is good enough: a refusal is over. */
const STAYS_GOOD = 1000;

type Reason = RowOf<typeof REASONS>;

/** The subject of a refusal: the object of its rule or request, a VM that ended, its requester. */
function subjectOf({ object, ended, asked_by }: Reason): { readonly title: string; readonly id: string } {
  if (object) return { title: "Object", id: object };
  return ended === null ? { title: "Requester", id: asked_by } : { title: "Object", id: ended };
}

/**
 * The pane.
 * @param reason the row of the refusal that is selected
 */
export function objectPane(reason: () => Reason | undefined): TextPane {
  /** The last answer, and the question that it is to. */
  let answered: { readonly id: string; readonly answer: Answer } | undefined;
  let asked: string | undefined;
  const subject = () => {
    const row = reason();
    return row && subjectOf(row);
  };
  /** The object's row, once it has come. */
  const found = () => {
    const id = subject()?.id;
    if (id === undefined || answered?.id !== id) return undefined;
    const { answer: { table, rows: [row] } } = answered;
    return row && { table: TABLES[table], row };
  };
  return new TextPane({
    name: "object",
    title: () => {
      const { title = "Object", id } = subject() ?? {};
      return { text: title, detail: id, right: [[{ text: "every field", role: "dim" }]] };
    },
    staysGood: STAYS_GOOD,
    selection: found,
    queries(): Query | undefined {
      asked = subject()?.id;
      return asked === undefined ? undefined : queryOf(asked);
    },
    receive(answer) {
      answered = asked === undefined ? undefined : { id: asked, answer };
    },
    lines(width) {
      const shown = found();
      if (shown) return fieldLines(shown, width);
      const id = subject()?.id;
      if (id === undefined) return [{ text: "No refusal is selected.", role: "dim" }];
      return blankLines(id, answered?.id === id ? answered.answer : undefined, width);
    },
  });
}

/** Why there is no row. */
function blankLines(id: string, answer: Answer | undefined, width: number): Line[] {
  const lines = (text: string, role: Line["role"]) => wrap(text, 0, width - 1).map((line): Line => ({ text: line, role }));
  if (queryOf(id) === undefined) return lines(`No list has ${id}.`, "dim");
  if (!answer) return [{ text: "loading", role: "dim" }];
  if (answer.error !== undefined) return lines(`× ${answer.error.split("\n")[0]}`, "bad");
  return lines(`${id} does not exist any more.`, "text");
}
