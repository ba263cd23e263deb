// Which values of an instruction need no local: registers that are read in place, loads that go
// into their registers at once, and values that are emitted where they are used.

import assert from "node:assert/strict";
import { INSTRUCTIONS } from "../executed-code.ts";

/** In order of the values: the number of a register, or what else becomes of the value. */
const PLACES: Record<string, [word: number, places: (number | "emitted" | "local")[]]> = {
  "add x0, x1, x2": [0x8b020020, [1, 2, "emitted", "emitted"]],
  "add x0, x1, xzr": [0x8b1f0020, [1, "emitted", "emitted", "emitted"]],
  "ldr x0, [x2]": [0xf9400040, [2, 0]],
  // The base is written after the load and with a value that is used twice.
  "ldr x1, [x2, #8]!": [0xf8408c41, [2, "local", 1]],
  "ldp x0, x1, [x2]": [0xa9400440, [2, "emitted", 0, 1]],
  // Both are of one register, which has the second.
  "ldp x2, x2, [x2]": [0xa9400842, [2, "emitted", 2, "local"]],
  // The flags are of the operands as they were.
  "subs x1, x1, x2": [0xeb020021, [1, 2, "local", "local"]],
  "cbz x1": [0xb4000021, [1]],
};

for (const [text, [word, places]] of Object.entries(PLACES)) {
  Deno.test(`places of the values of ${text}`, () => {
    const instruction = INSTRUCTIONS.translatable(word | 0);
    assert.ok(instruction);
    assert.deepEqual(instruction.places.map((place) => typeof place === "object" ? "emitted" : place ?? "local"), places);
  });
}
