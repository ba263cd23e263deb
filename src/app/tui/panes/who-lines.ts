// An access to memory, or a change of a register or an object, as lines in the form of screen Why:
// who it was, the chain of calls that led to it, the values, and the places of the run to go to.

import { vcpuTitle } from "../look/box.ts";
import { secondsText } from "../look/numbers.ts";
import { type Piece, vmPieces } from "../look/pieces.ts";
import type { Look } from "../look/theme.ts";
import type { Line } from "./pane.ts";
import { branchPiece, commandLine, headingLine } from "./reason-lines.ts";
import { wrap } from "./row-lines.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { WHO } from "../../../model/queries/tables.ts";

export type Access = RowOf<typeof WHO>;

/** Columns of the names of values, of a place's id, its time and its kind. */
const NAME = 10, PLACE = 16, TIME = 15, KIND = 8;

/** Verbs of the kinds of accesses. */
const DID: Readonly<Record<Exclude<Access["kind"], "event" | "never">, string>> = {
  write: "Written",
  read: "Read",
  exec: "Executed",
  change: "Changed",
};

/** The lines of an access but its places; `command`: the command line that prints the same. */
export function accessLines(row: Access, command: string, look: Look, width: number): Line[] {
  return [
    ...wrap(sentenceOf(row), 0, width - 1).map((text): Line => ({ text, role: "strong" })),
    ...row.kind === "never" ? [] : [{ text: "", pieces: byPieces(row, look) }],
    ...row.kind === "never" ? [] : [headingLine("The chain", look, width), ...chainLines(row, look)],
    ...row.kind === "event" ? [] : [headingLine("Values", look, width), ...valuesOf(row, width)],
    commandLine(command),
  ];
}

/** Places of the run, each a line. */
export function placeLines(rows: readonly Access[], selected: number, look: Look): Line[] {
  return rows.map((row, index): Line => ({
    text: "",
    pieces: [
      { text: row.id.padEnd(PLACE), role: row.kind === "never" ? "dim" : "link" },
      { text: `${secondsText(Number(row.t))} s`.padEnd(TIME), role: "dim" },
      { text: row.kind.padEnd(KIND), role: row.kind === "write" || row.kind === "change" ? "strong" : "text" },
      ...actorPieces(row, look),
      ...row.of === null ? [] : [{ text: `  ${row.of}`, role: "link" } as const],
    ],
    right: row.kind === "write" || row.kind === "change" ? [{ text: `${row.before} → ${row.after}`, role: "text" }] : undefined,
    ...index === selected && { tint: "sel", bar: "accent" } as const,
  }));
}

function valuesOf({ kind, before, after }: Access, width: number): Line[] {
  if (kind === "never") return valueLines("held", before, "text", width);
  const changed = kind === "write" || kind === "change";
  return [...valueLines("before", before, "text", width), ...changed ? valueLines("after", after, "ok", width) : []];
}

/** The access in a sentence. */
function sentenceOf({ kind, text, before, after }: Access): string {
  if (kind === "never") return `${text[0].toUpperCase()}${text.slice(1)}.`;
  if (kind === "event") return `${text}.`;
  return `${DID[kind]} by ${text}${kind === "write" || kind === "change" ? `: ${before} → ${after}` : ""}.`;
}

/** The vCPU with its VM's letter, or the device; and the place in the code. */
function actorPieces({ by, text, symbol, pc }: Access, look: Look): Piece[] {
  const vcpu = vcpuTitle(by);
  if (!vcpu) return [{ text: by ?? text, role: by === null ? "text" : "link" }];
  const place = symbol ?? pc;
  return [...vmPieces(look.vm(vcpu.vm), vcpu.vm + vcpu.vmDetail), ...place === null ? [] : [{ text: `  ${place}`, role: "link" } as const]];
}

function byPieces(row: Access, look: Look): Piece[] {
  return [
    { text: "by ", role: "dim" },
    ...actorPieces(row, look),
    { text: "  at ", role: "dim" },
    { text: secondsText(Number(row.t)) },
    { text: " s", role: "dim" },
    ...row.source === null ? [] : [{ text: "  in ", role: "dim" } as const, { text: row.source, role: "link" } as const],
  ];
}

/** The call frames, the outermost first, and the instruction inside of all. */
function chainLines({ stack, instruction, text, symbol, pc }: Access, look: Look): Line[] {
  const { glyphs } = look;
  const known = stack ?? [], frames = known.length > 0 ? known.map(String).toReversed() : [symbol ?? pc].filter((place) => place !== null);
  return [
    ...frames.map((frame, depth): Line => {
      const [place, source = ""] = frame.split("  ");
      return {
        text: "",
        pieces: [branchPiece(depth, look), { text: `${glyphs.shapes.runs} `, role: "dim" }, { text: place, role: "link" }, {
          text: `  ${source}`,
          role: "dim",
        }],
      };
    }),
    {
      text: "",
      pieces: [branchPiece(frames.length, look), { text: `${glyphs.shapes.ready} `, role: "accent" }, {
        text: instruction ?? text,
        role: "strong",
        bold: true,
      }],
      tint: "selq",
      bar: "accent",
    },
  ];
}

function valueLines(name: string, value: string, role: Piece["role"], width: number): Line[] {
  return wrap(value, 0, width - NAME - 2).map((text, index): Line => ({
    text: "",
    pieces: [{ text: (index ? "" : name).padEnd(NAME), role: "dim" }, { text, role }],
  }));
}
