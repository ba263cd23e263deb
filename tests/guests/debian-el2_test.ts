// An unmodified Debian kernel that is entered at EL2: it stays there (VHE), its CPUs start there,
// and its KVM finds the virtual interface of the GIC.

import assert from "node:assert/strict";
import { PROMPT } from "../support/console.ts";
import { longTest } from "../support/long.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { Guests, ordinaryGuest } from "./guest.ts";

/** Virtual seconds of a boot. */
const BOOT = 60;

longTest("Debian's kernel boots at EL2 with two CPUs, and its KVM is in VHE mode", async () => {
  const { image, initrd } = await ordinaryGuest("bookworm");
  await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/Image`, image);
    await Deno.writeFile(`${folder}/initrd`, initrd);
    const guests = await Guests.configured(
      `
      el2 = 1
      machine = { cpus = 2, cpu = "v8,+FEAT_VHE", memory = "512MiB" }
      host = { kind = "image", el2 = "self", kernel = "Image", initrd = "initrd", cmdline = "console=ttyAMA0" }
    `,
      folder,
    );
    const { text } = await guests.console("host").expect(PROMPT, BOOT).then(() => guests.console("host"));
    for (
      const line of [
        /psci: PSCIv1\.1 detected in firmware/,
        /CPU features: detected: Virtualization Host Extensions/,
        /CPU: All CPU\(s\) started at EL2/,
        /kvm \[1\]: GIC system register CPU interface enabled/,
        /kvm \[1\]: VHE mode initialized successfully/,
      ]
    ) assert.match(text, line);
    assert.match(text, /smp: Brought up 1 node, 2 CPUs/);
  });
});
