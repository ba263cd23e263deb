// EDK2 as Debian packages it, in the flash of a VM with the platform of QEMU's `virt`: it finds the
// disk by PCI, and starts what is on it.

import assert from "node:assert/strict";
import { nativeFirmware } from "../../scripts/native-tools.ts";
import { APPLICATION_RIGHT, efiApplication } from "../support/efi-application.ts";
import { fatDisk, type FatEntry } from "../support/fat.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { Guests } from "./guest.ts";

/** Seconds of virtual time. */
const BOOT = 60;
const MACHINE = 'el2 = 1\n[machine]\nmemory = "768MiB"\ncheck = true\n[host]\nmemory = "64MiB"\n';

/** A VM that starts in EDK2, with a FAT disk. */
async function edk2(folder: string, files: { readonly [name: string]: FatEntry }): Promise<Guests> {
  await Deno.copyFile(await nativeFirmware("EDK2"), `${folder}/bios.fd`);
  await Deno.writeFile(`${folder}/disk.img`, fatDisk(files));
  const vm = 'platform = "qemu-virt"\nmemory = "512MiB"\nbios = "bios.fd"\ndevices = [{ kind = "block", image = "disk.img" }]\n';
  return await Guests.configured(`${MACHINE}[vm.uefi]\n${vm}`, folder);
}

Deno.test("EDK2 in a VM on QEMU's platform starts an EFI application of 40 MB from a FAT disk", () =>
  inFolder(async (folder) => {
    const guests = await edk2(folder, { EFI: { BOOT: { "BOOTAA64.EFI": efiApplication(40 << 20) } } });
    const console = guests.console("uefi");
    await console.expect(new RegExp(APPLICATION_RIGHT), BOOT);
    assert.equal(await guests.end(BOOT), "every VM has ended");
  }));
