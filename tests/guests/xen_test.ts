// Debian's Xen at EL2, with Debian's kernel as dom0 by modules of the devicetree. EL2_LONG.

import assert from "node:assert/strict";
import type { DebianRelease } from "../../src/app/catalog/catalog.ts";
import { withDebianArchive } from "../../src/app/catalog/debian.ts";
import { Deb } from "../../src/app/catalog/deb.ts";
import { PROMPT } from "../support/console.ts";
import { longTest } from "../support/long.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { Guests, ordinaryGuest } from "./guest.ts";

/** Virtual seconds. */
const BOOT = 120, COMMAND = 30;

/** Releases, their versions of Xen, and CPUs. */
const CASES: readonly { readonly release: DebianRelease; readonly version: string; readonly cpus: number }[] = [
  { release: "bookworm", version: "4.17", cpus: 1 },
  { release: "bookworm", version: "4.17", cpus: 2 },
  { release: "trixie", version: "4.20", cpus: 2 },
  { release: "trixie", version: "4.20", cpus: 4 },
];

/** The hypervisor of a release: an arm64 Image. */
async function fetchXen(release: DebianRelease, version: string): Promise<Uint8Array> {
  return await withDebianArchive({ release }, async (archive, work) => {
    const [deb] = await archive.download([`xen-hypervisor-${version}-arm64`], work);
    await new Deb(deb).unpack(`${work}/xen`);
    return await Deno.readFile(`${work}/xen/boot/xen-${version}-arm64`);
  });
}

for (const { release, version, cpus } of CASES) {
  longTest(`Xen ${version} of Debian ${release} boots at EL2 with Debian as dom0, CPUs: ${cpus}`, () =>
    inFolder(async (folder) => {
      const { image, initrd } = await ordinaryGuest(release);
      await Deno.writeFile(`${folder}/xen`, await fetchXen(release, version));
      await Deno.writeFile(`${folder}/Image`, image);
      await Deno.writeFile(`${folder}/initrd`, initrd);
      const guests = await Guests.configured(
        `
        el2 = 1
        machine = { cpus = ${cpus}, cpu = "v8", memory = "1GiB" }
        [host]
        kind = "image"
        el2 = "xen"
        el2_args = "dom0_mem=512M"
        kernel = "Image"
        initrd = "initrd"
        cmdline = "console=hvc0"
        `,
        folder,
      );
      const console = guests.console("host");
      await console.expect(PROMPT, BOOT);
      for (const line of [`Xen version ${version}.`, `Brought up ${cpus} CPUs`, "*** LOADING DOMAIN 0 ***"]) {
        assert.ok(console.text.includes(`(XEN) ${line}`), line);
      }
      await console.command("dmesg | grep Xen", new RegExp(`Xen ${version.replace(".", "\\.")} support found`), COMMAND);
      await console.command("cat /proc/interrupts", /xen-dyn +Edge +-virq +hvc_console/, COMMAND);
      console.type("poweroff -f");
      assert.equal(await guests.end(BOOT), "SYSTEM_OFF");
    }));
}
