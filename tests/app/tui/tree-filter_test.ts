import assert from "node:assert/strict";
import { parseUiState } from "../../../src/app/tui/app/services/ui-state.ts";
import { Rig } from "./rig.ts";

/** The rows of the tree: mark, and name of the VM with its fold, or index of the vCPU. */
async function tree(rig: Rig): Promise<string[]> {
  const lines = await rig.inside();
  const from = lines.findIndex((line) => /^\+?[=-] Virtual machines/.test(line));
  const to = lines.findIndex((line) => /^\+?[=-] Console/.test(line));
  const rows = lines.slice(from + 2, to).filter((line) => !/^( mq:|!parcel:|\+)/.test(line));
  return rows.map((line) => line.slice(0, 15).replaceAll(/ [|`] {2}| [A-Z] |vCPU/g, "").trim().replaceAll(/ +/g, " ")).filter(Boolean);
}

Deno.test("/ on the tree of VMs leaves rows that pass, each with its VM, and the title says how many", async () => {
  const rig = new Rig();
  await rig.keys("/state=wfi\r");
  assert.deepEqual(await tree(rig), ["host v", "0", "> rt", "rm"]);
  assert.match(await rig.text(), /by VMID {2}\/state=wfi 3 of 8/);
  await rig.press("esc");
  assert.equal((await tree(rig)).length, 8);
  assert.match(await rig.text(), /by VMID =\+\n/);
});

for (
  const [filter, left] of [
    ["debian", ["> debian v", "0", "1"]],
    ["schedule=own", ["> rt"]],
    ["kind=vm", ["host v", "> debian v", "rt", "rm"]],
    ["cpu>0.5", ["> debian v", "0"]],
    ["waits~interrupt", ["host v", "0", "> rt", "rm"]],
    ["!vm=debian kind=vcpu pcpu=1", ["host v", "1", "> rt"]],
  ] as const
) {
  Deno.test(`the tree filtered by ${filter}`, async () => {
    const rig = new Rig();
    await rig.keys(`/${filter}\r`);
    assert.deepEqual(await tree(rig), left);
  });
}

Deno.test("a row of the tree that a filter hides is selected again behind it; until then its VM is, or the first row", async () => {
  const rig = new Rig();
  // vcpu:debian/1.
  await rig.keys("gjjjjj");
  const before = await tree(rig);
  assert.equal(before[5], "> 1");
  await rig.keys("/state=run\r");
  assert.deepEqual(await tree(rig), ["host v", "1", "> debian v", "0"]);
  await rig.press("esc");
  assert.deepEqual(await tree(rig), before);
  await rig.keys("/rt\r");
  rig.sample();
  assert.deepEqual(await tree(rig), ["> rt"]);
  await rig.press("esc");
  assert.deepEqual(await tree(rig), before);
});

Deno.test("the tree says that no rows match, and marks the error of a filter while the last good one holds", async () => {
  const rig = new Rig();
  await rig.keys("/state=off\r");
  assert.match(await rig.text(), /no rows match \/state=off \(Esc clears\)/);
  await rig.keys("jw");
  assert.match(await rig.text(), /nothing is selected/);
  await rig.press("esc");
  await rig.keys("/rt\r/ cpu>x");
  const lines = await rig.lines();
  assert.match(lines.at(-1)!, /rt cpu>>x {3}/);
  assert.deepEqual(await tree(rig), ["> rt"]);
});

Deno.test("a filter on the tree goes with folds and devices, and who goes to a VM that it hides takes it away", async () => {
  const rig = new Rig();
  await rig.keys("/kind~virtio\r");
  assert.match(await rig.text(), /no rows match/);
  await rig.keys("v");
  assert.match(await rig.text(), /Virtual machines and devices 4 .*by VMID {2}\/kind~virtio 2 of 10/);
  assert.deepEqual(await tree(rig), ["> debian v", "blk0", "net1"]);
  await rig.keys("h");
  assert.deepEqual(await tree(rig), ["> debian >"]);
  await rig.type(":vm:rt\r");
  assert.match((await tree(rig)).join(), /> rt/);
  assert.doesNotMatch(await rig.text(), /kind~virtio/);
});

Deno.test("a filter on the tree survives leave and attach", async () => {
  const rig = new Rig();
  await rig.keys("/rt\r");
  const state = parseUiState(JSON.stringify(rig.app.state));
  assert.deepEqual(await tree(new Rig(120, 36, { state })), ["> rt"]);
});
