// A TLB invalidation that misses the CPU, the ASID or the address that it was meant for, or none
// after a store that gives a valid descriptor another address: the first use of a translation that
// its tables no longer hold is reported, with both instructions and the way out. Guests that
// invalidate as the architecture asks have nothing to tell.

import assert from "node:assert/strict";
import { assemble } from "../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { evidenceLine } from "../../src/model/queries/facts/evidence.ts";
import { rows, runUntil } from "../session/inspection/system.ts";
import { casesOfRun } from "../support/long.ts";
import { assembledPlan, hashOf, ranSystem, TIERS } from "./assembled-guest.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-invalidations-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** Words in Normal memory, and the page whose translation changes: first in table 3, not global. */
const WORDS = "0x80180000", PAGE = "0x80200000";
const [FIRST, SECOND] = ["0x80210f03", "0x80211f03"];
const wait = (offset: number) => `5: ldr w0, [x20, #${offset}]\ncbz w0, 5b\ndsb sy`;
const say = (offset: number) => `dsb sy\nmov w0, #1\nstr w0, [x20, #${offset}]`;
const MMU_OFF = "mrs x0, sctlr_el1\nbic x0, x0, #1\nmsr sctlr_el1, x0\nisb";

const SLEEP = `${MMU_OFF}\nsleep_healthily`, POWER_OFF = "mov64 x0, 0x84000008\nhvc #0";
const CHANGE = `mov64 x1, ${SECOND}\nstr x1, [x0]`;

interface Steps {
  /** After the descriptor has changed, with the page's address in X9 and its number in X10. */
  readonly invalidate: string;
  /** Of the other CPU, before it reads the page again. */
  readonly other?: string;
  readonly change?: string;
  /** Of the other CPU, before the invalidation: CPU 0 says 16 and waits for 20. */
  readonly between?: string;
  readonly end?: string;
}

/** CPU 0 changes the page that CPU 1 has read, and reads again. */
const guest = ({ invalidate, other = "", change = CHANGE, between = "", end = SLEEP }: Steps) => `
  mov64 x0, 0xc4000003
  mov x1, #1
  adr x2, second
  mov x3, #0
  hvc #0
  entry 3, 0, ${FIRST}
  mmu_on
  mov64 x20, ${WORDS}
  mov64 x9, ${PAGE}
  lsr x10, x9, #12
  ldr x11, [x9]
  ${say(0)}
  ${wait(4)}
  mov64 x0, 0x80103000
  ${change}
  dsb ishst
  ${invalidate}
  dsb ish
  isb
  ${say(8)}
  ${wait(12)}
  ${end}
second:
  mov64 x20, ${WORDS}
  ${wait(0)}
  mmu_on
  mov64 x9, ${PAGE}
  lsr x10, x9, #12
  ldr x11, [x9]
  ${say(4)}
  ${between}
  ${wait(8)}
  ${other}
  ldr x11, [x9]
  ${say(12)}
6: wfi
  b 6b`;

type Missed = "cpu" | "asid" | "address" | "store";

const TOLD: Readonly<Record<string, readonly [missed: Missed, tlbi: RegExp, steps: Steps, wayOut: RegExp]>> = {
  "a page of this CPU alone": ["cpu", /^tlbi vae1, x10$/, { invalidate: "tlbi vae1, x10" }, /VAE1IS/],
  "the last level of this CPU alone": ["cpu", /^tlbi vale1, x10$/, { invalidate: "tlbi vale1, x10" }, /inner-shareable/],
  "all of this CPU alone": ["cpu", /^tlbi vmalle1$/, { invalidate: "tlbi vmalle1" }, /VMALLE1IS/],
  "an ASID of this CPU alone": ["cpu", /^tlbi aside1, xzr$/, { invalidate: "tlbi aside1, xzr" }, /inner-shareable/],
  "a page of another ASID": ["asid", /^tlbi vae1is, x10$/, { invalidate: "movk x10, #5, lsl 48\ntlbi vae1is, x10" }, /ASID 5.*63:48/],
  "a page whose address is not shifted": ["address", /^tlbi vae1is, x9$/, { invalidate: "tlbi vae1is, x9" }, /0x80200000000;.*right by 12/],
  "a page that is no longer mapped, of this CPU alone": [
    ...["cpu", /^tlbi vae1, x10$/] as const,
    { invalidate: "tlbi vae1, x10", change: "str xzr, [x0]" },
    /VAE1IS/,
  ],
  "nothing": ["store", /^str x1, \[x0\]$/, { invalidate: "" }, /\(0x80211f03\), and no TLBI has followed; .*break-before-make/],
  "nothing, after a store of two descriptors": ["store", /^stp x1, xzr, \[x0\]$/, {
    ...{ invalidate: "", change: `mov64 x1, ${SECOND}\nstp x1, xzr, [x0]` },
  }, /break-before-make/],
  "nothing, by a CPU that has just written the table": ["store", /^str x1, \[x0\]$/, {
    ...{ invalidate: "", change: `mov64 x1, ${SECOND}\nstr xzr, [x0, #64]\nstr x1, [x0]` },
  }, /break-before-make/],
};

const UNTOLD: Readonly<Record<string, Steps>> = {
  "a page of all CPUs": { invalidate: "tlbi vae1is, x10" },
  "a page of all CPUs and ASIDs": { invalidate: "movk x10, #5, lsl 48\ntlbi vaae1is, x10" },
  "all of all CPUs": { invalidate: "tlbi vmalle1is" },
  "its ASID": { invalidate: "tlbi aside1is, xzr" },
  "an entry that was cleared before": {
    change: `str xzr, [x0]\ndsb ishst\ntlbi vae1is, x10\ndsb ish\nmov64 x1, ${SECOND}\nstr x1, [x0]`,
    invalidate: "",
  },
  "each CPU its own, before it reads": { invalidate: "tlbi vae1, x10", other: "tlbi vae1, x10\ndsb ish\nisb" },
  "all CPUs, before which another one has used the page": {
    ...{ change: `${CHANGE}\n${say(16)}\n${wait(20)}`, invalidate: "tlbi vae1is, x10" },
    between: `${wait(16)}\nldr x11, [x9]\n${say(20)}`,
  },
  "nothing, as no address has changed": { change: "mov64 x1, 0x80210f83\nstr x1, [x0]", invalidate: "" },
  "nothing, as the page was not mapped": { change: "mov64 x1, 0x80211f03\nstr x1, [x0, #8]", invalidate: "" },
  "all of one CPU, for no change": { invalidate: "tlbi vmalle1", change: "" },
  "a page of another ASID, for no change": { invalidate: "movk x10, #5, lsl 48\ntlbi vae1is, x10", change: "" },
};

const planOf = (steps: Steps) =>
  assembledPlan(folder, guest(steps), 'el2 = 1\n[machine]\ncpus = 2\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\nvcpus = 2\n');

const verdictOf = (system: GuestSystem) => rows(system, "diagnose", { filter: "id=vm:x" })[0];
const evidenceOf = (system: GuestSystem) => verdictOf(system).because.filter((one) => one.code === "stale-translation");
const logged = (system: GuestSystem) => system.events.drain().events.filter(({ kind }) => kind === "log");

const CASES_TOLD = casesOfRun(TOLD, [
  "a page of this CPU alone",
  "a page of another ASID",
  "a page whose address is not shifted",
  "nothing",
]);
for (const [name, [missed, tlbi, steps, wayOut]] of CASES_TOLD) {
  Deno.test(`told: an invalidation of ${name}`, async () => {
    const plan = await planOf(steps), [first, other] = TIERS.map((tier) => ranSystem(plan, tier));
    const [found, ...more] = evidenceOf(first);
    assert.ok(found && more.length === 0, JSON.stringify(more));
    assert.deepEqual([found.missed, found.vcpu, found.by, found.address], [missed, "vcpu:x/1", "vcpu:x/0", PAGE]);
    assert.match(found.tlbi, tlbi);
    assert.match(evidenceLine(found), wayOut);
    assert.deepEqual([evidenceOf(other), hashOf(other)], [[found], hashOf(first)]);
    assert.deepEqual(logged(first).map(({ vcpu, refused }) => [vcpu, refused]), [["vm:x", true]]);
    const after = assemble(plan) as GuestSystem;
    after.load(first.save(), true);
    assert.deepEqual(evidenceOf(after), [found], "after a load");
  });
}

const CASES_UNTOLD = casesOfRun(UNTOLD, [
  "a page of all CPUs",
  "an entry that was cleared before",
  "each CPU its own, before it reads",
  "nothing, as no address has changed",
]);
for (const [name, steps] of CASES_UNTOLD) {
  Deno.test(`nothing to tell: an invalidation of ${name}`, async () => {
    const plan = await planOf(steps);
    for (const tier of TIERS) {
      const system = ranSystem(plan, tier);
      assert.deepEqual([evidenceOf(system), logged(system), verdictOf(system).verdict], [[], [], "waits"]);
    }
  });
}

/** Virtual time (ns) between two questions, and until which a CPU may still use the old page. */
const ASKED = 0.25e6, USED_BY = 3e7;
const BUSY =
  "mrs x13, cntvct_el0\nmrs x14, cntfrq_el0\nmov x15, #50\nudiv x14, x14, x15\nadd x13, x13, x14\n7: mrs x14, cntvct_el0\ncmp x14, x13\nb.lo 7b";

const OWN = { "the page": "tlbi vae1, x10", "all": "tlbi vmalle1", "its ASID": "tlbi aside1, xzr" };
for (const [name, tlbi] of casesOfRun(OWN, ["the page"])) {
  Deno.test(`nothing to tell: a CPU that uses the old page before it invalidates ${name}, as another one asks it to`, async () => {
    const plan = await planOf({ invalidate: "tlbi vae1, x10", other: `ldr x11, [x9]\n${tlbi}\ndsb ish\nisb` });
    for (const tier of TIERS) {
      const system = assemble({ ...plan, tier }) as GuestSystem;
      for (let time = ASKED; time <= USED_BY; time += ASKED) {
        runUntil(system, time);
        assert.deepEqual(evidenceOf(system), [], `at ${time / 1e6} ms`);
      }
      assert.deepEqual(logged(system), []);
    }
  });
}

Deno.test("told for good: a CPU that uses the old page, and invalidates it 20 ms later", async () => {
  const plan = await planOf({ invalidate: "tlbi vae1, x10", other: `ldr x11, [x9]\n${BUSY}\ntlbi vae1, x10\ndsb ish\nisb` });
  const system = assemble(plan) as GuestSystem;
  let told = 0;
  for (let time = ASKED; time <= 2 * USED_BY; time += ASKED) {
    runUntil(system, time);
    const found = evidenceOf(system).length;
    assert.ok(found >= told, `it is taken back at ${time / 1e6} ms`);
    told = found;
  }
  assert.deepEqual([told, logged(system).length], [1, 1]);
});

Deno.test("a use has the time at which it happens, also far behind the CPU's last call", async () => {
  const plan = await planOf({ invalidate: "tlbi vae1, x10", other: ".rept 64\nb 7f\n.balign 4096\n7:\n.endr" });
  for (const tier of TIERS) {
    const system = assemble({ ...plan, tier }) as GuestSystem;
    const useOf = () => [...system.hypervisor.scheduler.vcpus].flatMap(({ registers }) => registers.staleUse ?? [])[0];
    let before = 0;
    for (; !useOf(); before += 1e3) runUntil(system, before + 1e3);
    const { time } = useOf();
    assert.ok(time >= before - 1e3 && time <= system.machine.time, `${time}, which is seen at ${before}`);
  }
});

for (const [name, invalidate] of casesOfRun({ "of this CPU alone": "tlbi vae1, x10", "of nothing": "" }, ["of nothing"])) {
  Deno.test(`told: an invalidation ${name}, at once as the VM ends`, async () => {
    const plan = await planOf({ invalidate, end: POWER_OFF });
    for (const tier of TIERS) {
      const system = assemble({ ...plan, tier }) as GuestSystem;
      runUntil(system, 6e6);
      assert.equal(logged(system).filter(({ refused }) => refused).length, 1);
    }
  });
}

Deno.test("told: a CPU that uses the old page, and invalidates another page after it", async () => {
  const plan = await planOf({ invalidate: "tlbi vae1, x10", other: "ldr x11, [x9]\nadd x12, x10, #1\ntlbi vae1, x12\ndsb ish\nisb" });
  for (const tier of TIERS) assert.equal(evidenceOf(ranSystem(plan, tier)).length, 1);
});
