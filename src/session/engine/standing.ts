// Questions that are answered again with each sample: a client asks once, and does not wake a
// sleeping machine to repeat the question. A state that has not changed is not sent again.

import { type Answer, isStreamQuery, type Query, type Repeat } from "../../model/queries/query.ts";
import { isSame } from "../../kit/support/values/same.ts";

/** Limit on answers to one question: a client that no longer reads does not ask again. */
const MOST = 100;

interface Question extends Repeat {
  readonly query: Query;
  /** Answers that are still to come. */
  left: number;
  /** When it was answered last (wall ms). */
  answered: number;
  /** The last answer that was given, its source, and whether it was the same as the one before. */
  last: { readonly from: Answering; readonly answer: Answer; readonly again: boolean } | undefined;
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
   * The answer to a question; undefined if the rows are those of the last two answers. One with the
   * same rows is given, as screens compare two answers to mark changes. Where events continue, it
   * begins where the last answer ended, unless that came from another source. An answer with a
   * cursor is always given: its time says until when nothing happened.
   */
  answer(id: number, query: Query, from: Answering): Answer | undefined {
    return this.given(id, from, from.answer(this.asked(id, query, from)));
  }

  /** The question as its source is asked it. */
  asked(id: number, query: Query, from: Answering): Query {
    const { last, onward } = this.#questions.get(id) ?? {};
    const after = onward && last?.from === from ? last.answer.cursor : undefined;
    return after === undefined || !isStreamQuery(query) ? query : { ...query, args: { ...query.args, after } };
  }

  /** A source's answer; undefined if it is not given. */
  given(id: number, from: Answering, answer: Answer): Answer | undefined {
    const question = this.#questions.get(id);
    if (!question) return answer;
    const { last } = question, again = last !== undefined && answer.cursor === undefined && isSameState(answer, last.answer);
    if (again && last.again) return undefined;
    if (last && --question.left === 0) this.#questions.delete(id);
    question.last = { from, answer, again };
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
      due.push({ id, query: question.query });
    }
    return due;
  }
}

function isSameState(one: Answer, other: Answer): boolean {
  return one.error === other.error && one.dropped === other.dropped && isSame(one.rows, other.rows);
}
