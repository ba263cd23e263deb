// What the visible panes ask the session: each has its questions under way once; and which events the session records for them.

import type { Pane } from "./pane.ts";
import type { Windows } from "./windows.ts";
import type { TraceKind } from "../abi/trace.ts";
import type { Asker } from "../workstation/control/asker.ts";
import type { Request } from "../workstation/protocol.ts";

/** Kinds of which there are many: recorded while a screen shows them. On the overview a few of the newest are enough. */
const BUSY: readonly TraceKind[] = ["hvc", "trap", "virq", "mmio", "mem"];
const GLANCE = 100;
/** In the order of what they want; of two screens the last one here decides. */
const WATCHED: Readonly<Record<string, { readonly kinds: readonly TraceKind[]; readonly budget?: number }>> = {
  "1": { kinds: BUSY, budget: GLANCE },
  "8": { kinds: ["sched"] },
  "9": { kinds: [...BUSY, "sched"] },
};

/** The questions of one application. */
export class Questions {
  readonly #asking = new Map<Pane, { again: boolean }>();
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
  ) {}

  /** Refusals that nobody has looked at. */
  get newReasons(): number {
    return Math.max(0, this.#reasons - this.#reasonsSeen);
  }

  /** Asks what all visible panes want to know. */
  all(): void {
    if (!this.open()) return;
    this.#watch();
    for (const { pane } of this.windows.visible) this.ask(pane);
    this.asker.ask({ table: "why", args: { limit: 1, after: String(this.#reasons) } }).then(({ cursor }) => {
      this.#reasons = Number(cursor ?? 0);
      if (this.windows.shown.some(({ key }) => key === "0")) this.#reasonsSeen = this.#reasons;
    });
  }

  /** Asks what one pane wants to know; once more, where it has not all its answers yet. */
  ask(pane: Pane): void {
    if (!this.open()) return;
    const asking = this.#asking.get(pane);
    if (asking) {
      asking.again = true;
      return;
    }
    const queries = [pane.wants() ?? []].flat();
    if (!queries.length) return;
    const mine = { again: false };
    this.#asking.set(pane, mine);
    Promise.all(queries.map((query) => this.asker.ask(query))).then((answers) => {
      this.#asking.delete(pane);
      if (!this.open()) return;
      const before = pane.selection?.row.id;
      for (const answer of answers) pane.take(answer);
      this.changed();
      if (mine.again) this.ask(pane);
      // What other panes show hangs on what this one has selected.
      if (pane.selection?.row.id !== before) this.others(pane);
    });
  }

  /** Asks for the visible panes but one. */
  others(pane: Pane): void {
    for (const { pane: other } of this.windows.visible) if (other !== pane) this.ask(other);
  }

  /** The session is another one: it has to be told again what to record. */
  forget(): void {
    this.#watching = "";
    this.#asking.clear();
  }

  #watch(): void {
    const shown = this.windows.shown.map(({ key }) => key);
    const key = Object.keys(WATCHED).findLast((one) => shown.includes(one)) ?? shown[0];
    if (key === this.#watching) return;
    this.#watching = key;
    this.send({ kind: "watch", ...WATCHED[key] ?? { kinds: [] } });
  }
}
