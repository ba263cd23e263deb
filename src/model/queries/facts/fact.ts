// A fact is data: a code and named values. Its words are beside it, once: one text and at most one
// way out for each code. Readers make facts; screens, commands, JSON and tools render them, and
// nobody reads a text back.

import type { Problem } from "../../../kit/support/problem.ts";
import { type WayOut, wayOutText } from "../../../kit/support/text/way-out.ts";

/** Plain data, as it travels in rows: a type, which is JSON, and not an interface. */
export type Fact = { readonly code: string };

export type OfCode<F extends Fact, C extends F["code"]> = Extract<F, { readonly code: C }>;

export type Words<F extends Fact> = { readonly [C in F["code"]]: (fact: OfCode<F, C>) => string };

/** The remedies of some codes; a fact may have none all the same. */
export type WaysOut<F extends Fact> = { readonly [C in F["code"]]?: (fact: OfCode<F, C>) => WayOut | undefined };

/** A kind of facts, with the words of its codes. */
export class Facts<F extends Fact> {
  /**
   * @param texts the fact in words
   * @param waysOut the remedy, where there is one
   */
  constructor(readonly texts: Words<F>, readonly waysOut: WaysOut<F> = {}) {}

  text(fact: F): string {
    return wordsOf<F, string>(this.texts, fact) ?? fact.code;
  }

  /** The remedy; undefined without one. */
  wayOut(fact: F): WayOut | undefined {
    return wordsOf<F, WayOut>(this.waysOut, fact);
  }

  wayOutText(fact: F): string | undefined {
    return wayOutText(this.wayOut(fact));
  }

  problem(fact: F): Problem {
    return { what: this.text(fact), wayOut: this.wayOut(fact) };
  }
}

function wordsOf<F extends Fact, W>(words: { readonly [C in F["code"]]?: (fact: OfCode<F, C>) => W | undefined }, fact: F): W | undefined {
  const write: ((fact: never) => W | undefined) | undefined = words[fact.code as F["code"]];
  return write?.(fact as never);
}
