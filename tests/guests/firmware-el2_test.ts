// Firmware that others wrote for QEMU's `virt` starts at EL2, and hands over there: an EFI
// application, kernels with KVM, and Xen, which reads its first VM from a disk. CI has the
// application, and EL2_LONG all.

import assert from "node:assert/strict";
import { type NativeFirmware, nativeFirmware } from "../../scripts/native-tools.ts";
import { withDebianArchive } from "../../src/app/catalog/debian.ts";
import { Deb } from "../../src/app/catalog/deb.ts";
import { Pstate } from "../../src/cpu/core/interface.ts";
import { PROMPT } from "../support/console.ts";
import { APPLICATION_RIGHT, efiApplication } from "../support/efi-application.ts";
import { fatDisk } from "../support/fat.ts";
import { longTest } from "../support/long.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { Guests, ordinaryGuest } from "./guest.ts";

/** Seconds of virtual time. */
const BOOT = 60;
/** Lines of a kernel with KVM that was entered at EL2 with VHE. */
const KVM_LINES = ["CPU: All CPU(s) started at EL2", "]: VHE mode initialized successfully"];

/** A machine that starts in this firmware at EL2, with these files and more keys of the host. */
async function starts(
  folder: string,
  firmware: NativeFirmware,
  files: Readonly<Record<string, Uint8Array>>,
  keys: string,
): Promise<Guests> {
  await Deno.copyFile(await nativeFirmware(firmware), `${folder}/firmware`);
  for (const [name, bytes] of Object.entries(files)) await Deno.writeFile(`${folder}/${name}`, bytes);
  const machine = 'el2 = 1\nmachine = { cpus = 2, cpu = "v8,+FEAT_VHE", memory = "1GiB" }\n';
  return await Guests.configured(`${machine}[host]\nkind = "image"\nfirmware = "firmware"\n${keys}`, folder);
}

Deno.test("EDK2 at EL2 starts the EFI application that is the hypervisor there", () =>
  inFolder(async (folder) => {
    const guests = await starts(folder, "EDK2", { "app.efi": efiApplication(1 << 20) }, 'el2 = "app.efi"\n');
    await guests.console("host").expect(new RegExp(APPLICATION_RIGHT), BOOT);
    assert.equal(await guests.end(BOOT), "SYSTEM_OFF");
    const [{ registers }] = guests.system.hypervisor.scheduler.vcpus;
    assert.equal(registers.pstate & Pstate.ElMask, Pstate.EL2, "the level that it has called from");
  }));

longTest("EDK2 at EL2 starts the kernel that it is offered at EL2", () =>
  inFolder(async (folder) => {
    const { image, initrd } = await ordinaryGuest();
    const keys = 'el2 = "self"\nkernel = "Image"\ninitrd = "initrd"\ncmdline = "console=ttyAMA0"\n';
    const guests = await starts(folder, "EDK2", { Image: image, initrd }, keys), console = guests.console("host");
    await console.expect(PROMPT, BOOT);
    for (const line of ["EFI stub: Exiting boot services", ...KVM_LINES]) assert.ok(console.text.includes(line), line);
    console.type("poweroff -f");
    assert.equal(await guests.end(BOOT), "SYSTEM_OFF");
  }));

longTest("U-Boot at EL2 starts a kernel of a disk at EL2", () =>
  inFolder(async (folder) => {
    const { image, initrd } = await ordinaryGuest(), disk = fatDisk({ IMAGE: image, INITRD: initrd });
    const keys = 'el2 = "self"\ndevices = [{ kind = "block", image = "disk" }]\n';
    const guests = await starts(folder, "U-Boot", { disk }, keys), console = guests.console("host");
    await console.expect(/Hit any key to stop autoboot/, BOOT);
    console.type("");
    await console.expect(/=> $/, BOOT);
    const commands = [
      ...["virtio scan", "setenv bootargs console=ttyAMA0", "load virtio 0 42000000 image", "load virtio 0 48000000 initrd"],
      "booti 42000000 48000000:$filesize $fdtcontroladdr",
    ];
    console.type(commands.join("; "));
    await console.expect(PROMPT, BOOT);
    for (const line of KVM_LINES) assert.ok(console.text.includes(line), line);
    console.type("poweroff -f");
    assert.equal(await guests.end(BOOT), "SYSTEM_OFF");
  }));

const XEN = "4.17";
/** Xen's configuration as an EFI application. */
const DOM0 = `[global]
default=debian
[debian]
options=dom0_mem=512M
kernel=image console=hvc0
ramdisk=initrd
`;

longTest("EDK2 at EL2 starts Debian's Xen of a disk, which starts Debian as dom0 from there", () =>
  inFolder(async (folder) => {
    const { image, initrd } = await ordinaryGuest("bookworm");
    const xen = await withDebianArchive({ release: "bookworm" }, async (archive, work) => {
      const [deb] = await archive.download([`xen-hypervisor-${XEN}-arm64`], work);
      await new Deb(deb).unpack(`${work}/xen`);
      return await Deno.readFile(`${work}/xen/boot/xen-${XEN}-arm64`);
    });
    const files = { "BOOTAA64.EFI": xen, "BOOTAA64.CFG": new TextEncoder().encode(DOM0), IMAGE: image, INITRD: initrd };
    const disk = fatDisk({ EFI: { BOOT: files } });
    const keys = 'el2 = "self"\ndevices = [{ kind = "block", image = "disk" }]\n';
    const guests = await starts(folder, "EDK2", { disk }, keys), console = guests.console("host");
    await console.expect(PROMPT, BOOT);
    for (const line of [`(XEN) Xen version ${XEN}.`, "*** LOADING DOMAIN 0 ***", "Xen 4.17 support found"]) {
      assert.ok(console.text.includes(line), line);
    }
    console.type("poweroff -f");
    assert.equal(await guests.end(BOOT), "SYSTEM_OFF");
  }));
