// VMs that their owner starts again after each end: three ends in a row that nobody wanted are a
// failure, with the cause and the way out of the last one; ends that the guest wants, and a start
// that succeeds in the end, are not.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import type { ExceptionCause } from "../../src/model/queries/facts/exception-cause.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { verdictOn } from "./class-guests.ts";
import { assertHealthy } from "./healthy.ts";
import { assertLasting } from "./lasting.ts";
import { saidSoon } from "./soon.ts";
import { LONG } from "../support/long.ts";

const INSTANTS = LONG ? 1000 : 4;
/** Virtual time (ns) for which healthy ones are asked, and between two questions. */
const HEALTHY = LONG ? 5e9 : 0.1e9, ASKED = 10e6;

const folder = await Deno.makeTempDir({ prefix: "el2-restarts-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

async function system(source: string): Promise<GuestSystem> {
  await assembleGuest(folder, "x", source);
  return demoSystem('el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\non_exit = "restart"\n', undefined, folder);
}

const call = (id: string) => `mov64 x0, ${id}\nhvc #0`;
const RESET = call("0x84000009"), OFF = call("0x84000008");
/** Runs for some turns first, so that lives are told apart. */
const works = (turns: number) => `mov64 x9, ${turns}\n5: subs x9, x9, #1\nb.ne 5b`;
const WORK = works(1_000_000), LONGER = works(2_000_000);
/** A handler of each exception that asks for a reset. */
const resets = (source: string) =>
  `adr x0, vectors\nmsr vbar_el1, x0\nisb\n${source}\n.balign 2048\nvectors:\n.rept 16\n${RESET}\n.balign 128\n.endr`;

interface Restart {
  readonly source: string;
  readonly cause: ExceptionCause["code"];
  readonly wayOut: RegExp;
}

const BROKEN: Readonly<Record<string, Restart>> = {
  "an instruction of another CPU": { source: `no_vectors\n${WORK}\ncntw x0`, cause: "lacks-feature", wayOut: /^build without FEAT_SVE/ },
  "a null pointer to a function": { source: `no_vectors\n${WORK}\nmov x0, #0\nblr x0`, cause: "jump-to-devices", wayOut: /null/ },
  "a failed assertion": { source: `no_vectors\n${WORK}\nbrk #1`, cause: "trap-instruction", wayOut: /find the assertion/ },
  "a load from nowhere, whose handler asks for a reset": {
    source: resets(`${WORK}\nmov64 x0, 0x90000000\nldr w0, [x0]`),
    ...{ cause: "not-given", wayOut: /fix the pointer/ },
  },
  "an unaligned store, whose handler asks for a reset": {
    source: resets(`${WORK}\nmov64 x0, 0x80010002\nstr w0, [x0, #1]`),
    ...{ cause: "device-alignment", wayOut: /-mstrict-align/ },
  },
};

for (const [name, { source, cause, wayOut }] of Object.entries(BROKEN)) {
  Deno.test(`restarts again and again: ${name}`, async () => {
    const machine = await saidSoon(() => system(source), "x");
    while (verdictOn(machine, "x").fact.code !== "restarts") {
      assert.ok(machine.machine.time < 1e8, verdictOn(machine, "x").text);
      runUntil(machine, machine.machine.time + 1e5);
    }
    const row = verdictOn(machine, "x"), found = row.because.find((one) => one.code === "cause");
    assert.ok(row.fact.code === "restarts" && row.fact.lives >= 3);
    assert.equal(found?.cause.code, cause, row.evidence.join("\n"));
    assert.match(row.way_out ?? "", wayOut);
    assert.match(row.next ?? "", /^el2 why why:\d+$/);
    assert.ok(machine.broken().some((text) => text.startsWith("x: ")), "a run would not fail");
    assertLasting(machine, (now) => verdictOn(now, "x").fact.code, INSTANTS);
  });
}

for (const [name, source] of [["a reset", RESET], ["its power-off", OFF]] as const) {
  Deno.test(`restarts again and again: a guest that asks for ${name} at once`, async () => {
    const machine = await saidSoon(() => system(`no_vectors\n${source}`), "x"), row = verdictOn(machine, "x");
    assert.ok(row.fact.code === "restarts" && row.fact.lives >= 20, row.text);
    assert.match(row.way_out ?? "", /asks for its end/);
    assert.match(row.next ?? "", /^el2 why why:\d+$/);
    assert.ok(machine.broken().some((text) => text.startsWith("x: ")), "a run would not fail");
    assertLasting(machine, (now) => verdictOn(now, "x").fact.code, INSTANTS);
  });
}

const SLEEP = "sleep_healthily";
const HEALTHY_ONES: Readonly<Record<string, string>> = {
  "powers itself off again and again": `no_vectors\n${LONGER}\n${OFF}`,
  // Each life begins where the time of the one before ended.
  "asks for a reset at once for 1 ms, and runs then": `no_vectors\nmrs x0, cntvct_el0\nmrs x1, cntfrq_el0
    mov x2, #1000\nudiv x1, x1, x2\ncmp x0, x1\nb.hi 6f\n${RESET}\n6: ${SLEEP}`,
  "asks for a reset again and again": `no_vectors\n${LONGER}\n${RESET}`,
  "handles an exception in each life, and asks for a reset": `adr x0, vectors\nmsr vbar_el1, x0\nisb\n${LONGER}\nbrk #1\n${RESET}
    .balign 2048\nvectors:\n.zero 0x200\nmrs x10, elr_el1\nadd x10, x10, #4\nmsr elr_el1, x10\neret\n.balign 2048`,
  // The counter continues over lives.
  "fails twice, and runs then": `no_vectors\n${LONGER}\nmrs x0, cntvct_el0\nmrs x1, cntfrq_el0
    mov x2, #100\nudiv x1, x1, x2\ncmp x0, x1\nb.hi 6f\nbrk #1\n6: ${SLEEP}`,
};

for (const [name, source] of Object.entries(HEALTHY_ONES)) {
  Deno.test(`looks like a VM that restarts again and again: one that ${name}`, async () => {
    const machine = await system(source);
    for (let time = ASKED; time <= HEALTHY; time += ASKED) {
      runUntil(machine, time);
      assertHealthy(machine);
    }
    assert.deepEqual(machine.broken(), []);
    const lives = rows(machine, "why", { filter: "ended=vm:x", limit: 100 });
    assert.ok(lives.length >= 2, `${lives.length} ends`);
  });
}
