// A program of random data-processing instructions (integer, floating point, AdvSIMD, CRC32, AES,
// SHA) for bare metal: blocks in a straight line, from templates of their encodings that are
// independent of src/cpu/isa. Every block starts from seeded registers and FPCR; what all leave
// goes into a digest (random/harness.c). The same seed gives the same program, and the same digest
// on every correct Armv8.0 CPU with the Cryptographic Extension.

/**
 * Digests after the last block, by seed: equal on QEMU 7.2's cortex-a53, a57, a72 and max, with and
 * without -singlestep.
 */
export const RANDOM_PROGRAM_DIGESTS: ReadonlyMap<number, string> = new Map([
  [1, "4c705198e54dcf15"],
  [2, "7035bfc176659689"],
  [3, "224ed06d3f00290a"],
  [4, "21cc8f00f2ba9779"],
  [5, "c13222e87a3ea52f"],
  [6, "2a1467c73797af04"],
  [7, "4d5447e99b649a9b"],
  [8, "34a0bab33f5b6d67"],
]);

const BLOCKS = 400;
const BLOCK_LENGTH = 48;

/** The header that harness.c includes. */
export function randomProgram(seed: number): string {
  let state = BigInt.asUintN(64, BigInt(seed) * 0x9e37_79b9_7f4a_7c15n + 0x123_4567n) | 1n;
  const random64 = () => {
    state ^= BigInt.asUintN(64, state << 13n);
    state ^= state >> 7n;
    state ^= BigInt.asUintN(64, state << 17n);
    return state;
  };
  const r = (limit: number) => Number((random64() >> 11n) % BigInt(limit));
  const pick = <T>(...values: readonly T[]): T => values[r(values.length)];
  // X0 to X27; the same and, one time in sixteen, 31; a vector register.
  const R = () => r(28), RZ = () => r(16) ? r(28) : 31, V = () => r(32);
  const sf = () => r(2) ? 0x8000_0000 : 0;
  const dnm = (word: number) => (word | RZ() << 16 | RZ() << 5 | RZ()) >>> 0;
  const v2 = (word: number) => (word | V() << 5 | V()) >>> 0, v3 = (word: number) => v2((word | V() << 16) >>> 0);
  const templates: readonly (() => number)[] = [
    // Integer.
    () => {
      const s = sf();
      return dnm(0x0b000000 | s | r(4) << 29 | r(3) << 22 | r(s ? 64 : 32) << 10);
    },
    () => {
      const s = sf();
      return dnm(0x0a000000 | s | r(4) << 29 | r(8) << 21 | r(s ? 64 : 32) << 10);
    },
    () => (0x0b200000 | sf() | r(4) << 29 | RZ() << 16 | r(8) << 13 | r(5) << 10 | R() << 5 | R()) >>> 0,
    () => (0x11000000 | sf() | r(4) << 29 | r(2) << 22 | r(4096) << 10 | R() << 5 | R()) >>> 0,
    () =>
      r(2)
        ? (0x92400000 | r(4) << 29 | r(64) << 16 | r(63) << 10 | RZ() << 5 | R()) >>> 0
        : (0x12000000 | sf() | r(4) << 29 | r(32) << 16 | r(31) << 10 | RZ() << 5 | R()) >>> 0,
    () => {
      const s = sf();
      return (0x12800000 | s | pick(0, 2, 3) << 29 | r(s ? 4 : 2) << 21 | r(65536) << 5 | R()) >>> 0;
    },
    () => {
      const s = sf(), m = s ? 64 : 32;
      return (0x13000000 | s | (s ? 1 << 22 : 0) | r(3) << 29 | r(m) << 16 | r(m) << 10 | RZ() << 5 | R()) >>> 0;
    },
    () => {
      const s = sf();
      return dnm(0x13800000 | s | (s ? 1 << 22 : 0) | r(s ? 64 : 32) << 10);
    },
    () => dnm(0x1a000000 | sf() | r(4) << 29),
    () => (0x3a400000 | sf() | r(2) << 30 | r(32) % 28 << 16 | r(16) << 12 | r(2) << 11 | RZ() << 5 | r(16)) >>> 0,
    () => dnm(0x1a800000 | sf() | r(2) << 30 | r(16) << 12 | r(2) << 10),
    () => dnm(0x1b000000 | sf() | r(2) << 15 | RZ() << 10),
    () => dnm(0x9b200000 | r(2) << 23 | r(2) << 15 | RZ() << 10),
    () => dnm(pick(0x9b407c00, 0x9bc07c00)),
    () => dnm(pick(0x1ac00800, 0x1ac00c00, 0x1ac02000, 0x1ac02400, 0x1ac02800, 0x1ac02c00) | sf()),
    () => dnm(pick(0x1ac04000, 0x1ac04400, 0x1ac04800, 0x9ac04c00, 0x1ac05000, 0x1ac05400, 0x1ac05800, 0x9ac05c00)),
    () =>
      (pick(
        0x5ac00000,
        0x5ac00400,
        0x5ac00800,
        0xdac00800,
        0xdac00c00,
        0xdac00000,
        0xdac00400,
        0x5ac01000,
        0xdac01000,
        0x5ac01400,
        0xdac01400,
      ) | RZ() << 5 | R()) >>> 0,
    // Scalar floating point.
    () => v3(0x1e200800 | r(2) << 22 | r(9) << 12),
    () => v2(0x1e204000 | r(2) << 22 | pick(0, 1, 2, 3, 8, 9, 10, 11, 12, 14, 15) << 15),
    () => v2(pick(0x1e22c000, 0x1e624000, 0x1e23c000, 0x1ee24000, 0x1e63c000, 0x1ee2c000)),
    () => v3(0x1f000000 | r(2) << 22 | r(2) << 21 | r(2) << 15 | V() << 10),
    () => (pick(0x1e202000, 0x1e202010) | r(2) << 22 | V() << 16 | V() << 5) >>> 0,
    () => (pick(0x1e202008, 0x1e202018) | r(2) << 22 | V() << 5) >>> 0,
    () => (0x1e200400 | r(2) << 22 | V() << 16 | r(16) << 12 | V() << 5 | r(32)) >>> 0,
    () => v3(0x1e200c00 | r(2) << 22 | r(16) << 12),
    () => (0x1e200000 | sf() | r(2) << 22 | r(4) << 19 | r(2) << 16 | V() << 5 | R()) >>> 0,
    () => (0x1e240000 | sf() | r(2) << 22 | r(2) << 16 | V() << 5 | R()) >>> 0,
    () => (0x1e220000 | sf() | r(2) << 22 | r(2) << 16 | RZ() << 5 | V()) >>> 0,
    () => {
      const s = sf();
      return (0x1e180000 | s | r(2) << 22 | r(2) << 16 | (s ? r(64) : 32 + r(32)) << 10 | V() << 5 | R()) >>> 0;
    },
    () => {
      const s = sf();
      return (0x1e020000 | s | r(2) << 22 | r(2) << 16 | (s ? r(64) : 32 + r(32)) << 10 | RZ() << 5 | V()) >>> 0;
    },
    () => r(2) ? (pick(0x1e260000, 0x9e660000) | V() << 5 | R()) >>> 0 : (pick(0x1e270000, 0x9e670000) | RZ() << 5 | V()) >>> 0,
    () => (0x1e201000 | r(2) << 22 | r(256) << 13 | V()) >>> 0,
    // AdvSIMD.
    () => v3(0x0e200400 | r(4) << 29 | r(3) << 22 | pick(0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21) << 11),
    () => v3(0x4ee00400 | r(2) << 29 | pick(1, 5, 6, 7, 8, 9, 10, 11, 16, 17) << 11),
    () => v3(0x0e201c00 | r(4) << 29 | r(4) << 22),
    () => v3(0x0e209c00 | r(2) << 30 | r(3) << 22),
    () => v3(0x0e20b400 | r(4) << 29 | (1 + r(2)) << 22),
    () => v3(0x0e20bc00 | r(2) << 30 | r(3) << 22),
    () => {
      const [u, a, o] = pick(
        [0, 0, 24],
        [0, 0, 25],
        [0, 0, 26],
        [0, 0, 27],
        [0, 0, 28],
        [0, 0, 30],
        [0, 0, 31],
        [0, 1, 24],
        [0, 1, 25],
        [0, 1, 26],
        [0, 1, 30],
        [0, 1, 31],
        [1, 0, 24],
        [1, 0, 26],
        [1, 0, 27],
        [1, 0, 28],
        [1, 0, 29],
        [1, 0, 30],
        [1, 0, 31],
        [1, 1, 24],
        [1, 1, 26],
        [1, 1, 28],
        [1, 1, 29],
        [1, 1, 30],
      );
      const z = r(2);
      return v3(0x0e200400 | (z || r(2)) << 30 | u << 29 | a << 23 | z << 22 | o << 11);
    },
    () => v2(0x0e200800 | r(4) << 29 | r(3) << 22 | pick(2, 4, 6, 7, 8, 9) << 12),
    () => v2(pick(0x0e200800, 0x0e20a800, 0x0e20b800, 0x2e20b800) | r(2) << 30 | r(3) << 22),
    () => v2(0x2e200800 | r(2) << 30 | r(2) << 22),
    () => v2(pick(0x0e205800, 0x2e205800, 0x2e605800) | r(2) << 30),
    () => v2(pick(0x0e212800, 0x2e212800, 0x0e214800, 0x2e214800, 0x2e213800) | r(2) << 30 | r(3) << 22),
    () => v3(0x0e000800 | r(2) << 30 | r(3) << 22 | pick(1, 2, 3, 5, 6, 7) << 12),
    () => {
      const q = r(2);
      return v3(0x2e000000 | q << 30 | r(q ? 16 : 8) << 11);
    },
    () => v3(0x0e000000 | r(2) << 30 | r(4) << 13 | r(2) << 12),
    () => v2(0x0f000400 | r(4) << 29 | (8 + r(56)) << 16 | pick(0, 2, 4, 6, 10, 14) << 11),
    () => v2(0x2f004400 | r(2) << 30 | (8 + r(56)) << 16),
    () => v2(0x0f008400 | r(4) << 29 | (8 + r(56)) << 16 | r(4) << 11),
    () => v2(0x0f00a400 | r(4) << 29 | (8 + r(56)) << 16),
    () => v3(0x0e200000 | r(4) << 29 | r(3) << 22 | pick(0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12) << 12),
    () => v3(0x0e200000 | r(2) << 30 | (1 + r(2)) << 22 | pick(9, 11, 13) << 12),
    () => v3(pick(0x0e20e000, 0x0ee0e000) | r(2) << 30),
    () => v2(0x0e300800 | r(2) << 30 | r(2) << 29 | r(2) << 22 | pick(3, 10, 26) << 12),
    () => v2(0x4eb1b800),
    () => (0x0f000400 | r(2) << 30 | r(2) << 29 | r(8) << 16 | r(15) << 12 | r(32) << 5 | V()) >>> 0,
    () => (0x0e000c00 | r(2) << 30 | pick(1, 2, 4) << 16 | RZ() << 5 | V()) >>> 0,
    () => (0x4e001c00 | (1 + r(31)) % 16 << 16 | 1 << 16 | RZ() << 5 | V()) >>> 0,
    () => (pick(0x0e003c00, 0x0e002c00 & ~0) | (1 | r(16) << 1) << 16 | V() << 5 | R()) >>> 0,
    () => v2(0x6e000400 | (1 | r(16) << 1) << 16 | r(16) << 11),
    () => {
      const z = r(2);
      return v2(
        pick(
          0x0e21d800,
          0x2e21d800,
          0x0e21a800,
          0x0e21b800,
          0x0ea1a800,
          0x0ea1b800,
          0x2ea1b800,
          0x0ea0f800,
          0x2ea0f800,
          0x0e218800,
          0x0e219800,
          0x0ea18800,
          0x0ea19800,
          0x2ea1f800,
          0x2e219800,
        ) | (z || r(2)) << 30 | z << 22,
      );
    },
    () => v2(0x4e284800 | r(4) << 12),
    () => v3(0x5e000000 | r(7) << 12),
    () => v2(0x5e280800 | r(3) << 12),
  ];
  const blocks = Array.from({ length: BLOCKS }, (_, block) => {
    const words = Array.from({ length: BLOCK_LENGTH }, () => `0x${(pick(...templates)() >>> 0).toString(16).padStart(8, "0")}`);
    return `void block${block}(void);\n__asm__("block${block}: .inst ${words.join(",")}\\n ret\\n");`;
  });
  return [
    `#define BLOCKS ${BLOCKS}`,
    `#define SEED ${BigInt.asUintN(63, random64())}ul`,
    `__asm__(".text\\n.arch armv8-a+crc+crypto\\n");`,
    ...blocks,
    `static void (*const blocks[])(void) = { ${blocks.map((_, block) => `block${block}`).join(", ")} };`,
    "",
  ].join("\n");
}
