// Exclusive and atomic accesses to Device memory work here, and may not on a CPU: the first of each
// vCPU is reported, with its place and the reason why its memory is Device, in each tier and after
// a load. Those to Normal memory, and plain ones to Device memory, are not.

import assert from "node:assert/strict";
import { assemble } from "../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { rows } from "../session/inspection/system.ts";
import { casesOfRun } from "../support/long.ts";
import { assembledPlan, hashOf, ranSystem, TIERS } from "./assembled-guest.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-exclusives-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const LOCK = "1: ldaxr w0, [x4]\nadd w0, w0, #1\nstxr w3, w0, [x4]\ncbnz w3, 1b";
/** The page at 0x80200000 by attribute 1, Device; the image's own block is Normal. */
const DEVICE_PAGE = "entry 3, 0, 0x80200707\nmmu_on\nmov64 x4, 0x80200000\nstr wzr, [x4]";
const NORMAL = "mov64 x4, 0x80180000\nstr wzr, [x4]";
/** Its devices are not in the tables. */
const SLEEP = "mrs x0, sctlr_el1\nbic x0, x0, #1\nmsr sctlr_el1, x0\nisb\nsleep_healthily";
/** A loop that is hot on Normal memory comes to the Device page. */
const HOT = "mov64 x5, 0x80180000\nmov64 x6, 40000\n2: cmp x6, #8\ncsel x4, x5, x4, hi\nldaxr w0, [x4]\nstxr w3, w0, [x4]\n" +
  "mov64 x7, 0x80200000\nmov x4, x7\nsubs x6, x6, #1\nb.ne 2b";

interface Case {
  readonly source: string;
  readonly because?: string;
  readonly instruction?: RegExp;
  readonly vcpu?: string;
  readonly keys?: string;
}

const TOLD: Readonly<Record<string, Case>> = {
  "a lock before the MMU is on": { source: `${NORMAL}\n${LOCK}`, because: "stage-1-off", instruction: /^ldaxr w0, \[x4\]$/ },
  "a compare and swap before the MMU is on": { source: `${NORMAL}\ncasa w0, w2, [x4]`, because: "stage-1-off", instruction: /^casa / },
  "an exclusive of a pair before the MMU is on": { source: `${NORMAL}\nldxp x0, x1, [x4]`, because: "stage-1-off", instruction: /^ldxp / },
  "a lock in a page that was mapped as Device": { source: `${DEVICE_PAGE}\n${LOCK}`, because: "mair", instruction: /^ldaxr / },
  "an atomic addition to such a page": { source: `${DEVICE_PAGE}\nldadd w1, w0, [x4]`, because: "mair", instruction: /^ldadd / },
  "a hot loop that comes to such a page": { source: `${DEVICE_PAGE}\n${HOT}`, because: "mair", instruction: /^ldaxr / },
  "a lock of a second CPU, which forgot its MMU": {
    source: `mov64 x0, 0xc4000003\nmov x1, #1\nadr x2, second\nmov x3, #0\nhvc #0\nmmu_on\n${NORMAL}\n${LOCK}\nb 3f\n` +
      `second:\n${NORMAL}\nadd x4, x4, #64\n${LOCK}\n4: wfi\nb 4b\n3:`,
    ...{ because: "stage-1-off", vcpu: "vcpu:x/1", keys: "vcpus = 2\n" },
  },
};

const UNTOLD: Readonly<Record<string, Case>> = {
  "a lock in Normal memory": { source: `mmu_on\n${NORMAL}\n${LOCK}` },
  "a lock in Normal memory beside a Device page": {
    source: `${DEVICE_PAGE}\nldr w0, [x4]\nstr w0, [x4, #8]\n${NORMAL}\n${LOCK}`,
  },
  "ordered accesses before the MMU is on": { source: `${NORMAL}\nldar w0, [x4]\nstlr w0, [x4]\nldr x1, [x4]\nstp x1, x2, [x4]` },
};

function planOf({ source, keys = "" }: Case, strict = false) {
  const text = `el2 = 1\n[machine]\nstrict = ${strict}\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\n${keys}`;
  return assembledPlan(folder, `${source}\n${SLEEP}`, text);
}

function evidenceOf(system: GuestSystem) {
  const [row] = rows(system, "diagnose", { filter: "id=vm:x" });
  return row?.because.filter((one) => one.code === "device-atomic") ?? [];
}

const CASES = casesOfRun(TOLD, [
  "a lock before the MMU is on",
  "an atomic addition to such a page",
  "a hot loop that comes to such a page",
  "a lock of a second CPU, which forgot its MMU",
]);
for (const [name, told] of CASES) {
  Deno.test(`told: ${name}`, async () => {
    const plan = await planOf(told), [first, other] = TIERS.map((tier) => ranSystem(plan, tier));
    const [found, ...more] = evidenceOf(first);
    assert.ok(found && more.length === 0, JSON.stringify(more));
    assert.deepEqual([found.because, found.vcpu], [told.because, told.vcpu ?? "vcpu:x/0"]);
    if (told.instruction) assert.match(found.instruction ?? "", told.instruction);
    assert.deepEqual([evidenceOf(other), hashOf(other)], [[found], hashOf(first)]);
    const after = assemble(plan) as GuestSystem;
    after.load(first.save(), true);
    assert.deepEqual(evidenceOf(after), [found], "after a load");
    const logged = first.events.drain().events.filter(({ kind, refused }) => kind === "log" && refused);
    assert.deepEqual(logged.map(({ vcpu }) => vcpu), ["vm:x"]);
    assert.match(logged[0].text, /exclusive or atomic access .*: a CPU may abort it, .*; way out: /);
    const [{ healthy, verdict }] = rows(first, "diagnose", { filter: "id=vm:x" });
    assert.deepEqual([healthy, verdict], [true, "waits"]);
  });
}

for (const [name, untold] of Object.entries(UNTOLD)) {
  Deno.test(`nothing to tell: ${name}`, async () => {
    const plan = await planOf(untold);
    for (const tier of TIERS) {
      const system = ranSystem(plan, tier);
      assert.deepEqual([evidenceOf(system), system.events.drain().events.filter(({ kind }) => kind === "log")], [[], []]);
    }
  });
}

Deno.test("--strict stops before such an access", async () => {
  const plan = await planOf(TOLD["a hot loop that comes to such a page"], true);
  for (const tier of TIERS) {
    const system = ranSystem(plan, tier);
    assert.match(
      system.ended()?.message ?? "",
      /^--strict: vcpu:x\/0 makes an exclusive or atomic access to 0x80200000 at .*ldaxr w0, \[x4\]/,
    );
  }
});
