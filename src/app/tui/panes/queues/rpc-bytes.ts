// A request to the Resource Manager as bytes: each field in one ink, the same in the list of
// fields.

import type { Line } from "../pane.ts";
import { type Piece, piecesWidth } from "../../look/pieces.ts";
import type { Look, Role } from "../../look/theme.ts";
import { fieldText, plainText } from "../../../../model/queries/texts/format.ts";
import type { MessagePart } from "../../../../machine/abi/rpc/text/message-bytes.ts";
import { MESSAGE_KINDS, recordedParts } from "../../../../model/queries/message-bytes.ts";
import { membersOf, type RowOf } from "../../../../model/queries/table.ts";
import type { RPCS } from "../../../../model/queries/tables.ts";

type RpcRow = RowOf<typeof RPCS>;

/** Inks of the header's fields; others follow in this order, again and again. */
const INKS: Readonly<Record<string, Role>> = { header: "dim", seq: "link", message: "accent" };
const FIELD_INKS: readonly Role[] = ["vm2", "vm3", "vm4", "vm5", "vm6", "vm7"];
/** Columns of the names of messages, and of fields. */
const KIND = 9;
const NAME = 12;

/** The bytes of the messages, a blank line, and their fields with values. */
export function byteLines(row: RpcRow, width: number, { glyphs }: Look): Line[] {
  const messages = MESSAGE_KINDS.flatMap((kind) => {
    const parts = recordedParts(row.bytes, kind);
    return parts.length ? [{ kind, parts }] : [];
  });
  if (!messages.length) return [{ text: "Its bytes were not recorded.", role: "dim" }];
  const inks = inksOf(messages.flatMap(({ parts }) => parts), row.refused);
  const ink = ({ name, filler }: MessagePart): Role => filler ? "faint" : inks.get(name) ?? "text";
  const hex = messages.flatMap(({ kind, parts }) => hexLines(kind === "notification" ? "" : kind, parts, ink, width));
  const seen = new Set<string>();
  const legend = messages.flatMap(({ kind, parts }) =>
    parts.flatMap((part): Line[] => {
      if (part.filler || seen.has(part.name)) return [];
      seen.add(part.name);
      const role = ink(part);
      return [{
        text: "",
        pieces: [{ text: `${glyphs.shapes.ended} `, role }, { text: `${part.name.padEnd(NAME)} `, role: "dim" }, {
          text: valueOf(row, kind, part),
          role: part.name === "error" && role === "bad" ? "bad" : "text",
        }],
      }];
    })
  );
  return [...hex, { text: "" }, ...legend];
}

function inksOf(parts: readonly MessagePart[], refused: boolean): Map<string, Role> {
  const inks = new Map<string, Role>(Object.entries(INKS)).set("error", refused ? "bad" : "ok");
  let next = 0;
  for (const { name, filler } of parts) if (!filler && !inks.has(name)) inks.set(name, FIELD_INKS[next++ % FIELD_INKS.length]);
  return inks;
}

/** Bytes one blank apart, fields two: colors are not needed to tell them apart. */
function hexLines(kind: string, parts: readonly MessagePart[], ink: (part: MessagePart) => Role, width: number): Line[] {
  const lines: Piece[][] = [[{ text: kind.padEnd(KIND), role: "dim" }]];
  for (const part of parts) {
    const bytes = part.hex.match(/../g) ?? [];
    bytes.forEach((byte, index) => {
      const line = lines.at(-1)!, begun = line.length > 1;
      const text = begun ? `${index ? " " : "  "}${byte}` : byte;
      if (piecesWidth(line) + text.length < width) line.push({ text, role: ink(part) });
      else lines.push([{ text: "".padEnd(KIND) }, { text: byte, role: ink(part) }]);
    });
  }
  return lines.map((pieces) => ({ text: "", pieces }));
}

/** The value of a field: that of the decoded message, else its digits. */
function valueOf(row: RpcRow, kind: typeof MESSAGE_KINDS[number], { name, hex }: MessagePart): string {
  if (name === "header") return `version 1, ${kind}`;
  if (name === "seq") return littleEndian(hex);
  if (name === "message") return `${littleEndian(hex)} ${row.msg}`;
  if (name === "error") return /^0+$/.test(hex) ? "0 OK" : (row.res ?? littleEndian(hex));
  const value = membersOf(kind === "reply" ? row.reply : row.request)[name];
  if (value === undefined) return `${hex.length / 2} bytes`;
  return Array.isArray(value) ? value.map(plainText).join("; ") || "none" : fieldText(name, value);
}

function littleEndian(hex: string): string {
  return `0x${(hex.match(/../g) ?? []).toReversed().join("")}`;
}
