// Registers of features that the CPU does not have, by the name of the disassembler.

import assert from "node:assert/strict";
import { missingFeature } from "../../src/inspection/trace/absent-registers.ts";
import { disassemble } from "../../src/isa/disassemble.ts";

Deno.test("a read of SMPRI_EL1 needs SME; instructions that the CPU has need nothing", () => {
  const text = (word: number) => disassemble(word, 0n);
  assert.equal(missingFeature(text(0xd538_1280)), "SMPRI_EL1 is a register of SME, which the CPU does not have");
  assert.equal(missingFeature(text(0xd53b_2400)), "RNDR is a register of RNG, which the CPU does not have");
  for (const word of [0xd538_1000, 0, 0xd538_128e ^ 0x20]) assert.equal(missingFeature(text(word)), "", word.toString(16));
});
