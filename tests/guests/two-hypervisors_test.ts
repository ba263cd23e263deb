// `examples/two-hypervisors.toml`, and Debian's own drivers on every device of it: one VM of Gunyah
// and one of GenieZone at the same time. That fetches Debian's ordinary kernel, which has 9p:
// EL2_LONG.

import assert from "node:assert/strict";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { planText } from "../../src/app/configuration/plan-run.ts";
import { nativeHostOf } from "../machine/host/plans.ts";
import { PROMPT } from "../support/console.ts";
import { Guests, ordinaryGuest } from "./guest.ts";
import { withPrograms } from "./programs.ts";
import { assertPlanned } from "../support/planned.ts";
import { LONG } from "../support/long.ts";

/** Seconds of virtual time. */
const BOOT = 120, COMMAND = 60;
const EXAMPLE = new URL("../../examples/two-hypervisors.toml", import.meta.url);
const DISK = 16 << 20;
const NAMES = ["gunyah", "geniezone"] as const;
/** Bytes that vsock.c sends and gets back. */
const ECHO = 4 * 65_536;

/** A folder with what the example wants, and the text of the example with this guest in it. */
async function prepare(folder: string): Promise<{ text: string; digests: string[] }> {
  const { image, initrd } = await ordinaryGuest();
  await Deno.writeFile(`${folder}/Image`, image);
  await Deno.writeFile(`${folder}/initrd`, await withPrograms(initrd, "vsock"));
  await Deno.mkdir(`${folder}/shared`);
  await Deno.writeTextFile(`${folder}/shared/from-host`, "hello guests\n");
  const digests = [];
  for (const [index, name] of NAMES.entries()) {
    const disk = Uint8Array.from({ length: DISK }, (_, at) => at * 31 + (at >> 12) + index);
    await Deno.writeFile(`${folder}/${name}.img`, disk);
    digests.push(new Uint8Array(await crypto.subtle.digest("SHA-256", disk)).toHex());
  }
  const text = (await Deno.readTextFile(EXAMPLE)).replaceAll("catalog:debian/Image", "Image").replaceAll(
    "catalog:debian/initrd-virtio",
    "initrd",
  );
  return { text, digests };
}

Deno.test("the example of two hypervisors loads with the catalog's guest: a VM for each, with the same devices", async () => {
  await catalogEntry("debian");
  const folder = await Deno.makeTempDir({ prefix: "el2-two-hypervisors-" });
  try {
    await Deno.mkdir(`${folder}/shared`);
    for (const name of NAMES) await Deno.writeFile(`${folder}/${name}.img`, new Uint8Array(512));
    const result = await planText(await Deno.readTextFile(EXAMPLE), "two-hypervisors.toml", folder);
    assertPlanned(result);
    const { vms, driver } = nativeHostOf(result.run);
    assert.equal(driver.gzvm, true);
    assert.deepEqual(vms.map(({ name, hypervisor }) => [name, hypervisor]), NAMES.map((name) => [name, name]));
    for (const { devices = [] } of vms) {
      assert.deepEqual(devices.map(({ kind }) => kind), ["console", "block", "net", "rng", "vsock", "9p"]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

if (LONG) {
  Deno.test("Debian under Gunyah and Debian under GenieZone boot side by side, and every device works in both", async () => {
    const folder = await Deno.makeTempDir({ prefix: "el2-two-hypervisors-" });
    try {
      const { text, digests } = await prepare(folder);
      const guests = await Guests.configured(text, folder);
      const consoles = NAMES.map((name) => guests.console(name));
      const [gunyah, geniezone] = consoles;
      for (const console of consoles) {
        await console.expect(/EL2-READY/, BOOT);
        await console.expect(PROMPT, BOOT);
      }

      for (const [index, console] of consoles.entries()) {
        const command = (line: string, pattern: RegExp) => console.command(line, pattern, COMMAND);
        await command(`ip addr add 192.168.7.${index + 1}/24 dev eth0; echo addressed-$?`, /addressed-0\n/);
        await command("sha256sum /dev/vda", new RegExp(`^${digests[index]} {2}/dev/vda$`, "m"));
        await command(
          `echo ${console.name} was here | dd of=/dev/vda bs=512 seek=8 conv=sync,fsync 2>/dev/null; echo wrote-$?`,
          /wrote-0\n/,
        );
        await command("cat /sys/class/misc/hw_random/rng_current; head -c 64 /dev/hwrng | wc -c", /virtio_rng[^\n]*\n64\n/);
        await command(
          "mkdir /m; mount -t 9p -o trans=virtio,version=9p2000.L share /m; cat /m/from-host; ls /m",
          /hello guests\nfrom-host\n/,
        );
        await command(`echo to ${console.name} > /dev/hvc0; echo said-$?`, /said-0\n/);
      }
      await gunyah.command("echo from gunyah > /m/written; echo wrote-$?", /wrote-0\n/, COMMAND);
      await geniezone.command("cat /m/written; echo no > /m/refused", /from gunyah\n.*Read-only file system/, COMMAND);
      for (const name of NAMES) await guests.console(`${name}/hvc0`).expect(new RegExp(`^to ${name}$`, "m"), COMMAND);

      await gunyah.command("ping -c 3 192.168.7.2", /3 packets transmitted, 3 packets received, 0% packet loss/, COMMAND);
      await geniezone.command("(cd /; httpd -p 80); echo serves-$?", /serves-0\n/, COMMAND);
      const fetch = "wget -q -O /tmp/fetched http://192.168.7.2/bin/busybox; cmp /tmp/fetched /bin/busybox; echo same-$?";
      await gunyah.command(fetch, /same-0\n/, COMMAND);

      geniezone.type("vsock serve");
      await geniezone.expect(/VSOCK-LISTENS\n/, COMMAND);
      await gunyah.command("vsock call 5", new RegExp(`VSOCK-ECHO ${ECHO}\n`), COMMAND);
      await geniezone.expect(/VSOCK-DONE\n/, COMMAND);
      await geniezone.expect(PROMPT, COMMAND);

      for (const console of consoles) console.type("poweroff -f");
      assert.equal(await guests.end(BOOT), "every VM has ended");
      for (const name of NAMES) {
        const disk = await Deno.readFile(`${folder}/${name}.img`);
        assert.equal(new TextDecoder().decode(disk.subarray(8 * 512, 8 * 512 + name.length + 9)), `${name} was here`);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
