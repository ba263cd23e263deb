// Debian's kernels in VMs with the platform of QEMU's `virt`: PL011, PL031, pci-host-generic with
// ECAM, virtio-pci with MSI-X by an ITS or a GICv2m frame. EL2_LONG; registers are in
// tests/machine/host/qemu-virt_test.ts.

import assert from "node:assert/strict";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { NO_SELF_TESTS } from "./command-line.ts";
import { PROMPT } from "../support/console.ts";
import { Guests, ordinaryGuest } from "./guest.ts";
import { LONG } from "../support/long.ts";

/** Seconds of virtual time. */
const BOOT = 60, COMMAND = 30;
const DEBIAN =
  `platform = "qemu-virt"\nmemory = "320MiB"\nkernel = "Image"\ninitrd = "initrd"\ncmdline = "console=ttyAMA0 quiet ${NO_SELF_TESTS}"\n`;
const MACHINE = 'el2 = 1\n[machine]\nmemory = "512MiB"\ncheck = true\n[host]\nmemory = "64MiB"\ngzvm = true\n';

if (LONG) {
  Deno.test("Debian on the platform of QEMU's virt finds clock, ITS, and the PCI host with its functions", async () => {
    const { folder } = await catalogEntry("debian-trixie");
    const devices = 'devices = [{ kind = "rng" }, { kind = "balloon" }]';
    const guests = await Guests.configured(`${MACHINE}[vm.debian]\n${DEBIAN}${devices}\n`, folder);
    const console = guests.console("debian");
    await console.expect(PROMPT, BOOT);
    console.type("dmesg | grep -e ITS -e 0000:00 -e ttyAMA0 -e rtc-pl031 -e virtio_mmio");
    const found = [
      /ITS \[mem 0x08080000-0x0809ffff\]$/m,
      /ITS@0x0*8080000: allocated \d+ Devices @/m,
      / pci-host-generic 3f000000\.pcie: PCI host bridge to bus 0000:00$/m,
      / pci 0000:00:00\.0: \[1b36:0008\] type 00 class 0x060000/m,
      / pci 0000:00:01\.0: \[1af4:1044\] type 00 class 0x00ff00/m,
      / pci 0000:00:02\.0: \[1af4:1045\] type 00 class 0x00ff00/m,
    ];
    for (const line of found) await console.expect(line, COMMAND);
    await console.expect(PROMPT, COMMAND);
    await console.command("echo typed-$((40 + 2))", /^typed-42$/m, COMMAND);
    console.type("poweroff -f");
    assert.equal(await guests.end(BOOT), "every VM has ended");
  });

  for (const [hypervisor, msi] of [["gunyah", "its"], ["gunyah", "gicv2m"], ["geniezone", "gicv2m"]]) {
    Deno.test(`virtio devices with MSI-X by ${msi} work in Debian on the platform of QEMU's virt on ${hypervisor}`, async () => {
      const folder = await Deno.makeTempDir({ prefix: "el2-qemu-virt-" });
      try {
        const { image, initrd } = await ordinaryGuest();
        await Deno.writeFile(`${folder}/Image`, image);
        await Deno.writeFile(`${folder}/initrd`, initrd);
        await Deno.writeFile(`${folder}/disk.img`, new Uint8Array(1 << 20).fill(0x61));
        const devices = 'devices = [{ kind = "block", image = "disk.img", mode = "rw" }, { kind = "rng" }]\n';
        const guests = await Guests.configured(
          `${MACHINE}[vm.debian]\nhypervisor = "${hypervisor}"\nmsi = "${msi}"\n${DEBIAN}${devices}`,
          folder,
        );
        const console = guests.console("debian");
        await console.expect(PROMPT, BOOT);
        const command = (line: string, pattern: RegExp) => console.command(line, pattern, COMMAND);
        await command("[ -e /sys/bus/pci/drivers/virtio-pci ] || /lib/virtio; echo loaded-$?", /loaded-\d\n/);
        await command("head -c 4 /dev/vda; echo", /^aaaa$/m);
        await command("echo written | dd of=/dev/vda bs=512 seek=3 conv=sync,fsync 2>/dev/null; echo wrote-$?", /wrote-0\n/);
        await command("head -c 64 /dev/hwrng | wc -c", /^64$/m);
        await command(`grep -c '${msi === "its" ? "ITS" : " MSI "}.*virtio' /proc/interrupts`, /^[2-9]$/m);
        console.type("poweroff -f");
        assert.equal(await guests.end(BOOT), "every VM has ended");
        const disk = await Deno.readFile(`${folder}/disk.img`);
        assert.equal(new TextDecoder().decode(disk.subarray(3 * 512, 3 * 512 + 8)), "written\n");
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    });
  }
}
