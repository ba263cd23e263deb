// The events of a session's machine for a reader inside its process, from the start on: the log and
// hooks ask for what is new at intervals.

import type { TraceKind } from "../../abi/trace.ts";
import { Asker } from "../../control/asker.ts";
import { BUSY_KINDS } from "../../inspection/trace/event-log.ts";
import type { Request, SessionEvent } from "../../protocol/protocol.ts";
import { rowsOf } from "../../queries/query.ts";
import type { RowOf } from "../../queries/table.ts";
import { EVENTS } from "../../queries/tables.ts";
import type { SessionClient } from "../../session/client.ts";

/** Wall time (ms) between two questions. */
export const POLL = 100;
/** More events than a machine keeps. */
const ALL = 1_000_000;

/** New events, and the number of those that were lost before they could be read. */
interface NewEvents {
  readonly rows: readonly RowOf<typeof EVENTS>[];
  readonly dropped: number;
}

/** Asks a machine for its new events. */
export class EventPoll {
  readonly #asker: Asker;
  readonly #busy: readonly TraceKind[];
  #after: string | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param first number of the first question; no other client of the connection uses it and those
   *   that follow
   * @param filter which events; all of these kinds by default
   */
  constructor(readonly client: SessionClient, readonly kinds: readonly TraceKind[], first: number, readonly filter?: string) {
    this.#asker = new Asker(client, first);
    this.#busy = BUSY_KINDS.filter((kind) => kinds.includes(kind));
  }

  /** The machine was started. */
  begin(): void {
    if (this.#busy.length) this.client.send({ kind: "watch", kinds: this.#busy });
  }

  /** Other readers must not narrow the kinds that are recorded, nor limit their number. */
  widened(request: Request): Request {
    if (request.kind !== "watch" || !this.#busy.length) return request;
    return { kind: "watch", kinds: [...new Set([...request.kinds, ...this.#busy])] };
  }

  /** Whether an event is an answer for this reader. */
  hears(event: SessionEvent): boolean {
    return this.#asker.take(event);
  }

  /** Events since the last question. One question at a time, or both would have the same answer. */
  take(): Promise<NewEvents> {
    const next = this.#last.then(() => this.#ask());
    this.#last = next;
    return next;
  }

  async #ask(): Promise<NewEvents> {
    const args = { after: this.#after, kinds: this.kinds.join(), limit: ALL, filter: this.filter };
    const answer = await this.#asker.ask({ table: "events", args });
    this.#after = answer.cursor ?? this.#after;
    return { rows: rowsOf(EVENTS, answer), dropped: answer.dropped };
  }
}
