// Vector registers in locals: loads and stores of their bytes, as the instruction table has them,
// are lanes here.

import type { FunctionBuilder } from "../../wasm/module.ts";

/**
 * A part of a vector that Wasm's loads name: how it is taken from the whole, the bytes of a lane,
 * and how the lane is extended. The number of the lane is the offset in lanes.
 */
const LANES_OF_LOADS: Readonly<Record<string, readonly [instruction: string, bytes: number, extend?: string]>> = {
  "f64.load": ["f64x2.extract_lane", 8],
  "i64.load": ["i64x2.extract_lane", 8],
  "i64.load32_u": ["i32x4.extract_lane", 4, "i64.extend_i32_u"],
  "i64.load32_s": ["i32x4.extract_lane", 4, "i64.extend_i32_s"],
  "i64.load16_u": ["i16x8.extract_lane_u", 2, "i64.extend_i32_u"],
  "i64.load16_s": ["i16x8.extract_lane_s", 2, "i64.extend_i32_s"],
  "i64.load8_u": ["i8x16.extract_lane_u", 1, "i64.extend_i32_u"],
  "i64.load8_s": ["i8x16.extract_lane_s", 1, "i64.extend_i32_s"],
  "f32.load": ["f32x4.extract_lane", 4],
  "i32.load": ["i32x4.extract_lane", 4],
  "i32.load16_u": ["i16x8.extract_lane_u", 2],
  "i32.load16_s": ["i16x8.extract_lane_s", 2],
  "i32.load8_u": ["i8x16.extract_lane_u", 1],
  "i32.load8_s": ["i8x16.extract_lane_s", 1],
};

/** Loads that make a vector of a part: the part, and how it is widened. */
const VECTORS_OF_LOADS: Readonly<Record<string, readonly [part: string, splat: string]>> = {
  "v128.load8_splat": ["i32.load8_u", "i8x16.splat"],
  "v128.load16_splat": ["i32.load16_u", "i16x8.splat"],
  "v128.load32_splat": ["i32.load", "i32x4.splat"],
  "v128.load64_splat": ["i64.load", "i64x2.splat"],
};

const ZERO_LOADS: Readonly<Record<string, readonly [part: string, replace: string]>> = {
  "v128.load64_zero": ["i64.load", "i64x2.replace_lane"],
  "v128.load32_zero": ["i32.load", "i32x4.replace_lane"],
};

const LANES_OF_STORES: Readonly<Record<string, readonly [instruction: string, bytes: number]>> = {
  "f64.store": ["f64x2.replace_lane", 8],
  "i64.store": ["i64x2.replace_lane", 8],
  "f32.store": ["f32x4.replace_lane", 4],
  "i32.store": ["i32x4.replace_lane", 4],
  "i32.store16": ["i16x8.replace_lane", 2],
  "i32.store8": ["i8x16.replace_lane", 1],
};

function lookUp<T>(table: Readonly<Record<string, T>>, name: string): T {
  const found = table[name];
  if (found === undefined) throw new Error(`${name} of a vector register has no form with locals`);
  return found;
}

/** Puts the bytes from `offset` on of the vector in a local on the stack, as a load would. */
export function pushLanes(f: FunctionBuilder, load: string, local: number, offset: number): void {
  const part = (load: string) => {
    const [extract, bytes, extend] = lookUp(LANES_OF_LOADS, load);
    f.get(local).lane(extract, offset / bytes);
    if (extend) f.op(extend);
  };
  const zeroed = ZERO_LOADS[load], splat = VECTORS_OF_LOADS[load];
  if (load === "v128.load") f.get(local);
  else if (zeroed) {
    f.v128(0n, 0n);
    part(zeroed[0]);
    f.lane(zeroed[1], 0);
  } else if (splat) {
    part(splat[0]);
    f.op(splat[1]);
  } else part(load);
}

/** Changes the bytes from `offset` on as a store does; `value` puts what is stored on the stack. */
export function setLanes(f: FunctionBuilder, store: string, local: number, offset: number, value: () => void): void {
  if (store === "v128.store") {
    value();
    f.set(local);
    return;
  }
  const [replace, bytes] = lookUp(LANES_OF_STORES, store);
  f.get(local);
  value();
  f.lane(replace, offset / bytes).set(local);
}
