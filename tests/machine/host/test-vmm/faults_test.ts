// gunyah-test-vmm's group of injected faults: each request of START that fails makes START fail,
// and when the VM is closed it leaves no trace in the host, the Resource Manager or the hypervisor
// (docs/spec/vm-manager.md §7).

import assert from "node:assert/strict";
import type { ErrnoName } from "../../../../src/machine/abi/ioctl/errno.ts";
import { GH, GH_ANDROID } from "../../../../src/machine/abi/ioctl/gunyah.ts";
import { RmError } from "../../../../src/machine/abi/rpc/errors.ts";
import { VM_ALLOCATE, VM_DEALLOCATE, VM_RESET } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import type { PersonaName } from "../../../../src/machine/abi/ioctl/personas.ts";
import { parseFaultRule } from "../../../../src/model/queries/fault-rule.ts";
import { checkInvariants } from "../../hypervisor/invariants.ts";
import { BASE, Client, VM_SIZE } from "../client.ts";
import { HostStack } from "../host-stack.ts";
import { HoldingCell } from "./holding-cell.ts";

const REQUESTS = [
  ...["VM_ALLOCATE", "MEM_LEND", "VM_CONFIG_IMAGE", "VM_SET_DEMAND_PAGING", "VM_SET_ADDRESS_LAYOUT", "VM_INIT"],
  ...["VM_SET_BOOT_CONTEXT", "VM_GET_HYP_RESOURCES", "VM_START"],
];

/** The use of resources by a host and its stack. */
function usage(stack: HostStack) {
  const { objects, rootPartition } = stack.hypervisor;
  const pages = stack.visit(({ kernel }) => kernel.memory.pages.available);
  return { objects: objects.size, heap: rootPartition.heapUsed, pages };
}

/** Makes each of these requests fail once, in a separate VM. */
function failEach(stack: HostStack, requests: readonly string[], make: () => { start: () => number; vmm: Client; again: ErrnoName }): void {
  const before = usage(stack);
  for (const name of requests) {
    const { start, vmm, again } = make();
    const rule = stack.hypervisor.faults.add(parseFaultRule(`rpc msg=${name} nth=1 -> NOMEM`));
    assert.ok(start() < 0, name);
    stack.hypervisor.faults.remove(rule);
    vmm.refused(start(), again, /starts once/);
    vmm.exit();
    stack.pass(1e9);
    assert.deepEqual(usage(stack), before, `after ${name}`);
    checkInvariants(stack.hypervisor);
  }
  assert.equal(make().start(), 0);
}

Deno.test("whichever request fails, START fails, nothing leaks, and the next VM starts", () => {
  const stack = new HostStack({ device: "v17", cpus: 2 });
  failEach(stack, REQUESTS, () => {
    const cell = new HoldingCell({ stack });
    return { start: () => cell.start(), vmm: cell.vmm, again: "ENODEV" };
  });
});

/** v14 and ack-6.1 lose a VM that could not be configured: see `LOSSES`. */
const SHARED = ["MEM_SHARE", "VM_CONFIG_IMAGE", "VM_INIT"];
const PAGED = REQUESTS.filter((name) => name !== "VM_SET_BOOT_CONTEXT");
const OTHERS: readonly [PersonaName, readonly string[]][] = [
  ["v9", [...SHARED, "VM_START"]],
  ["v14", ["VM_ALLOCATE", "MEM_SHARE", "VM_INIT", "VM_GET_HYP_RESOURCES", "VM_START"]],
  ["ack-6.1", ["MEM_SHARE", "VM_INIT", "VM_GET_HYP_RESOURCES", "VM_START"]],
  ["ack-6.6", PAGED],
  ["ack-6.12", PAGED],
  ["union", PAGED],
];

for (const [device, requests] of OTHERS) {
  Deno.test(`${device}: whichever request fails, START fails, nothing leaks, and the next VM starts`, () => {
    const stack = new HostStack({ device, scripts: {} });
    failEach(stack, requests, () => {
      const vmm = new Client(stack);
      const { vm } = vmm.loadedVm();
      return { start: () => vmm.ioctl(vm, GH.START), vmm, again: device === "v9" ? "EINVAL" : "ENODEV" };
    });
  });
}

/**
 * Refusals before VM_INIT (docs/spec/observed-ioctl.md §5.2): what START answers, the rule, and how
 * many of the VM's objects there are by then.
 */
const LOSSES: readonly { what: string; prepare: (vmm: Client, vm: number) => number; errno: ErrnoName; rule: RegExp; objects: number }[] = [
  {
    what: "devicetree",
    // The driver takes the region that the range touches, and the Resource Manager wants all of it.
    prepare: (vmm, vm) => vmm.setDevicetree(vm, BASE + VM_SIZE - 0x1000, 0x2000),
    errno: "EINVAL",
    rule: /image or devicetree lie outside the parcel/,
    objects: 0,
  },
  {
    what: "firmware",
    prepare: (vmm, vm) => vmm.setDevicetree(vm, BASE + VM_SIZE - 0x1000, 0x2000, GH_ANDROID.SET_FW_CONFIG),
    errno: "EPERM",
    rule: /firmware/,
    objects: 3,
  },
];

for (const device of ["v14", "ack-6.1"] as const) {
  for (const { what, prepare, errno, rule, objects } of LOSSES) {
    Deno.test(`${device}: a VM whose ${what} is refused is lost, and its memory is not`, () => {
      const stack = new HostStack({ device, scripts: {} });
      const before = usage(stack), vmids = new Set<number>();
      for (let lost = 1; lost <= 3; lost++) {
        const vmm = new Client(stack);
        const { vm } = vmm.loadedVm({ lend: true });
        assert.equal(prepare(vmm, vm), 0);
        vmm.refused(vmm.ioctl(vm, GH.START), errno, rule);
        vmm.exit();
        stack.pass(1e9);
        checkInvariants(stack.hypervisor);
        const replies = stack.exchanges.splice(0).filter(({ way }) => way === "reply");
        const replyTo = (id: number) => replies.filter((reply) => reply.id === id).map(({ payload }) => payload);
        assert.deepEqual(replyTo(VM_RESET.id), []);
        assert.deepEqual(replyTo(VM_DEALLOCATE.id).map(([error]) => error), [RmError.VM_STATE]);
        for (const [, , , , vmid] of replyTo(VM_ALLOCATE.id)) vmids.add(vmid);
        const after = usage(stack);
        assert.deepEqual([after.objects, after.pages], [before.objects + objects * lost, before.pages]);
      }
      assert.equal(vmids.size, 3, "a VMID that is lost is not given again");
      const vmm = new Client(stack);
      assert.equal(vmm.ioctl(vmm.loadedVm().vm, GH.START), 0);
    });
  }
}
