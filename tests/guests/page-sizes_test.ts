// Debian's kernel with pages of 16 KiB, as Android devices have them: as the primary VM and as a
// secondary VM, with one and four CPUs, in every architecture that has them; and its refusal on a
// CPU that does not have such pages. And Debian's kernels with addresses of 52 bits, which they use
// where the CPU has them (FEAT_LPA2).

import assert from "node:assert/strict";
import { ARCHITECTURES } from "../../src/cpu/isa/cpus/cpus.ts";
import { PROMPT } from "../support/console.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { Guest, type GuestConsole, Guests, ordinaryGuest } from "./guest.ts";
import { givenTree, qemuWith, warnings } from "./kernel-messages.ts";
import { rowsIn } from "../inside/linux/rows.ts";
import { LONG, longTest } from "../support/long.ts";
import { Random } from "../support/random.ts";

/** Virtual seconds of a boot, and of a command. */
const BOOT = 60, COMMAND = 20;
/** Seconds of wall time that QEMU may take, far more than it does on an idle machine. */
const QEMU_BOOT = 120;
const KERNEL = "linux-image-arm64-16k", PAGE = 16384;

/** Hashes in user space, and faults in pages of many processes. */
async function work(guest: GuestConsole, cpus: number): Promise<void> {
  await guest.expect(new RegExp(`^EL2-READY \\S+ cpus=${cpus}$`, "m"), BOOT);
  await guest.expect(PROMPT, COMMAND);
  const [, kilobytes] = await guest.command("grep KernelPageSize /proc/self/smaps | head -n 1", /^KernelPageSize: +(\d+) kB$/m, COMMAND);
  assert.equal(Number(kilobytes) << 10, PAGE);
  const zeros = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(8 << 20))).toHex();
  await guest.command("dd if=/dev/zero bs=1M count=8 2>/dev/null | sha256sum", new RegExp(`^${zeros} `, "m"), COMMAND);
  await guest.command("i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done; echo forked $i", /^forked 100$/m, COMMAND);
}

/** Warnings of the kernel in `folder` on QEMU's CPU with such pages, with a devicetree of el2. */
async function warningsInQemu(folder: string, tree: Uint8Array): Promise<string[]> {
  await Deno.writeFile(`${folder}/el2.dtb`, tree);
  await using qemu = await qemuWith(folder, `${folder}/el2.dtb`, ["-cpu", "cortex-a76"]);
  await qemu.expect(/EL2-READY/, QEMU_BOOT);
  await qemu.expect(PROMPT, QEMU_BOOT);
  return await warnings(qemu, QEMU_BOOT);
}

for (const release of LONG ? ["trixie", "sid"] as const : []) {
  Deno.test(`Debian ${release} with pages of 16 KiB boots in every architecture that has them as the primary VM and as a secondary VM, with 1 and 4 CPUs, without warnings that QEMU has not`, async () => {
    const { image, initrd } = await ordinaryGuest(release, [], KERNEL), [without, ...architectures] = ARCHITECTURES;
    assert.throws(() => new Guest(image, initrd, []), /this kernel has pages of 16KiB, the CPU "v8" has only 4KiB .*: v8\.2, /);
    await inFolder(async (folder) => {
      await Deno.writeFile(`${folder}/Image`, image);
      await Deno.writeFile(`${folder}/initrd`, initrd);
      let theirs: string[] | undefined;
      const check = async (guest: GuestConsole, what: string) => {
        const ours = await warnings(guest, COMMAND);
        theirs ??= await warningsInQemu(folder, await givenTree(guest, COMMAND));
        assert.deepEqual(ours.filter((line) => !theirs?.includes(line)), [], what);
      };
      const vm = '[vm.pages]\nkernel = "Image"\ninitrd = "initrd"\ncmdline = "console=ttyAMA0 quiet"\nmemory = "512MiB"\n';
      const machine = (cpu: string, cpus: number) =>
        `el2 = 1\n[machine]\nmemory = "768MiB"\ncpus = ${cpus}\ncpu = "${cpu}"\n[host]\nmemory = "64MiB"\n${vm}vcpus = ${cpus}\n`;
      for (const cpu of architectures) {
        for (const cpus of [1, 4]) {
          const guest = new Guest(image, initrd, [], 512 << 20, { cpu, cpus });
          await work(guest, cpus);
          await check(guest, `${cpu} with ${cpus} CPUs as the primary VM`);
          guest.type("poweroff -f");
          assert.match(await guest.guests.end(COMMAND) ?? "", /SYSTEM_OFF/);
          const secondary = (await Guests.configured(machine(cpu, cpus), folder)).console("pages");
          await work(secondary, cpus);
          await check(secondary, `${cpu} with ${cpus} CPUs as a secondary VM`);
        }
      }
      await assert.rejects(Guests.configured(machine(without, 1), folder), /this kernel has pages of 16KiB, the CPU "v8" has only 4KiB/);
    });
  });
}

longTest("Debian's kernels use addresses of 52 bits where the CPU has them, and el2 reads their memory by the same tables", async () => {
  for (const [kernel, cpu, size] of [["linux-image-arm64", "max", 12], [KERNEL, "max", 12], ["linux-image-arm64", "v8.6", 16]] as const) {
    const { image, initrd } = await ordinaryGuest("trixie", [], kernel);
    const guest = new Guest(image, initrd, [], 512 << 20, { cpu }), { system } = guest, random = new Random(52);
    await guest.expect(PROMPT, BOOT);
    const [{ registers }] = system.symbols.vcpus("host"), tcr = registers.getRegister("TCR_EL1");
    assert.deepEqual([tcr >> 59n & 1n, tcr >> 16n & 63n], [size === 12 ? 1n : 0n, BigInt(size)], kernel);
    const { inspector } = system, tables = inspector.answer({ table: "vcpu.tables", args: { vcpu: "host/0" } });
    let high = 0;
    for (const { address, size, pa } of rowsIn("vcpu.tables", tables)) {
      const at = BigInt(random.below(Number(size))), found = system.core.questions.inspect(registers, BigInt(String(address)) + at);
      if (found.ok) assert.equal(found.pa, Number(BigInt(String(pa)) + at), String(address));
      const first = BigInt(String(address)) >> 48n;
      if (first >= 0xfff0n && first < 0xffffn) high++;
    }
    assert.equal(high > 0, size === 12, "its memory lies below the upper 48 bits");
    const tasks = rowsIn("linux.ps", inspector.answer({ table: "linux.ps", args: { vm: "host" } }));
    assert.ok(tasks.some(({ name, command }) => name === "init" && /\/init$/.test(String(command))));
  }
});
