// Locals of a function that take turns in holding values.

import type { FunctionBuilder, ValueType } from "./module.ts";

export class LocalPool {
  readonly #pools = new Map<ValueType, { readonly all: number[]; used: number }>();
  #kept: readonly number[] = [];

  /** @param f gets the locals */
  constructor(readonly f: FunctionBuilder) {}

  allocate(type: ValueType): number {
    let pool = this.#pools.get(type);
    if (!pool) this.#pools.set(type, pool = { all: [], used: 0 });
    while (pool.used < pool.all.length) {
      const local = pool.all[pool.used++];
      if (!this.#kept.includes(local)) return local;
    }
    const local = this.f.local(type);
    pool.used = pool.all.push(local);
    return local;
  }

  /** All are free but `kept`. */
  releaseAll(kept: readonly number[] = []): void {
    for (const pool of this.#pools.values()) pool.used = 0;
    this.#kept = kept;
  }
}
