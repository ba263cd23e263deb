// A machine that starts at EL2 beside QEMU's (`virtualization=on`): a small hypervisor of our own
// (el2-machine/guest.c) finds its firmware, GIC, timer and second CPU, and runs a program of EL1.
// Both machines must print the same text.

import assert from "node:assert/strict";
import { machineAtEl2, withEl2Program } from "../support/el2-program.ts";
import { runNative } from "../support/oracles.ts";

/** Its time goes by instructions: on a busy computer, a timer would come before it is looked at. */
const QEMU = "-M virt,gic-version=3,virtualization=on -cpu neoverse-n1 -smp 2 -icount shift=1,sleep=off " +
  "-nic none -display none -monitor none -serial stdio -no-reboot";
/** Virtual seconds; it takes a thousandth of one. */
const MOST_SECONDS = 1;

async function printedOnQemu(elf: string): Promise<string> {
  const { stdout } = await runNative("qemu-system-aarch64", [...QEMU.split(" "), "-kernel", elf]);
  assert.match(stdout, /\nend\n$/);
  return stdout;
}

Deno.test("a hypervisor of our own finds on el2 what it finds on QEMU: firmware, GIC, timer, second CPU, stage 2, virtual interrupts", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const stdout = await printedOnQemu(elf);
    for (const cpu of ["v8", "v8,+FEAT_VHE"]) {
      const guests = await machineAtEl2(elf, cpu), console = guests.console("host");
      assert.equal(await guests.end(MOST_SECONDS), "SYSTEM_OFF", console.text);
      assert.equal(console.text, stdout, cpu);
    }
  }));

Deno.test("debug exceptions of each level go to EL1 or, with MDCR_EL2.TDE and HCR_EL2.TGE, to EL2", () =>
  withEl2Program(["debug.c"], async (elf) => {
    const expected = await printedOnQemu(elf), guests = await machineAtEl2(elf, "v8"), console = guests.console("host");
    assert.equal(await guests.end(MOST_SECONDS), "SYSTEM_OFF", console.text);
    assert.equal(console.text, expected);
  }));

Deno.test("each timer raises its interrupt when its count comes to its value, and an offset moves that of CNTV", () =>
  withEl2Program(["timers.c"], async (elf) => {
    const expected = await printedOnQemu(elf), guests = await machineAtEl2(elf), console = guests.console("host");
    assert.equal(await guests.end(MOST_SECONDS), "SYSTEM_OFF", console.text);
    assert.equal(console.text, expected);
  }));
