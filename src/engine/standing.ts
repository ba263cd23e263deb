// Questions that are answered again with each sample: a client asks once, and does not wake a
// sleeping machine to repeat the question.

import type { Answer, Query, Repeat } from "../queries/query.ts";

/** Limit on answers to one question: a client that no longer reads does not ask again. */
const MOST = 100;

interface Question extends Repeat {
  readonly query: Query;
  /** Answers that are still to come. */
  left: number;
  /** When it was answered last (wall ms). */
  answered: number;
  /** The source of the last answer, and where the next one begins. */
  last: { readonly from: Answering; readonly cursor: string | undefined } | undefined;
}

/** A source of answers: the machine, or its past. */
interface Answering {
  answer(query: Query): Answer;
}

/** The standing questions of one session. They stay when its machine starts again. */
export class Standing {
  readonly #questions = new Map<number, Question>();

  /** Takes a question that is answered at a time (wall ms) for the first time. */
  add(id: number, query: Query, repeat: Repeat, now: number): void {
    const left = Math.min(repeat.times, MOST);
    if (left > 0) this.#questions.set(id, { ...repeat, query, left, answered: now, last: undefined });
  }

  /**
   * The answer to a question. Where events continue, it begins where the last answer ended, unless
   * that came from another source.
   */
  answer(id: number, query: Query, from: Answering): Answer {
    const question = this.#questions.get(id);
    if (!question?.onward) return from.answer(query);
    const after = question.last?.from === from ? question.last.cursor : undefined;
    const answer = from.answer(after === undefined ? query : { ...query, args: { ...query.args, after } });
    question.last = { from, cursor: answer.cursor };
    return answer;
  }

  /** Ends the answers to a question. */
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
