// Progress of work that may take longer than a second: one line on a terminal, elsewhere a line now
// and then. Ctrl-C ends the work in order, so that nothing unfinished is left.

import { ExitCode, Failure } from "./failure.ts";
import { progress, report } from "./print.ts";
import { Rate } from "../../../kit/support/text/rate.ts";
import { onSignals } from "../../../kit/support/computer/signals.ts";

/** Wall time (ms) before the first line, and between two lines on a terminal and elsewhere. */
const QUIET = 500, BETWEEN = 200, BETWEEN_LINES = 10_000;
/** Wall time (ms) after which a loop gives signals their turn. */
const TURN = 50;

export class Progress implements Disposable {
  readonly #rate: Rate;
  readonly #interrupted = Promise.withResolvers<never>();
  readonly #unheard: () => void;
  readonly #terminal = Deno.stderr.isTerminal();
  #next = performance.now() + QUIET;
  #turned = performance.now();
  #shown = false;

  /**
   * @param work what is done, such as `writing FILE`
   * @param unit what is counted
   * @param onCancel what Ctrl-C does instead of ending the work
   */
  constructor(readonly work: string, unit: string, onCancel?: () => void) {
    this.#rate = new Rate(unit);
    // Nothing may await it when it rejects.
    this.#interrupted.promise.catch(() => {});
    const cancel = () => this.#interrupted.reject(new Failure(`${work}: interrupted`, undefined, ExitCode.Interrupted));
    this.#unheard = onSignals(["SIGINT"], onCancel ?? cancel);
    if (!this.#terminal) this.#next += BETWEEN_LINES;
  }

  /** Shows how much is done. */
  at(done: number, all?: number): void {
    const line = this.#rate.of(done, all), now = performance.now();
    if (now < this.#next) return;
    this.#next = now + (this.#terminal ? BETWEEN : BETWEEN_LINES);
    const percent = all ? ` ${Math.floor(Math.min(done / all, 1) * 100)} %,` : "";
    if (!this.#terminal) return report(`el2: ${this.work}:${percent} ${line}`);
    progress(`${this.work}:${percent} ${line} (Ctrl-C stops)`);
    this.#shown = true;
  }

  /**
   * Waits for the work.
   * @throws Failure when the user cancels it
   */
  async during<T>(work: Promise<T>): Promise<T> {
    return await Promise.race([work, this.#interrupted.promise]);
  }

  /**
   * Gives signals their turn in a loop that does not wait by itself.
   * @throws as `during`
   */
  async turn(): Promise<void> {
    if (performance.now() - this.#turned < TURN) return;
    await this.during(new Promise((resolve) => setTimeout(resolve)));
    this.#turned = performance.now();
  }

  /** Removes the line, until there is another. */
  hide(): void {
    if (this.#shown) progress("");
    this.#shown = false;
  }

  [Symbol.dispose](): void {
    this.#unheard();
    this.hide();
  }
}
