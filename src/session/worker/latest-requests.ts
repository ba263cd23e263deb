// Values of requests under way, by the number of the request: released when the request is done,
// and bounded in number where requests are never answered.

/** Requests under way that name files: the oldest ones above this are forgotten. */
export const REQUESTS_MAX = 1024;

/** Values of the latest requests that are not done. */
export class LatestRequests<T> {
  readonly #values = new Map<number, T>();

  get size(): number {
    return this.#values.size;
  }

  /** The values, oldest first. */
  values(): Iterable<T> {
    return this.#values.values();
  }

  add(id: number, value: T): void {
    // The same number again is the latest one.
    this.#values.delete(id);
    this.#values.set(id, value);
    const [oldest] = this.#values.keys();
    if (this.#values.size > REQUESTS_MAX) this.#values.delete(oldest);
  }

  /** The request with this number is done. */
  release(id: number): void {
    this.#values.delete(id);
  }
}
