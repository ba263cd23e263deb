// A refusal as its screen shows it: the sentence, the chain with the step that failed, the rule,
// its values and the remedy (docs/design/look.md §5).

import { vcpuTitle } from "../look/box.ts";
import type { Line } from "./pane.ts";
import { secondsText } from "../look/numbers.ts";
import { type Piece, vmPieces } from "../look/pieces.ts";
import { wrap } from "./row-lines.ts";
import type { Look } from "../look/theme.ts";
import { isOf, nameOf, withoutKind } from "../../../model/queries/ids.ts";
import { lastPart, plainText } from "../../../model/queries/texts/format.ts";
import { chainOf } from "../../../model/queries/texts/reason-text.ts";
import { type Json, membersOf, type RowOf } from "../../../model/queries/table.ts";
import type { REASONS } from "../../../model/queries/tables.ts";
import { hint, hintText } from "../../../kit/support/text/hint.ts";
import { sizeText } from "../../../kit/support/text/number-text.ts";

type Reason = RowOf<typeof REASONS>;

/** Panes lower than this have no blank lines between parts. */
const ROOMY = 26;
/** Columns of the names of values, and at most. */
const NAME = 10, LONGEST_NAME = 20;
/** Steps that made a hypercall or a trap themselves. */
const AT_THE_HYPERVISOR: ReadonlySet<string> = new Set(["hvc", "trap"]);

/** The heading of a part: its text, and a line as far as the pane. */
export function headingLine(text: string, look: Look, width: number): Line {
  const line = look.glyphs.frame.line.repeat(Math.max(width - text.length - 4, 0));
  return { text: "", pieces: [{ text: `${text} `, role: "dim" }, { text: line, role: "border" }] };
}

/** The branch before a step of a chain: each is inside the one before. */
export function branchPiece(depth: number, look: Look): Piece {
  return { text: depth ? `${" ".repeat(3 * depth - 1)}${look.glyphs.branch[1]} ` : "  ", role: "faint" };
}

/** The last line: the command that prints the same. */
export function commandLine(command: string): Line {
  return { text: "", pieces: [{ text: "as a command  ", role: "dim" }, { text: command }] };
}

/** The lines of a reason in a pane of this size; `target`: where its section's hyperlink leads. */
export function reasonLines(row: Reason, look: Look, width: number, height: number, target?: string): Line[] {
  const blank: Line[] = height >= ROOMY ? [{ text: "" }] : [];
  const heading = (text: string) => headingLine(text, look, width);
  const { section, rule } = row;
  const cited: Piece[] = section === "" ? [] : [{ text: section, role: "link", link: target }, { text: "  " }];
  return [
    ...blank,
    ...wrap(sentenceOf(row), 0, width - 1).map((text): Line => ({ text, role: "strong" })),
    ...row.ended === null || chainOf(row).length > 0 ? [{ text: "", pieces: askedPieces(row, look) }] : [],
    ...blank,
    heading("The chain"),
    ...chainLines(row, look),
    ...blank,
    heading("The rule"),
    ...wrapped(rule, section.length + 2, width).map((text, index): Line => ({
      text: "",
      pieces: index ? [{ text: " ".repeat(section.length + 2) + text }] : [...cited, { text }],
    })),
    ...blank,
    heading("Values"),
    ...valueLines(row, width),
    ...blank,
    ...wayOutLines(row, width),
    ...row.way_out === null ? [] : blank,
    ...row.shared_errno === null
      ? []
      : [{ text: `the driver returns ${row.err} for ${row.shared_errno} different causes`, role: "dim" } as const],
    commandLine(hintText(hint("why", row.id))),
  ];
}

/** The refused operation, its object, and the reason, in a sentence. */
function sentenceOf(row: Reason): string {
  if (row.ended !== null) return `${withoutKind("vm", row.ended)} ended: ${row.err}: ${row.rule}.`;
  if (row.kind === "trapped") return `${row.call} of ${row.object} left to EL2, ${row.err}: ${row.rule}.`;
  const asked = chainOf(row).at(-1)?.name ?? row.call;
  return `${asked}${row.object ? ` of ${row.object}` : ""} was refused: ${row.rule}.`;
}

function askedPieces({ asked_by, t, symbol, source, pc }: Reason, look: Look): Piece[] {
  const vcpu = vcpuTitle(asked_by);
  const vm = isOf("vm", asked_by) ? nameOf(asked_by) : undefined;
  const who: Piece[] = vcpu
    ? vmPieces(look.vm(vcpu.vm), vcpu.vm + vcpu.vmDetail)
    : vm !== undefined
    ? vmPieces(look.vm(vm), vm)
    : [{ text: asked_by, role: "link" }];
  const where = (symbol ?? pc) === null || !source ? symbol ?? pc : `${symbol ?? pc} at ${lastPart(source)}`;
  return [{ text: "asked by ", role: "dim" }, ...who, { text: "  at ", role: "dim" }, { text: secondsText(Number(t)) }, {
    text: " s",
    role: "dim",
  }, ...where === null ? [] : [{ text: "  in ", role: "dim" } as const, { text: where, role: "link" } as const]];
}

/**
 * The operations, each inside the one before; the rule that failed; the effect that did not occur.
 */
function chainLines(row: Reason, look: Look): Line[] {
  const { glyphs } = look, chain = chainOf(row);
  const lines = chain.map(({ kind, name, args, result }, depth): Line => ({
    text: "",
    pieces: [branchPiece(depth, look), { text: `${glyphs.shapes.runs} `, role: "dim" }, { text: `${kind} `, role: "link" }, {
      text: name,
      role: "text",
    }, {
      text: ` ${plainText(args)}`,
      role: "dim",
    }],
    // An operation may have succeeded although one inside it was refused.
    right: [{ text: `${result.code} ${result.name}`, role: result.code === 0 ? "ok" : "bad" }],
  }));
  lines.push({
    text: "",
    pieces: [
      branchPiece(chain.length, look),
      { text: `${glyphs.shapes.fault} `, role: "bad" },
      { text: "rule ", role: "bad", bold: true },
      {
        text: row.rule,
        role: "strong",
        bold: true,
      },
    ],
    right: [{ text: row.kind === "trapped" ? "sent it" : "failed here", role: "bad", bold: true }],
    tint: "badbg",
    bar: "bad",
  });
  const last = chain.at(-1);
  if (last && !AT_THE_HYPERVISOR.has(last.kind)) {
    lines.push({
      text: "",
      pieces: [branchPiece(chain.length + 1, look), {
        text: `${glyphs.shapes.ready} no hypercall: refused before one was made`,
        role: "dim",
      }],
    });
  }
  return lines;
}

/** A text in lines of a width without its margin. */
function wrapped(text: string, margin: number, width: number): string[] {
  return wrap(text, 0, width - margin - 1);
}

function valueLines(row: Reason, width: number): Line[] {
  const named: [string, string][] = [
    ...row.object ? [["object", row.object] as [string, string]] : [],
    ...Object.entries(membersOf(row.values)).map((
      [name, value = null],
    ): [string, string] => [name.replaceAll("_", " "), valueText(name, value)]),
  ];
  const longest = Math.min(Math.max(NAME, ...named.map(([name]) => name.length + 2)), LONGEST_NAME);
  const columns = (name: string) => Math.max(name.length + 1, longest);
  const ink = (name: string) => name === "needed" ? "ok" : name === "found" ? "bad" : name === "object" ? "link" : "text";
  return named.flatMap(([name, value]) =>
    wrapped(value, columns(name), width).map((text, index): Line => ({
      text: "",
      pieces: [{ text: (index ? "" : name).padEnd(columns(name)), role: "dim" }, { text, role: ink(name) }],
    }))
  );
}

/** A value in words: `yes`, `64K`, `ipa 0x803f0000  size 64K`. */
function valueText(name: string, value: Json): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (name === "size" && typeof value === "number") return sizeText(value);
  if (Array.isArray(value)) return value.map((one) => valueText(name, one)).join(", ") || "-";
  if (value === null || typeof value !== "object") return plainText(value);
  return Object.entries(value).map(([field, one]) => `${field.replaceAll("_", " ")} ${valueText(field, one)}`).join("  ");
}

function wayOutLines({ way_out }: Reason, width: number): Line[] {
  if (way_out === null) return [];
  const on = { tint: "okbg", bar: "ok" } as const;
  return [
    { text: "", pieces: [{ text: " Way out", role: "ok", bold: true }], ...on },
    ...wrapped(way_out, 2, width).map((text): Line => ({ text: "", pieces: [{ text: ` ${text}`, role: "text" }], ...on })),
  ];
}
