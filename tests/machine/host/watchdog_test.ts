// A guest that turns its watchdog on and pings it no more ends with the exit of a watchdog's bite,
// whether it spins or sleeps.

import assert from "node:assert/strict";
import { ExitType } from "../../../src/machine/abi/rpc/messages/vm.ts";
import { ExitReason, GH, RUN_PAGE, RUN_STATUS } from "../../../src/machine/abi/ioctl/gunyah.ts";
import { assemble, type Line } from "../../cpu/core/program.ts";
import { checkInvariants } from "../hypervisor/invariants.ts";
import { Client } from "./client.ts";
import { HostStack } from "./host-stack.ts";

/** SET_TIME(50, 50), CONTROL(3). */
const BEGIN: readonly Line[] = [
  ["movz x0, #0x8600, lsl #16", 0xd2b0c000],
  ["movk x0, #0x8", 0xf2800100],
  ["movz x1, #0x32", 0xd2800641],
  ["movz x2, #0x32", 0xd2800642],
  ["smc #0x0", 0xd4000003],
  ["movz x0, #0x8600, lsl #16", 0xd2b0c000],
  ["movk x0, #0x5", 0xf28000a0],
  ["movz x1, #0x3", 0xd2800061],
  ["smc #0x0", 0xd4000003],
];
const LOOPS: Readonly<Record<string, readonly Line[]>> = {
  spins: [["b", 0x1400_0000]],
  sleeps: [["hint #0x3", 0xd503207f], ["b", 0x17ffffff]],
};

for (const [how, loop] of Object.entries(LOOPS)) {
  Deno.test(`a guest that ${how} without pinging its watchdog ends by its bite`, () => {
    const stack = new HostStack({ device: "v14", cpus: 1 });
    const vmm = new Client(stack);
    const { vm } = vmm.loadedVm({ code: [...new Uint8Array(new Uint32Array(assemble([...BEGIN, ...loop])).buffer)] });
    const vcpu = vmm.vcpu(vm), page = vmm.runPage(vcpu);
    assert.equal(vmm.ioctl(vm, GH.START), 0);
    const began = stack.machine.time;
    assert.equal(vmm.ioctl(vcpu, GH.RUN), 0);
    const bytes = vmm.read(page, RUN_STATUS.size);
    assert.deepEqual([RUN_PAGE.decode(bytes).exit_reason, RUN_STATUS.decode(bytes).exit_type], [ExitReason.Status, ExitType.WatchdogBite]);
    const took = (stack.machine.time - began) / 1e6;
    assert.ok(took >= 50 && took < 80, `${took} ms`);
    vmm.exit();
    stack.pass(1e9);
    assert.deepEqual(stack.visit(({ gunyah }) => gunyah.state.vms), {});
    checkInvariants(stack.hypervisor);
  });
}
