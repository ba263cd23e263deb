// Rows as lines, for inspectors.

import type { Line } from "./pane.ts";
import { grouped, valueText } from "../look/numbers.ts";
import { fieldText, plainText } from "../../../model/queries/texts/format.ts";
import { type Json, membersOf, type RowOf, type Selected } from "../../../model/queries/table.ts";
import type { MESSAGES } from "../../../model/queries/tables.ts";

/** Columns of the names of fields that are compared. */
const COMPARED_MARGIN = 14;
/** Columns before the fields of a packet. */
const PACKET_MARGIN = 4;

/** Every field of a row, exact. */
export function fieldLines({ table, row }: Selected, width: number): Line[] {
  const names = Object.keys(table.columns).filter((name) => row[name] !== undefined);
  const margin = Math.max(...names.map((name) => name.length), 4) + 1;
  return names.flatMap((name) => {
    const value = row[name], column = table.columns[name];
    const exact = column.kind === "size" && value !== null ? ` (${value} bytes)` : "";
    const role = column.kind === "id" && value !== null ? "link" : "text";
    if (column.kind === "detail") return detailLines(name.padEnd(margin), value, width);
    const text = column.kind === "count" && Number.isInteger(value) ? grouped(String(value)) : valueText(column, value);
    return wrap(`${name.padEnd(margin)}${text}${exact}`, margin, width).map((text): Line => ({ text, role }));
  });
}

/**
 * Messages of a queue of the Resource Manager, each with its decoded fields; those of other queues
 * say nothing here.
 */
export function packetLines(messages: readonly RowOf<typeof MESSAGES>[], width: number): Line[] {
  return messages.filter(({ rpc }) => rpc !== null).flatMap(({ id, rpc, fields }) => [
    ...wrap(`${id}  ${rpc}`, PACKET_MARGIN, width).map((text): Line => ({ text, role: "link" })),
    ...Object.keys(membersOf(fields)).length ? detailLines(" ".repeat(PACKET_MARGIN), fields, width) : [],
  ]);
}

function detailLines(name: string, value: Json, width: number): Line[] {
  const parts = Array.isArray(value)
    ? value
    : value !== null && typeof value === "object"
    ? Object.entries(value).map(([key, one]) => `${key} ${fieldText(key, one)}`)
    : [value];
  const lines = parts.map(plainText);
  if (!lines.length) return [{ text: `${name}-` }];
  return lines.flatMap((line, index) => wrap(`${index ? " ".repeat(name.length) : name}${line}`, name.length, width)).map((text) => ({
    text,
  }));
}

/** A field of two rows: next to each other if both fit, else one below the other. */
export function comparedLines(name: string, a: string, b: string, width: number): Line[] {
  const half = Math.floor((width - COMPARED_MARGIN - 3) / 2);
  const label = name.padEnd(COMPARED_MARGIN);
  if (a.length <= half && b.length <= half) return [{ text: `${label}${a.padEnd(half)} | ${b}` }];
  return [`${label}${a}`, `${" ".repeat(COMPARED_MARGIN)}${b}`].flatMap((text) => wrap(text, COMPARED_MARGIN, width)).map((text) => ({
    text,
  }));
}

/** A text in lines of at most `width`, continued after a margin. */
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
