// Debian's own driver on the balloon.

import assert from "node:assert/strict";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { PROMPT } from "../support/console.ts";
import { Guest } from "./guest.ts";

/** Seconds of virtual time. */
const BOOT = 60, COMMAND = 20;
const BALLOON = "dev:host/balloon0";
const SIZE = 64 << 20;

Deno.test("Debian gives memory to its balloon and takes it again, tells its statistics, and reports free pages", async () => {
  const { folder } = await catalogEntry("debian-bookworm");
  const [image, initrd] = await Promise.all(["Image", "initrd-virtio"].map((name) => Deno.readFile(`${folder}/${name}`)));
  const guest = new Guest(image, initrd, [{ kind: "balloon" }]);
  const free = async () => {
    const [, kib] = await guest.command("grep MemFree /proc/meminfo", /MemFree: +(\d+) kB/, COMMAND);
    return Number(kib) * 1024;
  };
  const resize = async (bytes: number) => {
    assert.equal(guest.system.inspector.act({ kind: "balloon.set", vm: "host", bytes }), undefined);
    for (let second = 0; guest.guests.metrics(BALLOON).actual_bytes !== bytes; second++) {
      assert.ok(second < COMMAND, `the balloon has ${guest.guests.metrics(BALLOON).actual_bytes} bytes, not ${bytes}`);
      await guest.command(`sleep 1; echo passed-$((${second}))`, new RegExp(`passed-${second}\n`), COMMAND);
    }
  };

  await guest.expect(PROMPT, BOOT);
  const before = await free();
  await resize(SIZE);
  const during = await free();
  assert.ok(before - during > 0.9 * SIZE, `${before} bytes were free, ${during} are`);
  const { inflated_pages, unreachable_pages, guest_total_bytes, guest_free_bytes } = guest.guests.metrics(BALLOON);
  assert.deepEqual([inflated_pages, unreachable_pages], [SIZE / 4096, 0]);
  assert.ok(guest_total_bytes > SIZE && guest_free_bytes < guest_total_bytes);

  await resize(0);
  assert.ok(await free() - during > 0.9 * SIZE);
  assert.equal(guest.guests.metrics(BALLOON).deflated_pages, SIZE / 4096);
  assert.ok(guest.guests.metrics(BALLOON).reported_bytes > 0, "free pages were reported");
});
