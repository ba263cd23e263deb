// Doing as told heals: each refusal whose way out changes the configuration, or a rule of injected
// faults, is followed, and the VM runs then.

import assert from "node:assert/strict";
import { rowsOf } from "../../src/queries/query.ts";
import { REASONS } from "../../src/queries/tables.ts";
import type { GuestSystem } from "../../src/assembly/system/guest-system.ts";
import { demoSystem, rows, runUntil } from "../inspection/system.ts";
import { buildBroken, writeBare } from "./broken-guest.ts";
import { BROKEN, type BrokenCase } from "./cases.ts";
import { runHealthy } from "./healthy.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-heals-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
await buildBroken(folder);
await writeBare(folder);
for (const name of ["hello.bin", "firmware.bin"]) await Deno.copyFile(`assets/guests/${name}`, `${folder}/${name}`);

/** Virtual time (ns) by which the broken ones go wrong, and until which healed ones are asked. */
const BROKEN_BY = 240e6, HEALED = 200e6;

/** The rules that were broken, and the ways out. */
const waysOut = (system: GuestSystem) =>
  rowsOf(REASONS, system.inspector.answer({ table: "why", args: { filter: "failed=yes" } })).flatMap((
    { way_out, rule },
  ) => [rule, way_out ?? ""]);

/** Ways out that change the configuration, by words of them; the change as they say it. */
const CHANGES: readonly (readonly [told: RegExp, change: (text: string) => string])[] = [
  [/add "none" to \[rm\] auth/, (text) => text.replace('auth = ["android"]', 'auth = ["android", "none"]')],
  [/schedule = "own" and devices = \[\]/, (text) => text.replace(/(\[vm\.x\]\n)/, '$1schedule = "own"\ndevices = []\n')],
];

/** The VM of a configuration runs, and is healthy. */
async function assertRuns(text: string, inject?: readonly string[]): Promise<void> {
  const system = await demoSystem(text, inject, folder);
  runHealthy(system, HEALED);
  const [vm] = rows(system, "vm.ls", { filter: "id=vm:x" });
  assert.deepEqual([vm.state, vm.healthy], ["running", true], vm.doing ?? "");
}

/** Cases that a rule of injected faults breaks, and that run without it. */
const INJECTED: readonly BrokenCase[] = BROKEN.filter(({ kind, inject, verdict }) =>
  kind === "refusal" && inject !== undefined && verdict === "failed"
);

for (const { name, text, inject } of INJECTED) {
  Deno.test(`healed by the removal of the rule: ${name}`, async () => {
    const system = await demoSystem(text, inject, folder);
    runUntil(system, BROKEN_BY);
    const told = waysOut(system).flatMap((way) => [.../`el2 inject --remove (inject:\d+)`/.exec(way)?.slice(1) ?? []]);
    assert.ok(told.length > 0, waysOut(system).join("\n"));
    await assertRuns(text, inject!.filter((_, index) => !told.includes(`inject:${index + 1}`)));
  });
}

for (const { name, text, wayOut } of BROKEN.filter(({ kind }) => kind === "refusal")) {
  const [told, change] = CHANGES.find(([told]) => told.source === wayOut?.source) ?? [];
  if (!told || !change) continue;
  Deno.test(`healed by the configuration: ${name}`, async () => {
    const system = await demoSystem(text, undefined, folder);
    runUntil(system, BROKEN_BY);
    assert.ok(waysOut(system).some((way) => told.test(way)), waysOut(system).join("\n"));
    assert.notEqual(change(text), text);
    await assertRuns(change(text));
  });
}
