// The cipher of pointer authentication: its published vectors, and the core's function beside the
// reference.

import assert from "node:assert/strict";
import { defineQarma, QARMA3, QARMA5 } from "../../../../src/cpu/core/simd/qarma.ts";
import { Library } from "../../../../src/cpu/core/wasm/library.ts";
import { WasmModule } from "../../../../src/cpu/core/wasm/module.ts";
import { Random } from "../../../support/random.ts";
import { qarma, SIGMA1, SIGMA2 } from "../qarma-reference.ts";

const CASES = 1000;

/** The key, tweak and plain text of the paper's vectors (its table 2). */
const W0 = 0x84be85ce9804e94bn, K0 = 0xec2802d4e0a488e9n, TWEAK = 0x477d469dec0b8762n, PLAIN = 0xfb623599da6e8127n;
const VECTORS = [
  [5, SIGMA1, 0x544b0ab95bda7c3an],
  [6, SIGMA1, 0xa512dd1e4e3ec582n],
  [5, SIGMA2, 0xc003b93999b33765n],
  [6, SIGMA2, 0x270a787275c48d10n],
] as const;

type Cipher = (data: bigint, modifier: bigint, high: bigint, low: bigint) => bigint;

/** The core's function of a variant. */
function compiled(variant: typeof QARMA5): Cipher {
  const module = new WasmModule(), library = new Library(module);
  defineQarma(library, "qarma", variant);
  library.exportAll();
  const { qarma: f } = new WebAssembly.Instance(new WebAssembly.Module(module.encode())).exports;
  return (...operands) => BigInt.asUintN(64, (f as Cipher)(...operands));
}

Deno.test("the reference gives the vectors that the cipher's paper has", () => {
  for (const [rounds, sbox, expected] of VECTORS) assert.equal(qarma(PLAIN, TWEAK, W0, K0, rounds, sbox), expected);
});

Deno.test("QARMA5 gives its published vector, and both variants what the reference gives", () => {
  const five = compiled(QARMA5), three = compiled(QARMA3), random = new Random(64);
  assert.equal(five(PLAIN, TWEAK, W0, K0), 0xc003b93999b33765n);
  for (let i = 0; i < CASES; i++) {
    const operands = [random.wide(), random.wide(), random.wide(), random.wide()] as const;
    assert.equal(five(...operands), qarma(...operands, 5, SIGMA2));
    assert.equal(three(...operands), qarma(...operands, 3, SIGMA1));
  }
});
