// gunyah-test-vmm's groups: numbers of vCPUs, duplicates, and a vCPU that is added after START.

import assert from "node:assert/strict";
import { FN_VCPU_ARG, FunctionType, GH } from "../../../../src/machine/abi/ioctl/gunyah.ts";
import { BASE, HoldingCell } from "./holding-cell.ts";

/** Cores of the platform. */
const CPUS = 4;

Deno.test("a cell has as many vCPUs as there are cores, each writes what the first reads; with more START fails", () => {
  for (const vcpus of [2, 4, 7, 8, 16]) {
    const cell = new HoldingCell({ vcpus, cpus: CPUS });
    if (vcpus > CPUS) {
      assert.ok(cell.start() < 0, `${vcpus} vCPUs`);
      continue;
    }
    assert.equal(cell.start(), 0, `${vcpus} vCPUs`);
    for (let index = 1; index < vcpus; index++) {
      assert.equal(cell.powerOn(index), 0n);
      assert.equal(cell.write(BASE + 0x8000, BigInt(index), index), 0n);
      assert.equal(cell.read(BASE + 0x8000), BigInt(index));
    }
  }
});

Deno.test("a vCPU that is added to a running VM harms nobody when the other is powered off", () => {
  const cell = new HoldingCell();
  assert.equal(cell.start(), 0);
  assert.equal(cell.nothing(), 0n);
  const { fd } = cell.addVcpu(1);
  cell.vmm.refused(cell.vmm.ioctl(fd, GH.RUN), "ENODEV", /vCPU of this number/);
  const task = cell.powerOff();
  assert.equal(cell.stack.await(task, 1e7), undefined, "RUN sleeps");
  for (const fd of [cell.vm, ...cell.vcpus.map(({ fd }) => fd)]) cell.vmm.close(fd);
  cell.vmm.exit();
  cell.stack.pass(1e9);
  assert.deepEqual(cell.stack.visit(({ gunyah }) => gunyah.state.vms), {});
});

Deno.test("a vCPU's number is taken once, and taken away once", () => {
  const cell = new HoldingCell();
  cell.vmm.refused(cell.vmm.vcpu(cell.vm, 0), "EEXIST", /used once/);
  const remove = () => cell.vmm.remove(cell.vm, FunctionType.Vcpu, FN_VCPU_ARG, { id: 0 });
  assert.equal(remove(), 0);
  cell.vmm.refused(remove(), "ENOENT", /has to match/);
});
