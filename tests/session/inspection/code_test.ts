// Instructions around a vCPU's program counter.

import assert from "node:assert/strict";
import { demoSystem, rows, runUntil } from "./system.ts";

Deno.test("pc-5 begins five instructions before the PC, of which what is not mapped is left out", async () => {
  const system = await demoSystem();
  runUntil(system, 5e8);
  const at = rows(system, "code", { at: "ping/0:pc", size: 1 })[0];
  const around = rows(system, "code", { at: "ping/0:pc-5", size: 8 });
  assert.equal(around.length, 8);
  assert.deepEqual(around.map(({ pc }) => pc), [false, false, false, false, false, true, false, false]);
  assert.equal(around[5].address, at.address);
  // The guest's memory begins a few hundred instructions before it.
  const mapped = rows(system, "code", { at: "ping/0:pc-1000", size: 4 })[0];
  const distance = Number(BigInt(at.address) - BigInt(mapped.address)) / 4;
  assert.ok(distance > 5 && distance <= 1000, String(distance));
});
