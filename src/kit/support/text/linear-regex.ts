// Regular expressions whose time grows with the text only by a factor: JavaScript's syntax without
// lookaround and backreferences, matched by an automaton instead of by backtracking. For patterns
// and texts from outside, where `(a+)+$` would stop the thread that asks.

import { type Assertion, parseRegex, regexError, type RegexFlags, type RegexNode } from "./regex-syntax.ts";

/** Characters and branches of a pattern, those of repeated parts as often as they repeat. */
const MOST_STATES = 1000;
/** Sets of states that are kept for texts to come. */
const MOST_SETS = 500;

type State =
  | { readonly kind: "one"; readonly matches: (code: number) => boolean; readonly next: number }
  | { readonly kind: "assertion"; readonly assertion: Assertion; readonly next: number }
  | { readonly kind: "split"; readonly next: number[] }
  | { readonly kind: "match" };

const MATCH: State = { kind: "match" };
const ASCII = 128;
/** After the last character. */
const END = -1;

/** Kind of the character before a place, which assertions need. */
type Before = "start" | "line" | "word" | "other";

/** States of an automaton before a character, and the ways from there: ASCII, then the end. */
interface StateSet {
  readonly states: readonly number[];
  readonly before: Before;
  readonly ways: (StateSet | "match" | undefined)[];
}

export class LinearRegex {
  /** Each before those that lead to it, so that the whole pattern is entered at `#first`. */
  readonly #states: State[] = [MATCH];
  readonly #first: number;
  readonly #sets = new Map<string, StateSet>();
  readonly #ones = new Map<string, (code: number) => boolean>();
  /** The step at which a state was entered last. */
  readonly #entered: Float64Array;
  #step = 0;

  /** @throws SyntaxError if it is not a pattern, or one that needs backtracking */
  constructor(readonly source: string, readonly flags: RegexFlags) {
    this.#first = this.#compile(parseRegex(source, flags), 0);
    this.#entered = new Float64Array(this.#states.length);
  }

  /** Whether the text contains a match. */
  test(text: string): boolean {
    let set = this.#set([], "start");
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      const next = code < ASCII && set.ways[code] || this.#follow(set, code);
      if (next === "match") return true;
      set = next;
    }
    return (set.ways[ASCII] ?? this.#follow(set, END)) === "match";
  }

  /**
   * The first match, as long as JavaScript's. Its end can differ where a part that is repeated may
   * also be empty.
   */
  find(text: string): { readonly index: number; readonly end: number } | undefined {
    if (!this.test(text)) return undefined;
    let threads: { readonly state: number; readonly index: number }[] = [];
    let before: Before = "start", found: { readonly index: number; readonly end: number } | undefined;
    for (let at = 0; at <= text.length; at++) {
      const code = at < text.length ? text.charCodeAt(at) : END;
      if (!found) threads.push({ state: this.#first, index: at });
      this.#step++;
      const next: typeof threads = [];
      for (const { state, index } of threads) {
        // Threads after one that matches have a lower priority.
        if (!this.#enter(state, before, code, (to) => next.push({ state: to, index }))) continue;
        found = { index, end: at };
        break;
      }
      if (found && next.length === 0) break;
      threads = next;
      before = beforeOf(code);
    }
    return found;
  }

  /** Where a character leads from a set. */
  #follow(set: StateSet, code: number): StateSet | "match" {
    this.#step++;
    const next: number[] = [];
    const matched = [...set.states, this.#first].some((state) => this.#enter(state, set.before, code, (to) => next.push(to)));
    const to = matched ? "match" : this.#set([...new Set(next)].sort((a, b) => a - b), beforeOf(code));
    if (code < ASCII) set.ways[code === END ? ASCII : code] = to;
    return to;
  }

  /**
   * Enters a state, and those that it leads to without a character, in the order in which
   * JavaScript tries them. The states after `code` go to `take`. True at a match, which ends it.
   */
  #enter(state: number, before: Before, code: number, take: (state: number) => void): boolean {
    const stack = [state];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (this.#entered[at] === this.#step) continue;
      this.#entered[at] = this.#step;
      const one = this.#states[at];
      switch (one.kind) {
        case "match":
          return true;
        case "one":
          if (code !== END && one.matches(code)) take(one.next);
          break;
        case "assertion":
          if (holds(one.assertion, before, code)) stack.push(one.next);
          break;
        case "split":
          stack.push(...one.next.toReversed());
          break;
      }
    }
    return false;
  }

  #set(states: readonly number[], before: Before): StateSet {
    const key = `${before}:${states}`;
    let set = this.#sets.get(key);
    if (!set) {
      if (this.#sets.size === MOST_SETS) this.#sets.clear();
      set = { states, before, ways: new Array(ASCII + 1) };
      this.#sets.set(key, set);
    }
    return set;
  }

  /** Adds the states of a part that `next` follows: the state at which it is entered. */
  #compile(node: RegexNode, next: number): number {
    switch (node.kind) {
      case "one":
        return this.#add({ kind: "one", matches: this.#one(node.source, node.flags), next });
      case "assertion":
        return this.#add({ kind: "assertion", assertion: node.assertion, next });
      case "sequence":
        return node.parts.reduceRight((after, part) => this.#compile(part, after), next);
      case "alternatives":
        return this.#add({ kind: "split", next: node.parts.map((part) => this.#compile(part, next)) });
      case "repeat":
        return this.#repeat(node, next);
    }
  }

  #repeat({ part, min, max, greedy }: Extract<RegexNode, { kind: "repeat" }>, next: number): number {
    const ordered = (again: number) => greedy ? [again, next] : [next, again];
    let entry = next;
    if (max === Infinity) {
      const ways: number[] = [];
      entry = this.#add({ kind: "split", next: ways });
      ways.push(...ordered(this.#compile(part, entry)));
    } else {
      for (let left = max - min; left > 0; left--) entry = this.#add({ kind: "split", next: ordered(this.#compile(part, entry)) });
    }
    for (let left = min; left > 0; left--) {
      const before = entry;
      entry = this.#compile(part, before);
      // A part without states is empty, however often it is repeated.
      if (entry === before) break;
    }
    return entry;
  }

  #add(state: State): number {
    if (this.#states.length === MOST_STATES) {
      throw regexError(this.source, this.flags, `too large: more than ${MOST_STATES} characters and branches, with repetitions`);
    }
    return this.#states.push(state) - 1;
  }

  /** Whether a character is one of those that a part of one character means, by V8. */
  #one(source: string, flags: string): (code: number) => boolean {
    const key = `${flags}/${source}`;
    const known = this.#ones.get(key);
    if (known) return known;
    const pattern = new RegExp(`^${source}$`, flags.replace("m", ""));
    const matches = (code: number) => pattern.test(String.fromCharCode(code));
    this.#ones.set(key, matches);
    return matches;
  }
}

function holds(assertion: Assertion, before: Before, code: number): boolean {
  switch (assertion) {
    case "start":
      return before === "start";
    case "line-start":
      return before === "start" || before === "line";
    case "end":
      return code === END;
    case "line-end":
      return code === END || beforeOf(code) === "line";
    case "word-edge":
      return (before === "word") !== (beforeOf(code) === "word");
    case "no-word-edge":
      return (before === "word") === (beforeOf(code) === "word");
  }
}

function beforeOf(code: number): Before {
  if (code === 0x0a || code === 0x0d || code === 0x2028 || code === 0x2029) return "line";
  const letter = code | 0x20;
  const word = code >= 0x30 && code <= 0x39 || code < 0x80 && letter >= 0x61 && letter <= 0x7a || code === 0x5f;
  return word ? "word" : "other";
}
