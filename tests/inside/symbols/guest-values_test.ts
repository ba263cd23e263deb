// Values of a guest's variables, as text and by their parts.

import assert from "node:assert/strict";
import type { Vcpu } from "../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { DebugInfo } from "../../../src/inside/symbols/debug-info.ts";
import { compactSymbols } from "../../../src/inside/symbols/elf-symbols.ts";
import { FrameValues } from "../../../src/inside/symbols/guest-values.ts";
import { unwind } from "../../../src/inside/symbols/unwind.ts";
import { buildProgram, withTempFolder } from "../../session/debug/programs.ts";

Deno.test("an array of two dimensions has its rows as parts", async () => {
  await withTempFolder(async (folder) => {
    const info = DebugInfo.of(compactSymbols(await buildProgram("grid", `${folder}/grid.elf`, { optimize: "-O0" }))!)!;
    const [pc] = info.codeOf("grid.c", 7)!.addresses;
    const read = (_address: bigint, size: number) => new Uint8Array(size).fill(1);
    const registers = { getRegister: () => 0n, getX: () => 0x4022_0000n, pc, pstate: 5 };
    const [frame] = unwind({ registers } as unknown as Vcpu, 0x4022_0000n, read, [info]);
    const values = new FrameValues(info, frame, 0, read, () => undefined);
    const [grid, row] = ["grid", "row"].map((name) => values.find(name)!);
    assert.deepEqual(values.parts(grid, "grid").map(({ path, type }) => [path, type.name, type.size()]), [
      ["grid[0]", "volatile int32_t[3]", 12],
      ["grid[1]", "volatile int32_t[3]", 12],
    ]);
    assert.equal(values.text(grid), "{{16843009, 16843009, 16843009}, {16843009, 16843009, 16843009}}");
    assert.equal(values.text(row), "{16843009, 16843009, 16843009}");
    assert.equal(values.parts(row, "row").length, values.count(row));
  });
});
