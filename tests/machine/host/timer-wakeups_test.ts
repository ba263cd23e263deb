// The side that wakes a VM's vCPUs at their timers (docs/spec/phones.md §D1): the hypervisor; or
// the driver, which then reports that by CHECK_EXTENSION and gets the times from vcpu_run.

import assert from "node:assert/strict";
import { GH_ANDROID, WAKES_AT_TIMERS } from "../../../src/machine/abi/ioctl/gunyah.ts";
import { planDemo } from "../../../src/app/configuration/plan-run.ts";
import { active } from "../../../src/machine/hypervisor/capabilities/capability-rules.ts";
import type { Behaviour } from "../../../src/machine/hypervisor/services/behaviour.ts";
import { InfoOwner } from "../../../src/machine/abi/words.ts";
import { Client } from "./client.ts";
import { HostStack } from "./host-stack.ts";
import { nativeHostOf } from "./plans.ts";
import { Stack } from "./stack.ts";

/** hello, which ticks by its timer. */
async function ticking(abi: Behaviour["abi"], wakesAtTimers: boolean): Promise<Stack> {
  const result = await planDemo();
  assert.ok(result.ok);
  const { cpus, memory } = result.run;
  const host = nativeHostOf(result.run);
  const vms = host.vms.filter(({ name }) => name === "hello").map((vm) => ({ ...vm, cmdline: "ticks=5 ms=10" }));
  const stack = new Stack({ ...host, vms }, { cpus, memory, device: "ack-6.12", abi, quirks: { wakesAtTimers } });
  stack.run(0.02e9);
  return stack;
}

Deno.test("a VM ticks whoever wakes its vCPU, at the same times", async () => {
  const cases = [["recorded", false, false], ["recorded", true, false], ["newer", false, false], ["newer", true, true]] as const;
  for (const [abi, byDriver, kept] of cases) {
    const stack = await ticking(abi, byDriver);
    const vcpu = [...stack.hypervisor.scheduler.vcpus].find(({ addressSpace }) => addressSpace?.vmid === 0x80)!;
    assert.equal(!vcpu.settings.wakesAtTimers, kept, `${abi} ${byDriver}`);
    stack.run(0.1e9);
    assert.match(stack.console("hello"), /tick 5\r\n$/);
    assert.equal(stack.log().at(-1), "finished");
    assert.ok(stack.machine.time < 0.06e9, "no tick is late");
  }
});

Deno.test("CHECK_EXTENSION knows one extension, where the kernel has it", () => {
  const stack = new HostStack({ device: "ack-6.12", scripts: {}, quirks: { wakesAtTimers: true } });
  const vmm = new Client(stack);
  const vm = vmm.createVm();
  assert.deepEqual([0, 1, 99].map((extension) => vmm.ioctl(vm, GH_ANDROID.CHECK_EXTENSION, extension)), [1, 0, 0]);
  assert.equal(WAKES_AT_TIMERS, 0n);
});

Deno.test("a VM of the newer Resource Manager finds its address space in its info area", async () => {
  for (const abi of ["recorded", "newer"] as const) {
    const stack = await ticking(abi, false);
    const space = stack.hypervisor.addressSpaces.get(0x80)!;
    const entry = space.infoArea!.find(InfoOwner.RootVm << 16);
    if (abi === "recorded") assert.equal(entry, undefined);
    else {
      const view = new DataView(entry!.buffer);
      const [vcpu] = [...stack.hypervisor.scheduler.vcpus].filter(({ addressSpace }) => addressSpace === space);
      const object = vcpu.attachments.cspace!.lookup(view.getBigUint64(0, true), active("addrspace", view.getUint32(8, true)));
      assert.equal(object, space);
    }
  }
});
