// QARMA-64, the block cipher that makes codes of pointers for FEAT_PACQARMA5 and FEAT_PACQARMA3.
// Arm ARM J1.3, ComputePACQARMA; R. Avanzi, "The QARMA Block Cipher Family", 2017. Its state is
// sixteen cells of four bits: here each is a byte of a vector, so that a substitution or a
// permutation of all cells is one instruction. Cell 0 has the lowest bits; the paper counts from
// the highest.

import { fromLittleEndian } from "../../../kit/support/values/bytes.ts";
import { Code, Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";

/** The variants: rounds on each side of the middle, and the substitution of a cell. */
interface Qarma {
  readonly rounds: number;
  readonly sbox: readonly number[];
}

export const QARMA5: Qarma = { rounds: 5, sbox: [11, 6, 8, 15, 12, 0, 9, 14, 3, 7, 4, 5, 13, 2, 1, 10] };
export const QARMA3: Qarma = { rounds: 3, sbox: [10, 13, 14, 6, 15, 7, 3, 5, 9, 8, 0, 12, 11, 1, 2, 4] };

const CELLS = 16;

/** Permutations in the paper's order: the cell that moves to each place. */
const TAU = [0, 11, 6, 13, 10, 1, 12, 7, 5, 14, 3, 8, 15, 4, 9, 2];
const TWEAK = [6, 5, 14, 15, 0, 1, 2, 3, 7, 12, 13, 4, 8, 9, 10, 11];
/** Cells of the tweak that its shift register changes. */
const SHIFTED = [0, 1, 3, 4, 8, 11, 13];

const ROUND_CONSTANTS = [
  0n,
  0x13198a2e03707344n,
  0xa4093822299f31d0n,
  0x082efa98ec4e6c89n,
  0x452821e638d01377n,
];
const ALPHA = 0xc0ac29b7c97c50ddn;

/** A permutation in the order of the cells here. */
const lanes = (permutation: readonly number[]) => Array.from({ length: CELLS }, (_, cell) => CELLS - 1 - permutation[CELLS - 1 - cell]);
const inverse = (permutation: readonly number[]) => permutation.map((_, cell) => permutation.indexOf(cell));

const rotated = (cell: number, count: number) => (cell << count | cell >> 4 - count) & 15;
const ofCells = (value: (cell: number) => number) => Array.from({ length: CELLS }, (_, cell) => value(cell));

/** A vector of sixteen bytes. */
function vectorOf(bytes: readonly number[]): Value {
  const half = (first: number) => fromLittleEndian(bytes.slice(first, first + 8));
  return new Value("v128", (f) => f.v128(half(0), half(8)));
}

const cellsOf = (value: bigint) => vectorOf(ofCells((cell) => Number(value >> BigInt(4 * cell) & 15n)));

const xor = (a: Value, ...others: Value[]): Value => others.reduce((sum, one) => sum.op("v128.xor", "v128", one), a);
const permute = (cells: Value, permutation: readonly number[]) =>
  new Value("v128", (f) => {
    cells.emit(f);
    cells.emit(f);
    f.shuffle(permutation);
  });
/** Each cell by a table of sixteen. */
const substitute = (cells: Value, table: readonly number[]) => vectorOf(table).op("i8x16.swizzle", "v128", cells);

/** The cells of an i64. */
function spread(value: Value): Value {
  const mask = 0x0f0f_0f0f_0f0f_0f0fn;
  return new Value("v128", (f) => {
    value.and(mask).emit(f);
    f.op("i64x2.splat");
    value.shrU(4).and(mask).emit(f);
    f.op("i64x2.splat").shuffle(ofCells((cell) => (cell >> 1) + (cell & 1 ? 16 : 0)));
  });
}

/** The i64 of cells in a local. */
const gather = (cells: Value): Value =>
  new Value("i64", (f) => {
    cells.emit(f);
    cells.emit(f);
    f.i32(4).op("i16x8.shr_u").op("v128.or").i32(0xff).op("i16x8.splat").op("v128.and");
    f.v128(0n, 0n).op("i8x16.narrow_i16x8_u").lane("i64x2.extract_lane", 0);
  });

/** Columns times the matrix circ(0, ρ, ρ², ρ), of rotations by one bit. */
function mixColumns(c: Code, cells: Value): Value {
  const x = c.let(cells), row = (count: number) => permute(x, ofCells((cell) => (cell + 4 * count) % CELLS));
  const near = substitute(xor(row(1), row(3)), ofCells((cell) => rotated(cell, 1)));
  return xor(near, substitute(row(2), ofCells((cell) => rotated(cell, 2))));
}

const tau = lanes(TAU), inverseTau = inverse(tau);

/** The next tweak: a permutation, and a shift register of four bits in some cells. */
function nextTweak(c: Code, tweak: Value): Value {
  const moved = c.let(permute(tweak, lanes(TWEAK)));
  const shifted = substitute(moved, ofCells((cell) => cell >> 1 | ((cell ^ cell >> 1) & 1) << 3));
  const mask = vectorOf(ofCells((cell) => SHIFTED.includes(CELLS - 1 - cell) ? 255 : 0));
  return shifted.op("v128.bitselect", "v128", moved, mask);
}

/** Defines `name`: (data, modifier, high and low half of the key: i64) -> the code. */
export function defineQarma(library: Library, name: string, { rounds, sbox }: Qarma): void {
  const c = new Code(library.define(name, ["i64", "i64", "i64", "i64"], ["i64"]));
  const [data, modifier, high, low] = [0, 1, 2, 3].map((i) => c.parameter(i));
  const key0 = c.let(spread(high)), key1 = c.let(spread(low)), alpha = cellsOf(ALPHA);
  const whitened = c.let(spread(high.op("i64.rotr", "i64", 1).xor(high.shrU(63))));
  const tweaks = [c.let(spread(modifier))];
  for (let i = 0; i < rounds; i++) tweaks.push(c.let(nextTweak(c, tweaks[i])));
  const inverted = inverse(sbox);

  let state: Value = xor(c.let(spread(data)), key0);
  const forward = (added: Value) => {
    state = mixColumns(c, permute(c.let(xor(state, added)), tau));
  };
  for (let i = 0; i < rounds; i++) {
    const added = xor(key1, tweaks[i], cellsOf(ROUND_CONSTANTS[i]));
    if (i === 0) state = xor(state, added);
    else forward(added);
    state = c.let(substitute(state, sbox));
  }
  forward(xor(whitened, tweaks[rounds]));
  state = permute(c.let(substitute(state, sbox)), tau);
  state = permute(c.let(xor(mixColumns(c, state), key1)), inverseTau);
  state = mixColumns(c, substitute(state, inverted));
  state = xor(permute(c.let(state), inverseTau), key0, tweaks[rounds]);
  for (let i = rounds - 1; i >= 0; i--) {
    state = substitute(state, inverted);
    if (i > 0) state = permute(c.let(mixColumns(c, state)), inverseTau);
    state = c.let(xor(state, cellsOf(ROUND_CONSTANTS[i]), key1, tweaks[i], alpha));
  }
  c.result(gather(c.let(xor(state, whitened))));
}
