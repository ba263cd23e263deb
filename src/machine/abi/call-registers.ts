// X0..X7 of a native guest's hypercall: its arguments, which the call replaces by its results. They
// are halves of 32 bits, so that numbers go in and out without a bigint being made.

const COUNT = 8;
const HALF = 2 ** 32;

export class CallRegisters {
  // Computers that run this are little-endian.
  readonly #x = new BigUint64Array(COUNT);
  readonly #halves = new Uint32Array(this.#x.buffer);

  getX(index: number): bigint {
    return this.#x[index];
  }

  /** Bits 31:0, unsigned. */
  getLow(index: number): number {
    return this.#halves[2 * index];
  }

  /** Bits 63:32, unsigned. */
  getHigh(index: number): number {
    return this.#halves[2 * index + 1];
  }

  /** The value as a number, which is exact below 2^53. */
  getNumber(index: number): number {
    return this.#halves[2 * index] + this.#halves[2 * index + 1] * HALF;
  }

  /** Whether both halves of `first` to `last` are this word. */
  areHalves(first: number, last: number, half: number): boolean {
    for (let at = 2 * first; at <= 2 * last + 1; at++) if (this.#halves[at] !== half >>> 0) return false;
    return true;
  }

  /** Cut to 64 bits. */
  setX(index: number, value: bigint): void {
    this.#x[index] = value;
  }

  /** Cut to 32 bits; bits 63:32 are zero. */
  setLow(index: number, value: number): void {
    this.#halves[2 * index] = value;
    this.#halves[2 * index + 1] = 0;
  }

  /** A safe integer; negative ones are extended to 64 bits. */
  setNumber(index: number, value: number): void {
    this.#halves[2 * index] = value;
    this.#halves[2 * index + 1] = Math.floor(value / HALF);
  }

  /** A 64-bit value of either kind. */
  setWord(index: number, value: number | bigint): void {
    if (typeof value === "bigint") this.#x[index] = value;
    else this.setNumber(index, value);
  }

  /** Makes `first` and those that follow zero. */
  clearFrom(first: number): void {
    for (let at = 2 * first; at < 2 * COUNT; at++) this.#halves[at] = 0;
  }

  /** Takes values for X0, X1 and so on; absent ones are zero. */
  load(values: readonly bigint[]): void {
    for (let index = 0; index < COUNT; index++) this.#x[index] = values[index] ?? 0n;
  }

  /** The values of the first `count` registers, or of all. */
  list(count = COUNT): bigint[] {
    return [...this.#x.subarray(0, count)];
  }
}
