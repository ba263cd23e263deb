// An ELF file of a few instructions.

/** An ELF of these words, loaded at `address`, and linked to and entered at `virtual`. */
export function elfOf(words: readonly number[], address: number, virtual: bigint): Uint8Array<ArrayBuffer> {
  const code = new Uint8Array(Uint32Array.from(words).buffer), bytes = new Uint8Array(120 + code.length);
  const view = new DataView(bytes.buffer), size = BigInt(code.length);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.set(code, 120);
  for (const [at, value] of [[16, 2], [18, 183], [52, 64], [54, 56], [56, 1]]) view.setUint16(at, value, true);
  for (const [at, value] of [[20, 1], [64, 1], [68, 5]]) view.setUint32(at, value, true);
  const wide = [[24, virtual], [32, 64n], [72, 120n], [80, virtual], [88, BigInt(address)], [96, size], [104, size]] as const;
  for (const [at, value] of wide) view.setBigUint64(at, value, true);
  return bytes;
}
