// The marks of a run on the scrubber of the past: its snapshots, its refusals, the places that
// users have named, and the pointed-at time.

import type { Timeline } from "./scrubber.ts";
import type { Asker } from "../../../../session/control/asker.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import { REASONS } from "../../../../model/queries/tables.ts";

/** Refusals that are marked at the most. */
const MARKED = 100;

/** The marks of one run. */
export class TimeMarks {
  #snapshots: readonly number[] = [];
  /** Times of the places that users have named. */
  #named: readonly number[] = [];
  /**
   * The newest time (ns) of the run: a client that attaches while the past is shown has not seen
   * it.
   */
  #now = 0;
  /** Times of refusals by their ids: an earlier place of the run knows fewer. */
  readonly #refusals = new Map<string, number>();
  /** The place of the pointed-at time (ns); undefined without one. */
  #pointed: number | undefined;

  constructor(readonly asker: Asker, readonly changed: () => void) {}

  ask(): void {
    this.asker.ask({ table: "time.ls", args: {} }).then(({ rows }) => {
      this.#now = Number(rows.find(({ kind }) => kind === "now")?.t ?? 0);
      this.#snapshots = rows.filter(({ kind }) => kind === "snapshot").map(({ t }) => Number(t));
      this.#named = rows.filter(({ kind }) => kind === "mark").map(({ t }) => Number(t));
      this.changed();
    });
    this.asker.ask({ table: "why", args: { limit: MARKED } }).then((answer) => {
      for (const { id, t } of rowsOf(REASONS, answer)) this.#refusals.set(id, Number(t));
      this.changed();
    });
  }

  /**
   * The run with its marks.
   * @param seen the newest time that was seen here
   */
  timeline(here: number, seen: number): Timeline {
    const now = Math.max(seen, this.#now);
    return { here: this.#pointed ?? here, now, snapshots: this.#snapshots, refusals: [...this.#refusals.values()], marks: this.#named };
  }

  /** Sets the pointed-at time, or none. */
  point(time: number | undefined): void {
    this.#pointed = time;
  }

  /** The pointed-at time (ns); undefined without one. */
  get pointed(): number | undefined {
    return this.#pointed;
  }
}
