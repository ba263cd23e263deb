// Debian's own driver on the balloon.

import assert from "node:assert/strict";
import { catalogEntry } from "../../src/workstation/catalog.ts";
import { Guest } from "./guest.ts";

/** Seconds of virtual time. */
const BOOT = 60, COMMAND = 20;
const PROMPT = /(\/root|~) # (\x1b\[6n)?$/;
const BALLOON = "dev:host/balloon0";
const SIZE = 64 << 20;

Deno.test("Debian gives memory to its balloon and takes it again, tells its statistics, and reports free pages", async () => {
  const { folder } = await catalogEntry("debian-bookworm");
  const [image, initrd] = await Promise.all(["Image", "initrd-virtio"].map((name) => Deno.readFile(`${folder}/${name}`)));
  const guest = new Guest(image, initrd, [{ kind: "balloon" }]);
  const free = async () => {
    guest.type("grep MemFree /proc/meminfo");
    const [, kib] = await guest.expect(/MemFree: +(\d+) kB/, COMMAND);
    await guest.expect(PROMPT, COMMAND);
    return Number(kib) * 1024;
  };
  const resize = async (bytes: number) => {
    assert.equal(guest.system.inspector.act({ kind: "balloon.set", vm: "host", bytes }), undefined);
    for (let second = 0; guest.metrics(BALLOON).actual_bytes !== bytes; second++) {
      assert.ok(second < COMMAND, `the balloon has ${guest.metrics(BALLOON).actual_bytes} bytes, not ${bytes}`);
      guest.type(`sleep 1; echo passed-$((${second}))`);
      await guest.expect(new RegExp(`passed-${second}\n`), COMMAND);
      await guest.expect(PROMPT, COMMAND);
    }
  };

  await guest.expect(PROMPT, BOOT);
  const before = await free();
  await resize(SIZE);
  const during = await free();
  assert.ok(before - during > 0.9 * SIZE, `${before} bytes were free, ${during} are`);
  const { inflated_pages, unreachable_pages, guest_total_bytes, guest_free_bytes } = guest.metrics(BALLOON);
  assert.deepEqual([inflated_pages, unreachable_pages], [SIZE / 4096, 0]);
  assert.ok(guest_total_bytes > SIZE && guest_free_bytes < guest_total_bytes);

  await resize(0);
  assert.ok(await free() - during > 0.9 * SIZE);
  assert.equal(guest.metrics(BALLOON).deflated_pages, SIZE / 4096);
  assert.ok(guest.metrics(BALLOON).reported_bytes > 0, "free pages were reported");
});
