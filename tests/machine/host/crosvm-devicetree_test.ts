// The devicetree of crosvm's platform is, node by node and property by property, the one that
// docs/spec/phones.md §C3 and §C4 give, written down in crosvm/*.dts. dtc compares.

import assert from "node:assert/strict";
import { readDevicetree } from "../../../src/machine/devicetree/reader.ts";
import { findNode, readCells } from "../../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../../src/machine/devicetree/writer.ts";
import { crosvmDevicetree } from "../../../src/machine/host/boards/crosvm/devicetree.ts";
import type { DriverTraits } from "../../../src/machine/host/boards/nodes.ts";
import type { VmPlan } from "../../../src/machine/host/data/plan.ts";
import { boardOf } from "../../../src/machine/host/boards.ts";
import { runNative } from "../../support/oracles.ts";
import { MIB, vmPlan } from "./plans.ts";

const PLAIN: Partial<VmPlan> = { memory: 16 * MIB, devices: [{ kind: "rng" }] };
const PROTECTED: Partial<VmPlan> = {
  memory: 32 * MIB,
  vcpus: 2,
  swiotlb: 4 * MIB,
  firmware: { bytes: new Uint8Array(0x1000), size: 0x1000 },
  initrd: new Uint8Array(0x1000),
  cmdline: "console=ttyS0",
  devices: [{ kind: "rng" }, { kind: "balloon" }],
  cpuFrequencies: [600_000, 4_500_000],
};

/** A tree as text, with its nodes and properties in order of their names. */
async function sorted(format: "dts" | "dtb", input: Uint8Array): Promise<string> {
  const { code, stdout, stderr } = await runNative("dtc", ["-q", "-s", "-I", format, "-O", "dts"], input);
  assert.equal(code, 0, stderr);
  // Groups of cells are those of the source alone.
  return stdout.replaceAll(">, <", " ");
}

for (const [name, changes, driver] of [["plain", PLAIN, {}], ["protected", PROTECTED, { wakesAtTimers: true }]] as const) {
  Deno.test(`the devicetree of a ${name} VM of crosvm's platform is crosvm's, node by node`, async () => {
    const plan = vmPlan("a", { platform: "crosvm", ...changes });
    const tree = crosvmDevicetree(plan, boardOf(plan).layout(plan), driver as DriverTraits);
    const read = readDevicetree(writeDevicetree(tree));
    assert.ok(read.ok);
    const chosen = findNode(read.tree.root, "/chosen")!;
    assert.equal(chosen.properties.get("rng-seed")?.length, 256);
    assert.deepEqual(readCells(chosen, "kaslr-seed"), [0, 0]);
    for (const property of ["rng-seed", "kaslr-seed"]) chosen.properties.delete(property);
    // docs/differences.md: crosvm reserves no memory.
    const ours = await sorted("dtb", writeDevicetree({ ...read.tree, reservations: [] }));
    const theirs = await sorted("dts", await Deno.readFile(new URL(`crosvm/${name}.dts`, import.meta.url)));
    assert.equal(ours, theirs);
  });
}
