// The signature of regions has all that their module follows from: of a signature alone, the same
// bytes are made again.

import assert from "node:assert/strict";
import { instructionsOf } from "../../../../../src/cpu/core/translator/code/instruction.ts";
import type { CodeSignature, RegionModule } from "../../../../../src/cpu/core/boot.ts";
import { partsFrom, signatureOf } from "../../../../../src/cpu/core/translator/emission/code-signature.ts";
import { generateModule } from "../../../../../src/cpu/core/translator/emission/region-module.ts";
import { discover } from "../../../../../src/cpu/core/translator/regions/region.ts";
import { RegionStore } from "../../../../../src/cpu/core/translator/region-store.ts";
import { coreFor } from "../../../../../src/cpu/core/core-module.ts";
import { encodings } from "../../../../../src/cpu/isa/table.ts";
import { Random } from "../../../../support/random.ts";
import { type Line, Machine, RAM_BASE } from "../../program.ts";
import { executedCode, INSTRUCTIONS } from "../executed-code.ts";

const CODE = RAM_BASE + 0x1000;
const MEMORY = { module: "env", name: "memory", minimum: 17, maximum: 17, shared: false };

Deno.test("parts of random code with every ending come back from their signature, whatever follows in it", () => {
  const random = new Random(76), endings = new Set<string>();
  const all = [...encodings()],
    word = () => {
      for (;;) {
        const { value, mask } = all[random.below(all.length)], word = (value | random.word() & ~mask) >>> 0;
        if (INSTRUCTIONS.translatable(word)) return word;
      }
    };
  for (let turn = 0; turn < 60; turn++) {
    const size = 40,
      branches: Line[] = [
        ["b.eq", 0x54000000 | (random.below(9) + 1) << 5],
        ["b", 0x14000000 | random.below(9) + 1],
        ["bl", 0x94000000 | random.below(9) + 1],
        ["blr x3", 0xd63f0060],
        ["ret", 0xd65f03c0],
        ["br x3", 0xd61f0060],
      ];
    const lines = Array.from({ length: size }, (_, i): Line => i % 5 === 4 ? branches[random.below(branches.length)] : ["", word()]);
    const blocks = discover(executedCode(lines), 0);
    for (const { ending } of blocks) endings.add(ending.kind);
    const table = { ...blocks[0], ending: { kind: "indirect", targets: [3, 9, 4], table: random.below(2) ? 0 : -5 } } as const;
    blocks.push(table);
    const parts = [{ blocks, neighbors: [], callees: new Map([[random.below(40), 1]]) }, { blocks, neighbors: [], callees: new Map() }];
    const signature = signatureOf(MEMORY, parts);
    assert.deepEqual(partsFrom(Int32Array.of(...signature, 7, 8), INSTRUCTIONS), parts);
  }
  assert.deepEqual([...endings].sort(), ["call", "condition", "indirect", "jump", "return"]);
});

Deno.test("the module of a run is made again from its signature, byte by byte", () => {
  const program: Line[] = [
    ["movz x0, #0x0", 0xd2800000],
    ["movz x1, #0x3e8", 0xd2807d01],
    ["bl", 0x94000004],
    ["subs x1, x1, #0x1", 0xf1000421],
    ["b.ne", 0x54ffffc1],
    ["b", 0x17fffffb],
    ["add x0, x0, #0x1", 0x91000400],
    ["ret", 0xd65f03c0],
  ];
  const made: { signature: CodeSignature; bytes: Uint8Array; gaps: readonly number[] }[] = [];
  const regions = new RegionStore({
    load: () => undefined,
    // Numbers of regions are put into the bytes later.
    keep: (signature, { bytes, gaps }: RegionModule) => void made.push({ signature, bytes: bytes.slice(), gaps }),
  });
  const machine = new Machine({ tier: "jit", hotness: { samples: 1, landings: 2, slice: 50 }, regions });
  machine.load(CODE, program);
  machine.run(10_000, CODE);
  assert.notEqual(made.length, 0);
  const { core, memory } = machine, { library, importedMemory, dispatch } = coreFor(core.ram, memory.buffer.byteLength);
  for (const { signature, bytes, gaps } of made) {
    const again = generateModule(library, importedMemory, partsFrom(signature, instructionsOf(dispatch.instructions)));
    assert.deepEqual({ bytes: again.bytes, gaps: again.gaps }, { bytes, gaps });
  }
});
