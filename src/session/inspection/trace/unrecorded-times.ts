// Which kinds of events a log has not recorded, and when: what lies between two of its rows.

import { BUSY_KINDS, type TraceKind } from "../../../machine/abi/trace.ts";
import type { Unrecorded } from "../../../model/queries/facts/gap.ts";

/** Spans that are kept, the newest. */
export const SPANS_KEPT = 200;

/** A span that has not ended. */
type OpenSpan = Omit<Unrecorded, "to">;

/** The times of a log at a place of the run, for the log of another machine there. */
export interface UnrecordedMemory {
  readonly spans: readonly Unrecorded[];
  readonly open: readonly OpenSpan[];
}

/** How much of a kind is recorded. */
type Share = "none" | "some" | "all";

const shareOf = (open: OpenSpan | undefined): Share => !open ? "all" : open.some ? "some" : "none";

/** Times of one log. */
export class UnrecordedTimes {
  #spans: readonly Unrecorded[] = [];
  /** Kinds that are not recorded now, or only in part. */
  #open: ReadonlyMap<TraceKind, OpenSpan> = new Map(BUSY_KINDS.map((kind) => [kind, { from: 0, kind, some: false }]));

  /** Spans of these kinds, in the order of their ends. */
  of(kinds: ReadonlySet<TraceKind>): readonly Unrecorded[] {
    return this.#spans.filter(({ kind }) => kinds.has(kind));
  }

  /** From `now` on this share of `kinds` is recorded, and nothing of the other busy ones. */
  watch(kinds: ReadonlySet<TraceKind>, share: "some" | "all", now: number): void {
    this.#turn((kind) => kinds.has(kind) ? share : "none", now);
  }

  #turn(shareFrom: (kind: TraceKind) => Share, now: number): void {
    const open = new Map(this.#open), spans = [...this.#spans];
    for (const kind of BUSY_KINDS) {
      const ended = open.get(kind), share = shareFrom(kind);
      if (shareOf(ended) === share) continue;
      if (share === "all") open.delete(kind);
      else open.set(kind, { from: now, kind, some: share === "some" });
      if (ended && share !== "none" && ended.from !== now) spans.push({ ...ended, to: now });
    }
    this.#open = open;
    this.#spans = spans.slice(-SPANS_KEPT);
  }

  remember(): UnrecordedMemory {
    return { spans: this.#spans, open: [...this.#open.values()] };
  }

  /** The log has the events of another one until `now`, and lacks what that lacks. */
  recall({ spans, open }: UnrecordedMemory, now: number): void {
    const own = this.#open;
    this.#spans = spans;
    this.#open = new Map(open.map((span) => [span.kind, span]));
    this.#turn((kind) => shareOf(own.get(kind)), now);
  }

  /** The times until `now`. */
  until(now: number): UnrecordedMemory {
    const ended = this.#spans.filter(({ to }) => to <= now), later = this.#spans.filter(({ to }) => to > now);
    const open = [...later, ...this.#open.values()].filter(({ from }) => from <= now);
    return { spans: ended, open: open.map(({ from, kind, some }) => ({ from, kind, some })) };
  }
}
