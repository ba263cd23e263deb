// The region of a VM that keeps its content when the VM starts again.

import assert from "node:assert/strict";
import { findNode, readCells, readStrings } from "../../../src/machine/devicetree/tree.ts";
import { readDevicetree } from "../../../src/machine/devicetree/reader.ts";
import { devicetreeOf } from "../../../src/machine/host/vm-contents.ts";
import { el2, imageOf } from "../../app/cli/program.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { MIB, vmPlan } from "./plans.ts";

/** Adds one to the first word of the region, prints it as a letter from A on, and powers off. */
const COUNTS = [
  0xd2b0_1c01, // movz x1, #0x80e0, lsl #16: the last 2 MiB of 16
  0xb940_0022, // ldr w2, [x1]
  0x1100_0442, // add w2, w2, #1
  0xb900_0022, // str w2, [x1]
  0x1101_0043, // add w3, w2, #0x40
  0xd280_7f00, // movz x0, #0x3f8: the 16550A
  0x3900_0003, // strb w3, [x0]
  0x5280_0100, // movz w0, #0x0008
  0x72b0_8000, // movk w0, #0x8400, lsl #16: SYSTEM_OFF of PSCI
  0xd400_0002, // hvc #0
];

/** Letters that the guest prints in a millisecond of restarts. */
async function letters(keys: string): Promise<string> {
  return await inFolder(async (folder) => {
    await Deno.writeFile(`${folder}/guest.bin`, imageOf(COUNTS));
    const vm = `platform = "crosvm"\nkernel = "guest.bin"\nmemory = "16MiB"\non_exit = "restart"\n${keys}`;
    await Deno.writeTextFile(`${folder}/a.toml`, `el2 = 1\n[host]\ngzvm = true\n[vm.a]\n${vm}\n`);
    const { stdout } = await el2("run", `${folder}/a.toml`, "--headless", "--turbo", "--for", "1ms", "--raw");
    return stdout.replace(/^a\| /, "").trimEnd();
  });
}

Deno.test("a VM's pstore region keeps its content when the VM starts again, on both hypervisors", async () => {
  for (const hypervisor of ["gunyah", "geniezone"]) {
    const printed = await letters(`pstore = "2MiB"\nhypervisor = "${hypervisor}"`);
    assert.match(printed, /^ABCD/, hypervisor);
  }
});

Deno.test("without one, memory of a VM that starts again is what it was at its first start", async () => {
  const printed = await letters("");
  assert.ok(printed.length > 1 && new Set(printed).size === 1, JSON.stringify(printed));
});

Deno.test("the devicetree has the region as ramoops, before the pool for DMA", () => {
  const plan = vmPlan("a", { platform: "crosvm", memory: 16 * MIB, pstore: 4 * MIB, swiotlb: 2 * MIB });
  const read = readDevicetree(devicetreeOf(plan));
  assert.ok(read.ok);
  const ramoops = findNode(read.tree.root, "/reserved-memory/ramoops@80a00000");
  assert.ok(ramoops);
  assert.deepEqual(readStrings(ramoops, "compatible"), ["ramoops"]);
  assert.deepEqual(readCells(ramoops, "reg"), [0, 0x80a0_0000, 0, 4 * MIB]);
  assert.deepEqual(readCells(ramoops, "console-size"), [MIB]);
  assert.ok(findNode(read.tree.root, "/reserved-memory/restricted_dma_reserved@80e00000"));
});
