// Settings that are found in a kernel's memory have the values that /proc/sys shows.

import assert from "node:assert/strict";
import { Reading } from "../../../../src/inside/linux/kernel/reading.ts";
import { settingAt } from "../../../../src/inside/linux/structures/sysctl.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { CopiedMemory } from "../copied-memory.ts";
import { Debian, RELEASES } from "../debian.ts";
import { learnedKernel } from "../learned-kernel.ts";

/** Numbers of 32 bits or more, and what the kernel does not have, or has as a folder. */
const SETTINGS = [
  "kernel/hung_task_timeout_secs",
  "kernel/watchdog_thresh",
  "kernel/panic",
  "kernel/pid_max",
  "vm/swappiness",
  "vm/min_free_kbytes",
];
const ABSENT = ["kernel/nothing", "kernel", "kernel/panic/more", "nothing/panic"];

for (const release of RELEASES) {
  Deno.test(`settings of ${release} are those of /proc/sys`, async () => {
    const debian = await Debian.booted(release), { system } = debian, [{ registers }] = system.symbols.vcpus("host");
    debian.command("echo 7 > /proc/sys/kernel/hung_task_timeout_secs; echo 5 > /proc/sys/kernel/panic");
    const shown = debian.command(`cd /proc/sys; cat ${SETTINGS.join(" ")}`).trim().split("\n").map(Number);
    const physical = new CopiedMemory(system.machine.ram.bytes(RAM_BASE, debian.plan.memory));
    const place = { ttbr1: registers.getRegister("TTBR1_EL1"), tcr: registers.getRegister("TCR_EL1") };
    const kernel = learnedKernel({ physical, registers: place, tables: system.symbols.all("host") });
    const reading = new Reading("host", kernel, kernel.memory(physical)), at = (path: string) => settingAt(reading, ...path.split("/"));
    assert.deepEqual(SETTINGS.map((path) => reading.memory.u32(at(path) ?? assert.fail(path))), shown);
    assert.deepEqual(ABSENT.map(at), ABSENT.map(() => undefined));
  });
}
