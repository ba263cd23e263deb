// A program of the host whose processes are driven from outside the machine: a caller's requests to
// the kernel wait here until the host comes to them, at a point of virtual time.

import type { HostProgram, HostServices } from "./host-guest.ts";

/** Something to do inside the host. */
export type Visit<T = void> = (host: HostServices) => T;

/** Result of a visit, or the exception. */
type VisitOutcome<T> = { readonly value: T } | { readonly error: unknown };

/** The caller's program. An interrupt `CONSOLE_INPUT_INTID` lets what waits be done. */
export class VisitedProgram implements HostProgram {
  /** How ioctls that had to wait ended, by task. */
  readonly results = new Map<number, number>();
  /** Errors that the host reports as impossible. */
  readonly problems: string[] = [];
  readonly #waiting: Visit[] = [];
  #host: HostServices | undefined;

  /** Asks for a visit; the function gives its outcome once it has happened. */
  ask<T>(act: Visit<T>): () => VisitOutcome<T> | undefined {
    let outcome: VisitOutcome<T> | undefined;
    this.#waiting.push((host) => {
      try {
        outcome = { value: act(host) };
      } catch (error) {
        outcome = { error };
      }
    });
    return () => outcome;
  }

  begin(host: HostServices): void {
    this.#host = host;
  }
  finished(task: number, _pid: number, result: number): void {
    this.results.set(task, result);
  }
  input(): void {
    if (this.#host === undefined) throw new Error("the host's program has not begun");
    for (let visit = this.#waiting.shift(); visit !== undefined; visit = this.#waiting.shift()) visit(this.#host);
  }
  problem(message: string): void {
    this.problems.push(message);
  }
  boot(): void {}
  timer(): void {}
  changed(): void {}
  signalled(): void {}
  save(): undefined {}
  restore(): void {}
}
