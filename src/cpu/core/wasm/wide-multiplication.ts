// Whether V8 has products of 128 bits, which UMULH and SMULH are half of. WebAssembly wide
// arithmetic proposal; V8 needs an option for it (kit/support/computer/v8-options.ts).

import { FunctionBuilder, WasmModule } from "./module.ts";

let known: boolean | undefined;

/**
 * Whether `i64.mul_wide_s` and `i64.mul_wide_u` are valid: (a, b) -> (low half, high half). Found
 * out when first asked for.
 */
export function hasWideMultiplication(): boolean {
  return known ??= probe();
}

function probe(): boolean {
  const module = new WasmModule(), f = new FunctionBuilder(-1, "products", ["i64", "i64"], ["i64", "i64", "i64", "i64"]);
  f.get(0).get(1).op("i64.mul_wide_s").get(0).get(1).op("i64.mul_wide_u");
  module.place(f);
  return WebAssembly.validate(module.encode());
}
