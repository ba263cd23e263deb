// Unmodified Debian kernels: as the primary VM with one and four CPUs, and as a secondary VM of the
// native host. Bookworm always; with EL2_LONG=1 every release.

import assert from "node:assert/strict";
import { assemble } from "../../src/session/assembly/assemble.ts";
import { catalogEntry, DEBIAN_RELEASES } from "../../src/app/catalog/catalog.ts";
import { type Tier, TIERS } from "../../src/model/plans/plan.ts";
import { givenTree, qemuWith, warnings } from "./kernel-messages.ts";
import { bootPlan, hashesOf, runTo } from "../session/snapshots/systems.ts";
import { ConsoleProgram, PROMPT } from "../support/console.ts";
import { el2Command } from "../support/el2.ts";
import { LONG, longTest } from "../support/long.ts";

const RELEASES = LONG ? DEBIAN_RELEASES : ["bookworm"] as const;

/**
 * Seconds of wall time for a boot, and for one command. Far more than either takes on an idle
 * machine.
 */
const BOOT = 120;
const COMMAND = 120;
const MEMORY = "512MiB";
/** MiB that the whole program may have resident with `MEMORY`. */
const PEAK_MEMORY = 800;

/** MiB of zeros that a guest computes the SHA-256 of, and processes that it starts. */
const SUMMED = LONG ? 64 : 8, FORKED = LONG ? 2000 : 100;
const ZEROS = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(SUMMED << 20))).toHex();

async function bootArguments(release: string, append: string): Promise<string[]> {
  const { folder } = await catalogEntry(`debian-${release}`);
  return ["boot", `${folder}/Image`, "--initrd", `${folder}/initrd`, "--append", append, "--memory", MEMORY, "--stdio", "--turbo"];
}

/** Types what a person would. */
async function work(console: ConsoleProgram, cpus: number): Promise<void> {
  const ready = await console.expect(/^EL2-READY (\S+) cpus=(\d+)$/m, BOOT);
  assert.equal(Number(ready[2]), cpus);
  await console.expect(PROMPT, COMMAND);

  await console.type("uname -a; cat /proc/interrupts");
  await console.expect(new RegExp(`^Linux .*${RegExp.escape(ready[1])}.* aarch64`, "m"), COMMAND);
  const columns = Array.from({ length: cpus }, (_, index) => `CPU${index}`).join("\\s+");
  await console.expect(new RegExp(`^\\s+${columns}\\s*$`, "m"), COMMAND);
  await console.expect(/arch_timer/, COMMAND);
  await console.expect(PROMPT, COMMAND);

  await console.type(`dd if=/dev/zero bs=1M count=${SUMMED} 2>/dev/null | sha256sum`);
  await console.expect(new RegExp(`^${ZEROS} `, "m"), COMMAND);
  await console.expect(PROMPT, COMMAND);

  await console.type(`i=0; while [ $i -lt ${FORKED} ]; do /bin/true; i=$((i+1)); done; echo forked $i`);
  await console.expect(new RegExp(`^forked ${FORKED}$`, "m"), COMMAND);
  await console.expect(PROMPT, COMMAND);
}

/** Powers off, which ends the program with exit code 0. */
async function powerOff(console: ConsoleProgram): Promise<void> {
  await console.type("poweroff -f");
  const { code, stderr } = await console.end();
  assert.equal(code, 0, stderr);
}

/**
 * Checks that a kernel of bookworm has no message of level warning or above that QEMU does not give
 * on the same devicetree.
 */
async function checkWarnings(el2: ConsoleProgram, cpus: number): Promise<void> {
  const { folder } = await catalogEntry("debian");
  const temporary = await Deno.makeTempDir({ prefix: "el2-debian-" });
  try {
    await Deno.writeFile(`${temporary}/el2.dtb`, await givenTree(el2, COMMAND));
    const ours = await warnings(el2, COMMAND);
    await using qemu = await qemuWith(folder, `${temporary}/el2.dtb`, ["-smp", String(cpus)]);
    await qemu.expect(/EL2-READY/, BOOT);
    await qemu.expect(PROMPT, COMMAND);
    const theirs = await warnings(qemu, COMMAND);
    await powerOff(qemu);
    assert.deepEqual(ours.filter((line) => !theirs.includes(line)), []);
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

for (const release of RELEASES) {
  for (const cpus of LONG ? [1, 4] : [4]) {
    Deno.test(`Debian ${release} boots with ${cpus} CPU${cpus > 1 ? "s" : ""} as the primary VM, works, warns as in QEMU and powers off`, async () => {
      await using console = new ConsoleProgram(el2Command(...await bootArguments(release, "console=ttyAMA0"), "--cpus", String(cpus)));
      await work(console, cpus);
      // The words by which a verdict knows that this kernel looks for EL2.
      await console.type("dmesg | grep kvm");
      await console.expect(/kvm \[1\]: HYP mode not available$/m, COMMAND);
      await console.expect(PROMPT, COMMAND);
      const peak = await console.peakMemory();
      assert.ok(peak <= PEAK_MEMORY, `${peak} MiB resident`);
      if (release === "bookworm") await checkWarnings(console, cpus);
      await powerOff(console);
    });
  }
}

longTest("Debian runs as a secondary VM of the native host, works and powers off", async () => {
  await catalogEntry("debian");
  await using console = new ConsoleProgram(el2Command("run", "debian-bookworm", "--stdio", "--turbo"));
  await work(console, 1);
  await powerOff(console);
});

/** Instructions between two of the ten: a whole boot with the full numbers. */
const APART = LONG ? 70_000_000 : 12_000_000;

Deno.test("a boot has the same state at ten instruction counts in every tier", async () => {
  const { folder } = await catalogEntry("debian-bookworm");
  const [image, initrd] = await Promise.all(["Image", "initrd"].map((name) => Deno.readFile(`${folder}/${name}`)));
  const what = { kind: "boot", image, initrd, dtb: undefined, append: "console=ttyAMA0 el2=poweroff" } as const;
  const run = async (tier: Tier) => {
    const system = assemble(await bootPlan({ memory: 512 << 20, what, tier }));
    return Array.from({ length: 10 }, (_, index) => {
      runTo(system, APART * (index + 1));
      return hashesOf(system);
    });
  };
  const first = await run("interp");
  assert.equal(new Set(first).size, first.length, "hashes of different states are different");
  // Twice the same tier: nothing of the run is left to chance.
  for (const tier of LONG ? TIERS : ["auto"] as const) assert.deepEqual(await run(tier), first, tier);
});
