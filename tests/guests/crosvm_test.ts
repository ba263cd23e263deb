// Debian's kernels in VMs with the platform that crosvm builds: 8250, pci-host-generic and
// virtio-pci bind and work. The modules for virtio-pci are fetched: EL2_LONG.

import assert from "node:assert/strict";
import { archiveFile } from "../../src/app/catalog/busybox-archive.ts";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { withEntries } from "../../src/kit/formats/cpio.ts";
import { NO_SELF_TESTS } from "./command-line.ts";
import { type CrosvmKind, lspciLines, SYSFS, sysfsLines, withoutNames } from "../machine/host/crosvm/functions.ts";
import { PROMPT } from "../support/console.ts";
import { rows } from "../session/inspection/system.ts";
import { Guests, type OrdinaryGuest, ordinaryGuest } from "./guest.ts";
import { LONG } from "../support/long.ts";

/** Seconds of virtual time. */
const BOOT = 60, COMMAND = 30;
const DEBIAN = 'platform = "crosvm"\nmemory = "320MiB"\nkernel = "Image"\ninitrd = "initrd"\n';
/** Releases whose ordinary kernels run. */
const ORDINARY = ["bookworm", "trixie"] as const;
/** A device of each kind. */
const DEVICES: readonly CrosvmKind[] = ["block", "net", "rng", "console", "balloon", "9p", "vsock", "input"];
const machine = (memory: string) => `el2 = 1\n[machine]\nmemory = "${memory}"\ncheck = ${LONG}\npv_time = true\n[host]\nmemory = "64MiB"\n`;

/** The time (ns) that was stolen from the vCPUs of the only VM with a console. */
function stolenBy({ system: { hypervisor } }: Guests): number {
  const vcpus = [...hypervisor.scheduler.vcpus].filter(({ native }) => !native);
  return vcpus.reduce((sum, { stolenTime }) => sum + stolenTime!.total, 0);
}

Deno.test("Debian on crosvm's platform has its console on an 8250, and finds the PCI host with its functions, which work", async () => {
  const { folder } = await catalogEntry("debian-bookworm");
  const kinds: CrosvmKind[] = ["rng", "block", "net", "balloon", "console", "input", "vsock"];
  // The disk is the kernel's Image.
  const options: Partial<Record<CrosvmKind, string>> = { block: ', image = "Image", mode = "ro"' };
  const devices = `devices = [${kinds.map((kind) => `{ kind = "${kind}"${options[kind] ?? ""} }`).join(", ")}]`;
  const vm = DEBIAN.replace('"initrd"', '"initrd-virtio"');
  const guests = await Guests.configured(
    `${machine("512MiB")}[vm.debian]\n${vm}cmdline = "console=ttyS0 quiet ${NO_SELF_TESTS}"\n${devices}\n`,
    folder,
  );
  const console = guests.console("debian");
  await console.expect(/inet 10\.0\.2\.15\/24/, BOOT);
  await console.expect(PROMPT, BOOT);
  console.type("dmesg | grep -e U6_16550A -e 0000:00 -e stolen");
  const found = [
    / arm-pv: using stolen time PV$/m,
    / pci-host-generic 10000\.pci: PCI host bridge to bus 0000:00$/m,
    / pci 0000:00:00\.0: \[8086:1237\] type 00 class 0x060000$/m,
    / pci 0000:00:01\.0: \[1af4:1044\] type 00 class 0x088000$/m,
    / pci 0000:00:02\.0: \[1af4:1042\] type 00 class 0x018000$/m,
    / pci 0000:00:08\.0: \[1b36:0011\] type 00 class 0xffff00$/m,
    ...["3f8", "2f8", "3e8", "2e8"].map((port) => new RegExp(` ${port}\\.U6_16550A: ttyS\\d at MMIO .* is a 16550A$`, "m")),
  ];
  for (const line of found) await console.expect(line, COMMAND);
  await console.expect(PROMPT, COMMAND);
  const [, functions] = await console.command(`${SYSFS}; echo end`, /((?:^0000:.*\n)+)end$/m, COMMAND);
  assert.deepEqual(functions.trim().split("\n"), sysfsLines(kinds));
  await console.command("ls /sys/bus/pci/drivers/virtio-pci | grep -c 0000:00", /^7$/m, COMMAND);
  await console.command("head -c 64 /dev/hwrng | wc -c", /^64$/m, COMMAND);
  await console.command("dd if=/dev/vda bs=4 skip=14 count=1 2>/dev/null; echo", /^ARMd$/m, COMMAND);
  await console.command("echo typed-$((40 + 2))", /^typed-42$/m, COMMAND);
  const [, steal] = await console.command("head -n 1 /proc/stat", /^cpu +(?:\d+ ){7}(\d+) /m, COMMAND);
  assert.ok(Math.abs(Number(steal) * 1e7 - stolenBy(guests)) < 2e7, `${steal} ticks of 10 ms, ${stolenBy(guests)} ns`);
  // Edges that were delivered are not lost, although their doorbell's flag stays set.
  assert.equal(await guests.run(guests.system.machine.time + 1e9, () => false), "nothing of that in its time");
  assert.deepEqual(rows(guests.system, "diagnose").map(({ verdict }) => verdict), ["waits"]);
  console.type("poweroff -f");
  assert.equal(await guests.end(BOOT), "every VM has ended");
});

const NAMES = ["a", "b"];

/** Makes a folder with the kernel and the ramdisk of a release, for as long as `work` lasts. */
async function inFolder({ image, initrd }: OrdinaryGuest, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-crosvm-" });
  try {
    await Deno.writeFile(`${folder}/Image`, image);
    await Deno.writeFile(`${folder}/initrd`, initrd);
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const release of LONG ? ORDINARY : []) {
  Deno.test(`virtio devices over PCI work in Debian ${release} on crosvm's platform, and lspci -nn shows crosvm's ids and classes`, async () => {
    await inFolder(await ordinaryGuest(release, ["pciutils"]), async (folder) => {
      await Deno.writeTextFile(`${folder}/from-host`, "hello guests\n");
      const vms = NAMES.map((name) => {
        Deno.writeFileSync(`${folder}/${name}.img`, new Uint8Array(1 << 20).fill(name.charCodeAt(0)));
        return `[vm.${name}]\n${DEBIAN}vcpus = 2\ncmdline = "console=ttyS0 quiet"\ndevices = [` +
          `{ kind = "block", image = "${name}.img", mode = "rw" }, { kind = "net", backend = "pair:lan" }, { kind = "rng" }, ` +
          '{ kind = "console" }, { kind = "balloon" }, { kind = "9p", folder = "." }, { kind = "vsock" }, ' +
          '{ kind = "input", type = "tablet" }]\n';
      });
      const guests = await Guests.configured(`${machine("1GiB").replace("check", "cpus = 2\ncheck")}${vms.join("")}`, folder);
      const consoles = NAMES.map((name) => guests.console(name));
      for (const [index, console] of consoles.entries()) {
        await console.expect(PROMPT, BOOT);
        const command = (line: string, pattern: RegExp) => console.command(line, pattern, COMMAND);
        const [, listed] = await command("$(ls /usr/*bin/lspci) -nn; echo end", /((?:^00:.*\n)+)end$/m);
        assert.deepEqual(listed.trim().split("\n").map(withoutNames), lspciLines(DEVICES));
        await command("ls /sys/bus/pci/drivers/virtio-pci | grep -c 0000:00", /^8$/m);
        await command("grep -c 'GICv3.*Level.*virtio' /proc/interrupts", /^[1-9]$/m);
        await command(`ip addr add 192.168.7.${index + 1}/24 dev eth0; ip link set eth0 up; echo addressed-$?`, /addressed-0\n/);
        await command("head -c 4 /dev/vda; echo", new RegExp(`^${NAMES[index].repeat(4)}$`, "m"));
        await command("echo written | dd of=/dev/vda bs=512 seek=3 conv=sync,fsync 2>/dev/null; echo wrote-$?", /wrote-0\n/);
        await command("head -c 64 /dev/hwrng | wc -c", /^64$/m);
        await command("mkdir /m; mount -t 9p -o trans=virtio,version=9p2000.L share /m; cat /m/from-host", /^hello guests$/m);
      }
      await consoles[0].command("ping -c 3 192.168.7.2", /3 packets transmitted, 3 packets received, 0% packet loss/, COMMAND);
      for (const console of consoles) console.type("poweroff -f");
      assert.equal(await guests.end(BOOT), "every VM has ended");
      for (const name of NAMES) {
        const disk = await Deno.readFile(`${folder}/${name}.img`);
        assert.equal(new TextDecoder().decode(disk.subarray(3 * 512, 3 * 512 + 8)), "written\n");
      }
    });
  });
}

/** A ramdisk that loads no modules of virtio devices by itself. */
function withoutDrivers({ initrd }: OrdinaryGuest): Uint8Array {
  return withEntries(initrd, [archiveFile("lib/virtio", "#!/bin/sh\n", 0o755)]);
}

const LOAD = "while read module; do insmod /lib/modules/$module; done < /lib/modules/order";

for (const release of LONG ? ORDINARY : []) {
  for (const hypervisor of ["gunyah", "geniezone"]) {
    Deno.test(`Debian ${release} in a protected VM of ${hypervisor} leaves its queues in lent memory, and the diagnosis names the option that it lacks`, async () => {
      const guest = await ordinaryGuest(release);
      await inFolder({ ...guest, initrd: withoutDrivers(guest) }, async (folder) => {
        await Deno.writeFile(`${folder}/disk.img`, new Uint8Array(1 << 20));
        await Deno.copyFile(new URL("../../assets/guests/firmware.bin", import.meta.url), `${folder}/firmware.bin`);
        const vm = `hypervisor = "${hypervisor}"\ntype = "protected"\nfirmware = "firmware.bin"\n${DEBIAN}cmdline = "console=ttyS0"\n` +
          'devices = [{ kind = "block", image = "disk.img" }]\n';
        const guests = await Guests.configured(`${machine("512MiB")}gzvm = true\n[vm.debian]\n${vm}`, folder);
        const console = guests.console("debian");
        await console.expect(PROMPT, BOOT);
        await console.command("cat /proc/device-tree/reserved-memory/restricted*/compatible; echo", /^restricted-dma-pool/m, COMMAND);
        console.type(LOAD);
        assert.match((await guests.end(BOOT))!, /^crashed: debian .*host access to lent memory region.*CONFIG_DMA_RESTRICTED_POOL$/);
        const [{ verdict, text }] = rows(guests.system, "diagnose");
        assert.equal(verdict, "failed");
        assert.match(text, /queue 0 is in page 0x[0-9a-f]+, which is lent .*CONFIG_DMA_RESTRICTED_POOL/);
      });
    });
  }
}
