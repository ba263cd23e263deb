// The flow of control after an instruction, as the translator finds it around each sample, against
// the whole analysis.

import assert from "node:assert/strict";
import { INSTRUCTIONS } from "./executed-code.ts";
import { mayBranchBack } from "../../../../src/cpu/core/translator/code/instruction.ts";
import { numberOf } from "../../../../src/cpu/core/translator/code/static-values.ts";
import { decode } from "../../../../src/cpu/isa/decode.ts";
import { encodings } from "../../../../src/cpu/isa/table.ts";
import { Random } from "../../../support/random.ts";

/** Words of each encoding. */
const SAMPLES = 4;

Deno.test("the flow after an instruction is that of its analysis, and the bits of branches back are known", () => {
  const random = new Random(21);
  let branches = 0, back = 0, left = 0, others = 0;
  for (const { mask, value } of encodings()) {
    for (let i = 0; i < SAMPLES; i++) {
      const word = (value | random.word() & ~mask) >>> 0;
      const instruction = INSTRUCTIONS.translatable(word),
        branch = instruction?.branch,
        flow = INSTRUCTIONS.flowOf(word),
        text = word.toString(16);
      if (!decode(word)) assert.equal(flow.ends, true, text);
      if (branch?.kind === "branch") {
        const offset = numberOf(branch.offset, word) / 4;
        assert.deepEqual(flow, { ends: !branch.condition, offset }, text);
        assert.equal(mayBranchBack(word), offset <= 0, text);
        branches++;
        if (offset <= 0) back++;
      } else {
        assert.deepEqual(flow, { ends: !instruction || branch !== undefined }, text);
        if (instruction) others++;
        else left++;
      }
    }
  }
  const counts = `${branches} branches, ${back} of them back, ${left} left to the interpreter, ${others} others`;
  assert.ok(back > 10 && branches - back > 10 && left > 100 && others > 1000, counts);
});

Deno.test("a branch to itself is one back, as to the instruction before it; one to the next is not", () => {
  // b, b.eq, cbz x0 and tbz w0, #0, by 0, -1 and 1 instructions.
  for (const [word, width] of [[0x14000000, 26], [0x54000000, 19], [0xb4000000, 19], [0x36000000, 14]] as const) {
    const at = width === 26 ? 0 : 5, by = (offset: number) => (word | (offset & (1 << width) - 1) << at) >>> 0;
    for (const offset of [0, -1, 1]) {
      assert.equal(INSTRUCTIONS.flowOf(by(offset)).offset, offset);
      assert.equal(mayBranchBack(by(offset)), offset <= 0, by(offset).toString(16));
    }
  }
});
