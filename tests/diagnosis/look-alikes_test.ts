// One symptom may have several causes: each candidate has a guest, which is told from the others by
// the question that the candidate asks of the machine. Its way out, applied, heals.

import assert from "node:assert/strict";
import { once } from "../../src/kit/support/values/once.ts";
import { EXCEPTION_CAUSES } from "../../src/model/queries/facts/exception-cause.ts";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { SYMPTOMS } from "../../src/session/inspection/causes/exception-cause.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { CASES } from "./cause-cases.ts";
import { fits } from "./class-guests.ts";
import { runHealthy } from "./healthy.ts";
import { LOOK_ALIKES, type LookAlike } from "./look-alikes.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-look-alikes-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** A machine in which each guest is a VM: x0, x1 and so on. */
async function machineOf(guests: readonly LookAlike[], which: "sick" | "healed"): Promise<GuestSystem> {
  const vms = await Promise.all(guests.map(async (one, index) => {
    await assembleGuest(folder, `x${index}`, one[which]);
    return `[vm.x${index}]\nimage = "x${index}.bin"\nmemory = "4MiB"\n${one.keys ?? ""}\n`;
  }));
  return await demoSystem(`el2 = 1\n[machine]\ncpu = "max"\n${vms.join("")}`, undefined, folder);
}

/** Verdicts on sick guests, when each has its cause: the host takes down those that end. */
async function verdictsOn(guests: readonly LookAlike[], step: number) {
  const system = await machineOf(guests, "sick");
  const found = () => rows(system, "diagnose", {}).filter(({ because }) => because.some(({ code }) => code === "cause"));
  for (let time = step; time <= 50 * step && found().length < guests.length; time += step) runUntil(system, time);
  return new Map(rows(system, "diagnose", {}).map((row) => [guests[Number(row.id.slice("vm:x".length))], row]));
}

const LOOPS = LOOK_ALIKES.filter(({ loops }) => loops), OTHERS = LOOK_ALIKES.filter(({ loops }) => !loops);
/** VMs of one machine: the Resource Manager's heap has room for about forty. */
const MOST = 30;
const ENDS = Array.from({ length: Math.ceil(OTHERS.length / MOST) }, (_, index) => OTHERS.slice(index * MOST, (index + 1) * MOST));
/** Handlers that fault take long. */
const verdicts = once(async () => {
  const found = [...await verdictsOn(LOOPS, 2e6)];
  for (const guests of ENDS) found.push(...await verdictsOn(guests, 2e7));
  return new Map(found);
});

for (const one of LOOK_ALIKES) {
  const { symptom, cause, wayOut } = one;
  Deno.test(`${symptom}: ${JSON.stringify(cause, (_, value) => value instanceof RegExp ? value.source : value)}`, async () => {
    const row = (await verdicts()).get(one) ?? assert.fail("no verdict");
    const found = row.because.find((one) => one.code === "cause");
    assert.ok(found && fits(found.cause, cause), `${row.text}\n${JSON.stringify(found)}`);
    assert.ok(row.text.includes(symptom), row.text);
    assert.match(EXCEPTION_CAUSES.wayOutText(found.cause) ?? "-", wayOut);
    assert.equal(row.way_out, EXCEPTION_CAUSES.wayOutText(found.cause));
  });
}

Deno.test("each of these guests is healthy as its way out says", async () => {
  for (const guests of [...ENDS, LOOPS]) {
    const system = await machineOf(guests, "healed");
    assert.deepEqual(runHealthy(system, 5e7), guests.map(() => "waits"));
  }
});

/** Causes that need the state of another VM, or of a driver: other tests have them. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  "given-since",
  "lent",
  "gicv2-interface",
  "no-device",
  "tables-since",
  "no-vectors",
  "semihosting",
]);

Deno.test("each candidate of each symptom asks a question, and has a guest", () => {
  const having = new Set<string>([...CASES, ...LOOK_ALIKES].map(({ cause }) => cause.code));
  for (const [symptom, rules] of Object.entries(SYMPTOMS)) {
    for (const { codes, asks } of rules) {
      assert.match(asks, /^[a-z].*\?$/, symptom);
      assert.deepEqual(codes.filter((code) => !having.has(code) && !ELSEWHERE.has(code)), [], symptom);
    }
  }
});
