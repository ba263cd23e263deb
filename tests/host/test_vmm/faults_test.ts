// gunyah-test-vmm's group of injected faults: each request of START that fails makes START fail, and when the VM is closed nothing of it is
// left in the host, the resource manager or the hypervisor (spec/vm-manager.md §7).

import assert from "node:assert/strict";
import { parseFaultRule } from "../../../src/workstation/fault-rules.ts";
import { checkInvariants } from "../../hypervisor/invariants.ts";
import { HostStack } from "../host-stack.ts";
import { HoldingCell } from "./holding-cell.ts";

const REQUESTS = [
  ...["VM_ALLOCATE", "MEM_LEND", "VM_CONFIG_IMAGE", "VM_SET_DEMAND_PAGING", "VM_SET_ADDRESS_LAYOUT", "VM_INIT"],
  ...["VM_SET_BOOT_CONTEXT", "VM_GET_HYP_RESOURCES", "VM_START"],
];

Deno.test("whichever request fails, START fails, nothing leaks, and the next VM starts", () => {
  const stack = new HostStack({ device: "v17", cpus: 2 });
  const usage = () => {
    const { objects, rootPartition } = stack.hypervisor;
    const pages = stack.visit(({ kernel }) => kernel.memory.pages.available);
    return { objects: objects.size, heap: rootPartition.heapUsed, pages };
  };
  const before = usage();
  for (const name of REQUESTS) {
    const cell = new HoldingCell({ stack });
    const rule = stack.hypervisor.faults.add(parseFaultRule(`rpc msg=${name} nth=1 -> NOMEM`));
    assert.ok(cell.start() < 0, name);
    stack.hypervisor.faults.remove(rule);
    cell.vmm.refused(cell.start(), "ENODEV", /starts once/);
    cell.vmm.exit();
    stack.pass(1e9);
    assert.deepEqual(usage(), before, `after ${name}`);
    checkInvariants(stack.hypervisor);
  }
  assert.equal(new HoldingCell({ stack }).start(), 0);
});
