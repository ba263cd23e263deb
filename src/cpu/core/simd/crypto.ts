// The Cryptographic Extension's rounds as functions of the core's library: AES by tables, SHA-1 and
// SHA-256 in words, polynomial products of 64 bits. Operations of a few vector instructions are in
// `cpu/isa/vectors/simd-crypto.ts` itself. Arm ARM C7.2, the pseudocode of each instruction, and
// J1.3 "shared functions" (AESSubBytes, SHA1hash, SHA256hash); FIPS 197, FIPS 180-4.

import { CPU } from "../state/cpu-state.ts";
import { AES_TABLES, SM4_TABLE } from "../state/layout.ts";
import { Code, type Local, Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";

/** The address of an operand while its bytes or words are read. */
const OPERAND = CPU.SCRATCH;

/** AES S-box and its inverse. */
const SBOX = AES_TABLES, INVERSE_SBOX = AES_TABLES + 256;

/**
 * The byte of the state that ShiftRows or its inverse moves to byte `index`; columns are four
 * bytes.
 */
function shiftedRow(index: number, inverse: boolean): number {
  const row = index & 3, column = index >> 2;
  return row | (column + (inverse ? 4 - row : row) & 3) << 2;
}

/** A vector of two doublewords. */
function vectorOf(low: Value, high: Value): Value {
  return new Value("v128", (f) => {
    low.emit(f);
    f.op("i64x2.splat");
    high.emit(f);
    f.lane("i64x2.replace_lane", 1);
  });
}

/** AESE and AESD without the exclusive or: ShiftRows and SubBytes of the state, in either order. */
function defineSubBytes(library: Library, name: string, inverse: boolean): void {
  const c = new Code(library.define(name, ["v128"], ["v128"]));
  c.store("v128.store", OPERAND, c.parameter(0));
  const table = inverse ? INVERSE_SBOX : SBOX;
  const half = (first: number) =>
    Array.from(
      { length: 8 },
      (_, i) => c.load("i64.load8_u", c.load("i32.load8_u", OPERAND + shiftedRow(first + i, inverse)), table).shl(8 * i),
    ).reduce((a, b) => a.or(b));
  c.result(vectorOf(half(0), half(8)));
}

const rotateLeft = (value: Value, count: number): Value => value.op("i32.rotl", "i32", count);
const rotateRight = (value: Value, count: number): Value => value.op("i32.rotr", "i32", count);

const choose = (x: Value, y: Value, z: Value): Value => y.xor(z).and(x).xor(z);
const majority = (x: Value, y: Value, z: Value): Value => x.and(y).or(x.or(y).and(z));
const parity = (x: Value, y: Value, z: Value): Value => x.xor(y).xor(z);

/** The words of a vector in locals. */
function wordsOf(c: Code, vector: Local): Local[] {
  c.store("v128.store", OPERAND, vector);
  return [0, 1, 2, 3].map((word) => c.let(c.load("i32.load", OPERAND + 4 * word)));
}

/** A vector of four words. */
function fromWords(words: readonly Value[]): Value {
  return vectorOf(words[0].wide().or(words[1].wide().shl(32)), words[2].wide().or(words[3].wide().shl(32)));
}

/** SHA1hash: (hash<127:0>, hash<159:128>, the round's words) -> hash<127:0>. */
function defineSha1(library: Library, name: string, mix: (x: Value, y: Value, z: Value) => Value): void {
  const c = new Code(library.define(name, ["v128", "i32", "v128"], ["v128"]));
  const schedule = wordsOf(c, c.parameter(2));
  let [a, b, cc, d] = wordsOf(c, c.parameter(0)), e: Local = c.parameter(1);
  for (const word of schedule) {
    const next = c.let(e.add(rotateLeft(a, 5)).add(mix(b, cc, d)).add(word));
    [e, d, cc, b, a] = [d, cc, c.let(rotateLeft(b, 30)), a, next];
  }
  c.result(fromWords([a, b, cc, d]));
}

const bigSigma0 = (x: Value): Value => rotateRight(x, 2).xor(rotateRight(x, 13)).xor(rotateRight(x, 22));
const bigSigma1 = (x: Value): Value => rotateRight(x, 6).xor(rotateRight(x, 11)).xor(rotateRight(x, 25));

/** SHA256hash: (X, Y, the round's words) -> X for part 1, Y for part 2. */
function defineSha256(library: Library, name: string, part: 1 | 2): void {
  const c = new Code(library.define(name, ["v128", "v128", "v128"], ["v128"]));
  const schedule = wordsOf(c, c.parameter(2));
  const x = wordsOf(c, c.parameter(0)), y = wordsOf(c, c.parameter(1));
  for (const word of schedule) {
    const sum = c.let(y[3].add(bigSigma1(y[0])).add(choose(y[0], y[1], y[2])).add(word));
    const first = c.let(sum.add(bigSigma0(x[0])).add(majority(x[0], x[1], x[2])));
    const fifth = c.let(sum.add(x[3]));
    x.splice(0, 4, first, x[0], x[1], x[2]);
    y.splice(0, 4, fifth, y[0], y[1], y[2]);
  }
  c.result(fromWords(part === 1 ? x : y));
}

/**
 * Every fourth bit, from bit `first` on: products of numbers with just these bits have room for
 * their sums of up to eight.
 */
const everyFourth = (first: number): bigint => 0x1111_1111_1111_1111n << BigInt(first);

/**
 * The product of two polynomials over GF(2) of 32 bits: integer products of every fourth bit, whose
 * carries are cut off.
 */
function definePolynomialMultiply32(library: Library): void {
  const c = new Code(library.define("polynomialMultiply32", ["i64", "i64"], ["i64"]));
  const parts = (value: Value) => [0, 1, 2, 3].map((first) => c.let(value.and(BigInt.asIntN(64, everyFourth(first) & 0xffff_ffffn))));
  const a = parts(c.parameter(0)), b = parts(c.parameter(1));
  const sums = [0, 1, 2, 3].map((first) =>
    [0, 1, 2, 3].map((i) => a[i].mul(b[first - i & 3])).reduce((x, y) => x.xor(y)).and(BigInt.asIntN(64, everyFourth(first)))
  );
  c.result(sums.reduce((x, y) => x.or(y)));
}

/** PolynomialMult of 64 bits by 64, from three products of 32 (Karatsuba). */
function definePolynomialMultiply64(library: Library): void {
  const product = library.named("polynomialMultiply32");
  const c = new Code(library.define("polynomialMultiply64", ["i64", "i64"], ["v128"]));
  const a = c.parameter(0), b = c.parameter(1);
  const low = c.let(c.call(product, a, b)), high = c.let(c.call(product, a.shrU(32), b.shrU(32)));
  const middle = c.let(c.call(product, a.xor(a.shrU(32)), b.xor(b.shrU(32))).xor(low).xor(high));
  c.result(vectorOf(low.xor(middle.shl(32)), high.xor(middle.shrU(32))));
}

/** sm4Substitute: the S-box on each byte of a word. */
export function defineSm4(library: Library): void {
  const c = new Code(library.define("sm4Substitute", ["i32"], ["i32"]));
  const byte = (at: number) => c.load("i32.load8_u", c.parameter(0).shrU(at).and(0xff), SM4_TABLE).shl(at);
  c.result(byte(0).or(byte(8)).or(byte(16)).or(byte(24)));
}

/** Defines the functions of AES, SHA-1, SHA-256 and PMULL. */
export function defineCrypto(library: Library): void {
  defineSubBytes(library, "aesSubBytes", false);
  defineSubBytes(library, "aesInverseSubBytes", true);
  defineSha1(library, "sha1Choose", choose);
  defineSha1(library, "sha1Majority", majority);
  defineSha1(library, "sha1Parity", parity);
  defineSha256(library, "sha256Hash1", 1);
  defineSha256(library, "sha256Hash2", 2);
  definePolynomialMultiply32(library);
  definePolynomialMultiply64(library);
}

/**
 * Writes the S-boxes: the affine transformation of the inverse in GF(2^8) (FIPS 197, 5.1.1), and
 * its inverse.
 */
export function writeAesTables(memory: WebAssembly.Memory): void {
  const sbox = new Uint8Array(memory.buffer, SBOX, 256), inverse = new Uint8Array(memory.buffer, INVERSE_SBOX, 256);
  // p runs through the field's elements but zero as powers of 3, q through their inverses.
  for (let p = 1, q = 1, i = 0; i < 255; i++) {
    let affine = 0x63;
    for (let turn = 0; turn < 5; turn++) affine ^= (q << turn | q >> 8 - turn) & 0xff;
    sbox[p] = affine;
    p = (p ^ p << 1 ^ (p & 0x80 ? 0x11b : 0)) & 0xff;
    q ^= q << 1;
    q ^= q << 2;
    q ^= q << 4;
    q &= 0xff;
    if (q & 0x80) q ^= 0x09;
  }
  sbox[0] = 0x63;
  sbox.forEach((value, index) => inverse[value] = index);
}

/** The field of SM4's S-box: its polynomial, and the affine map before and after the inverse. */
const SM4_POLYNOMIAL = 0x1f5, SM4_ROW = 0xa7, SM4_CONSTANT = 0xd3;

/** Writes the S-box of SM4 (GB/T 32907, IETF draft-ribose-cfrg-sm4): A(1 / (A x + c)) + c. */
export function writeSm4Table(memory: WebAssembly.Memory): void {
  const product = (a: number, b: number) => {
    let result = 0;
    for (let bit = 7; bit >= 0; bit--) {
      result = result << 1 ^ (result & 0x80 ? SM4_POLYNOMIAL : 0) ^ (b >> bit & 1 ? a : 0);
    }
    return result & 0xff;
  };
  const inverses = new Uint8Array(256);
  // Powers of a generator, forwards and backwards.
  const powers = [1];
  for (let power = product(1, 3); power !== 1; power = product(power, 3)) powers.push(power);
  powers.forEach((power, index) => inverses[power] = powers[(powers.length - index) % powers.length]);
  const affine = (value: number) => {
    let result = 0;
    for (let bit = 0; bit < 8; bit++) {
      let parity = value & (SM4_ROW << bit | SM4_ROW >> 8 - bit);
      for (let shift = 4; shift; shift >>= 1) parity ^= parity >> shift;
      result |= (parity & 1) << bit;
    }
    return result ^ SM4_CONSTANT;
  };
  const table = new Uint8Array(memory.buffer, SM4_TABLE, 256);
  for (let value = 0; value < 256; value++) table[value] = affine(inverses[affine(value)]);
}
