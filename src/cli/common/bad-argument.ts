// An argument that cannot be what it should be: commander prints the text after the name of its
// option.

import { InvalidArgumentError } from "commander";
import { type Problem, problemText } from "../../support/problem.ts";

export class BadArgument extends InvalidArgumentError {
  readonly problem: Problem;

  constructor(what: string, wayOut?: string) {
    const problem = { what, wayOut };
    super(`${problemText(problem)}.`);
    this.problem = problem;
  }
}
