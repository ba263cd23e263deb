// The host's drivers find the Resource Manager in each form of /hypervisor, and a VM starts.

import assert from "node:assert/strict";
import { HYPERVISOR_NODES } from "../../../src/machine/abi/hypervisor-node.ts";
import { GH } from "../../../src/machine/abi/ioctl/gunyah.ts";
import { Client } from "./client.ts";
import { HostStack } from "./host-stack.ts";

for (const hypervisorNode of HYPERVISOR_NODES) {
  Deno.test(`a VM starts on a host whose devicetree has /hypervisor in the form ${hypervisorNode}`, () => {
    const stack = new HostStack({ hypervisorNode, scripts: {} });
    const vmm = new Client(stack);
    const { vm } = vmm.loadedVm();
    assert.equal(vmm.ioctl(vm, GH.START), 0, stack.lastRule()?.rule);
  });
}
