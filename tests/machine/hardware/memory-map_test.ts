import assert from "node:assert/strict";
import {
  MAXIMUM_PRIMARY_MEMORY,
  memoryMap,
  MINIMUM_PRIMARY_MEMORY,
  PHYSICAL_END,
  RAM_BASE,
  RAM_OFFSET,
} from "../../../src/machine/hardware/memory-map.ts";

const MIB = 0x10_0000;

Deno.test("with 1 GiB the hypervisor and the Resource Manager lie where the recorded platform has them", () => {
  const map = memoryMap(1024 * MIB);
  assert.equal(map.hypervisorBase, 0x8000_0000);
  assert.equal(map.rootBase, 0x8040_0000);
  assert.equal(map.resourceManagerBase, 0x8048_0000);
});

Deno.test("with less RAM they stay there; with more they move above it", () => {
  assert.equal(memoryMap(512 * MIB).hypervisorBase, 0x8000_0000);
  assert.equal(memoryMap(2048 * MIB).hypervisorBase, RAM_BASE + 2048 * MIB);
});

Deno.test("the largest machine ends below 4 GiB", () => {
  const map = memoryMap(MAXIMUM_PRIMARY_MEMORY);
  assert.equal(map.ramEnd, PHYSICAL_END);
  assert.equal(map.wasmSize, RAM_OFFSET + PHYSICAL_END - RAM_BASE);
});

Deno.test("sizes that no machine can have are refused", () => {
  for (const size of [0, MINIMUM_PRIMARY_MEMORY - 2 * MIB, MAXIMUM_PRIMARY_MEMORY + 2 * MIB, 100 * MIB + 4096, NaN]) {
    assert.throws(() => memoryMap(size), RangeError);
  }
});
