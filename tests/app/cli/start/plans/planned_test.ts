// The plan of `el2 run` for a guest with a disk.

import assert from "node:assert/strict";
import { addToCatalog, catalogFiles, type CatalogSource } from "../../../../../src/app/catalog/catalog.ts";
import type { DeviceOptions } from "../../../../../src/app/cli/options/devices.ts";
import { startPlan } from "../../../../../src/app/cli/options/start-plan.ts";
import { withImages } from "../../../../../src/app/cli/start/plans/planned.ts";
import { imageOf } from "../../program.ts";
import { plannedDevices } from "../../../../../src/model/plans/plan.ts";
import { DEFAULT_NET_POLICY, parseForward } from "../../../../../src/machine/virtio/plan.ts";

Deno.test("run debian --net and --forward replace the card that a guest with a disk has", async () => {
  const cache = await Deno.makeTempDir({ prefix: "el2-test-" }), before = Deno.env.get("EL2_CACHE");
  Deno.env.set("EL2_CACHE", cache);
  try {
    const net = ["user,lan=yes,deny=10.1.0.0/16"];
    await assert.rejects(startPlan(["phone.toml"], { net }), /--net: phone.toml lists the devices of its VMs; add yours/);
    await assert.rejects(startPlan(["debian"], { net }), /debian\/Image.*el2 guests fetch debian/);
    const files = new Map<string, CatalogSource>(["Image", "initrd", "root.img"].map((name) => [name, imageOf([])]));
    const manifest = { schema: "el2.guest/1", name: "debian-bookworm-disk", about: "a", fetched: "" } as const;
    await addToCatalog({ ...manifest, packages: [], files: await catalogFiles(files) }, files);
    const cards = async (options: DeviceOptions) =>
      plannedDevices((await startPlan(["debian"], options)).plan).filter(({ kind }) => kind === "net");
    assert.deepEqual(await cards({}), [{ kind: "net", backend: "user", capture: undefined, forward: [] }]);
    const policy = { ...DEFAULT_NET_POLICY, lan: true, deny: [{ network: 0x0a01_0000, bits: 16 }] };
    const forward = [parseForward("2222:22")!];
    const [card] = await cards({ net, forward: ["2222:22"] });
    assert.deepEqual(card, { kind: "net", backend: "user", capture: undefined, policy, forward });
    await assert.rejects(startPlan(["debian"], { forward: ["2222:22"] }), /--forward needs --net user/);
  } finally {
    if (before === undefined) Deno.env.delete("EL2_CACHE");
    else Deno.env.set("EL2_CACHE", before);
    await Deno.remove(cache, { recursive: true });
  }
});

Deno.test("run IMAGE --disk gives its VM the disk, and run of several images makes a VM of each, with its file's name", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    const image = new URL("../../../../../assets/guests/hello.bin", import.meta.url).pathname, other = `${folder}/hello.elf.bin`;
    await Deno.copyFile(image, other);
    await Deno.writeFile(`${folder}/d.img`, new Uint8Array(4096));
    const { plan } = await startPlan([image], { disk: [`${folder}/d.img,ro`] });
    assert.deepEqual(plannedDevices(plan).map(({ kind }) => kind), ["block"]);
    const { plan: several } = await withImages([image, other, image], []);
    const namesOf = ({ what }: typeof several) => what.kind === "run" && what.host.vms.map(({ name }) => name);
    assert.deepEqual(namesOf(several), ["hello", "hello-elf", "hello-2"]);
    // A kernel's usual name, and one that begins with a digit: names of VMs are lower-case.
    const kernels = [`${folder}/Image`, `${folder}/6.Image.gz`];
    for (const kernel of kernels) await Deno.copyFile(image, kernel);
    assert.deepEqual(namesOf((await withImages(kernels, [])).plan), ["image", "image-2"]);
    await assert.rejects(withImages([image, "phone.toml"], []), /phone.toml is a configuration; several arguments are images/);
    await assert.rejects(withImages([image, "nothing"], []), /image nothing: no such file/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
