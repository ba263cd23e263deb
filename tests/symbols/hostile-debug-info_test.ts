// Debug information that anybody may have written: damaged, it is left out, and never makes el2
// throw, hang or grow.

import assert from "node:assert/strict";
import { DebugInfo } from "../../src/symbols/debug-info.ts";
import { compactSymbols } from "../../src/symbols/elf-symbols.ts";
import { DEBUG_SECTIONS, debugSections } from "../../src/formats/dwarf/sections.ts";
import { readElfSections } from "../../src/formats/elf-sections.ts";
import { GuestType } from "../../src/symbols/guest-types.ts";
import { FrameValues } from "../../src/symbols/guest-values.ts";
import { evaluate, ExpressionError } from "../../src/symbols/guest-expressions.ts";
import { unwind } from "../../src/symbols/unwind.ts";
import type { Vcpu } from "../../src/hypervisor/scheduling/vcpu.ts";
import { buildProgram, withTempFolder } from "../debug/programs.ts";
import { Random } from "../support/random.ts";
import { cpuTime } from "../support/cpu-time.ts";

const ROUNDS = Deno.env.get("EL2_LONG") ? 20_000 : 40;
/** CPU time (ms) of one file: a thousand times what a good one takes. */
const PATIENCE = 10_000;
const START = 0x4020_0000n, SIZE = 0x180n;

/** Everything that el2 does with debug information, at every instruction. */
function use(info: DebugInfo): number {
  let found = 0;
  const read = (address: bigint, size: number) => address < 0x1_0000_0000n && size < 10_000 ? new Uint8Array(size).fill(1) : undefined;
  info.files();
  info.codeOf("calls.c", 31);
  for (let at = START; at < START + SIZE; at += 4n) {
    found += Number(info.lineAt(at) !== undefined);
    info.scopeAt(at);
    const registers = { getX: () => 0x4022_0000n, pc: at, pstate: 5 };
    const frames = unwind({ registers } as unknown as Vcpu, 0x4022_0000n, read, [info]);
    assert.ok(frames.length >= 1 && frames.length <= 64);
    const values = new FrameValues(info, frames[0], 0, read, () => undefined);
    for (const one of values.variables()) {
      info.tried(() => {
        one.type.name();
        values.text(one);
        values.parts(one, one.path).length;
        assert.ok(one.type instanceof GuestType);
      });
    }
  }
  return found;
}

for (const dwarf of [4, 5]) {
  Deno.test(`damaged DWARF ${dwarf} gives fewer lines, and no exception`, async () => {
    await withTempFolder(async (folder) => {
      const file = compactSymbols(await buildProgram("calls", `${folder}/calls.elf`, { dwarf, optimize: "-O2" }))!;
      const sections = readElfSections(file), random = new Random(dwarf);
      const whole = use(DebugInfo.of(file)!);
      assert.ok(whole > 60, `${whole} lines`);
      for (let round = 0; round < ROUNDS; round++) {
        const name = DEBUG_SECTIONS[random.word() % DEBUG_SECTIONS.length];
        const damaged = sections.map((section) => {
          if (section.name !== name || section.bytes.length === 0) return section;
          const bytes = section.bytes.slice(0, random.word() % 4 ? undefined : random.word() % section.bytes.length);
          for (let changes = 1 + random.word() % 6; changes > 0 && bytes.length; changes--) {
            bytes[random.word() % bytes.length] = random.word() % 3 ? random.word() : 0xff;
          }
          return { ...section, bytes };
        });
        const begun = cpuTime();
        const info = new DebugInfo(debugSections(damaged));
        use(info);
        assert.ok(cpuTime() - begun < PATIENCE, `round ${round}: ${name}`);
      }
    });
  });
}

Deno.test("expressions of any kind have a value or an error", () => {
  const random = new Random(3),
    parts = ["a", "$x0", "1", "0x10", "(", ")", "*", "&", "->", ".", "[", "]", "+", "-", "/", "%", "<<", "&&", "!", "~", " "];
  const scope = { values: undefined, register: () => 7n, symbol: () => undefined, memory: (at: bigint) => at < 100n ? 5n : undefined };
  let good = 0;
  for (let round = 0; round < 5000; round++) {
    const text = Array.from({ length: 1 + random.word() % 12 }, () => parts[random.word() % parts.length]).join("");
    try {
      evaluate(text, scope);
      good++;
    } catch (error) {
      assert.ok(error instanceof ExpressionError, text);
    }
  }
  assert.ok(good > 100, `${good} good ones`);
  for (
    const [text, value] of [["1 + 2 * 3", 7n], ["(1 + 2) * 3", 9n], ["1 << 4 | 3", 19n], ["!0 && 5 > 4", 1n], ["-1 < 0", 1n], [
      "$x0 % 4",
      3n,
    ]] as const
  ) {
    const result = evaluate(text, scope);
    assert.deepEqual(result, { kind: "number", number: value }, text);
  }
  assert.throws(() => evaluate("(".repeat(4000), scope), ExpressionError);
  assert.throws(() => evaluate("1 / 0", scope), /division by zero/);
});
