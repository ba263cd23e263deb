// Debian trixie with its own disk in a VM with the platform of QEMU's `virt`: trixie's EDK2 starts
// trixie's GRUB from the disk, that the kernel, and that mounts its partition. Fetches 150 MB and
// takes minutes: EL2_LONG.

import assert from "node:assert/strict";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { Deb } from "../../src/app/catalog/deb.ts";
import { withDebianArchive } from "../../src/app/catalog/debian.ts";
import { fetchDebianDisk } from "../../src/app/catalog/debian-disk.ts";
import { configureDisk } from "../../src/app/catalog/debian-first-run.ts";
import { cacheFolder, exists } from "../../src/kit/support/files/cache.ts";
import { DISK_PROMPT } from "../support/console.ts";
import { fatDisk } from "../support/fat.ts";
import { partitionedDisk, PartitionType } from "../support/partitions.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { Guests } from "./guest.ts";
import { LONG } from "../support/long.ts";

/** Seconds of virtual time. */
const BOOT = 120, COMMAND = 30;
const RELEASE = "trixie", GUEST = "debian-trixie-disk";
const MACHINE = 'el2 = 1\n[machine]\nmemory = "1GiB"\ncheck = true\n[host]\nmemory = "64MiB"\n';
const VM = 'platform = "qemu-virt"\nmemory = "768MiB"\nbios = "QEMU_EFI.fd"\n' +
  'devices = [{ kind = "block", image = "disk.img", mode = "rw" }, { kind = "net" }, { kind = "rng" }]\n';
const GRUB = "set timeout=1\nmenuentry Debian {\n  linux /LINUX console=ttyAMA0 root=/dev/vda2 rw\n  initrd /INITRD\n}\n";

/** The release's firmware and boot loader. */
async function firmware(folder: string): Promise<{ edk2: Uint8Array; grub: Uint8Array }> {
  return await withDebianArchive({ release: RELEASE }, async (apt, work) => {
    for (const deb of await apt.download(["qemu-efi-aarch64", "grub-efi-arm64-unsigned"], `${work}/debs`)) {
      await new Deb(deb).unpack(folder);
    }
    return {
      edk2: await Deno.readFile(`${folder}/usr/share/qemu-efi-aarch64/QEMU_EFI.fd`),
      grub: await Deno.readFile(`${folder}/usr/lib/grub/arm64-efi/monolithic/grubaa64.efi`),
    };
  });
}

if (LONG) {
  Deno.test("Debian trixie boots from its disk by EDK2 and GRUB in a VM on QEMU's platform, with network, and powers off", () =>
    inFolder(async (folder) => {
      if (!await exists(`${cacheFolder()}/guests/${GUEST}`)) await fetchDebianDisk({ release: RELEASE }, configureDisk);
      const { folder: guest } = await catalogEntry(GUEST);
      const { edk2, grub } = await firmware(`${folder}/packages`);
      await Deno.writeFile(`${folder}/QEMU_EFI.fd`, edk2);
      const text = new TextEncoder();
      const system = fatDisk({
        EFI: { BOOT: { "BOOTAA64.EFI": grub }, DEBIAN: { "GRUB.CFG": text.encode(GRUB) } },
        LINUX: await Deno.readFile(`${guest}/Image`),
        INITRD: await Deno.readFile(`${guest}/initrd`),
      });
      partitionedDisk(`${folder}/disk.img`, [
        { type: PartitionType.EfiSystem, content: system },
        { type: PartitionType.Linux, content: `${guest}/root.img` },
      ]);
      const guests = await Guests.configured(`${MACHINE}[vm.debian]\n${VM}`, folder);
      const console = guests.console("debian");
      for (const line of [/UEFI firmware \(version 2025/, /GNU GRUB|Booting `Debian'/, /EFI stub: Booting Linux Kernel/]) {
        await console.expect(line, BOOT);
      }
      await console.expect(/debian login: $/, BOOT);
      console.type("root");
      await console.expect(DISK_PROMPT, COMMAND);
      console.type(
        ". /etc/os-release; echo codename-$VERSION_CODENAME; ls /sys/firmware/efi | head -2; findmnt -no SOURCE /; echo checked",
      );
      await console.expect(new RegExp(`codename-${RELEASE}\n[^]*\n/dev/vda2\nchecked\n`), COMMAND);
      console.type("systemctl --failed --no-legend --plain | cat; ip -4 addr show scope global | grep -c inet; echo asked");
      await console.expect(/1\nasked\n/, COMMAND);
      // Interrupts are messages of PCI functions.
      console.type("grep -c 'ITS.*virtio' /proc/interrupts; echo counted");
      await console.expect(/[3-9]\d*\ncounted\n/, COMMAND);
      console.type("poweroff");
      assert.equal(await guests.end(BOOT), "every VM has ended");
    }));
}
