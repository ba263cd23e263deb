// A program without a known kernel that asks for a reset is named with the place of its call, and
// with its callers.

import assert from "node:assert/strict";
import { assemble } from "../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { PRIMARY_CONSOLE } from "../../src/model/plans/plan.ts";
import { runUntil } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { verdictOn } from "./class-guests.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-resets-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

async function ended(call: string): Promise<GuestSystem> {
  const source = `adr x0, stack\nmov sp, x0\nmov x29, #0\nmov x30, #0\nbl 1f\n0: b 0b
1: stp x29, x30, [sp, #-16]!\nmov x29, sp\nbl 2f\n0: b 0b
2: stp x29, x30, [sp, #-16]!\nmov x29, sp\nmov64 x0, ${call}\nhvc #0\n0: b 0b\n.balign 16\n.zero 64\nstack:`;
  await assembleGuest(folder, "x", source);
  const image = await Deno.readFile(`${folder}/x.bin`);
  const what = { kind: "boot", image, raw: true, initrd: undefined, dtb: undefined, append: undefined } as const;
  const system = assemble({ cpus: 1, memory: 64 << 20, turbo: true, seed: 1, what }) as GuestSystem;
  runUntil(system, 1e7);
  return system;
}

Deno.test("a reset names the place of its call and the callers; a power-off is what the program wants", async () => {
  const { fact, text } = verdictOn(await ended("0x84000009"), PRIMARY_CONSOLE);
  assert.ok(fact.code === "reset" && fact.by === null, text);
  const [call, inner, outer] = fact.places.map(({ first }) => Number(first));
  // Bytes from one call to the next in this program.
  assert.deepEqual([inner - outer, call - inner], [16, 32], text);
  assert.match(text, /^it asked for a reset \(PSCI SYSTEM_RESET\) at 0x[0-9a-f]+, called at 0x[0-9a-f]+, called at 0x[0-9a-f]+$/);
  assert.equal(verdictOn(await ended("0x84000008"), PRIMARY_CONSOLE).text, "it powered itself off (PSCI SYSTEM_OFF)");
});
