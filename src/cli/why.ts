// `el2 why`: a reason as docs/design/workstation.md §4 draws it: who asked, the chain, the rule,
// the values, the way out.

import type { RowOf } from "../queries/table.ts";
import type { Json } from "../queries/table.ts";
import type { REASONS } from "../queries/tables.ts";
import { askedByText, timeText } from "../queries/format.ts";
import { inline } from "./print.ts";

interface Step {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly args: Json;
  readonly result: { readonly code: number; readonly name: string };
}

/** The text of one reason. */
export function reasonText(row: RowOf<typeof REASONS>): string {
  const lines = [`${row.id}  t=${timeText(Number(row.t))}s  asked by ${askedByText(row)}`];
  const chain = row.chain as unknown as readonly Step[];
  chain.forEach((step, depth) => {
    const arms = depth === 0 ? "" : `${"   ".repeat(depth - 1)}\`- `;
    const { code, name } = step.result;
    lines.push(`  ${arms}${step.kind} ${step.name} ${inline(step.args)} -> ${code} ${name}  (${step.id})`);
  });
  const last = chain.at(-1);
  if (last && last.kind !== "hvc" && last.kind !== "trap") {
    lines.push(`  ${"   ".repeat(chain.length - 1)}\`- no hypercall: refused before one was made`);
  }
  const add = (name: string, text: string | null) => text && lines.push(`${name.padEnd(9)}${text}`);
  add("rule", row.rule);
  add("object", row.object);
  add("values", inline(row.values));
  if (row.shared_errno !== null) add("hidden", `${row.shared_errno} causes give this number to who asked`);
  add("way out", row.way_out);
  return lines.map((line) => `${line}\n`).join("");
}
