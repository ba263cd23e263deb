// The flow of control after an instruction, as the translator finds it around each sample, against
// the whole analysis.

import assert from "node:assert/strict";
import { flowOf, mayBranch, translatable } from "../../../src/core/translator/instruction.ts";
import { numberOf } from "../../../src/core/translator/static-values.ts";
import { decode } from "../../../src/isa/decode.ts";
import { encodings } from "../../../src/isa/table.ts";
import { Random } from "../../support/random.ts";

/** Words of each encoding. */
const SAMPLES = 2;

Deno.test("the flow after an instruction is that of its analysis, and every branch has the bits of branches", () => {
  const random = new Random(21);
  let branches = 0, left = 0, others = 0;
  for (const { mask, value } of encodings) {
    for (let i = 0; i < SAMPLES; i++) {
      const word = (value | random.word() & ~mask) >>> 0;
      const instruction = translatable(word), branch = instruction?.branch, flow = flowOf(word), text = word.toString(16);
      if (!decode(word)) assert.equal(flow.ends, true, text);
      if (branch?.kind === "branch") {
        assert.deepEqual(flow, { ends: !branch.condition, offset: numberOf(branch.offset, word) / 4 }, text);
        assert.ok(mayBranch(word), text);
        branches++;
      } else {
        assert.deepEqual(flow, { ends: !instruction || branch !== undefined }, text);
        if (instruction) others++;
        else left++;
      }
    }
  }
  assert.ok(branches > 20 && left > 100 && others > 1000, `${branches} branches, ${left} left to the interpreter, ${others} others`);
});
