// Writers of RAM that are not instructions: each is reported by its name, and each page that it
// writes is noted.

import assert from "node:assert/strict";
import type { RamWriter } from "../../../../src/machine/abi/ram-writer.ts";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import { VmMemory } from "../../../../src/session/assembly/devices/vm-memory.ts";
import { SpaceMemory } from "../../../../src/machine/hypervisor/gic/its/table-memory.ts";
import { mayHave } from "../../../../src/session/recordings/past/written-index.ts";
import { PAGE_SIZE } from "../../../../src/kit/support/values/sizes.ts";
import { demoPlan, runTo } from "../../snapshots/systems.ts";

const IPA = 0x8000_1ff0, BYTES = new Uint8Array(16).fill(7);

Deno.test("a device's DMA, the interrupt controller, the hypervisor and a user are named, and their pages noted", async () => {
  const system = assemble(await demoPlan()), { machine: { ram }, inspector, core } = system, { hypervisor } = inspector.system;
  runTo(system, 1_000);
  const space = [...hypervisor.addressSpaces.values()].find(({ vmid }) => hypervisor.names.vm(vmid) === "ping")!;
  const [pa] = inspector.ramAt(`ipa:ping/0x${IPA.toString(16)}`, BYTES.length);
  const ways: [RamWriter, () => unknown][] = [
    [{ code: "device", device: "dev:ping/blk0" }, () => new VmMemory(hypervisor, space.vmid, "dev:ping/blk0").write(IPA, BYTES)],
    [{ code: "gic" }, () => new SpaceMemory(space, ram).write(IPA, BYTES)],
    [{ code: "hypervisor" }, () => ram.zero(pa, BYTES.length)],
    [{ code: "user" }, () => inspector.act({ kind: "mem.write", at: `pa:0x${pa.toString(16)}`, bytes: BYTES })],
  ];
  const heard: RamWriter[] = [];
  ram.watch(pa + 8, 8, (by) => heard.push({ ...by }));
  for (const [by, write] of ways) {
    core.forgetWritten(true);
    heard.length = 0;
    write();
    assert.deepEqual(heard, [by]);
    assert.deepEqual([...core.written().pages], [Math.floor(pa / PAGE_SIZE)], by.code);
    const lines = [-64, 0, 64].map((distance) => mayHave(core.written(), { pa: pa + distance, length: 1 }));
    assert.deepEqual(lines, [false, true, false], by.code);
    heard.length = 0;
  }
});
