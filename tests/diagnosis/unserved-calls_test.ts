// Guests that call firmware in a loop: an SMCCC function of an owner that nobody is for is answered
// -1 for ever, whoever the owner is. Calls whose answer changes, or with something besides that may
// end the loop, are work.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { assertHealthy } from "./healthy.ts";
import { assertLasting } from "./lasting.ts";
import { saidSoon } from "./soon.ts";
import { LONG } from "../support/long.ts";

const INSTANTS = LONG ? 1000 : 2;
/** Virtual time (ns) for which healthy ones are asked, and between two questions. */
const HEALTHY_FOR = LONG ? 2e9 : 5e7, ASKED = LONG ? 1.3e5 : 4.7e6;

const folder = await Deno.makeTempDir({ prefix: "el2-unserved-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

async function system(source: string): Promise<GuestSystem> {
  await assembleGuest(folder, "x", source);
  return demoSystem('el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\n', undefined, folder);
}

const verdictOf = (system: GuestSystem) => rows(system, "diagnose", { filter: "id=vm:x" })[0];
/** Calls a function until it gives 0. */
const until0 = (id: string, conduit = "hvc") => `1: mov64 x0, ${id}\n${conduit} #0\ncbnz x0, 1b\nend: wfi\nb end`;

const BROKEN: Readonly<Record<string, { source: string; id: string; owner: RegExp }>> = {
  "an OEM's function": { source: until0("0xc3000010"), id: "0xc3000010", owner: /OEM/ },
  "a silicon provider's, by SMC": { source: until0("0x82000007", "smc"), id: "0x82000007", owner: /silicon/ },
  "a Trusted OS's": { source: until0("0xb2000001", "smc"), id: "0xb2000001", owner: /Trusted OS/ },
  "a CPU maker's": { source: until0("0x81000000"), id: "0x81000000", owner: /CPU/ },
  "one of the standard secure service that is not there": { source: until0("0x84000060"), id: "0x84000060", owner: /secure/ },
  "a hypervisor vendor's that is not there": { source: until0("0x86000123"), id: "0x86000123", owner: /vendor/ },
  "a yielding call": { source: until0("0x43000010", "smc"), id: "0x43000010", owner: /OEM/ },
};

for (const [name, { source, id, owner }] of Object.entries(BROKEN)) {
  Deno.test(`calls for ever: ${name}`, async () => {
    const machine = await saidSoon(() => system(source), "x"), row = verdictOf(machine);
    assert.equal(row.fact.code, "exit-loop", row.text);
    const call = row.because.find((one) => one.code === "unserved-call");
    assert.equal(call?.function, id, row.evidence.join("\n"));
    const line = row.evidence.find((one) => one.endsWith("X0 is -1 each time")) ?? "";
    assert.match(line, owner);
    assert.match(row.way_out ?? "", /do without/);
    assert.ok(machine.broken().some((text) => text.startsWith("x: ")), "a run would not fail");
    assertLasting(machine, (now) => verdictOf(now).fact, INSTANTS);
  });
}

const OEM = "mov64 x0, 0xc3000010\nhvc #0";
const HEALTHY: Readonly<Record<string, string>> = {
  "asks once, and sleeps": `${OEM}\nsleep_healthily`,
  "asks again for 20 ms, and gives up": `mrs x9, cntvct_el0\nmrs x10, cntfrq_el0\nmov x11, #50\nudiv x10, x10, x11\nadd x9, x9, x10
    1: ${OEM}\ncbz x0, 2f\nmrs x10, cntvct_el0\ncmp x10, x9\nb.lo 1b\n2:\nsleep_healthily`,
  "asks a thousand times, counts, and does so again": `2: mov x9, #1000\n1: ${OEM}\nsubs x9, x9, #1\nb.ne 1b\nadd x12, x12, #1\nb 2b`,
  "asks for random bits until they are even": `1: mov64 x0, 0xc4000053\nmov x1, #64\nhvc #0\ntbnz x3, #0, 1b\nadd x12, x12, #1\nb 1b`,
};

for (const [name, source] of Object.entries(HEALTHY)) {
  Deno.test(`looks like a call for ever: a guest that ${name}`, async () => {
    const machine = await system(source);
    for (let time = 1e6; time < HEALTHY_FOR; time += ASKED) {
      runUntil(machine, time);
      assertHealthy(machine);
    }
    assert.deepEqual([machine.broken(), machine.ended()], [[], undefined]);
    assert.ok(verdictOf(machine).because.every(({ code }) => code !== "unserved-call"), verdictOf(machine).evidence.join("\n"));
  });
}
