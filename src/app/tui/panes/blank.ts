// The text of a pane without rows: that there is nothing and how to get it, that an answer is
// awaited, or an error and its remedy (docs/design/look.md §4).

import type { Rectangle, Screen } from "../terminal/cells.ts";
import { drawPieces, type Piece } from "../look/pieces.ts";
import { wrap } from "./row-lines.ts";
import { type SpokenLine, spokenPieces } from "../look/speech.ts";
import type { Look } from "../look/theme.ts";
import type { TableName } from "../../../model/queries/tables.ts";
import type { Answer } from "../../../model/queries/query.ts";
import type { Problem } from "../../../kit/support/problem.ts";
import { hint, hintText } from "../../../kit/support/text/hint.ts";
import { wayOutText } from "../../../kit/support/text/way-out.ts";

/** Why a pane has no rows. */
export type Blank =
  | { readonly kind: "empty"; readonly what: string; readonly how?: string }
  /** Asked this many ms ago. */
  | { readonly kind: "loading"; readonly since: number }
  | { readonly kind: "error"; readonly what: string; readonly wayOut?: string };

/** The error of an answer; undefined without one. */
export function blankOf({ error, problem }: Answer): Extract<Blank, { kind: "error" }> | undefined {
  if (error === undefined) return undefined;
  const { what, wayOut }: Problem = problem ?? { what: error };
  return { kind: "error", what: what.split("\n")[0], wayOut: wayOutText(wayOut)?.split("\n")[0] };
}

/** An answer that takes longer is said to be awaited, and then for how long, ms. */
const SAID = 300, COUNTED = 1000;
/** Panes lower than this have no blank rows above the text. */
const ROOMY = 7;

export const HOW_ROWS_COME: Partial<Record<TableName, string>> = {
  "vcpu.stack": "Select a vCPU that runs instructions of a guest.",
  "code": "Select a vCPU that runs instructions of a guest.",
  "irq.ls": "Drivers of a guest enable interrupts when they start.",
  "mem.parcels": "MEM_SHARE, MEM_LEND and MEM_DONATE make one.",
  "queue.ls": "[link] in el2.toml makes message queues and doorbells.",
  "queue.ring": "A message stays in it until its receiver takes it.",
  "rpc.ls": "The host sends requests when it makes VMs.",
  "events": "They are recorded while a screen shows them.",
  "why": `${hintText(hint("inject"))} makes one; 0 comes back here.`,
  "sched.ls": "They are recorded while this screen is open.",
};

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.?!)]$/.test(text) ? "" : "."}`;
}

/** Draws it inside a pane, in its middle third if it fits. */
export function drawBlank(screen: Screen, look: Look, area: Rectangle, blank: Blank): void {
  const lines = blankLines(blank, look, Math.max(area.width - 2, 1));
  const above = area.height >= ROOMY ? Math.floor((area.height - lines.length) / 3) : 0;
  lines.slice(0, area.height).forEach((pieces, row) => drawPieces(screen, look, area.x + 1, area.y + above + row, pieces, area.width - 2));
}

/** The same text, to be spoken. */
export function spokenBlank(look: Look, width: number, blank: Blank): SpokenLine[] {
  return blankLines(blank, look, width).map((pieces) => spokenPieces(pieces));
}

function blankLines(blank: Blank, look: Look, width: number): Piece[][] {
  switch (blank.kind) {
    case "empty":
      return [
        ...wrap(sentence(blank.what), 0, width).map((text): Piece[] => [{ text, role: "text" }]),
        ...blank.how === undefined ? [] : wrap(blank.how, 0, width).map((text): Piece[] => [{ text, role: "dim" }]),
      ];
    case "loading": {
      if (blank.since < SAID) return [];
      const seconds = blank.since >= COUNTED ? `, ${Math.floor(blank.since / 1000)} s` : "";
      return [[{ text: `loading${seconds}`, role: "dim" }]];
    }
    case "error": {
      const { what, wayOut } = blank;
      return [
        ...wrap(what, 0, width - 2).map((text, index): Piece[] => [
          { text: index ? "  " : `${look.glyphs.shapes.fault} `, role: "bad", bold: true },
          { text, role: "bad" },
        ]),
        ...wayOut ? wrap(sentence(wayOut), 2, width).map((text): Piece[] => [{ text: `  ${text.trim()}`, role: "text" }]) : [],
      ];
    }
  }
}
