// A quick hash for lookup and for detecting damaged files. It does not protect against forgery. A
// hash of Node's would delay the start of a machine's worker (node-modules.ts).

/** Bytes of a hash in a file: a float. */
export const HASH_SIZE = Float64Array.BYTES_PER_ELEMENT;

/** FNV-1a by words of 32 bits, in two lanes of which 53 bits are used. */
export function hashOfWords(words: Int32Array): number {
  let low = 0x811c_9dc5 | 0, high = 0x1b87_3593;
  // Files are hashed before V8 has optimized this, when an iterator takes four times as long.
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    low = Math.imul(low ^ word, 0x0100_0193);
    high = Math.imul(high ^ word, 0x85eb_ca6b);
    high ^= high >>> 15;
  }
  return (high >>> 11) * 0x1_0000_0000 + (low >>> 0);
}

const WORD = Int32Array.BYTES_PER_ELEMENT;

/** The hash of bytes, padded with zeros to whole words, and of their number. */
export function hashOfBytes(bytes: Uint8Array): number {
  const words = new Int32Array(Math.ceil(bytes.length / WORD) + 1);
  new Uint8Array(words.buffer).set(bytes);
  words[words.length - 1] = bytes.length;
  return hashOfWords(words);
}
