// Rows and reasons as lines: what inspectors show.

import type { Line } from "./pane.ts";
import { askedByText, cellText, timeText } from "../queries/format.ts";
import type { Json, Row, Table } from "../queries/table.ts";

/** Columns of the names of fields that are compared. */
const COMPARED_MARGIN = 14;
/** Columns before the fields of a packet. */
const PACKET_MARGIN = 4;

/** Every field of a row, exact. */
export function recordLines(table: Table, row: Row, width: number): Line[] {
  const names = Object.keys(table.columns).filter((name) => row[name] !== undefined);
  const margin = Math.max(...names.map((name) => name.length), 4) + 1;
  return names.flatMap((name) => {
    const value = row[name], column = table.columns[name];
    const exact = column.kind === "size" && value !== null ? ` (${value} bytes)` : "";
    const role = column.kind === "id" && value !== null ? "link" : "text";
    if (column.kind === "detail") return detailLines(name.padEnd(margin), value, width);
    return wrap(`${name.padEnd(margin)}${cellText(column, value)}${exact}`, margin, width).map((text): Line => ({ text, role }));
  });
}

/**
 * Messages of a queue of the resource manager, each with its decoded fields; those of other queues
 * say nothing here.
 */
export function packetLines(messages: readonly Row[], width: number): Line[] {
  return messages.filter(({ rpc }) => rpc !== null).flatMap(({ id, rpc, fields }) => [
    ...wrap(`${id}  ${rpc}`, PACKET_MARGIN, width).map((text): Line => ({ text, role: "link" })),
    ...Object.keys(fields as object).length ? detailLines(" ".repeat(PACKET_MARGIN), fields, width) : [],
  ]);
}

function detailLines(name: string, value: Json, width: number): Line[] {
  const parts = Array.isArray(value)
    ? value
    : value !== null && typeof value === "object"
    ? Object.entries(value).map(([key, one]) => `${key} ${plainText(one)}`)
    : [value];
  const lines = parts.map(plainText);
  if (!lines.length) return [{ text: `${name}-` }];
  return lines.flatMap((line, index) => wrap(`${index ? " ".repeat(name.length) : name}${line}`, name.length, width)).map((text) => ({
    text,
  }));
}

/** Structured data in a line. */
export function plainText(value: Json): string {
  if (value === null) return "-";
  if (Array.isArray(value)) return value.map(plainText).join(" ");
  if (typeof value === "object") return Object.entries(value).map(([name, field]) => `${name}=${plainText(field)}`).join(" ");
  return String(value);
}

/** A field of two rows: side by side where there is room, else one below the other. */
export function comparedLines(name: string, a: string, b: string, width: number): Line[] {
  const half = Math.floor((width - COMPARED_MARGIN - 3) / 2);
  const label = name.padEnd(COMPARED_MARGIN);
  if (a.length <= half && b.length <= half) return [{ text: `${label}${a.padEnd(half)} | ${b}` }];
  return [`${label}${a}`, `${" ".repeat(COMPARED_MARGIN)}${b}`].flatMap((text) => wrap(text, COMPARED_MARGIN, width)).map((text) => ({
    text,
  }));
}

/** A text in lines of at most `width`, continued behind a margin. */
export function wrap(text: string, margin: number, width: number): string[] {
  const room = Math.max(width - 1, margin + 10);
  const lines: string[] = [];
  for (let rest = text; rest;) {
    if (rest.length <= room) {
      lines.push(rest);
      break;
    }
    const at = rest.lastIndexOf(" ", room);
    const cut = at > margin ? at : room;
    lines.push(rest.slice(0, cut));
    rest = " ".repeat(margin) + rest.slice(cut).trimStart();
  }
  return lines;
}

/** A reason as docs/design/workstation.md §4 draws it. */
export function reasonLines(row: Row, width: number): Line[] {
  const chain = row.chain as readonly { id: string; kind: string; name: string; args: Json; result: { code: number; name: string } }[];
  const lines: Line[] = [{ text: `${row.id}  t=${timeText(Number(row.t))}s  asked by ${askedByText(row)}`, role: "changed" }];
  chain.forEach((step, depth) => {
    const arms = depth === 0 ? "" : `${"   ".repeat(depth - 1)}\`- `;
    lines.push({
      text: `  ${arms}${step.id} ${step.kind} ${step.name} ${plainText(step.args)} -> ${step.result.code} ${step.result.name}`,
      role: "link",
    });
  });
  const last = chain.at(-1);
  if (last && last.kind !== "hvc" && last.kind !== "trap") {
    lines.push({ text: `  ${"   ".repeat(chain.length - 1)}\`- no hypercall: refused before one was made` });
  }
  const add = (name: string, text: string) => {
    if (text && text !== "-") lines.push(...wrap(`${name.padEnd(9)}${text}`, 9, width).map((one): Line => ({ text: one })));
  };
  add("rule", String(row.rule));
  add("object", String(row.object ?? ""));
  add("values", plainText(row.values));
  if (row.shared_errno !== null) add("hidden", `${row.shared_errno} causes give this number to who asked`);
  add("way out", String(row.way_out ?? ""));
  return lines;
}
