// Functions that regions expand inline, against the same operations on bigints.

import assert from "node:assert/strict";
import { inlineCall, type Operations } from "../../../../../src/cpu/core/translator/code/inline-calls.ts";
import { FunctionBuilder, type ValueType, WasmModule } from "../../../../../src/cpu/core/wasm/module.ts";
import { hasWideMultiplication } from "../../../../../src/cpu/core/wasm/wide-multiplication.ts";
import { Random } from "../../../../support/random.ts";

const random = new Random(0x128);

/** Factors at which carries and signs change, and some others. */
const FACTORS = [0n, 1n, 2n, 0xffff_ffffn, 0x1_0000_0000n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 2n, 2n ** 64n - 1n];
for (let i = 0; i < 50; i++) FACTORS.push(BigInt(random.word() >>> 0) << 32n | BigInt(random.word() >>> 0));

/** The expansion of a function of two doublewords. */
function expanded(name: string, operations: Operations): (a: bigint, b: bigint) => bigint {
  const expand = inlineCall(name, operations);
  assert.ok(expand);
  const module = new WasmModule(), f = new FunctionBuilder(-1, "expanded", ["i64", "i64"], ["i64"]);
  const local = (type: ValueType) => f.local(type), result = local("i64"), never = () => assert.fail("nothing is called");
  expand({ f, operands: [0, 1], result, local, call: never, fast: never });
  f.get(result);
  module.place(f);
  return new WebAssembly.Instance(new WebAssembly.Module(module.encode())).exports.expanded as (a: bigint, b: bigint) => bigint;
}

Deno.test("el2's own options of V8 give it products of 128 bits", () => assert.ok(hasWideMultiplication()));

for (const wideMultiplication of [false, true]) {
  Deno.test(`high halves of products are exact ${wideMultiplication ? "as" : "without"} halves of 128 bits`, () => {
    for (const [name, bounds] of [["multiplyHighUnsigned", BigInt.asUintN], ["multiplyHighSigned", BigInt.asIntN]] as const) {
      const high = expanded(name, { fusedMultiplyAdd: false, wideMultiplication });
      for (const a of FACTORS) {
        for (const b of FACTORS) {
          const expected = BigInt.asUintN(64, bounds(64, a) * bounds(64, b) >> 64n);
          assert.equal(BigInt.asUintN(64, high(a, b)), expected, `${name} of ${a} and ${b}`);
        }
      }
    }
  });
}
