// Firmware as Debian packages it for QEMU's `virt`, in the flash of a VM with that platform: it
// finds the disk by PCI, and starts what is on it. CI has one application, and EL2_LONG
// both of each firmware.

import assert from "node:assert/strict";
import { type NativeFirmware, nativeFirmware } from "../../scripts/native-tools.ts";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { APPLICATION_RIGHT, efiApplication } from "../support/efi-application.ts";
import { fatDisk, type FatEntry } from "../support/fat.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { type GuestConsole, Guests } from "./guest.ts";
import { LONG } from "../support/long.ts";

const BOTH = ["EDK2", "U-Boot"] as const;
/** Seconds of virtual time. */
const BOOT = 20;
const MACHINE = 'el2 = 1\n[machine]\nmemory = "768MiB"\ncheck = true\n[host]\nmemory = "64MiB"\n';

/** A VM that starts in this firmware, with a FAT disk whose only application is this one. */
async function starts(folder: string, firmware: NativeFirmware, application: FatEntry): Promise<Guests> {
  await Deno.copyFile(await nativeFirmware(firmware), `${folder}/bios.bin`);
  await Deno.writeFile(`${folder}/disk.img`, fatDisk({ EFI: { BOOT: { "BOOTAA64.EFI": application } } }));
  const vm = 'platform = "qemu-virt"\nmemory = "512MiB"\nbios = "bios.bin"\ndevices = [{ kind = "block", image = "disk.img" }]\n';
  return await Guests.configured(`${MACHINE}[vm.uefi]\n${vm}`, folder);
}

/** Has firmware start the application; EDK2 does so by itself. */
async function started(guests: Guests, firmware: NativeFirmware): Promise<GuestConsole> {
  const console = guests.console("uefi");
  if (firmware === "EDK2") return console;
  await console.expect(/Hit any key to stop autoboot/, BOOT);
  console.type("");
  await console.expect(/=> $/, BOOT);
  console.type("virtio scan; load virtio 0 42000000 efi/boot/bootaa64.efi; bootefi 42000000 $fdtcontroladdr");
  return console;
}

for (const firmware of LONG ? BOTH : ["EDK2"] as const) {
  Deno.test(`${firmware} in a VM on QEMU's platform starts an EFI application of 40 MB from a FAT disk`, () =>
    inFolder(async (folder) => {
      const guests = await starts(folder, firmware, efiApplication(40 << 20));
      await (await started(guests, firmware)).expect(new RegExp(APPLICATION_RIGHT), BOOT);
      assert.equal(await guests.end(BOOT), "every VM has ended");
    }));
}

for (const firmware of LONG ? BOTH : []) {
  Deno.test(`${firmware} in a VM on QEMU's platform starts the kernel that is the EFI application of a FAT disk`, () =>
    inFolder(async (folder) => {
      const { folder: guest } = await catalogEntry("debian-bookworm");
      const kernel = await Deno.readFile(`${guest}/Image`);
      assert.ok(kernel.length > 8 << 20);
      const guests = await starts(folder, firmware, kernel);
      await (await started(guests, firmware)).expect(/EFI stub: Exiting boot services/, BOOT);
    }));
}
