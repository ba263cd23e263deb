// Questions about the past of a Linux kernel's module that was loaded again elsewhere. The kernel
// has to boot for that.

import assert from "node:assert/strict";
import { archiveFile } from "../../../src/app/catalog/busybox-archive.ts";
import { catalogEntry } from "../../../src/app/catalog/catalog.ts";
import { withEntries } from "../../../src/kit/formats/cpio.ts";
import { rowsOf } from "../../../src/model/queries/query.ts";
import { WHO } from "../../../src/model/queries/tables.ts";
import { Session } from "./session-in-thread.ts";

const LOADS = 4;
/** Where virtio_rng was, another module is loaded: each time it has another place. */
const LOAD = `#!/bin/busybox sh
b=/bin/busybox
while read m; do
  case $m in *virtio_rng*) rng=$m;; *virtio_balloon*) other=$m;; esac
  $b insmod /lib/modules/$m
done </lib/modules/order
for n in 2 3 4; do
  $b rmmod virtio_rng
  $b rmmod virtio_balloon
  case $n in 3) $b insmod /lib/modules/$rng; $b insmod /lib/modules/$other;; *) $b insmod /lib/modules/$other; $b insmod /lib/modules/$rng;; esac
done
$b rmmod virtio_rng
echo EL2-OVER
exec $b sleep 1000
`;

Deno.test("code of a module is found at the addresses of each load, by its name there, also after it is unloaded", async () => {
  const { folder } = await catalogEntry("debian-bookworm");
  const image = await Deno.readFile(`${folder}/Image`), ramdisk = await Deno.readFile(`${folder}/initrd-virtio`);
  const initrd = withEntries(ramdisk, [archiveFile("load", LOAD, 0o755)]);
  const what = { kind: "boot", image, initrd, dtb: undefined, append: "console=ttyAMA0 quiet rdinit=/load" } as const;
  const session = new Session({ cpus: 1, memory: 256 << 20, seed: 1, turbo: true, history: true, what }), { engine } = session;
  let shown = "";
  while (!shown.includes("EL2-OVER")) shown += new TextDecoder().decode((await session.event("console")).bytes);
  engine.pause(true);
  await session.event("paused");

  const found = async (at: string) => {
    const answer = await session.ask({ table: "who", args: { at, access: "exec", hits: true, limit: 20 } });
    assert.equal(answer.error, undefined);
    return rowsOf(WHO, answer);
  };
  // Each load has its own beginning and end.
  const starts = await found("host:virtio_rng:init_module"), ends = await found("host:virtio_rng:cleanup_module");
  const rows = [...starts, ...ends].sort((a, b) => Number(a.t) - Number(b.t));
  const names = ["virtio_rng_driver_init [virtio_rng]", "virtio_rng_driver_exit [virtio_rng]"];
  assert.deepEqual(rows.map(({ symbol }) => symbol), Array.from({ length: LOADS }, () => names).flat());
  for (const  of of[starts, ends]) assert.ok(new Set(of.map(({ pc }) => pc)).size > 1, `all at ${of[0]?.pc}`);
  engine.stop();
});
