// An SGI that its handler sends to its own vCPU again, so that the interrupted code never moves, is
// a storm. Handlers that do so for a while, or while there is nothing else to do, are not.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { demoSystem, runUntil } from "../session/inspection/system.ts";
import { Random } from "../support/random.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { verdictOn } from "./class-guests.ts";
import { runHealthy } from "./healthy.ts";

/** Virtual time (ns) by which 10,000 such SGIs have been taken, and for which others are asked. */
const BEGUN = 40e6, HEALTHY_FOR = 60e6;

const folder = await Deno.makeTempDir({ prefix: "el2-sgis-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** SGI 1 of the vCPU to itself. */
const SEND = "msr icc_sgi1r_el1, x6";

/** Enables SGI 1, sends it, runs `program`, and `handler` before the end of an interrupt. */
const guest = (program: string, handler: string) =>
  "adr x0, vectors\nmsr vbar_el1, x0\nisb\ntimer_gic\nmov64 x1, 0x080b0000\nmov w2, #2\nstr w2, [x1, #0x80]\nstr w2, [x1, #0x100]\n" +
  `mov64 x6, 0x1000001\n${SEND}\nisb\nmsr daifclr, #2\n${program}\n.balign 2048\nvectors: .zero 0x280\n` +
  `mrs x13, icc_iar1_el1\n${handler}\nmsr icc_eoir1_el1, x13\neret\n.balign 2048`;

const COUNTS = "7: add x20, x20, #1\nb 7b", WAITS = "7: wfi\nb 7b";

async function systemOf(source: string): Promise<GuestSystem> {
  await assembleGuest(folder, "x", source);
  return await demoSystem('el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\n', undefined, folder);
}

Deno.test("an SGI that its handler sends again is a storm", async () => {
  const system = await systemOf(guest(COUNTS, SEND));
  runUntil(system, BEGUN + new Random(1).below(BEGUN));
  const { healthy, verdict, text, way_out } = verdictOn(system, "x");
  assert.ok(!healthy && verdict === "storm", text);
  assert.match(text, /^irq:x\/1 storm: its handler sends it again each time/);
  assert.match(way_out ?? "-", /does not send this SGI to its own vCPU/);
});

/** Healthy guests with such interrupts. */
const HEALTHY: Readonly<Record<string, string>> = {
  "whose handler does not send it": guest(COUNTS, "nop"),
  "that a program sends itself in a loop": guest(`7: ${SEND}\nisb\nb 7b`, "nop"),
  "whose handler sends it again 5,000 times": guest(
    `mov64 x21, 5000\n7: ${SEND}\nisb\n8: cbnz x21, 8b\nmsr daifset, #2\nsleep_healthily`,
    `cbz x21, 5f\nsub x21, x21, #1\n${SEND}\n5:`,
  ),
  "whose handler does all work, while the program waits by WFI": guest(WAITS, SEND),
  "whose handler does all work, while the program is a branch to itself": guest("b .", SEND),
};

for (const [name, source] of Object.entries(HEALTHY)) {
  Deno.test(`no storm is an SGI ${name}`, async () => {
    const system = await systemOf(source);
    runHealthy(system, HEALTHY_FOR);
    assert.ok(system.symbols.vcpus("x").some(({ gic }) => gic.bank.taken[1] > 0), "its interrupt comes");
  });
}
