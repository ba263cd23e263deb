// Answers to questions about a session's machine: at once, after a search for symbols, or piece by
// piece where the run has to be searched.

import { type Answer, noAnswer, type Query } from "../../model/queries/query.ts";
import { exceptionText } from "../../kit/support/problem.ts";
import { type Searching, SymbolSearch } from "../../inside/symbols/vm-symbols.ts";
import type { EndedVms } from "./ended-vms.ts";
import type { EnginePort } from "./loop.ts";
import type { Shown } from "./shown.ts";
import type { SymbolSearches } from "./symbol-searches.ts";
import type { Who } from "./who.ts";

/**
 * Tables of the session's own settings, which belong to the present whatever is shown: stop rules,
 * recording of events.
 */
const OF_THE_PRESENT = /^(stop|trace|time|session)\./;

export class Answers {
  /** Tables whose answers have failed by a bug of el2. */
  readonly #failed = new Set<string>();

  constructor(
    readonly port: EnginePort,
    readonly shown: Shown,
    readonly searches: SymbolSearches,
    readonly endedVms: EndedVms,
    readonly who: Who,
  ) {}

  /** Answers a question. It changes nothing. */
  query(id: number, query: Query): void {
    if (query.table === "who") return this.who.ask(id, query, (error) => this.#unanswered(id, query, error));
    this.searches.before((searching) => {
      const answer = this.#answer(id, query, searching);
      if (answer) this.port.post({ kind: "answer", id, answer });
    });
  }

  /** @throws SymbolSearch */
  #answer(id: number, query: Query, searching: Searching): Answer | undefined {
    const { inspector, symbols } = OF_THE_PRESENT.test(query.table) ? this.shown.present : this.shown.system;
    try {
      const answer = symbols.asked(searching, () => this.port.standing.answer(id, query, inspector));
      return answer?.error === undefined ? answer : this.endedVms.answer(query, searching) ?? answer;
    } catch (error) {
      if (error instanceof SymbolSearch) throw error;
      return this.#unanswered(id, query, error);
    }
  }

  /** The answer after a bug of el2, reported once per table: screens ask again and again. */
  #unanswered(id: number, query: Query, error: unknown): Answer {
    this.port.standing.forget(id);
    if (!this.#failed.has(query.table)) this.port.contained({ where: query.table, error, query });
    this.#failed.add(query.table);
    return noAnswer(`${query.table} cannot be answered: ${exceptionText(error)}, an exception in el2 itself; the machine continues`);
  }
}
