// WebAssembly's integer instructions on unsigned bigints. Values that are known when an instruction
// is decoded have evaluators of their own (decoded/operands.ts), made once for each expression.

type IntegerOperation = (a: bigint, b: bigint, bits: number) => bigint;

const signed = (value: bigint, bits: number) => BigInt.asIntN(bits, value);
const truth = (value: boolean) => value ? 1n : 0n;
const count = (b: bigint, bits: number) => b & BigInt(bits - 1);
const extend = (width: number): IntegerOperation => (a) => BigInt.asIntN(width, a);

/** By the name without its type; operands and results are unsigned, and results are cut later. */
const OPERATIONS: Readonly<Record<string, IntegerOperation>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div_u: (a, b) => a / b,
  div_s: (a, b, bits) => signed(a, bits) / signed(b, bits),
  rem_u: (a, b) => a % b,
  rem_s: (a, b, bits) => signed(a, bits) % signed(b, bits),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b, bits) => a << count(b, bits),
  shr_u: (a, b, bits) => a >> count(b, bits),
  shr_s: (a, b, bits) => signed(a, bits) >> count(b, bits),
  rotr: (a, b, bits) => a >> count(b, bits) | a << BigInt(bits) - count(b, bits),
  rotl: (a, b, bits) => a << count(b, bits) | a >> BigInt(bits) - count(b, bits),
  clz: (a, _, bits) => BigInt(a === 0n ? bits : bits - a.toString(2).length),
  ctz: (a, _, bits) => BigInt(a === 0n ? bits : (a & -a).toString(2).length - 1),
  eqz: (a) => truth(a === 0n),
  eq: (a, b) => truth(a === b),
  ne: (a, b) => truth(a !== b),
  lt_u: (a, b) => truth(a < b),
  le_u: (a, b) => truth(a <= b),
  gt_u: (a, b) => truth(a > b),
  ge_u: (a, b) => truth(a >= b),
  lt_s: (a, b, bits) => truth(signed(a, bits) < signed(b, bits)),
  le_s: (a, b, bits) => truth(signed(a, bits) <= signed(b, bits)),
  gt_s: (a, b, bits) => truth(signed(a, bits) > signed(b, bits)),
  ge_s: (a, b, bits) => truth(signed(a, bits) >= signed(b, bits)),
  extend8_s: extend(8),
  extend16_s: extend(16),
  extend32_s: extend(32),
  extend_i32_u: (a) => a,
  extend_i32_s: (a) => BigInt.asIntN(32, a),
  wrap_i64: (a) => a,
};

/**
 * An integer instruction's result, which the caller cuts to its type; undefined for other
 * instructions, and where it traps.
 * @param bits of the operands
 */
export function evaluateInteger(name: string, a: bigint, b: bigint, bits: 32 | 64): bigint | undefined {
  const operation = OPERATIONS[name.slice(4)];
  if (!operation || !/^i(32|64)\./.test(name) || b === 0n && /^(div|rem)/.test(name.slice(4))) return undefined;
  return operation(a, b, bits);
}
