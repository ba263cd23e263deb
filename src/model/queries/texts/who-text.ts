// An access or a change as text: `el2 who` prints these lines, and screens show them.

import { timeText } from "../../../kit/support/text/number-text.ts";
import { rowsOf } from "../query.ts";
import type { Row, RowOf } from "../table.ts";
import { WHO } from "../tables.ts";
import { WHO_FACTS } from "../facts/who.ts";
import { parseAs } from "../ids.ts";
import { type Hint, hint, hintText } from "../../../kit/support/text/hint.ts";

/** A row of an answer as lines, each with its end. */
export function whoText(row: Row): string {
  const lines = rowsOf(WHO, { table: WHO.name, rows: [row] }).flatMap((one) => [...headOf(one), ...whoLines(one)]);
  return lines.map((line) => `${line}\n`).join("");
}

/** With `--back`, each row is about something else. */
const headOf = ({ of }: Pick<RowOf<typeof WHO>, "of">) => of === null ? [] : [`${of}:`];

/** The author, the access and its time, and the command that goes there. */
function whoLines({ id, t, kind, text, who, source, instruction, before, after, stack }: RowOf<typeof WHO>): [string, ...string[]] {
  const wayOut = WHO_FACTS.wayOutText(who);
  if (kind === "never") return [text, `  it held ${before} then`, ...wayOut === undefined ? [] : [`  next: ${wayOut}`]];
  const value = kind === "write" || kind === "change" ? `  ${before} -> ${after}` : `  it held ${before}`;
  return [
    `${kind}: ${text}${source === null ? "" : ` (${source})`}`,
    ...instruction === null ? [] : [`  ${instruction}`],
    ...value.length > LONGEST ? [`  ${before}`, `  -> ${after}`] : [value],
    `  at instruction ${placeOf(id)}, t=${timeText(Number(t))}s`,
    ...(stack ?? []).map((frame, index) => `  ${`#${index}`.padEnd(3)} ${frame}`),
    `  next: ${hintText(backTo(id))}`,
  ];
}

/** Columns of a line with both values. */
const LONGEST = 100;

/** Instructions that had been retired before it. */
export function placeOf(id: string): number {
  const place = parseAs("insn", id);
  if (!place) throw new Error(`${id} is not a place of a run`);
  return place.number;
}

/** The command that goes to just before it. */
export function backTo(id: string): Hint {
  return hint("back", { to: placeOf(id) });
}
