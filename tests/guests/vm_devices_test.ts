// Debian's own drivers on the devices of secondary VMs: one of Gunyah's and one of GenieZone's side by side, each run by its VMM, with disks,
// a network between them and consoles.

import assert from "node:assert/strict";
import { catalogEntry } from "../../src/workstation/catalog.ts";
import { ConsoleProgram } from "../support/console.ts";
import { el2Command } from "../support/el2.ts";

/** Seconds of wall time for two boots, and for one command. */
const BOOT = 240, COMMAND = 120;
const PROMPT = /(\/root|~) # (\x1b\[6n)?$/;
const MIB = 1 << 20;

Deno.test("Debian in a VM of Gunyah and one of GenieZone, side by side: disks, a network between them, consoles and their logs", async () => {
  const { folder } = await catalogEntry("debian-bookworm");
  const work = await Deno.makeTempDir({ prefix: "el2-vm-devices-" });
  try {
    const vm = (name: string, keys: string) => {
      Deno.writeFileSync(`${work}/${name}.img`, new Uint8Array(MIB));
      const devices = [
        `{ kind = "pl011", log = "${name}.log" }`,
        `{ kind = "block", image = "${name}.img" }`,
        '{ kind = "net", backend = "pair:lan" }',
      ];
      return `[vm.${name}]\nkernel = "${folder}/Image"\ninitrd = "${folder}/initrd-virtio"\ncmdline = "console=ttyAMA0"\nmemory = "256MiB"\n` +
        `devices = [${devices.join(", ")}]\n${keys}\n`;
    };
    const machine = 'el2 = 1\n[machine]\nmemory = "768MiB"\n[host]\nmemory = "64MiB"\ngzvm = true\n';
    const text = machine + vm("gunyah", 'on_exit = "end-session"') + vm("geniezone", 'hypervisor = "geniezone"');
    await Deno.writeTextFile(`${work}/el2.toml`, text);

    await using console = new ConsoleProgram(el2Command("run", `${work}/el2.toml`, "--stdio", "--turbo", "--tier", "auto"));
    await console.expect(/EL2-READY/, BOOT);
    await console.expect(PROMPT, BOOT);
    // Every host of the link answers: the own address, and that of the other VM.
    await console.type(
      "until ping -6 -c 1 ff02::1%eth0 | grep 'bytes from' | grep -v ' from '$(ip -6 -o addr show eth0 | sed 's/.*inet6 //; s|/.*||'); do sleep 1; done; echo found",
    );
    await console.expect(/bytes from fe80::5054:ff:fee1:/, BOOT);
    await console.expect(/^found$/m, COMMAND);
    await console.expect(PROMPT, COMMAND);
    await console.type("echo gunyah wrote this | dd of=/dev/vda bs=512 seek=3 conv=sync,fsync 2>&1 | tail -n 1; poweroff -f");
    await console.end();
    const log = await Deno.readTextFile(`${work}/geniezone.log`);
    assert.match(log, /EL2-READY/);
    assert.match(log, /\[vda\] 2048 512-byte logical blocks/);
    const disk = await Deno.readFile(`${work}/gunyah.img`);
    assert.match(new TextDecoder().decode(disk.subarray(3 * 512, 4 * 512)), /^gunyah wrote this\n/);
    assert.ok((await Deno.readFile(`${work}/geniezone.img`)).every((byte) => byte === 0));
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});
