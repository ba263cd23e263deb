// The ramdisks of fetched guests.

import assert from "node:assert/strict";
import { addToCatalog, catalogFiles, type Manifest } from "../../../src/app/catalog/catalog.ts";
import { currentGuest, initramfs, isCurrentRamdisk } from "../../../src/app/catalog/debian.ts";
import { inCache } from "../../support/temporary-folder.ts";

Deno.test("a ramdisk with the scripts of another version, or without some, is not current", () => {
  const busybox = new Uint8Array(64), modules = [{ file: "virtio_pci.ko", bytes: new Uint8Array(32) }];
  const ramdisk = initramfs(busybox, modules);
  assert.ok(isCurrentRamdisk(ramdisk));
  assert.ok(!isCurrentRamdisk(initramfs(busybox, [])), "it has no modules to load");
  const at = new TextDecoder("latin1").decode(ramdisk).indexOf("mount -t sysfs");
  ramdisk[at] ^= 1;
  assert.ok(!isCurrentRamdisk(ramdisk));
});

Deno.test("a guest in the catalog is used as it is while it has the archive's packages and its files are whole", () =>
  inCache(async () => {
    const depends = { "linux-image-cloud-arm64": "linux-image-1-cloud-arm64 (= 1)" } as Record<string, string>;
    const sums: Record<string, string> = { "linux-image-1-cloud-arm64": "1a", "busybox-static": "2b", "linux-image-2-cloud-arm64": "3c" };
    const show = (name: string) => {
      const fields = new Map([["Depends", depends[name] ?? ""], ["SHA256", sums[name] ?? ""]]);
      return name in depends || name in sums ? Promise.resolve(fields) : Promise.reject(new Error(`no package ${name}`));
    };
    const files = new Map([
      ["Image", Uint8Array.of(1)],
      ["initrd-virtio", initramfs(new Uint8Array(64), [{ file: "virtio_pci.ko", bytes: new Uint8Array(32) }])],
    ]);
    const packages = ["linux-image-1-cloud-arm64", "busybox-static"].map((name) => ({ name, version: "1", sha256: sums[name] }));
    const manifest: Manifest = {
      schema: "el2.guest/1",
      name: "debian-sid",
      about: "",
      fetched: "",
      files: await catalogFiles(files),
      packages,
    };
    const current = async () => await currentGuest("debian-sid", { show }) !== undefined;
    assert.equal(await current(), false);
    const folder = await addToCatalog(manifest, files);
    assert.equal(await current(), true);
    for (
      const [table, name, value] of [[sums, "busybox-static", "4d"], [
        depends,
        "linux-image-cloud-arm64",
        "linux-image-2-cloud-arm64",
      ]] as const
    ) {
      const before = table[name];
      table[name] = value;
      assert.equal(await current(), false, name);
      table[name] = before;
    }
    assert.equal(await current(), true);
    await Deno.writeFile(`${folder}/Image`, Uint8Array.of(2));
    assert.equal(await current(), false);
  }));
