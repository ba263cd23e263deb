// Which kinds of events a log has not recorded, and when: what lies between two of its rows.

import type { TraceKind } from "../../../machine/abi/trace.ts";
import type { Unrecorded } from "../../../model/queries/facts/gap.ts";

/** Spans that are kept, the newest. */
const KEPT = 200;

/** Times of one log. */
export class UnrecordedTimes {
  #spans: readonly Unrecorded[] = [];
  /** How much of each kind is recorded, since when (ns); the others: nothing, since `#began`. */
  readonly #shares = new Map<TraceKind, { readonly share: "none" | "some" | "all"; readonly since: number }>();
  #began = 0;

  /** Spans of these kinds, in the order of their ends. */
  of(kinds: ReadonlySet<TraceKind>): readonly Unrecorded[] {
    return this.#spans.filter(({ kind }) => kinds.has(kind));
  }

  /** From `now` on this share of `kinds` is recorded, and nothing of all others. */
  watch(kinds: ReadonlySet<TraceKind>, share: "some" | "all", now: number): void {
    for (const kind of this.#shares.keys()) if (!kinds.has(kind)) this.#turn(kind, "none", now);
    for (const kind of kinds) this.#turn(kind, share, now);
  }

  #turn(kind: TraceKind, share: "none" | "some" | "all", now: number): void {
    const before = this.#shares.get(kind) ?? { share: "none", since: this.#began };
    if (before.share === share) return;
    this.#shares.set(kind, { share, since: now });
    if (before.share === "all" || share === "none" || before.since === now) return;
    this.#spans = [...this.#spans, { from: before.since, to: now, kind, some: before.share === "some" }].slice(-KEPT);
  }

  /** The log got its events from elsewhere until `now`: nothing is known of times before. */
  forget(now: number): void {
    this.#spans = [];
    this.#began = now;
    for (const [kind, { share }] of this.#shares) this.#shares.set(kind, { share, since: now });
  }

  /** The log got the events of another one until `now`, and lacks what that lacks. */
  follow(first: UnrecordedTimes, now: number): void {
    this.forget(now);
    this.#spans = first.#spans.filter(({ to }) => to <= now);
  }
}
