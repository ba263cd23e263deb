// Breakpoints of an editor in a module that a Debian loads, unloads and loads again. The kernel has
// to boot for that.

import assert from "node:assert/strict";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { catalogEntry } from "../../../../src/app/catalog/catalog.ts";
import { withEntries } from "../../../../src/kit/formats/cpio.ts";
import { withTempFolder } from "../programs.ts";
import { DapClient } from "./client.ts";

/** Loads what the ramdisk has, and one of it three times. */
const LOAD = `#!/bin/busybox sh
while read m; do
  case $m in *virtio_rng*) rng=$m;; esac
  /bin/busybox insmod /lib/modules/$m
done </lib/modules/order
for n in 1 2; do /bin/busybox rmmod virtio_rng; /bin/busybox insmod /lib/modules/$rng; done
exec /bin/busybox sh
`;

Deno.test("a breakpoint in a module has its place when the module is loaded, each time, before its code is executed", async () => {
  const { folder } = await catalogEntry("debian-bookworm");
  await withTempFolder(async (temporary) => {
    const initrd = `${temporary}/initrd`, script = new TextEncoder().encode(LOAD);
    await Deno.writeFile(
      initrd,
      withEntries(await Deno.readFile(`${folder}/initrd-virtio`), [{ path: "load", kind: "file", permissions: 0o755, data: script }]),
    );
    await using client = DapClient.inProcess();
    await client.ask("initialize", { adapterID: "el2" });
    await client.ask("launch", {
      boot: `${folder}/Image`,
      initrd,
      append: "console=ttyAMA0 rdinit=/load",
      memory: "256MiB",
      turbo: true,
      stopOnEntry: true,
    });
    await client.event("initialized");
    const entry = client.event("stopped");
    await client.ask("configurationDone");
    await entry;
    const { breakpoints } = await client.ask<{ breakpoints: DebugProtocol.Breakpoint[] }>("setFunctionBreakpoints", {
      breakpoints: [{ name: "virtio-rng:init_module" }, { name: "host:virtio_rng:cleanup_module" }],
    });
    assert.deepEqual(breakpoints.map(({ verified }) => verified), [false, false]);
    const stops: string[] = [];
    for (let count = 0; count < 5; count++) {
      assert.equal((await client.stop("continue")).reason, "function breakpoint");
      const [top] = await client.stack();
      assert.match(top, /^(init_module|cleanup_module|virtio_rng_driver_(init|exit))/);
      stops.push(/init/.test(top) ? "init" : "exit");
    }
    assert.deepEqual(stops, ["init", "exit", "init", "exit", "init"]);
    await client.ask("disconnect");
  });
});
