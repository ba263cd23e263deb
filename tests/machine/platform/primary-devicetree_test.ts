// The primary VM's devicetree: nodes that depend on the machine's choices; and those of other VMs.

import assert from "node:assert/strict";
import { primaryDevicetree } from "../../../src/machine/platform/primary-devicetree.ts";
import { planText } from "../../../src/app/configuration/plan-run.ts";
import { readDevicetree } from "../../../src/machine/devicetree/reader.ts";
import { type DevicetreeNode, findNode, readCells } from "../../../src/machine/devicetree/tree.ts";
import { devicetreeOf } from "../../../src/machine/host/boot.ts";
import { inFolder } from "../../support/temporary-folder.ts";

Deno.test("GenieZone's node is there where EL2 has its calls, with the names that its drivers look for", () => {
  const options = { cpus: 1, memory: 1 << 28, rngSeed: new Uint8Array(32) };
  const { root } = primaryDevicetree({ ...options, geniezone: true });
  const node = findNode(root, "/firmware/hypervisor");
  assert.deepEqual(node?.properties.get("compatible"), new TextEncoder().encode("mediatek,geniezone-hyp\0mediatek,geniezone\0"));
  assert.equal(findNode(primaryDevicetree(options).root, "/firmware"), undefined);
});

/** PPI 7, which is INTID 23, level-sensitive, active high. */
const PMU_INTERRUPT = [1, 7, 4];

Deno.test("the performance monitors are in the trees of VMs whose CPU has them, but for crosvm's", async () => {
  const options = { cpus: 1, memory: 1 << 28, rngSeed: new Uint8Array(32) };
  const interrupts = (root: DevicetreeNode) => {
    const pmu = findNode(root, "/pmu");
    return pmu && readCells(pmu, "interrupts");
  };
  assert.equal(interrupts(primaryDevicetree(options).root), undefined);
  assert.deepEqual(interrupts(primaryDevicetree({ ...options, hasPmu: true }).root), PMU_INTERRUPT);
  await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/image.bin`, new Uint8Array(64));
    for (const cpu of ["v8", "v8.2"]) {
      for (const platform of ["el2", "qemu-virt", "crosvm"]) {
        const text = `el2 = 1\n[machine]\ncpu = "${cpu}"\n[vm.a]\nimage = "image.bin"\nplatform = "${platform}"\n`;
        const planned = await planText(text, undefined, folder);
        assert.ok(planned.ok && planned.run.what.kind === "run", JSON.stringify(planned));
        const read = readDevicetree(devicetreeOf(planned.run.what.host.vms[0]));
        assert.ok(read.ok);
        assert.deepEqual(
          interrupts(read.tree.root),
          cpu === "v8" || platform === "crosvm" ? undefined : PMU_INTERRUPT,
          `${platform} on ${cpu}`,
        );
      }
    }
  });
});

Deno.test("a hypervisor finds its modules in /chosen, and other trees have no cells there", () => {
  const options = { cpus: 1, memory: 1 << 28, rngSeed: new Uint8Array(32) };
  const chosen = (root: DevicetreeNode) => findNode(root, "/chosen")!;
  assert.equal(chosen(primaryDevicetree(options).root).properties.has("#address-cells"), false);
  const modules = [
    { kind: "kernel", address: 0x4800_0000, size: 0x1000, bootargs: "console=hvc0" },
    { kind: "ramdisk", address: 0x4a00_0000, size: 5 },
  ] as const;
  const { root } = primaryDevicetree({ ...options, modules });
  for (const name of ["#address-cells", "#size-cells"]) assert.deepEqual(readCells(chosen(root), name), [2]);
  const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);
  const seen = chosen(root).children.map((each) => ({
    name: each.name,
    compatible: text(each.properties.get("compatible")),
    reg: readCells(each, "reg"),
    bootargs: text(each.properties.get("bootargs")),
  }));
  assert.deepEqual(seen, [
    {
      name: "module@48000000",
      compatible: "multiboot,kernel\0multiboot,module\0",
      reg: [0, 0x4800_0000, 0, 0x1000],
      bootargs: "console=hvc0\0",
    },
    { name: "module@4a000000", compatible: "multiboot,ramdisk\0multiboot,module\0", reg: [0, 0x4a00_0000, 0, 5], bootargs: undefined },
  ]);
});
