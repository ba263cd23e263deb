// Whether the computer fuses: Wasm's relaxed multiply-add may round once or twice, as the
// computer's processor does it best. Only the former is FMADD. WebAssembly relaxed SIMD proposal;
// Arm ARM J1.2 (FPMulAdd).

import { FunctionBuilder, WasmModule } from "../../wasm/module.ts";

/** 1 + 2^-30; its square has the term 2^-60, which a product in double precision loses. */
const FACTOR = 1 + 2 ** -30;
/** The same for single precision: 1 + 2^-13. */
const SHORT_FACTOR = 1 + 2 ** -13;

let known: boolean | undefined;

/**
 * Whether `f32x4.relaxed_madd` and `f64x2.relaxed_madd` round once. Found out when first asked for.
 */
export function hasFusedMultiplyAdd(): boolean {
  return known ??= probe();
}

function probe(): boolean {
  const module = new WasmModule(), f = new FunctionBuilder(-1, "errors", ["f64", "f32"], ["f64"]);
  // x * x - round(x * x), in both precisions.
  f.get(0).op("f64x2.splat").get(0).op("f64x2.splat").get(0).get(0).op("f64.mul").op("f64.neg").op("f64x2.splat");
  f.op("f64x2.relaxed_madd").lane("f64x2.extract_lane", 0);
  f.get(1).op("f32x4.splat").get(1).op("f32x4.splat").get(1).get(1).op("f32.mul").op("f32.neg").op("f32x4.splat");
  f.op("f32x4.relaxed_madd").lane("f32x4.extract_lane", 0).op("f64.promote_f32").op("f64.mul");
  module.place(f);
  const bytes = module.encode();
  if (!WebAssembly.validate(bytes)) return false;
  const { errors } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  if (typeof errors !== "function") throw new TypeError("the probe is not a function");
  return errors(FACTOR, SHORT_FACTOR) === 2 ** -60 * 2 ** -26;
}
