// A reason as docs/design/workstation.md §4 draws it: the requester, the chain from the outside in,
// the rule, the values and the remedy. `el2 why` prints these lines, the screen of reasons wraps
// them.

import * as v from "valibot";
import { askedByText, plainText } from "./format.ts";
import type { Json, RowOf } from "../table.ts";
import type { REASONS } from "../tables.ts";
import { timeText } from "../../../kit/support/text/number-text.ts";

interface ReasonLine {
  /**
   * `asked`: the requester, and when; `step`: an operation of the chain; `end`: follows the last.
   */
  readonly kind: "asked" | "step" | "end" | "field";
  readonly text: string;
}

/** Columns of the names of fields. */
export const REASON_MARGIN = 9;

const step = v.object({
  id: v.string(),
  kind: v.string(),
  name: v.string(),
  args: v.custom<Json>((value) => value !== undefined),
  result: v.object({ code: v.number(), name: v.string() }),
});
const steps = v.array(step);

/** Whether a section is in a book, such as `hypervisor 4.4`; otherwise the rule is el2's own. */
export function isCited(section: string): boolean {
  return /^[a-z-]+ \d[\d.]*$/.test(section);
}

/** A rule, after the section that has it. */
export function ruleLine({ section, rule }: Pick<RowOf<typeof REASONS>, "section" | "rule">): string {
  return `${section}: ${rule}`;
}

/** The operations of a reason, from the outermost to the innermost. */
export function chainOf({ chain }: Pick<RowOf<typeof REASONS>, "chain">): v.InferOutput<typeof steps> {
  return v.parse(steps, chain);
}

/** @param over whether the run has no session any more that its command could ask */
export function reasonLines(row: RowOf<typeof REASONS>, over = false): ReasonLine[] {
  const at = `${row.id}  t=${timeText(Number(row.t))}s`;
  const chain = chainOf(row);
  const ended = row.ended === null ? [] : [`${row.ended} ended: ${row.err}`];
  const asked = row.ended === null || chain.length > 0 ? [`asked by ${askedByText(row)}`] : [];
  const lines: ReasonLine[] = [{ kind: "asked", text: [at, ...ended, ...asked].join("  ") }];
  const branch = (depth: number) => `  ${depth === 0 ? "" : `${"   ".repeat(depth - 1)}\`- `}`;
  chain.forEach(({ id, kind, name, args, result }, depth) => {
    lines.push({ kind: "step", text: `${branch(depth)}${id} ${kind} ${name} ${plainText(args)} -> ${result.code} ${result.name}` });
  });
  const last = chain.at(-1);
  if (last && last.kind !== "hvc" && last.kind !== "trap") {
    lines.push({ kind: "end", text: `${branch(chain.length)}no hypercall: refused before one was made` });
  }
  const add = (name: string, text: string | null) => {
    if (text && text !== "-") lines.push({ kind: "field", text: `${name.padEnd(REASON_MARGIN)}${text}` });
  };
  add("rule", ruleLine(row));
  add("object", row.object);
  add("values", plainText(row.values));
  if (row.shared_errno !== null) add("hidden", `the caller gets the same error for ${row.shared_errno} different causes`);
  add("way out", row.way_out);
  if (!over) add("go there", row.command);
  return lines;
}
