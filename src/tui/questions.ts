// What the visible panes ask the session: each has its questions under way once; and which events the session records for them.

import type { Pane } from "./pane.ts";
import type { Windows } from "./windows.ts";
import type { TraceKind } from "../abi/trace.ts";
import type { Asker } from "../workstation/control/asker.ts";
import type { Query } from "../workstation/inspect/query.ts";
import type { Request } from "../workstation/protocol.ts";

/** Kinds of which there are many: recorded while a screen shows them. On the overview a few of the newest are enough. */
const BUSY: readonly TraceKind[] = ["hvc", "trap", "virq", "mmio", "mem"];
const GLANCE = 32;
/** In the order of what they want; of two screens the last one here decides. */
const WATCHED: Readonly<Record<string, { readonly kinds: readonly TraceKind[]; readonly budget?: number }>> = {
  "1": { kinds: BUSY, budget: GLANCE },
  "8": { kinds: ["sched"] },
  "9": { kinds: [...BUSY, "sched"] },
};

/** Queries under way for a pane. */
interface Asking {
  /** Whether to ask again when the answers are there. */
  again: "no" | "if it wants something else" | "yes";
}

/** The questions of one application. */
export class Questions {
  readonly #asking = new Map<Pane, Asking>();
  /** What each pane asked last, as text, and when (wall ms). */
  #asked = new WeakMap<Pane, { readonly wanted: string; readonly at: number }>();
  #watching = "";
  #reasons = 0;
  #reasonsSeen = 0;

  /**
   * @param open whether there is anybody to ask, and anything to ask for
   * @param changed called when a pane has an answer
   * @param clock wall time, ms
   */
  constructor(
    readonly asker: Asker,
    readonly windows: Windows,
    readonly send: (request: Request) => void,
    readonly open: () => boolean,
    readonly changed: () => void,
    readonly clock: () => number,
  ) {}

  /** Refusals that nobody has looked at. */
  get newReasons(): number {
    return Math.max(0, this.#reasons - this.#reasonsSeen);
  }

  /** There is a new picture of the machine: asks for what is beside it. `reasons`: how many refusals there were. */
  renew(reasons: number): void {
    this.#reasons = reasons;
    if (!this.#look()) return;
    for (const { pane } of this.windows.visible) if (this.#isOld(pane)) this.ask(pane);
  }

  /** Asks what all visible panes want to know. */
  all(): void {
    if (!this.#look()) return;
    for (const { pane } of this.windows.visible) this.ask(pane);
  }

  /** Notes which screens are shown. False where there is nobody to ask. */
  #look(): boolean {
    if (!this.open()) return false;
    this.#watch();
    if (this.windows.shown.some(({ key }) => key === "0")) this.#reasonsSeen = this.#reasons;
    return true;
  }

  #isOld(pane: Pane): boolean {
    const asked = this.#asked.get(pane);
    return !asked || this.clock() - asked.at >= (pane.staysGood ?? 0);
  }

  /** Asks what one pane wants to know; once more, where it has not all its answers yet. */
  ask(pane: Pane): void {
    if (!this.open()) return;
    const asking = this.#asking.get(pane);
    if (asking) asking.again = "yes";
    else this.#ask(pane, queriesOf(pane));
  }

  /** Asks for the visible panes but one, where they want to know something else than before: what they show may hang on what it has selected. */
  others(pane: Pane): void {
    for (const { pane: other } of this.windows.visible) if (other !== pane) this.#askAnew(other);
  }

  #askAnew(pane: Pane): void {
    if (!this.open()) return;
    const asking = this.#asking.get(pane);
    if (asking) {
      if (asking.again === "no") asking.again = "if it wants something else";
      return;
    }
    const queries = queriesOf(pane);
    if (textOf(queries) !== this.#asked.get(pane)?.wanted) this.#ask(pane, queries);
  }

  #ask(pane: Pane, queries: readonly Query[]): void {
    this.#asked.set(pane, { wanted: textOf(queries), at: this.clock() });
    if (!queries.length) return;
    const asking: Asking = { again: "no" };
    this.#asking.set(pane, asking);
    Promise.all(queries.map((query) => this.asker.ask(query))).then((answers) => {
      // The session may be another one by now.
      if (this.#asking.get(pane) === asking) this.#asking.delete(pane);
      if (!this.open()) return;
      const before = pane.selection?.row.id;
      for (const answer of answers) pane.take(answer);
      this.changed();
      if (asking.again === "yes") this.ask(pane);
      else if (asking.again !== "no") this.#askAnew(pane);
      if (pane.selection?.row.id !== before) this.others(pane);
    });
  }

  /** The session is another one: it has to be told again what to record. */
  forget(): void {
    this.#watching = "";
    this.#asking.clear();
    this.#asked = new WeakMap();
  }

  #watch(): void {
    const shown = this.windows.shown.map(({ key }) => key);
    const key = Object.keys(WATCHED).findLast((one) => shown.includes(one)) ?? shown[0];
    if (key === this.#watching) return;
    this.#watching = key;
    this.send({ kind: "watch", ...WATCHED[key] ?? { kinds: [] } });
  }
}

function queriesOf(pane: Pane): readonly Query[] {
  return [pane.wants() ?? []].flat();
}

function textOf(queries: readonly Query[]): string {
  return JSON.stringify(queries);
}
