// Neither the CPU nor the machine reads a clock or draws a random number of the computer: the same
// inputs give the same run.

import assert from "node:assert/strict";
import { repositoryFiles, ROOT } from "../support/files.ts";

const CLOCK = /\b(?:Date\.now|performance\.(?:now|mark|timeOrigin)|new Date\(\)|Math\.random|crypto\.(?:getRandomValues|randomUUID))\b/;
/** Figures of `--stats`, which no guest sees: the time that compiling a region takes. */
const MEASURES = ["src/cpu/core/translator/translator.ts"];

Deno.test("no file of the CPU and the machine reads a clock or draws a random number, but for a figure of the translator", () => {
  const found = ["src/cpu/", "src/machine/"].flatMap((floor) => {
    const files = [...repositoryFiles(floor, ".ts")];
    assert.ok(files.length > 0, floor);
    return files.filter((file) => CLOCK.test(Deno.readTextFileSync(new URL(file, ROOT))));
  });
  assert.deepEqual(found, MEASURES);
});
