// An argument that cannot be what it should be: commander prints the text after the name of its
// option.

import { InvalidArgumentError } from "commander";
import { Failure } from "./failure.ts";
import { type Problem, problemText, within } from "../../../kit/support/problem.ts";

export class BadArgument extends InvalidArgumentError {
  readonly problem: Problem;

  constructor(what: string, wayOut?: string) {
    const problem = { what, wayOut };
    super(`${problemText(problem)}.`);
    this.problem = problem;
  }
}

/**
 * The result of parsers that commander does not call: it reports only what its own throw.
 * @param name the argument or the command that they read
 * @throws Failure
 */
export function argumentsIn<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof BadArgument)) throw error;
    throw new Failure(within(name, error.problem));
  }
}
