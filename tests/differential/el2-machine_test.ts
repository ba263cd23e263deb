// A machine that starts at EL2 beside QEMU's (`virtualization=on`): a small hypervisor of our own
// (el2-machine/guest.c) finds its firmware, GIC, timer and second CPU, and runs a program of EL1.
// Both machines must print the same text.

import assert from "node:assert/strict";
import { Guests } from "../guests/guest.ts";
import { runNative } from "../support/oracles.ts";
import { inFolder } from "../support/temporary-folder.ts";

const COMPILE = "-O1 -Wall -Wextra -Werror -ffreestanding -mgeneral-regs-only -mstrict-align -fno-pic -fno-pie -fno-stack-protector";
const LINK = "-march=armv8-a -nostdlib -static -Wl,--build-id=none -Wl,--no-warn-rwx-segments";
const QEMU =
  "-M virt,gic-version=3,virtualization=on -cpu neoverse-n1 -smp 2 -nic none -display none -monitor none -serial stdio -no-reboot";
/** Virtual seconds; it takes a thousandth of one. */
const MOST_SECONDS = 1;

/** Builds a program of these sources, and calls `use` with the path of its ELF file. */
function withProgram(sources: readonly string[], use: (elf: string) => Promise<void>): Promise<void> {
  return inFolder(async (folder) => {
    const elf = `${folder}/guest.elf`, source = new URL("./el2-machine/", import.meta.url).pathname;
    const files = ["-T", `${source}guest.ld`, "-o", elf, ...sources.map((name) => source + name)];
    const { code, stderr } = await runNative("aarch64-linux-gnu-gcc", [...COMPILE.split(" "), ...LINK.split(" "), ...files]);
    assert.equal(code, 0, stderr);
    await use(elf);
  });
}

async function printedOnQemu(elf: string): Promise<string> {
  const { stdout } = await runNative("qemu-system-aarch64", [...QEMU.split(" "), "-kernel", elf]);
  assert.match(stdout, /\nend\n$/);
  return stdout;
}

/** A machine of two CPUs that enters an image at EL2. */
const machineOf = (elf: string, cpu: string) =>
  Guests.configured(`
    el2 = 1
    machine = { cpus = 2, cpu = "${cpu}", memory = "64MiB" }
    host = { kind = "image", el2 = "${elf}" }
  `);

Deno.test("a hypervisor of our own finds on el2 what it finds on QEMU: firmware, GIC, timer, second CPU, stage 2, virtual interrupts", () =>
  withProgram(["start.S", "guest.c"], async (elf) => {
    const stdout = await printedOnQemu(elf);
    for (const cpu of ["v8", "v8,+FEAT_VHE"]) {
      const guests = await machineOf(elf, cpu), console = guests.console("host");
      assert.equal(await guests.end(MOST_SECONDS), "SYSTEM_OFF", console.text);
      assert.equal(console.text, stdout, cpu);
    }
  }));

Deno.test("each timer raises its interrupt when its count comes to its value, and an offset moves that of CNTV", () =>
  withProgram(["timers.c"], async (elf) => {
    const expected = await printedOnQemu(elf), guests = await machineOf(elf, "v8,+FEAT_VHE"), console = guests.console("host");
    assert.equal(await guests.end(MOST_SECONDS), "SYSTEM_OFF", console.text);
    assert.equal(console.text, expected);
  }));
