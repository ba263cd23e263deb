// The questions of the visible panes to the session, which answers with each sample until they
// change; and the events that it records for them.

import type { Pace } from "./pace.ts";
import { isFiltered, type Pane } from "../../panes/pane.ts";
import type { Windows } from "./windows.ts";
import { screenOf } from "../../actions/screen-table.ts";
import type { Asker } from "../../../../session/control/asker.ts";
import { TRACE_KINDS, type TraceKind } from "../../../../machine/abi/trace.ts";
import { type Answer, isStreamQuery, type Query } from "../../../../model/queries/query.ts";
import type { Request } from "../../../../model/protocol/protocol.ts";

/**
 * Samples that come with answers before a pane has to ask again: a screen that hangs is not sent
 * more.
 */
const REPEATED = 25;

/** A pane's question, which is answered with each sample. */
interface Asked {
  /** Its queries, as text. */
  readonly wanted: string;
  readonly end: () => void;
  /** Answers that are awaited for the first time. */
  missing: number;
  /** Answers that are still to come by themselves, by query: of a state that stays none is sent. */
  readonly left: number[];
  /** Where the last answer ended in a log, by query: a repeated question continues there. */
  readonly cursors: (string | undefined)[];
  /** Whether to ask again after the first answers. */
  again: "no" | "if it wants something else" | "yes";
}

/** The questions of one application. */
export class Questions {
  readonly #asked = new Map<Pane, Asked>();
  #watching = "";
  #reasons = 0;
  #reasonsSeen = 0;

  /**
   * @param open whether there is anybody to ask, and anything to ask for
   * @param changed called when a pane has an answer
   */
  constructor(
    readonly asker: Asker,
    readonly windows: Windows,
    readonly send: (request: Request) => void,
    readonly open: () => boolean,
    readonly changed: () => void,
    readonly pace: Pace,
  ) {}

  /** Refusals that the user has not seen. */
  get newReasons(): number {
    return Math.max(0, this.#reasons - this.#reasonsSeen);
  }

  /**
   * There is a new picture of the machine, and what was to be answered with it is. `reasons`: how
   * many refusals there were.
   */
  renew(reasons: number): void {
    this.#reasons = reasons;
    if (!this.#look()) return;
    for (const { pane } of this.windows.visible) this.#askAnew(pane);
  }

  /**
   * The visible panes are drawn: a stream that has more room than it knew of wants more rows, also
   * of a machine that rests.
   */
  drawn(): void {
    for (const { pane } of this.windows.visible) {
      const asked = this.#asked.get(pane);
      if (asked && pane.streams && textOf(queriesOf(pane)) !== asked.wanted) this.#askAnew(pane);
    }
  }

  /** Asks what all visible panes want to know. */
  all(): void {
    if (!this.#look()) return;
    for (const { pane } of this.windows.visible) this.ask(pane);
  }

  /** Notes which screen is shown. False without a session to ask. */
  #look(): boolean {
    if (!this.open()) return false;
    this.#watch();
    const visible = new Set(this.windows.visible.map(({ pane }) => pane));
    for (const pane of this.#asked.keys()) if (!visible.has(pane)) this.#end(pane);
    if (this.windows.screen.key === screenOf("why").key) this.#reasonsSeen = this.#reasons;
    return true;
  }

  /** Asks a pane's questions; again, if some answers are missing. */
  ask(pane: Pane): void {
    if (!this.open()) return;
    const asked = this.#asked.get(pane);
    if (asked?.missing) asked.again = "yes";
    else this.#ask(pane, queriesOf(pane));
  }

  /**
   * Asks for the visible panes but one, if their questions have changed: they may depend on its
   * selection.
   */
  others(pane: Pane): void {
    for (const { pane: other } of this.windows.visible) if (other !== pane) this.#askAnew(other);
  }

  /** Asks where no more answers come to what a pane wants to know. */
  #askAnew(pane: Pane): void {
    if (!this.open()) return;
    const asked = this.#asked.get(pane);
    if (asked?.missing) {
      if (asked.again === "no") asked.again = "if it wants something else";
      return;
    }
    const queries = queriesOf(pane), same = textOf(queries) === asked?.wanted;
    if (!asked?.left.every((left) => left > 0) || !same) this.#ask(pane, queries, same && pane.onward ? asked?.cursors : undefined);
  }

  #end(pane: Pane): void {
    this.#asked.get(pane)?.end();
    this.#asked.delete(pane);
  }

  /** @param after where the pane's rows end, by query; otherwise it gets all of them anew */
  #ask(pane: Pane, queries: readonly Query[], after: readonly (string | undefined)[] = []): void {
    this.#end(pane);
    if (!queries.length) return;
    const every = pane.streams ? this.pace.streams(this.windows.width) : pane.staysGood ?? 0;
    const repeat = { times: REPEATED, every, onward: pane.onward ?? false };
    const first: Answer[] = [], ends: (() => void)[] = [];
    const asked: Asked = {
      wanted: textOf(queries),
      end: () => ends.forEach((end) => end()),
      missing: queries.length,
      left: queries.map(() => REPEATED),
      cursors: [],
      again: "no",
    };
    this.#asked.set(pane, asked);
    queries.forEach((query, index) => {
      let heard = false;
      ends.push(this.asker.follow(continued(query, after[index]), repeat, (answer) => {
        // The session may be another one by now, or the pane wants something else.
        if (this.#asked.get(pane) !== asked) return;
        asked.cursors[index] = answer.cursor;
        if (heard) {
          asked.left[index]--;
          return this.#answer(pane, [answer]);
        }
        heard = true;
        first[index] = answer;
        if (--asked.missing) return;
        this.#answer(pane, first);
        if (asked.again === "yes") this.ask(pane);
        else if (asked.again !== "no") this.#askAnew(pane);
      }));
    });
  }

  #answer(pane: Pane, answers: readonly Answer[]): void {
    if (!this.open()) return;
    const before = pane.selection?.row.id;
    for (const answer of answers) pane.receive(answer);
    this.changed();
    if (pane.selection?.row.id !== before) this.others(pane);
  }

  /**
   * The session is another one: open questions are not answered any more, and it does not know yet
   * what to record.
   */
  forget(): void {
    this.#watching = "";
    this.#asked.clear();
  }

  #watch(): void {
    const { screen: { key, entry: { watched } }, visible } = this.windows;
    const named = visible.flatMap(({ pane }) => pane.streams && isFiltered(pane) ? kindsNamedIn(pane.filterText) : []);
    const watching = [key, ...named].join(" ");
    if (watching === this.#watching) return;
    this.#watching = watching;
    this.send({ kind: "watch", ...watched, kinds: [...new Set([...watched?.kinds ?? [], ...named])] });
  }
}

/** Kinds of events that a filter names, and that are recorded only if somebody wants them. */
function kindsNamedIn(filter: string): TraceKind[] {
  const words = [...filter.matchAll(/\bkind\s*=\s*([\w,]+)/g)].flatMap(([, listed]) => listed.split(","));
  return TRACE_KINDS.filter((kind) => words.includes(kind));
}

function queriesOf(pane: Pane): readonly Query[] {
  return [pane.queries() ?? []].flat();
}

/** A question for the rows that follow a place of a log, if it is for a log. */
function continued(query: Query, after: string | undefined): Query {
  return after === undefined || !isStreamQuery(query) ? query : { ...query, args: { ...query.args, after } };
}

function textOf(queries: readonly Query[]): string {
  return JSON.stringify(queries);
}
