// Filters of events that users type to stop the machine or to go back: the selection offers one.

import { TextOverlay } from "../overlays/overlay.ts";
import type { Line, Pane } from "../../panes/pane.ts";
import { TablePane } from "../../panes/table-pane.ts";
import { kindOf } from "../../../../model/queries/ids.ts";
import type { FilterError } from "../../../../model/queries/filters/filter.ts";
import { filterError } from "../../../../model/queries/filters/temporal-filter.ts";
import { EVENTS, REASONS, RPCS } from "../../../../model/queries/tables.ts";
import { rowIn } from "../../../../model/queries/rows.ts";

/** Asks for a filter, or a place of code. */
export function filterPrompt(
  sign: string,
  text: string,
  history: string[],
  accept: (filter: string) => void,
  refuse: (message: string) => void,
): TextOverlay {
  return new TextOverlay({
    sign,
    text,
    history,
    changed: (text) => {
      const error = targetError(text);
      return error && markedLine(sign, text, error);
    },
    accept: (text) => {
      const filter = text.trim();
      const error = filter === "" ? undefined : targetError(filter);
      if (error) refuse(`${filter}: ${error.message}`);
      else accept(filter);
    },
  });
}

/** A filter that is wrong, with a mark before the character. */
export function markedLine(sign: string, text: string, { at, message }: FilterError): Line {
  return { text: `${sign}${text.slice(0, at)}>${text.slice(at)}   ${message}`, role: "bad" };
}

/** The target of a text: a place of code after `at`, else events by a filter. */
export function targetOf(
  text: string,
): { readonly kind: "place"; readonly at: string } | { readonly kind: "event"; readonly filter: string } {
  const at = placeOfCode(text);
  return at === undefined ? { kind: "event", filter: text } : { kind: "place", at };
}

function placeOfCode(text: string): string | undefined {
  return /^at\s+(\S+)$/.exec(text)?.[1];
}

/** The error of a filter; undefined for a place of code. */
function targetError(text: string): FilterError | undefined {
  return placeOfCode(text) === undefined ? filterError(text, EVENTS) : undefined;
}

/** The events that are about what is selected in a pane. */
export function stopFilter(pane: Pane): string {
  const { selection } = pane;
  if (!selection) return pane instanceof TablePane && pane.table === EVENTS ? pane.filterText : "";
  const event = rowIn(EVENTS, selection), request = rowIn(RPCS, selection), reason = rowIn(REASONS, selection);
  if (event) return `kind=${event.kind} name=${event.name}${event.vcpu === null ? "" : ` vcpu=${event.vcpu}`}`;
  if (request) return `kind=rpc name=${request.msg}`;
  if (reason) return `refused=yes name=${reason.call}`;
  const { id } = selection.row;
  switch (kindOf(id)) {
    case "vm":
      return `vm=${id}`;
    case "vcpu":
      return `vcpu=${id}`;
    case "irq":
      return `kind=virq "${id}"`;
    default:
      return `"${id}"`;
  }
}
