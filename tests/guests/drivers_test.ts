// Debian's unmodified kernel and an initial ramdisk in a secondary VM of each current generation of
// the driver, protected or not: demand paged where the generation is, with parcels that are made
// before START in android14-6.1. All but one run with EL2_LONG=1.

import assert from "node:assert/strict";
import { type PersonaName, PERSONAS } from "../../src/machine/abi/ioctl/personas.ts";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { NO_SELF_TESTS } from "./command-line.ts";
import { checkInvariants } from "../machine/hypervisor/invariants.ts";
import { Guests } from "./guest.ts";
import { LONG } from "../support/long.ts";

const FIRMWARE = new URL("../../assets/guests/firmware.bin", import.meta.url).pathname;
/** Bytes of the VM's memory, and virtual seconds for a boot. */
const MEMORY = 256 << 20, BOOT = 60;

const CASES: readonly (readonly [PersonaName, boolean])[] = [
  ["ack-6.12", false],
  ["ack-6.12", true],
  ["ack-6.6", false],
  ["ack-6.6", true],
  // Its interface has no firmware: its VMs are protected by having all of their memory lent.
  ["v17", false],
  ["ack-6.1", false],
  ["ack-6.1", true],
];

for (const [device, guarded] of LONG ? CASES : CASES.slice(0, 1)) {
  Deno.test(`Debian boots in a ${guarded ? "protected " : ""}VM of ${device}, and powers off`, async () => {
    await catalogEntry("debian");
    const guests = await Guests.configured(`el2 = 1
[machine]
memory = "512MiB"
[host]
device = "${device}"
memory = "64MiB"
[vm.debian]
kernel = "catalog:debian/Image"
initrd = "catalog:debian/initrd"
cmdline = "console=ttyAMA0 quiet ${NO_SELF_TESTS}"
memory = "${MEMORY >> 20}MiB"
${guarded ? `type = "protected"\nfirmware = "${FIRMWARE}"` : ""}`);
    const { hypervisor } = guests.system;
    const console = guests.console("debian");
    if (guarded) await console.expect(/^firmware: image 0x80000000/m, BOOT);
    await console.expect(/EL2-READY/, BOOT);
    const space = [...hypervisor.scheduler.vcpus].find(({ addressSpace }) => addressSpace?.vmid === 0x80)!.addressSpace!;
    const pages = space.stage2.entries().reduce((sum, { size }) => sum + size, 0) / 4096;
    if (PERSONAS[device].memory.given === "on-demand") {
      assert.ok(pages > 4096 && pages < MEMORY / 4096 * 0.8, `${pages} pages, of which most are missing until they are touched`);
    } else assert.ok(pages >= MEMORY / 4096, `${pages} pages, all since START`);
    console.type("poweroff -f");
    assert.doesNotMatch(await guests.end(BOOT) ?? "goes on", /goes on|crashed|nothing of that/);
    checkInvariants(hypervisor);
  });
}
