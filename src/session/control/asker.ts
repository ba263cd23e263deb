// Questions to a session as promises.

import type { SessionClient } from "../worker/client.ts";
import { type Answer, problemIn, type Query, type Repeat } from "../../model/queries/query.ts";
import type { Action } from "../../model/commands/actions.ts";
import type { MarkNote, Move } from "../../model/queries/move.ts";
import type { StopChange } from "../../model/queries/stop-rule.ts";
import type { Request, SessionEvent } from "../../model/protocol/protocol.ts";
import type { TraceKind } from "../../machine/abi/trace.ts";
import type { Problem } from "../../kit/support/problem.ts";
import { hint } from "../../kit/support/text/hint.ts";
import { way } from "../../kit/support/text/way-out.ts";

type Answering = Extract<SessionEvent, { kind: "answer" | "searching" | "acted" | "moved" | "moving" | "snapshotted" }>;
type MovedTo = Pick<Extract<SessionEvent, { kind: "moved" }>, "instructions" | "time" | "text">;
const ANSWERS: ReadonlySet<string> = new Set<Answering["kind"]>(["answer", "searching", "acted", "moved", "moving", "snapshotted"]);
const isAnswer = (event: SessionEvent): event is Answering => ANSWERS.has(event.kind);

const NOTHING_RECORDED: Problem = { what: "no events are recorded", wayOut: way`start recording with ${hint("trace start")}` };

/** A question whose answer may take long: the progress of it, and its end. */
interface LongQuestion {
  readonly progress?: (done: number, all: number) => void;
  /** Gives it up: there is no answer then. */
  readonly cancel?: AbortSignal;
}

/** Asks through a client. Give it each event that the client hears. */
export class Asker {
  /** By the number of the question: takes an answer, and says whether more are to come. */
  readonly #waiting = new Map<number, (event: Answering) => boolean>();
  #next: number;

  /** @param first below the number of the first question */
  constructor(readonly client: Pick<SessionClient, "send"> & { readonly readOnly?: boolean }, first = 0) {
    this.#next = first;
  }

  /** Of a search, `progress` is told how many instructions of the run are searched, of all. */
  ask(query: Query, { progress, cancel }: LongQuestion = {}): Promise<Answer> {
    const id = ++this.#next;
    cancel?.addEventListener("abort", () => this.#waiting.delete(id) && this.client.send({ kind: "forget", id }));
    return new Promise((resolve) => {
      this.#waiting.set(id, (event) => {
        if (event.kind === "searching") progress?.(event.done, event.all);
        if (event.kind === "answer") resolve(event.answer);
        return event.kind === "searching";
      });
      this.client.send({ kind: "query", id, query });
    });
  }

  /** Asks a question that is answered repeatedly. The returned function ends that. */
  follow(query: Query, repeat: Repeat, hear: (answer: Answer) => void): () => void {
    const id = ++this.#next;
    let more = repeat.times;
    this.#waiting.set(id, (event) => {
      if (event.kind !== "answer") return true;
      hear(event.answer);
      return more-- > 0;
    });
    this.client.send({ kind: "query", id, query, repeat });
    return () => {
      if (this.#waiting.delete(id)) this.client.send({ kind: "forget", id });
    };
  }

  /** Performs an action on the machine. Resolves to undefined on success. */
  act(action: Action): Promise<Problem | undefined> {
    return this.#done((id) => ({ kind: "act", id, action }));
  }

  /** Adds symbols for a VM. Resolves to undefined on success. */
  symbols(vm: string, file: Uint8Array): Promise<Problem | undefined> {
    return this.#done((id) => ({ kind: "symbols", id, vm, file }));
  }

  /**
   * Records events of these kinds; of none: stops that. Resolves to undefined on success.
   */
  async trace(kinds: readonly TraceKind[]): Promise<Problem | undefined> {
    // Requests are served in their order. One that is refused is so whatever is recorded.
    const before = kinds.length === 0 && !this.client.readOnly
      ? this.ask({ table: "trace.stats", args: { filter: "recorded=yes" } })
      : undefined;
    this.client.send({ kind: "trace", kinds });
    const answer = await before;
    return answer?.rows.length === 0 ? problemIn(answer) ?? NOTHING_RECORDED : undefined;
  }

  /** Names the place of the run that is shown. Resolves to undefined on success. */
  mark(note: MarkNote): Promise<Problem | undefined> {
    return this.#done((id) => ({ kind: "mark", id, ...note }));
  }

  /** Adds or removes a stop rule. Resolves to undefined on success. */
  stopRule(change: StopChange): Promise<Problem | undefined> {
    return this.#done((id) => ({ kind: "stop-rule", id, change }));
  }

  /**
   * Has a recording of the run so far written. Resolves to undefined when the file is
   * complete.
   * @param images whether with images of the disks that guests write
   */
  saveRecording(path: string, images = false): Promise<Problem | undefined> {
    return this.#done((id) => ({ kind: "save-recording", id, path, ...images && { images } }));
  }

  /**
   * Goes to another place of the run: instructions retired there and virtual time, or an error.
   * `progress` is called with the instructions that have been run again, and with all of them.
   */
  move(to: Move, progress: (done: number, all: number) => void = () => {}): Promise<MovedTo | { readonly error: Problem }> {
    const id = ++this.#next;
    return new Promise((resolve) => {
      this.#waiting.set(id, (event) => {
        if (event.kind === "moving") {
          progress(event.instructions, event.end);
          return true;
        }
        if (event.kind === "answer") resolve({ error: problemIn(event.answer) ?? { what: "the machine does not answer" } });
        else if (event.kind === "moved") {
          const { error, instructions, time, text } = event;
          resolve(error === undefined ? { instructions, time, text } : { error });
        }
        return false;
      });
      this.client.send({ kind: "move", id, to });
    });
  }

  /**
   * Has a snapshot written; `progress` is called with page counts. Resolves to undefined
   * when the file is complete.
   * @param passing the file is temporary, and other clients are not told
   * @param cancel gives it up: an older file stays
   */
  snapshot(
    path: string,
    title: string,
    progress: (done: number, total: number) => void,
    { passing = false, cancel }: { readonly passing?: boolean; readonly cancel?: AbortSignal } = {},
  ): Promise<Problem | undefined> {
    const id = ++this.#next;
    cancel?.addEventListener("abort", () => this.#waiting.has(id) && this.client.send({ kind: "forget", id }));
    return new Promise((resolve) => {
      this.#waiting.set(id, (event) => {
        if (event.kind === "snapshotted" && !event.whole && event.error === undefined) {
          progress(event.done, event.total);
          return true;
        }
        if (event.kind === "answer") resolve(problemIn(event.answer));
        else if (event.kind === "snapshotted") resolve(event.error);
        return false;
      });
      this.client.send({ kind: "snapshot", id, path, title, ...passing && { passing } });
    });
  }

  #done(make: (id: number) => Request): Promise<Problem | undefined> {
    const id = ++this.#next;
    return new Promise((resolve) => {
      this.#waiting.set(id, (event) => {
        if (event.kind === "answer") resolve(problemIn(event.answer));
        else if (event.kind === "acted") resolve(event.error);
        return false;
      });
      this.client.send(make(id));
    });
  }

  /** Whether the event was an answer to this asker. */
  receive(event: SessionEvent): boolean {
    if (!isAnswer(event)) return false;
    const waiting = this.#waiting.get(event.id);
    if (!waiting?.(event)) this.#waiting.delete(event.id);
    return waiting !== undefined;
  }
}
