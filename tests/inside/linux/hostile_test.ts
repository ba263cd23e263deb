// Readers of a kernel whose memory is changed at random: each gives an answer within its limit of
// steps, and a gap says what it lacks.

import assert from "node:assert/strict";
import process from "node:process";
import type { LinuxKernel } from "../../../src/inside/linux/kernel/kernel.ts";
import { STEPS_MAX } from "../../../src/inside/linux/kernel/memory.ts";
import { Reading } from "../../../src/inside/linux/kernel/reading.ts";
import { RAM_BASE } from "../../../src/machine/hardware/memory-map.ts";
import { once } from "../../../src/kit/support/values/once.ts";
import { PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import { Work } from "../../../src/kit/support/values/work.ts";
import { LONG } from "../../support/long.ts";
import { Random } from "../../support/random.ts";
import { CopiedMemory } from "./copied-memory.ts";
import { Debian } from "./debian.ts";
import { learnedKernel } from "./learned-kernel.ts";
import { ALL_READERS } from "./all-readers.ts";

const CASES = LONG ? 100_000 : 1000;
/** Milliseconds of CPU time that an answer may take. */
const MS_MAX = 50, AGAIN = 3;
/** Words of a page that are changed together. */
const CHANGES_MAX = 128;

/** The configuration is in the kernel's image, which is read once. */
const READERS = ALL_READERS.filter(([name]) => name !== "linux.config");

/** Values that lead astray. */
function value(random: Random, page: DataView, at: number): bigint {
  const old = page.getBigUint64(at, true);
  return [
    () => 0n,
    () => (1n << 64n) - 1n,
    () => old + BigInt(8 * (random.below(64) - 32)),
    () => old ^ 1n << BigInt(random.below(64)),
    // Another word of the page: lists that end in a circle.
    () => page.getBigUint64(8 * random.below(PAGE_SIZE / 8), true),
    () => 0xffff_0000_0000_0000n + BigInt(random.below(0x1000_0000)) * 8n,
  ][random.below(6)]();
}

/** Milliseconds of CPU time. */
function timed(work: () => unknown): number {
  const began = process.cpuUsage();
  work();
  return process.cpuUsage(began).user / 1000;
}

/** A kernel with modules, and a copy of its VM's memory. */
const kernelInCopy = once(async (): Promise<{ memory: CopiedMemory; kernel: LinuxKernel }> => {
  const folder = await Deno.makeTempDir({ prefix: "el2-hostile-" }), image = `${folder}/disk.img`;
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  await Deno.writeFile(image, new Uint8Array(1 << 20));
  const debian = (await Debian.start("bookworm", { initrd: "initrd-virtio", devices: [{ kind: "block", image, mode: "ro" }] })).withShell();
  debian.loadModules();
  debian.command("ip link set lo up; nc -l -p 4711 > /dev/null & sleep 1");
  // Two readers of one open file: the second waits for a lock of the first.
  debian.command("exec 3</proc/kmsg; cat <&3 > /dev/null & sleep 1; cat <&3 > /dev/null & exec 3<&-; sleep 1");
  const { machine, symbols } = debian.system, [vcpu] = symbols.vcpus("host");
  const memory = new CopiedMemory(machine.ram.bytes(RAM_BASE, 256 << 20));
  const registers = { ttbr1: vcpu.registers.getRegister("TTBR1_EL1"), tcr: vcpu.registers.getRegister("TCR_EL1") };
  return { memory, kernel: learnedKernel({ physical: memory, registers, tables: symbols.all("host") }) };
});

Deno.test("an answer that comes to its limit of steps has what was read until then, and a gap", async () => {
  const { memory, kernel } = await kernelInCopy();
  for (const [name, read] of READERS) {
    read(new Reading("host", kernel, kernel.memory(memory)));
    const before = Work.spent, all = read(new Reading("host", kernel, kernel.memory(memory))), steps = Work.spent - before;
    const reading = new Reading("host", kernel, kernel.memory(memory));
    reading.memory.work.spend(STEPS_MAX - (steps >> 1));
    const rows = read(reading);
    assert.ok(reading.gaps.some(({ code }) => code === "work"), name);
    if (name === "linux.ps" || name === "linux.log") assert.ok(rows.length > 0 && rows.length < all.length, `${rows.length} of ${name}`);
  }
});

Deno.test("readers of a kernel answer within their limits whatever its memory holds", async () => {
  const { memory, kernel } = await kernelInCopy();

  // The pages that each reader reads of a whole kernel.
  const pages = READERS.map(([name, read]) => {
    memory.touched.clear();
    const reading = new Reading("host", kernel, kernel.memory(memory));
    assert.ok(read(reading).length > 0 && reading.gaps.length === 0, `${name} ${JSON.stringify(reading.gaps)}`);
    memory.touched.clear();
    read(new Reading("host", kernel, kernel.memory(memory)));
    return [...memory.touched];
  });

  const random = new Random(54), incomplete = new Set<string>();
  let most = 0, longest = 0;
  for (let number = 0; number < CASES; number++) {
    const index = number % READERS.length, [name, read] = READERS[index];
    const page = memory.page(pages[index][random.below(pages[index].length)]) ?? assert.fail();
    const before = page.slice(), view = new DataView(page.buffer, page.byteOffset, PAGE_SIZE);
    for (let change = random.below(CHANGES_MAX); change >= 0; change--) {
      const at = 8 * random.below(PAGE_SIZE / 8);
      view.setBigUint64(at, BigInt.asUintN(64, value(random, view, at)), true);
    }
    const spent = Work.spent, reading = new Reading("host", kernel, kernel.memory(memory));
    // Reading must not fail; whatever it could not read is a gap.
    let time = timed(() => read(reading));
    most = Math.max(most, Work.spent - spent);
    // The collector of garbage works now and then: only a time that comes again is the reader's.
    for (let again = 0; time > MS_MAX / 2 && again < AGAIN; again++) {
      time = Math.min(time, timed(() => read(new Reading("host", kernel, kernel.memory(memory)))));
    }
    longest = Math.max(longest, time);

    if (reading.gaps.length) incomplete.add(name);
    page.set(before);
  }
  assert.ok(most <= STEPS_MAX + PAGE_SIZE, `${most} steps`);
  if (LONG) assert.ok(longest < MS_MAX, `${longest} ms`);
  // Without gaps nothing of what is read would have been hit.
  assert.ok(incomplete.size > READERS.length / 2, [...incomplete].join(" "));
});
