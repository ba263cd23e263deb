// Counters of a core's own work, which are not part of the machine.

import type { LatestExit } from "./exceptions/latest-exit.ts";
import type { CountedPage, ExecutionCounts } from "./execution-counts.ts";
import type { CoreCounters } from "./interface.ts";
import type { TranslatorCounters } from "./translator/counters.ts";
import type { Translator } from "./translator/translator.ts";
import type { CounterWaits } from "./waits/counter-waits.ts";

export class Counters implements CoreCounters {
  readonly #exit: LatestExit;
  readonly #translator: Translator | undefined;
  readonly #waits: CounterWaits | undefined;
  readonly #counts: ExecutionCounts | undefined;

  constructor(
    exit: LatestExit,
    translator: Translator | undefined,
    waits: CounterWaits | undefined,
    counts: ExecutionCounts | undefined,
  ) {
    this.#exit = exit;
    this.#translator = translator;
    this.#waits = waits;
    this.#counts = counts;
  }

  get translator(): Readonly<TranslatorCounters> | undefined {
    return this.#translator?.counters;
  }

  get codeBytes(): number {
    return this.#translator?.liveBytes ?? 0;
  }

  get sparedInstructions(): number {
    return this.#waits?.spared ?? 0;
  }

  get exits(): Readonly<Record<string, number>> {
    return this.#exit.named;
  }

  executedPages(): readonly CountedPage[] {
    return this.#counts?.pages() ?? [];
  }

  takeExecuted(vm: string, start: bigint, end: bigint): readonly CountedPage[] {
    return this.#counts?.take(vm, start, end) ?? [];
  }
}
