// Calls that the lookup of a capability refuses name the way out: a command that lists what the VM
// has, or shows what it may not. Done as told, the call succeeds.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { rowsOf } from "../../src/model/queries/query.ts";
import { REASONS } from "../../src/model/queries/tables.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { type RefusedCall, refusedCalls } from "./refused-calls.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-capabilities-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

async function ran({ source, text }: Pick<RefusedCall, "source" | "text">): Promise<GuestSystem> {
  await assembleGuest(folder, "x", source);
  const system = await demoSystem(text("x"), undefined, folder);
  runUntil(system, 1e8);
  return system;
}

const reasonsOf = (system: GuestSystem) => rowsOf(REASONS, system.inspector.answer({ table: "why", args: { filter: "vm=vm:x" } }));

for (const [name, call] of Object.entries(await refusedCalls(folder))) {
  Deno.test(`refused, with its way out: a call with ${name}`, async () => {
    const system = await ran(call), [reason, ...more] = reasonsOf(system);
    assert.deepEqual([reason?.err, reason?.section, more], [call.error, "hypervisor 3.3", []]);
    assert.match(reason.way_out ?? "", call.wayOut);
    assert.ok(rows(system, "caps.ls", { filter: call.shows }).length > 0, "the command shows something");
    const healed = await ran({ ...call, source: call.healed });
    assert.deepEqual(reasonsOf(healed), []);
  });
}
