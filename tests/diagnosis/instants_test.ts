// A verdict is a function of what has happened: asked at an instant and a millisecond later it is
// the same, and a machine that is asked often comes to the same end as one that is asked once.
// With EL2_LONG=1 for all broken guests, at 1,000 instants each.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { Random } from "../support/random.ts";
import { buildBroken, writeBare, writePeerless } from "./broken-guest.ts";
import { BROKEN, type BrokenCase, PEERLESS } from "./cases.ts";
import { LONG } from "../support/long.ts";

const INSTANTS = LONG ? 1000 : 10;
/** Names of cases that run always. */
const FEW = ["a sleep without interrupts", "two VMs that wait for each other's message", "a vCPU that is never run again"];
/** Virtual time (ns) by which most go wrong, between two instants at most, and between the pair. */
const UNTIL = 240e6, APART = 400_000, LATER = 1e6;

const folder = await Deno.makeTempDir({ prefix: "el2-instants-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
await buildBroken(folder);
await writeBare(folder);
await writePeerless(folder, PEERLESS, "x");
for (const name of ["hello.bin", "firmware.bin"]) await Deno.copyFile(`assets/guests/${name}`, `${folder}/${name}`);
await Deno.writeTextFile(`${folder}/not-an-image.bin`, "neither an image nor a devicetree");

/** Values that grow with time alone, and the number of lives. */
const GROWS = /^(?:since_ns|for_ns|in_ns|lives)$/;

const rowOf = (system: GuestSystem, vm: string) =>
  rows(system, "diagnose", { filter: `id=vm:${vm}` })[0] ?? assert.fail(`no verdict on ${vm} at ${system.machine.time / 1e6} ms`);

/** The verdict without what grows. */
function said(system: GuestSystem, vm: string): unknown {
  const row = rowOf(system, vm);
  return JSON.parse(JSON.stringify({ verdict: row.verdict, fact: row.fact }, (key, value) => GROWS.test(key) ? 0 : value));
}

/** The VMs that fail a run. */
const failing = (system: GuestSystem) => system.broken().map((text) => text.split(": ")[0]).sort();

async function made({ text, inject }: BrokenCase): Promise<GuestSystem> {
  return await demoSystem(text, inject && [...inject], folder);
}

for (const broken of BROKEN.filter(({ verdict, name }) => verdict !== undefined && (LONG || FEW.includes(name)))) {
  const { name, vm = "x", until = UNTIL } = broken;
  Deno.test(`the same at ${INSTANTS} instants and a millisecond after each: ${name}`, async () => {
    const system = await made(broken), random = new Random(name.length), once = await made(broken);
    runUntil(system, until);
    for (let count = 0; count < INSTANTS && !system.ended(); count++) {
      runUntil(system, system.machine.time + random.below(APART));
      const before = said(system, vm), { time } = system.machine;
      runUntil(system, time + LATER);
      const after = said(system, vm);
      assert.deepEqual(after, before, `at ${time / 1e6} ms`);
    }
    runUntil(once, system.machine.time);
    assert.deepEqual([failing(once), once.ended()?.code], [failing(system), system.ended()?.code]);
  });
}

/** The hypervisor has nothing of a VM from its end until its next life has a VMID. */
Deno.test("a VM has a verdict between two of its lives too", async () => {
  const system = await made(BROKEN.find(({ name }) => name.endsWith("in each of its lives")) ?? assert.fail("no such case"));
  while (system.vms.lifeOf("x") !== "exited") runUntil(system, system.machine.time + 5_000);
  const between = new Set<string>();
  while (system.vms.lifeOf("x") !== "running") {
    runUntil(system, system.machine.time + 300);
    const { verdict } = rowOf(system, "x"), [{ state }] = rows(system, "vm.ls", { filter: "id=vm:x" });
    if (system.vms.lifeOf("x") === "creating" && state === "stopped") between.add(verdict);
  }
  assert.deepEqual([...between], ["failed"], "the end of the last life counts until then");
});
