// Answers to questions about a session's machine: at once, after a search for symbols, or piece by
// piece where the run has to be searched.

import { type Answer, isAboutPast, noAnswer, type Query } from "../../model/queries/query.ts";
import { exceptionText } from "../../kit/support/problem.ts";
import { type Searching, SymbolSearch } from "../../inside/symbols/vm-symbols.ts";
import type { InPieces } from "../../kit/support/values/work.ts";
import type { System } from "../assembly/system/system.ts";
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

/** A place of a machine's run. */
const placeOf = (system: System) => [system.machine.places, system.machine.time, system.instructions()].join();

export class QueryAnswers {
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
    if (isAboutPast(query)) return this.who.ask(id, query, (error) => this.#unanswered(id, query, error));
    this.searches.answer((searching) => this.#post(id, query, searching));
  }

  /** @throws SymbolSearch */
  *#post(id: number, query: Query, searching: Searching): InPieces<void> {
    const answer = yield* this.#answer(id, query, searching);
    if (answer) this.port.post({ kind: "answer", id, answer });
  }

  /** @throws SymbolSearch */
  *#answer(id: number, query: Query, searching: Searching): InPieces<Answer | undefined> {
    const system = this.#asked(query), { inspector, symbols } = system, place = placeOf(system), { standing } = this.port;
    try {
      const pieces = inspector.answering(standing.asked(id, query, inspector));
      for (;;) {
        const { done, value } = symbols.asked(searching, () => pieces.next());
        if (done) {
          const answer = standing.given(id, inspector, value);
          return answer?.error === undefined ? answer : this.endedVms.answer(query, searching) ?? answer;
        }
        yield;
        const now = this.#asked(query);
        // A client has shown another place meanwhile: an answer is about one.
        if (now !== system || placeOf(now) !== place) {
          return now.symbols.asked(searching, () => standing.answer(id, query, now.inspector));
        }
      }
    } catch (error) {
      if (error instanceof SymbolSearch) throw error;
      return this.#unanswered(id, query, error);
    }
  }

  /** The machine that a question is about. */
  #asked({ table }: Query): System {
    return OF_THE_PRESENT.test(table) ? this.shown.present : this.shown.system;
  }

  /** The answer after a bug of el2, reported once per table: screens ask again and again. */
  #unanswered(id: number, query: Query, error: unknown): Answer {
    this.port.standing.forget(id);
    if (!this.#failed.has(query.table)) this.port.contained({ where: query.table, error, query });
    this.#failed.add(query.table);
    return noAnswer(`${query.table} cannot be answered: ${exceptionText(error)}, an exception in el2 itself; the machine continues`);
  }
}
