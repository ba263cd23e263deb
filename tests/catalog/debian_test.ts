// The ramdisks of fetched guests.

import assert from "node:assert/strict";
import { initramfs, isCurrentRamdisk } from "../../src/catalog/debian.ts";

Deno.test("a ramdisk with the scripts of another version, or without some, is not current", () => {
  const busybox = new Uint8Array(64), modules = [{ file: "virtio_pci.ko", bytes: new Uint8Array(32) }];
  const ramdisk = initramfs(busybox, modules);
  assert.ok(isCurrentRamdisk(ramdisk));
  assert.ok(!isCurrentRamdisk(initramfs(busybox, [])), "it has no modules to load");
  const at = new TextDecoder("latin1").decode(ramdisk).indexOf("mount -t sysfs");
  ramdisk[at] ^= 1;
  assert.ok(!isCurrentRamdisk(ramdisk));
});
