// SHA-256 (FIPS 180-4) at once, as Node's `createHash` has it: a page's own digests come later.

const BLOCK = 64, ROUNDS = 64;

/** Fractions of roots of primes, 32 bits: cube roots for rounds, square ones to start with. */
const [CONSTANTS, START] = (() => {
  const primes: number[] = [];
  for (let number = 2; primes.length < ROUNDS; number++) if (primes.every((prime) => number % prime)) primes.push(number);
  const fractions = (root: (value: number) => number, count: number) =>
    Int32Array.from(primes.slice(0, count), (prime) => root(prime) % 1 * 2 ** 32 | 0);
  return [fractions(Math.cbrt, ROUNDS), fractions(Math.sqrt, 8)];
})();

/** The words of a block, and those that follow from them. */
const schedule = new Int32Array(ROUNDS);

/** A digest of bytes and texts that follow each other. */
class PageHash {
  readonly #state: Int32Array;
  /** Bytes of a block that is not whole yet. */
  readonly #rest = new Uint8Array(BLOCK);
  #length = 0;

  constructor(state: Int32Array = START) {
    this.#state = state.slice();
  }

  update(data: string | Uint8Array): this {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    let at = 0;
    const held = this.#length % BLOCK;
    this.#length += bytes.length;
    if (held) {
      at = Math.min(BLOCK - held, bytes.length);
      this.#rest.set(bytes.subarray(0, at), held);
      if (held + at < BLOCK) return this;
      this.#blocks(this.#rest, 0, BLOCK);
    }
    const end = bytes.length - (bytes.length - at) % BLOCK;
    this.#blocks(bytes, at, end);
    this.#rest.set(bytes.subarray(end));
    return this;
  }

  copy(): PageHash {
    const copy = new PageHash(this.#state);
    copy.#rest.set(this.#rest);
    copy.#length = this.#length;
    return copy;
  }

  /** Nothing may follow. */
  digest(form: "hex"): string;
  digest(): Uint8Array;
  digest(form?: "hex"): string | Uint8Array {
    const length = this.#length, held = length % BLOCK;
    const padding = new Uint8Array((held < BLOCK - 8 ? BLOCK : 2 * BLOCK) - held);
    padding[0] = 0x80;
    new DataView(padding.buffer).setBigUint64(padding.length - 8, BigInt(length) * 8n);
    this.update(padding);
    const bytes = new Uint8Array(this.#state.byteLength), view = new DataView(bytes.buffer);
    this.#state.forEach((word, index) => view.setInt32(4 * index, word));
    return form === "hex" ? bytes.toHex() : bytes;
  }

  /** Takes whole blocks, from a start to an end. Locals of 32 bits are what makes it fast. */
  #blocks(bytes: Uint8Array, start: number, end: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset), state = this.#state, words = schedule, constants = CONSTANTS;
    let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (let block = start; block < end; block += BLOCK) {
      for (let at = 0; at < 16; at++) words[at] = view.getInt32(block + 4 * at);
      for (let at = 16; at < ROUNDS; at++) {
        const before = words[at - 15], last = words[at - 2];
        const first = (before >>> 7 | before << 25) ^ (before >>> 18 | before << 14) ^ before >>> 3;
        const second = (last >>> 17 | last << 15) ^ (last >>> 19 | last << 13) ^ last >>> 10;
        words[at] = (words[at - 16] + first | 0) + (words[at - 7] + second | 0) | 0;
      }
      for (let at = 0; at < ROUNDS; at++) {
        const ofE = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7);
        const first = (h + constants[at] | 0) + (words[at] + ofE | 0) + (g ^ e & (f ^ g)) | 0;
        const ofA = (a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10);
        const second = ofA + (a & b | c & (a | b)) | 0;
        h = g;
        g = f;
        f = e;
        e = d + first | 0;
        d = c;
        c = b;
        b = a;
        a = first + second | 0;
      }
      a = state[0] = state[0] + a | 0;
      b = state[1] = state[1] + b | 0;
      c = state[2] = state[2] + c | 0;
      d = state[3] = state[3] + d | 0;
      e = state[4] = state[4] + e | 0;
      f = state[5] = state[5] + f | 0;
      g = state[6] = state[6] + g | 0;
      h = state[7] = state[7] + h | 0;
    }
  }
}

/** As Node's, for the one kind that el2 uses. */
export function createHash(kind: string): PageHash {
  if (kind !== "sha256") throw new Error(`a page has no ${kind}`);
  return new PageHash();
}
