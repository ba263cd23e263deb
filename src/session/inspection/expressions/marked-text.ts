// The text of a mark with the values of its expressions, which are in braces, as they are at the
// mark's place.

import { MARK_TEXT_MAX, type MarkNote } from "../../../model/queries/move.ts";
import { type Answer, problemIn, type Query, rowsOf } from "../../../model/queries/query.ts";
import { PRINTED } from "../../../model/queries/tables.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { UserError, within } from "../../../kit/support/problem.ts";

/** C has no braces in expressions. */
const EXPRESSION = /\{([^{}]+)\}/g;

/**
 * A mark as it is kept.
 * @param answer of the machine that is at the place
 * @throws UserError for an expression that has no value there
 */
export function markedWith({ text, ...note }: MarkNote, answer: (query: Query) => Answer): MarkNote {
  if (text === undefined) return note;
  // Values may be longer than what they are put into.
  const filled = text.replaceAll(EXPRESSION, (_, expression: string) => valueOf(expression.trim(), answer));
  return { ...note, text: filled.length > MARK_TEXT_MAX ? `${filled.slice(0, MARK_TEXT_MAX - 1)}…` : filled };
}

/** In one line: of a collection all members, of a structure its own members. */
function valueOf(expression: string, answer: (query: Query) => Answer): string {
  const found = answer({ table: PRINTED.name, args: { at: expression } }), problem = problemIn(found);
  if (problem) throw new UserError(within(`{${expression}}`, problem));
  return rowsOf(PRINTED, found).map(({ value }) => terminalWord(value.replaceAll(/\s+/g, " "))).join(", ");
}
