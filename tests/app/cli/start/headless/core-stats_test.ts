import assert from "node:assert/strict";
import { coreStats } from "../../../../../src/app/cli/start/headless/core-stats.ts";

const SAMPLE = { time: 0, reasons: 0, mips: 0, physicalCpus: 1, vms: [] };

Deno.test("--stats says what an instruction of a region costs, the first ones apart", () => {
  const translator = { instructions: 30_000, wasmBytes: 2_400_000, milliseconds: 350, coldInstructions: 5000, coldMilliseconds: 100 };
  const stats = JSON.parse(coreStats({ ...SAMPLE, instructions: 7, exits: { hvc: 2 }, translator }));
  assert.equal(stats.schema, "el2.core/1");
  assert.deepEqual(stats.exits, { hvc: 2 });
  const { coldMicroseconds, warmMicroseconds, bytesPerInstruction } = stats.translator;
  assert.deepEqual([coldMicroseconds, warmMicroseconds, bytesPerInstruction], [20, 10, 80]);
});

Deno.test("--stats without regions has zeros, and without a translator has no costs", () => {
  const none = { instructions: 0, wasmBytes: 0, milliseconds: 0, coldInstructions: 0, coldMilliseconds: 0 };
  assert.equal(JSON.parse(coreStats({ ...SAMPLE, instructions: 7, translator: none })).translator.coldMicroseconds, 0);
  assert.equal(JSON.parse(coreStats({ ...SAMPLE, instructions: 7 })).translator, undefined);
});
