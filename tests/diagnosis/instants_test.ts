// A verdict is a function of what has happened: asked at an instant and a millisecond later it is
// the same, and a machine that is asked often comes to the same end as one that is asked once.
// With EL2_LONG=1 for all broken guests, at 1,000 instants each.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/assembly/system/guest-system.ts";
import { demoSystem, rows, runUntil } from "../inspection/system.ts";
import { Random } from "../support/random.ts";
import { buildBroken, writeBare, writePeerless } from "./broken-guest.ts";
import { BROKEN, type BrokenCase, PEERLESS } from "./cases.ts";

const LONG = Deno.env.get("EL2_LONG") !== undefined;
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

/** The verdict without what grows; undefined between two lives of a VM, when there is none. */
function said(system: GuestSystem, vm: string): unknown {
  const row = rows(system, "diagnose", { filter: `id=vm:${vm}` })[0];
  if (!row) return undefined;
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
      // The end of a life, and the start of the next, are events.
      if (before && after) assert.deepEqual(after, before, `at ${time / 1e6} ms`);
    }
    runUntil(once, system.machine.time);
    assert.deepEqual([failing(once), once.ended()?.code], [failing(system), system.ended()?.code]);
  });
}
