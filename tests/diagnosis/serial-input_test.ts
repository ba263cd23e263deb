// A byte between drain and clear: characters in a PL011 of which no interrupt tells the
// guest, while every vCPU sleeps (Arm DDI 0183, 3.3.13).

import assert from "node:assert/strict";
import type { SessionPlan } from "../../src/model/plans/plan.ts";
import { assemble } from "../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { assertHealthy } from "./healthy.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-serial-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** FIFO on, and polls until the port takes input. The interrupts of `imsc` are on. */
const begin = (imsc: number) => `
  mov64 x1, 0x09000000
  mov w2, #0x70
  str w2, [x1, #0x2c]
  mov w2, #${imsc}
  str w2, [x1, #0x38]
  mov w3, #40
2: ldr w2, [x1, #0x18]
  subs w3, w3, #1
  b.ne 2b
  // The SPI of the port wakes the vCPU, and is polled.
  mov64 x4, 0x08000000
  mov w2, #0x12
  str w2, [x4]
  mov w2, #2
  str w2, [x4, #0x84]
  str w2, [x4, #0x104]
  mov x2, #0xf0
  msr icc_pmr_el1, x2
  mov x2, #1
  msr icc_igrpen1_el1, x2
  isb
1: wfi
  mrs x5, icc_iar1_el1`;
const END = "\n  msr icc_eoir1_el1, x5\n  b 1b\n";
const CLEAR = "\n  mov w2, #0x7ff\n  str w2, [x1, #0x44]";
const DRAIN = "\n3: ldr w2, [x1, #0x18]\n  tbnz w2, #4, 4f\n  ldr w2, [x1]\n  b 3b\n4:";
const RX_RT = 0x50, RX = 0x10, NONE = 0;

function planOf(image: Uint8Array): SessionPlan {
  const what = { kind: "boot", image, raw: true, initrd: undefined, dtb: undefined, append: undefined } as const;
  return { cpus: 1, memory: 64 << 20, turbo: true, seed: 1, what };
}

/** The store to UARTICR is in the evidence, and the next step shows it. */
function assertCleared(system: GuestSystem, vm: string): void {
  const [{ because, next }] = rows(system, "diagnose", { filter: `id=vm:${vm}` });
  const [cleared] = because.filter((one) => one.code === "input-cleared");
  assert.equal(cleared?.vcpu, `vcpu:${vm}/0`);
  const [, at] = /^el2 disasm (.*)$/.exec(next ?? "") ?? assert.fail(next ?? "");
  const [{ text }] = rows(system, "code", { at, size: 1 });
  assert.match(text, /^str\s+w2, \[x1, #68\]$/);
}

async function typedAt(source: string, characters: number): Promise<GuestSystem> {
  await assembleGuest(folder, "x", source);
  const image = await Deno.readFile(`${folder}/x.bin`);
  const system = assemble(planOf(image)) as GuestSystem;
  runUntil(system, 2e7);
  system.consoles.type("host", new Uint8Array(characters).fill(97));
  runUntil(system, 1e8);
  return system;
}

const BROKEN: Readonly<Record<string, readonly [source: string, characters: number, left: number]>> = {
  "clears the interrupt and reads nothing": [`${begin(RX_RT)}${CLEAR}${END}`, 3, 3],
  "reads one character and clears": [`${begin(RX_RT)}\n  ldr w2, [x1]${CLEAR}${END}`, 4, 3],
  "clears while the FIFO is full": [`${begin(RX_RT)}${CLEAR}${END}`, 40, 16],
  "clears twice, before and after one read": [`${begin(RX_RT)}${CLEAR}\n  ldr w2, [x1]${CLEAR}${END}`, 2, 1],
};

for (const [name, [source, characters, left]] of Object.entries(BROKEN)) {
  Deno.test(`a guest that ${name} has lost its input`, async () => {
    const system = await typedAt(source, characters);
    const [row] = rows(system, "diagnose", { filter: "id=vm:host" });
    assert.deepEqual([row.verdict, row.fact], ["lost", { code: "unread-input", console: "con:host/0", characters: left }]);
    assertCleared(system, "host");
    const after = assemble(planOf(await Deno.readFile(`${folder}/x.bin`))) as GuestSystem;
    after.load(system.save(), true);
    assertCleared(after, "host");
  });
}

Deno.test("a secondary VM that clears the interrupt and reads nothing has lost its input; one that drains after it has not", async () => {
  for (const [source, verdict] of [[`${begin(RX_RT)}${CLEAR}${END}`, "lost"], [`${begin(RX_RT)}${CLEAR}${DRAIN}${END}`, "waits"]]) {
    await assembleGuest(folder, "x", source);
    const system = await demoSystem('el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\n', undefined, folder);
    runUntil(system, 2e7);
    assert.ok(system.consoles.type("x", new Uint8Array(3).fill(97)));
    runUntil(system, 1e8);
    const [row] = rows(system, "diagnose", { filter: "id=vm:x" });
    assert.equal(row.verdict, verdict, row.text);
    if (verdict !== "lost") continue;
    assert.deepEqual(row.fact, { code: "unread-input", console: "con:x/0", characters: 3 });
    assertCleared(system, "x");
  }
});

Deno.test("a guest that masks its receive interrupts has them in the evidence of its sleep", async () => {
  const system = await typedAt(
    `${begin(RX_RT)}\n  str wzr, [x1, #0x38]\n  str wzr, [x4, #0x184]\n  mov w2, #2\n  str w2, [x4, #0x184]${END}`,
    5,
  );
  const [row] = rows(system, "diagnose", { filter: "id=vm:host" });
  assert.equal(row.verdict, "stuck", row.text);
  assert.ok(row.because.some((one) => one.code === "masked-input" && one.characters === 5), row.evidence.join("\n"));
});

const HEALTHY: Readonly<Record<string, readonly [source: string, characters: number]>> = {
  "clears first and then drains": [`${begin(RX_RT)}${CLEAR}${DRAIN}${END}`, 40],
  "drains and does not clear": [`${begin(RX_RT)}${DRAIN}${END}`, 5],
  "has no input": [`${begin(RX_RT)}${CLEAR}${END}`, 0],
  "waits for more characters than there are": [`${begin(RX)}${DRAIN}${END}`, 1],
  "does not listen": [`${begin(NONE)}${DRAIN}${END}`, 0],
};

for (const [name, [source, characters]] of Object.entries(HEALTHY)) {
  Deno.test(`healthy: a guest that ${name}`, async () => {
    assert.deepEqual(assertHealthy(await typedAt(source, characters)), ["waits"]);
  });
}
