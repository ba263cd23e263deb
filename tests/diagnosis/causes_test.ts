// Each exception that ends a guest is told with its cause: the feature or level that an instruction
// lacks, the rule of stage 1 or stage 2 that an access broke, and the way out of it. Guests that
// handle the same exceptions are healthy.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { Stage2Flags } from "../../src/cpu/core/interface.ts";
import { EXCEPTION_CAUSES } from "../../src/model/queries/facts/exception-cause.ts";
import { once } from "../../src/kit/support/values/once.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { CASES, cause, type CauseCase, load } from "./cause-cases.ts";
import { fits } from "./class-guests.ts";
import { runHealthy } from "./healthy.ts";
import { LONG } from "../support/long.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-causes-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** The section of a VM with this guest. */
async function vmOf(name: string, source: string): Promise<string> {
  await assembleGuest(folder, name, source);
  return `[vm.${name}]\nimage = "${name}.bin"\nmemory = "4MiB"\n`;
}

/** A machine in which each of these guests is a VM: x0, x1 and so on. */
async function machineOf(sources: readonly string[]): Promise<GuestSystem> {
  const vms = await Promise.all(sources.map((source, index) => vmOf(`x${index}`, source)));
  return await demoSystem(`el2 = 1\n${vms.join("")}`, undefined, folder);
}

/** Those that need nothing of their configuration end in one machine. */
const ALIKE = CASES.filter(({ more }) => !more);
const ended = once(async () => {
  const system = await machineOf(ALIKE.map(({ source }) => source));
  runUntil(system, 1e8);
  return system;
});

async function endOf(one: CauseCase): Promise<{ readonly system: GuestSystem; readonly vm: string }> {
  const { source, more } = one;
  if (!more) return { system: await ended(), vm: `vm:x${ALIKE.indexOf(one)}` };
  await assembleGuest(folder, "y", "sleep_healthily");
  const system = await demoSystem(`el2 = 1\n${await vmOf("x", source)}${more}`, undefined, folder);
  runUntil(system, 1e8);
  return { system, vm: "vm:x" };
}

for (const one of CASES) {
  const { name, cause, wayOut } = one;
  Deno.test(`the cause of an end: ${name}`, async () => {
    const { system, vm } = await endOf(one);
    const [row] = rows(system, "diagnose", { filter: `id=${vm}` });
    const found = row.because.find((one) => one.code === "cause");
    assert.ok(found, `${row.text} ${JSON.stringify(row.because)}`);
    assert.ok(fits(found.cause, cause), JSON.stringify(found.cause));
    assert.equal(row.verdict, "failed");
    assert.match(EXCEPTION_CAUSES.wayOutText(found.cause) ?? "-", wayOut);
    const [reason] = rows(system, "why", { filter: `ended=${vm}` });
    assert.deepEqual([row.way_out, reason.way_out], [EXCEPTION_CAUSES.wayOutText(found.cause), EXCEPTION_CAUSES.wayOutText(found.cause)]);
  });
}

const jump = (address: string) => `mov64 x0, ${address}\nbr x0`;
/** Where a branch finds no memory: in a VM, and in a primary VM with the devices of QEMU's virt. */
const NO_MEMORY = {
  secondary: ["0x0", "0x08000000", "0x08010000", "0x09000000", "0x90000000", "0x1000000000"],
  primary: ["0x0", "0x04000000", "0x08000000", "0x08010000", "0x09000000", "0x0a000000", "0x30000000", "0x90000000", "0x1000000000"],
};

for (const [kind, addresses] of Object.entries(NO_MEMORY)) {
  Deno.test(`a branch to a device, to flash, or to nothing has one cause, in a ${kind} VM`, async () => {
    for (const address of addresses) {
      await assembleGuest(folder, "x", standing(jump(address)));
      const section = kind === "primary" ? '[host]\nkind = "image"\nmemory = "64MiB"' : '[vm.x]\nmemory = "4MiB"';
      const system = await demoSystem(`el2 = 1\n${section}\nimage = "x.bin"\n`, undefined, folder);
      runUntil(system, 2e7);
      const [{ because }] = rows(system, "diagnose", { filter: `id=vm:${kind === "primary" ? "host" : "x"}` });
      const found = because.find((one) => one.code === "cause")?.cause;
      const short = `0x${BigInt(address).toString(16)}`;
      assert.ok(fits(found, { code: "jump-to-devices", address: short }), `${address}: ${JSON.stringify(because)}`);
      assert.match(
        EXCEPTION_CAUSES.wayOutText(found!) ?? "-",
        short === "0x0" ? /that is null/ : /^fix the pointer(?:: X0 at 0x| in X0$)/,
      );
    }
  });
}

/** Vectors whose slots are endless loops. */
const STANDING = ".balign 2048\nvectors:\n.rept 16\n9: b 9b\n.balign 128\n.endr";
const standing = (source: string) => `adr x0, vectors\nmsr vbar_el1, x0\nisb\n${source}\n1: b 1b\n${STANDING}`;
/** Starts CPU 1 at `second`, with PSCI. */
const CPU_ON = "mov64 x0, 0xc4000003\nmov x1, #1\nadr x2, second\nmov x3, #0\nhvc #0";

/** Guests that loop in their vectors, or whose handler faults: the first exception is told. */
const CRASHES: readonly (CauseCase & { readonly how: "crashed" | "fault-loop"; readonly at: string })[] = [
  {
    ...cause("an unaligned store, and vectors that stand", "", { code: "device-alignment", because: "stage-1-off" }, /-mstrict-align/),
    source: standing(load("0x80010002", "str w1, [x0]")),
    ...{ how: "crashed", at: "vcpu:x/0" },
  },
  {
    ...cause("an instruction of SVE, and vectors that stand", "", { code: "lacks-feature", name: "rdvl" }, /no CPU/),
    source: standing("rdvl x0, #1"),
    ...{ how: "crashed", at: "vcpu:x/0" },
  },
  {
    ...cause("a handler that takes the same fault", "", { code: "not-given", ipa: "0x90000000" }, /pointer/),
    source: standing("hvc #0\ncntw x0").replace("9: b 9b", load("0x90000000")).replace("hvc #0\ncntw x0", load("0x90000000")),
    ...{ how: "fault-loop", at: "vcpu:x/0" },
  },
  {
    ...cause("a handler that faults after another exception", "", { code: "lacks-feature", name: "cntw" }, /no CPU/),
    source: standing("cntw x0").replace("9: b 9b", load("0x90000000")),
    ...{ how: "fault-loop", at: "vcpu:x/0" },
  },
  ...[
    ["mapped", "translation", "0x80202010", "0", "0x80202703"],
    ["given its access flag", "access-flag", "0x80202010", "0x80202303", "0x80202703"],
    ["made writable", "permission", "0x80202010", "0x80202783", "0x80202703"],
  ].map(([what, fault, address, before, after]) => ({
    ...cause(`an access to a page that another CPU has ${what} since`, "", { code: "tables-since", fault, level: 3 }, /TLBs/, "vcpus = 2"),
    source: standing(`entry 3, 2, ${before}\nadr x0, vectors\nmsr vbar_el1, x0\n${CPU_ON}\nmmu_on\n${load(address, "str w1, [x0]")}
      second: mov64 x7, 1000000\n4: subs x7, x7, #1\nb.ne 4b\nentry 3, 2, ${after}\ndsb sy\n5: wfi\nb 5b`),
    ...{ how: "crashed", at: "vcpu:x/0" } as const,
  })),
  {
    ...cause("vectors that stage 1 does not map", "", { code: "trap-instruction" }, /./),
    source: "set vbar_el1, 0x90000000\nmmu_on\nbrk #1",
    ...{ how: "fault-loop", at: "vcpu:x/0" },
  },
  {
    ...cause("a second CPU that falls on its first step", "", { code: "outside-of-tables" }, /fix the pointer/, "vcpus = 2"),
    source: standing(`${CPU_ON}\nadr x1, flag\n3: ldr w0, [x1]\ncbz w0, 3b\nflag: .word 0\nsecond:\nadr x0, vectors\nmsr vbar_el1, x0
      mmu_on\n${load("0x700000000000", "str w1, [x0]")}`),
    ...{ how: "crashed", at: "vcpu:x/1" },
  },
];

for (const { name, source, more, cause, wayOut, how, at } of CRASHES) {
  Deno.test(`a crash that continues: ${name}`, async () => {
    const system = await demoSystem(`el2 = 1\n${await vmOf("x", source)}${more}`, undefined, folder);
    const verdict = () => rows(system, "diagnose", { filter: "id=vm:x" })[0];
    for (let time = 1e7; time <= (LONG ? 1e8 : 6e7) && (LONG || (verdict()?.healthy ?? true)); time += 1e7) runUntil(system, time);
    const row = verdict();
    assert.deepEqual([row.fact.code, row.healthy], [how, false], row.text);
    const found = row.because.find((one) => one.code === "cause");
    assert.ok(found && fits(found.cause, cause), JSON.stringify(row.because));
    assert.match(EXCEPTION_CAUSES.wayOutText(found.cause) ?? "-", wayOut);
    assert.ok("vcpu" in row.fact && row.fact.vcpu === at, JSON.stringify(row.fact));
  });
}

Deno.test("the cause of an abort is as of its time: memory that was mapped, or got other rights, since", async () => {
  await assembleGuest(folder, "x", standing(load("0x80800000", "str w1, [x0]")));
  const system = await demoSystem('el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\n', undefined, folder);
  runUntil(system, 1e8);
  const space = system.hypervisor.addressSpaces.get(0x80) ?? assert.fail("no VM");
  const found = () => rows(system, "diagnose", { filter: "id=vm:x" })[0].because.find((one) => one.code === "cause")?.cause;
  assert.ok(fits(found(), { code: "not-given", ipa: "0x80800000" }));
  const { pa } = space.stage2.lookup(0x8000_0000) ?? assert.fail("no memory");
  assert.ok(space.stage2.map(0x8080_0000, pa, 0x1000, Stage2Flags.Read));
  assert.ok(fits(found(), { code: "given-since", ipa: "0x80800000", rights: "r" }), JSON.stringify(found()));
});

/** A guest whose handler of synchronous exceptions does this, and that sleeps afterwards. */
const handled = (handler: string, source: string) => `
  adr x0, vectors
  msr vbar_el1, x0
  isb
  ${source}
  sleep_healthily
.balign 2048
vectors:
.zero 0x200
  ${handler}
  eret
.balign 2048`;
const SKIP = "mrs x10, elr_el1\nadd x10, x10, #4\nmsr elr_el1, x10";

const HEALTHY: Readonly<Record<string, string>> = {
  "probes SVE": handled(SKIP, "cntw x0"),
  "probes EL2": handled(SKIP, "mrs x0, hcr_el2\nmrs x0, scr_el3"),
  "probes an address": handled(SKIP, load("0x90000000")),
  "probes read-only memory": handled(SKIP, load("0x40000000", "str w1, [x0]")),
  "emulates an unaligned load": handled(SKIP, load("0x80010002", "ldr x1, [x0]")),
  "turns floating point on when it is used": handled("mov64 x10, 0x300000\nmsr cpacr_el1, x10\nisb", "fadd d0, d0, d1"),
  "sets access flags when memory is used": handled(
    "mov64 x10, 0x80103010\nldr x11, [x10]\norr x11, x11, #(1 << 10)\nstr x11, [x10]\ndsb sy\ntlbi vmalle1\ndsb sy\nisb",
    `entry 3, 2, 0x80202303\nmmu_on\n${load("0x80202010")}\nmrs x0, sctlr_el1\nbic x0, x0, #1\nmsr sctlr_el1, x0\nisb`,
  ),
  "counts its breakpoints": handled(`add x12, x12, #1\n${SKIP}`, "brk #7\nbrk #8\nbrk #9"),
};

Deno.test(`healthy: guests of which each ${Object.keys(HEALTHY).join(", or ")}`, async () => {
  const sources = Object.values(HEALTHY), system = await machineOf(sources);
  assert.deepEqual(runHealthy(system, 3e8), sources.map(() => "waits"));
  assert.deepEqual(rows(system, "why", { filter: "kind=ended" }), []);
});
