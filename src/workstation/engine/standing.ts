// Questions that are answered again with samples: who looks on asks once, and a machine that sleeps is not woken to be asked the same.

import type { Query, Repeat } from "../inspect/query.ts";

/** Answers to one question at most: who does not read them asks no more. */
const MOST = 100;

interface Question {
  readonly query: Query;
  readonly every: number;
  /** Answers that are still to come. */
  left: number;
  /** When it was answered last (wall ms). */
  answered: number;
}

/** The standing questions of one session. They stay where its machine begins anew. */
export class Standing {
  readonly #questions = new Map<number, Question>();

  /** Takes a question that is answered at a time (wall ms) for the first time. */
  add(id: number, query: Query, { times, every }: Repeat, now: number): void {
    if (times > 0) this.#questions.set(id, { query, every, left: Math.min(times, MOST), answered: now });
  }

  /** Nobody wants to know any more. */
  forget(id: number): void {
    this.#questions.delete(id);
  }

  /** Those that are to be answered with a sample of a time (wall ms). */
  due(now: number): readonly { readonly id: number; readonly query: Query }[] {
    const due = [];
    for (const [id, question] of this.#questions) {
      if (now - question.answered < question.every) continue;
      question.answered = now;
      if (--question.left === 0) this.#questions.delete(id);
      due.push({ id, query: question.query });
    }
    return due;
  }
}
