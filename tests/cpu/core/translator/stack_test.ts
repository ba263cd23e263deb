// The computer's stack under translated code: regions that call each other stay within a budget of
// bytes in each tier of V8, whatever the guest is, and so does the translator itself.
// docs/design/core.md §T12.

import assert from "node:assert/strict";
import { generateCore } from "../../../../src/cpu/core/core-module.ts";
import { STACK_BYTES } from "../../../../src/cpu/core/interpreter/interpreter.ts";
import { CORE_SIZE } from "../../../../src/cpu/core/state/layout.ts";
import { discover } from "../../../../src/cpu/core/translator/regions/region.ts";
import { generateModule } from "../../../../src/cpu/core/translator/emission/region-module.ts";
import { V8_OPTIONS } from "../../../../src/kit/support/computer/v8-options.ts";
import { RAM_BASE } from "../program.ts";
import { executedWords } from "./executed-code.ts";
import { HOSTILE, randomHostile } from "./hostile-regions.ts";
import { LONG } from "../../../support/long.ts";

const SEED = 51, RANDOM = LONG ? 200 : 4;
/** Instructions of each hostile program. */
const INSTRUCTIONS = LONG ? 5_000_000 : 1_600_000;
/**
 * Baseline code alone, optimized code alone, and both as programs have them. Code that is optimized
 * before it runs takes half a minute, with EL2_LONG. Frames of baseline code are the largest, and
 * without EL2_LONG it runs where both do.
 */
const BASELINE = "--liftoff-only", OPTIMIZED = "--no-liftoff", BOTH = "--wasm-dynamic-tiering";

async function withTier<T>(program: string, tier: string): Promise<T> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-q", "--no-check", "--allow-read", "--allow-env", "--allow-ffi", `${V8_OPTIONS[0]},${tier}`],
      new URL(program, import.meta.url).pathname,
      ...[`${SEED}`, `${RANDOM}`, `${INSTRUCTIONS}`],
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

for (const tier of LONG ? [BASELINE, OPTIMIZED, BOTH] : [BOTH]) {
  Deno.test(`functions that call themselves in hostile regions give the same registers with ${tier}, and no frame is too many`, async () => {
    const { wrong, regions } = await withTier<{ wrong: string[]; regions: number }>("run-hostile-regions.ts", tier);
    assert.deepEqual(wrong, []);
    assert.ok(regions > HOSTILE.length, `only ${regions} regions`);
  });
}

for (const tier of LONG ? [BASELINE, OPTIMIZED] : [BASELINE]) {
  Deno.test(`no frame of a hostile region is larger than its bound with ${tier}, nor are all together`, async () => {
    type Measured = { name: string; frame: number; bound: number; total: number };
    const measured = await withTier<Measured[]>("measure-frames.ts", tier);
    for (const { name, frame, bound, total } of measured) {
      assert.ok(frame <= bound, `${name}: ${frame} bytes, not ${bound}`);
      assert.ok(total <= STACK_BYTES, `${name}: ${total} bytes of frames`);
    }
    // A random one may not reach its call.
    const calling = measured.filter(({ frame }) => frame > 100).length;
    assert.ok(calling >= HOSTILE.length, `only ${calling} regions have called themselves`);
  });
}

Deno.test("hostile regions are emitted where a tenth of the stack is left", () => {
  const core = generateCore({ base: RAM_BASE, size: 0x1_0000, wasmAddress: CORE_SIZE }, CORE_SIZE + 0x1_0000);
  const emit = () => {
    let blocks = 0;
    for (const { code, entry } of [...HOSTILE, ...randomHostile(SEED, RANDOM)]) {
      const region = discover(executedWords(code, entry), 0, "loop");
      generateModule(core.library, core.importedMemory, [{ blocks: region, neighbors: [], callees: new Map() }]);
      blocks = Math.max(blocks, region.length);
    }
    return blocks;
  };
  // Once before, for all that it loads and compiles.
  emit();
  const below = (level: number, act: () => number): number => level === 0 ? act() : below(level - 1, act) + 0;
  let deepest = 0;
  try {
    for (let level = 1000;; level = Math.ceil(level * 1.05)) deepest = below(level, () => level);
  } catch (error) {
    assert.ok(error instanceof RangeError);
  }
  assert.ok(below(Math.floor(deepest * 0.9), emit) > 1000, "no region has a thousand blocks");
});
