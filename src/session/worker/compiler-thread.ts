// The thread that compiles regions beside a machine's worker, for the thread that starts both.

import { warn } from "../../kit/support/warn.ts";

/** The message of a machine's worker that wants its regions to be compiled elsewhere. */
export interface CompilerWish {
  readonly kind: "compiler";
  /** For the compiler alone. */
  readonly setup: unknown;
  /** See `CompilerSetup`. */
  readonly lost: SharedArrayBuffer;
}

export class CompilerThread {
  #worker: Worker | undefined;

  /** @param newWorker starts a worker that serves as compiler (compiler-worker.ts) */
  constructor(readonly newWorker: () => Worker) {}

  /** Starts it, instead of one that has served another core, or has ended. */
  start({ setup, lost }: CompilerWish): void {
    this.close();
    const worker = this.#worker = this.newWorker();
    worker.onmessage = () => worker.postMessage(setup);
    worker.onerror = (error) => {
      error.preventDefault();
      // The machine's worker then compiles itself, as it does where there is one processor.
      Atomics.store(new Int32Array(lost), 0, 1);
      warn(`regions are compiled in the machine's thread: ${error.message}`);
    };
  }

  close(): void {
    this.#worker?.terminate();
  }
}
