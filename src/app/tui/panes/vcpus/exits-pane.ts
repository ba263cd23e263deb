// Why a vCPU has left its guest lately: its exits by reason, from the events that are recorded
// while the screen shows them.

import { fit } from "../../../../kit/support/text/text-width.ts";
import { vcpuTitle } from "../../look/box.ts";
import { countText, grouped, shareText } from "../../look/numbers.ts";
import type { Line } from "../pane.ts";
import type { Piece } from "../../look/pieces.ts";
import { wrap } from "../row-lines.ts";
import { TextPane } from "../text-pane.ts";
import type { Look } from "../../look/theme.ts";
import { membersOf, type RowOf } from "../../../../model/queries/table.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import { EVENTS, type VCPUS } from "../../../../model/queries/tables.ts";

/** Events that are counted. */
const COUNTED = 400;
/** Kinds of events that are exits. */
const KINDS = "hvc,psci,trap,mmio";
/** Columns of reasons, shares and rates, and of bars at the most. */
const REASON = 24, SHARE = 6, RATE = 8, BAR = 24;
/** A pane at least so wide shows the commonest cause of a reason. */
const WITH_CAUSE = 76;

/** A reason, how often it was, and its commonest cause. */
interface Exits {
  readonly kind: string;
  readonly name: string;
  readonly count: number;
  readonly cause: string;
}

/**
 * The pane.
 * @param vcpu the row of the vCPU that is selected
 */
export function exitsPane(vcpu: () => RowOf<typeof VCPUS> | undefined): TextPane {
  let exits: readonly Exits[] = [], counted = 0, of = "";
  return new TextPane({
    name: "exits",
    title: () => {
      const right: Piece[][] = counted ? [[{ text: `of the last ${grouped(String(counted))}`, role: "dim" }]] : [];
      return { text: "Exits", ...vcpuTitle(vcpu()?.id), right };
    },
    selection: () => undefined,
    queries() {
      const id = vcpu()?.id;
      if (id !== of) [exits, counted, of] = [[], 0, id ?? ""];
      return id === undefined ? undefined : { table: "events", args: { kinds: KINDS, filter: `vcpu=${id}`, limit: COUNTED } };
    },
    receive(answer) {
      // A note for the user has the exit beside it.
      const rows = rowsOf(EVENTS, answer).filter(({ fields }) => membersOf(fields).about === undefined);
      counted = rows.length;
      exits = byReason(rows);
    },
    lines: (width, look) => exits.length ? exitLines(exits, counted, vcpu()?.exits_rate ?? 0, width, look) : emptyLines(width),
  });
}

const EMPTY: readonly Line[] = [
  { text: "No exit was recorded yet." },
  { text: "Hypercalls, traps and device accesses are recorded while this screen is open.", role: "dim" },
];

function emptyLines(width: number): Line[] {
  return EMPTY.flatMap(({ text, role }) => wrap(text, 0, width - 2).map((part): Line => ({ text: part, role })));
}

/** Exits by reason, the most frequent first. */
function byReason(rows: readonly RowOf<typeof EVENTS>[]): Exits[] {
  const reasons = new Map<string, { kind: string; name: string; count: number; causes: Map<string, number> }>();
  for (const { kind, name, text, args } of rows) {
    const cause = args ?? text;
    const key = `${kind} ${name}`;
    const reason = reasons.get(key) ?? { kind, name, count: 0, causes: new Map<string, number>() };
    reasons.set(key, reason);
    reason.count++;
    reason.causes.set(cause, (reason.causes.get(cause) ?? 0) + 1);
  }
  const commonest = (causes: ReadonlyMap<string, number>) => [...causes].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
  return [...reasons.values()].sort((a, b) => b.count - a.count).map(({ causes, ...reason }) => ({ ...reason, cause: commonest(causes) }));
}

function exitLines(exits: readonly Exits[], counted: number, rate: number, width: number, look: Look): Line[] {
  const room = width - 2 - REASON - SHARE - RATE - 3;
  const cause = width >= WITH_CAUSE, bar = Math.max(Math.min(cause ? Math.floor(room / 2) : room, BAR), 4);
  const heading: Piece[] = [
    { text: "Reason".padEnd(REASON + 1 + bar), role: "dim" },
    { text: "share".padStart(SHARE), role: "dim" },
    { text: "exits/s".padStart(RATE + 1), role: "dim" },
    ...cause ? [{ text: "  Most often", role: "dim" } as const] : [],
  ];
  const most = exits[0].count;
  return [
    { text: "", pieces: heading },
    ...exits.map(({ kind, name, count, cause: text }): Line => {
      const share = count / counted, cells = Math.max(Math.round(count / most * bar), 1);
      const [number, unit] = shareText(share).split(" ");
      return {
        text: "",
        pieces: [
          { text: `${kind.padEnd(5)}`, role: "link" },
          { text: fit(name, REASON - 5).padEnd(REASON - 4) },
          { text: look.glyphs.histogram.repeat(cells), role: "g1" },
          { text: " ".repeat(bar - cells) },
          { text: number.padStart(SHARE - 2) },
          { text: ` ${unit}`, role: "dim" },
          { text: countText(Math.round(rate * share)).padStart(RATE + 1) },
          ...cause ? [{ text: `  ${text}`, role: "dim" } as const] : [],
        ],
      };
    }),
  ];
}
