// Arithmetic on ranges of values: a result covers the operation on every combination of operands.
// It may be wider than necessary, never narrower.

/** All integers from `low` to `high`, of an unsigned type. */
export interface Range {
  readonly low: bigint;
  readonly high: bigint;
}

/** The range of one value. */
export const exactly = (value: bigint): Range => ({ low: value, high: value });

/** Whether a range has one value. */
export const isExact = ({ low, high }: Range): boolean => low === high;

/** Whether ranges are the same. */
export const isSame = (a: Range, b: Range): boolean => a.low === b.low && a.high === b.high;

const UNKNOWN = { 1: upTo(1n), 32: upTo(32n), 64: upTo(64n) };

function upTo(bits: bigint): Range {
  return { low: 0n, high: (1n << bits) - 1n };
}

/** All values of this width. */
export const anyOf = (bits: keyof typeof UNKNOWN): Range => UNKNOWN[bits];

/** A range of integers cut to an unsigned type: any value where it wraps around in the middle. */
function cut(low: bigint, high: bigint, bits: 32 | 64): Range {
  const shift = BigInt(bits);
  return low >> shift === high >> shift ? { low: BigInt.asUintN(bits, low), high: BigInt.asUintN(bits, high) } : anyOf(bits);
}

/** The same values as signed integers; undefined if the sign differs. */
function signed({ low, high }: Range, bits: 32 | 64): Range | undefined {
  const [a, b] = [BigInt.asIntN(bits, low), BigInt.asIntN(bits, high)];
  return a <= b ? { low: a, high: b } : undefined;
}

const truth = (value: boolean): Range => exactly(value ? 1n : 0n);

/** `a < b` or `a <= b`, where all values agree. */
function ordered(a: Range | undefined, b: Range | undefined, orEqual: boolean): Range {
  if (!a || !b) return anyOf(1);
  const below = (x: bigint, y: bigint) => orEqual ? x <= y : x < y;
  if (below(a.high, b.low)) return truth(true);
  return below(a.low, b.high) ? anyOf(1) : truth(false);
}

type RangeOperation = (a: Range, b: Range, bits: 32 | 64) => Range;

const equal: RangeOperation = (a, b) => {
  if (a.high < b.low || b.high < a.low) return truth(false);
  return isExact(a) && isExact(b) ? truth(true) : anyOf(1);
};
const not = ({ low, high }: Range): Range => ({ low: 1n - high, high: 1n - low });
const less = (name: "unsigned" | "signed", orEqual: boolean): RangeOperation => (a, b, bits) =>
  name === "unsigned" ? ordered(a, b, orEqual) : ordered(signed(a, bits), signed(b, bits), orEqual);
/** The count of a shift, where it is known. */
const countOf = (b: Range, bits: 32 | 64): bigint | undefined => isExact(b) ? b.low & BigInt(bits - 1) : undefined;
const shift = (by: (a: Range, count: bigint, bits: 32 | 64) => Range): RangeOperation => (a, b, bits) => {
  const count = countOf(b, bits);
  return count === undefined ? anyOf(bits) : by(a, count, bits);
};
const bitwise = (compute: (a: bigint, b: bigint) => bigint): RangeOperation => (a, b, bits) =>
  isExact(a) && isExact(b) ? exactly(compute(a.low, b.low)) : anyOf(bits);

/** By the name of the Wasm instruction without its type; operands are of that type. */
const OPERATIONS: Readonly<Record<string, RangeOperation>> = {
  add: (a, b, bits) => cut(a.low + b.low, a.high + b.high, bits),
  sub: (a, b, bits) => cut(a.low - b.high, a.high - b.low, bits),
  mul: (a, b, bits) => cut(a.low * b.low, a.high * b.high, bits),
  div_u: (a, b, bits) => b.low === 0n ? anyOf(bits) : { low: a.low / b.high, high: a.high / b.low },
  and: (a, b, bits) => {
    if (isExact(a) && !isExact(b)) [a, b] = [b, a];
    if (!isExact(b)) return { low: 0n, high: a.high < b.high ? a.high : b.high };
    if (isExact(a)) return exactly(a.low & b.low);
    // The lowest bits, where those above are the same; or all above the lowest, which keeps order.
    const mask = b.low, above = BigInt.asUintN(bits, ~mask);
    if ((mask & mask + 1n) === 0n && (a.low & above) === (a.high & above)) return { low: a.low & mask, high: a.high & mask };
    if ((above & above + 1n) === 0n) return { low: a.low & mask, high: a.high & mask };
    return { low: 0n, high: mask };
  },
  or: bitwise((a, b) => a | b),
  xor: bitwise((a, b) => a ^ b),
  shl: shift((a, count, bits) => cut(a.low << count, a.high << count, bits)),
  shr_u: shift((a, count) => ({ low: a.low >> count, high: a.high >> count })),
  shr_s: shift((a, count, bits) => {
    const value = signed(a, bits);
    return value ? cut(value.low >> count, value.high >> count, bits) : anyOf(bits);
  }),
  eq: equal,
  ne: (a, b, bits) => not(equal(a, b, bits)),
  eqz: (a, _, bits) => equal(a, exactly(0n), bits),
  lt_u: less("unsigned", false),
  le_u: less("unsigned", true),
  gt_u: (a, b, bits) => less("unsigned", false)(b, a, bits),
  ge_u: (a, b, bits) => less("unsigned", true)(b, a, bits),
  lt_s: less("signed", false),
  le_s: less("signed", true),
  gt_s: (a, b, bits) => less("signed", false)(b, a, bits),
  ge_s: (a, b, bits) => less("signed", true)(b, a, bits),
};

/** The range of a Wasm instruction's results on integers; all values if no rule covers it. */
export function apply(name: string, operands: readonly Range[], bits: 32 | 64): Range {
  const [type, operation] = name.split(".");
  const [a, b] = operands;
  if (name === "select") {
    const condition = operands[2];
    if (condition.low > 0n) return a;
    if (condition.high === 0n) return b;
    return { low: a.low < b.low ? a.low : b.low, high: a.high > b.high ? a.high : b.high };
  }
  if (name === "i32.wrap_i64") return cut(a.low, a.high, 32);
  if (name === "i64.extend_i32_u") return a;
  if (name === "i64.extend_i32_s") {
    const value = signed(a, 32);
    return value ? cut(value.low, value.high, 64) : anyOf(64);
  }
  const compute = type === "i32" || type === "i64" ? OPERATIONS[operation] : undefined;
  return compute ? compute(a, b ?? exactly(0n), type === "i32" ? 32 : 64) : anyOf(bits);
}
