// EL2_VM_SET_ROM, el2's own request for firmware in flash: memory of a process that its VM reads
// and executes among its devices.

import assert from "node:assert/strict";
import type { PersonaName } from "../../../../src/machine/abi/ioctl/personas.ts";
import { GH, GH_EL2, RomFlags, SET_ROM } from "../../../../src/machine/abi/ioctl/gunyah.ts";
import { checkInvariants } from "../../hypervisor/invariants.ts";
import { BASE, Client, DTB } from "../client.ts";
import { HostStack } from "../host-stack.ts";
import type { Step } from "../scripted-core.ts";

const ROM = 0x0400_0000, SIZE = 0x3000;

/** A guest that leaves RUN each time. */
function* leave(): Generator<Step, void, bigint> {
  for (;;) yield { do: "store", address: 0x6000, size: 8, value: 0n };
}

function setRom(client: Client, vm: number, user: number, changes: { address?: number; size?: number; flags?: number } = {}): number {
  const { address = ROM, size = SIZE, flags = RomFlags.Present } = changes;
  return client.call(vm, GH_EL2.SET_ROM, SET_ROM, {
    ...{ guest_phys_addr: BigInt(address), memory_size: BigInt(size), userspace_addr: BigInt(user), flags },
  });
}

/** A VM that runs, and memory of its process. */
function running(device: PersonaName) {
  const stack = new HostStack({ device, scripts: { [DTB]: leave, [BASE]: leave } });
  const client = new Client(stack);
  const { vm } = client.loadedVm();
  const vcpu = client.vcpu(vm);
  const user = client.memory(SIZE, true);
  const start = () => assert.equal(client.ioctl(vm, GH.START), 0, stack.lastRule()?.rule);
  const mapped = (address: number) => {
    const spaces = [...stack.hypervisor.scheduler.vcpus].map(({ addressSpace }) => addressSpace);
    return spaces.some((space) => space !== undefined && space.vmid >= 0x80 && space.stage2.lookup(address) !== undefined);
  };
  return { stack, client, vm, vcpu, user, start, mapped };
}

for (const device of ["ack-6.6", "ack-6.12", "union"] as const) {
  Deno.test(`a ROM comes and goes in a VM of ${device} that runs, and leaves no page`, () => {
    const { stack, client, vm, vcpu, user, start, mapped } = running(device);
    client.refused(setRom(client, vm, user), "ENODEV", /VM that runs/);
    start();
    const locked = () => stack.visit(({ kernel }) => kernel.lockedBytes(client.pid));
    const before = locked();
    for (let round = 0; round < 3; round++) {
      assert.equal(setRom(client, vm, user), 0, stack.lastRule()?.rule);
      assert.deepEqual([ROM, ROM + 0x2000, ROM + SIZE].map(mapped), [true, true, false]);
      assert.equal(locked(), before + SIZE);
      client.refused(setRom(client, vm, user, { address: ROM + 0x1000 }), "EEXIST", /ROMs of a VM/);
      // The process keeps its access.
      assert.ok(client.write(user, [round]).ok);
      assert.equal(setRom(client, vm, 0, { flags: 0 }), 0);
      assert.deepEqual([ROM, ROM + 0x2000].map(mapped), [false, false]);
      assert.equal(locked(), before);
      checkInvariants(stack.hypervisor);
    }
    assert.equal(setRom(client, vm, user), 0);
    client.close(vm);
    client.close(vcpu);
    stack.pass(1e9);
    assert.ok(client.write(user, [1]).ok);
    assert.deepEqual(stack.visit(({ gunyah }) => gunyah.state.vms), {});
    assert.equal(locked(), 0);
    checkInvariants(stack.hypervisor);
  });
}

Deno.test("a ROM that cannot be one is refused with its reason, and changes nothing", () => {
  const { stack, client, vm, user, start, mapped } = running("union");
  start();
  const odd = [{ address: ROM + 1 }, { size: 0 }, { size: 0x800 }];
  for (const changes of odd) client.refused(setRom(client, vm, user, changes), "EINVAL", /whole pages/);
  client.refused(setRom(client, vm, user + 8), "EINVAL", /whole pages/);
  client.refused(setRom(client, vm, user, { flags: 2 }), "EINVAL", /flags are PRESENT/);
  client.refused(client.ioctl(vm, GH_EL2.SET_ROM, 8), "EFAULT", /readable/);
  client.refused(setRom(client, vm, 0x7000_0000_0000), "EFAULT", /writable/);
  for (const flags of [0, 1]) client.refused(setRom(client, vm, user, { address: BASE, flags }), "EEXIST", /a ROM and a region/);
  const child = new Client(stack, client.kernel((kernel, pid) => kernel.fork(pid)));
  child.refused(child.ioctl(vm, GH_EL2.SET_ROM, 0), "EPERM", /address space that created/);
  assert.equal(mapped(ROM), false);
  checkInvariants(stack.hypervisor);
});

Deno.test("drivers that give memory in parcels, and those without functions, have no ROM", () => {
  const { client, vm, user, start } = running("v14");
  start();
  client.refused(setRom(client, vm, user), "ENODEV", /not in parcels/);
  const old = new Client(new HostStack({ device: "v9", scripts: {} }));
  old.refused(setRom(old, old.createVm(), old.memory(SIZE)), "ENOTTY");
});
