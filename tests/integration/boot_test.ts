// The Resource Manager boots on the real hypervisor, by hypercalls alone and without any AArch64
// code, and starts a primary VM that is a native guest (docs/spec/observed.md §3, §7). Capability
// ids and addresses are the recorded ones.

import assert from "node:assert/strict";
import { Hypercall } from "../../src/machine/abi/hypercalls.ts";
import type { NativeGuest, NativeVcpu } from "../../src/machine/abi/native-guest.ts";
import { createHypervisor } from "../../src/machine/hypervisor/create-hypervisor.ts";
import { GICD_BASE, GICR_BASE, GICR_STRIDE } from "../../src/machine/hardware/memory-map.ts";
import { createResourceManager } from "../../src/machine/resource-manager/resource-manager.ts";
import { createTestHypervisor } from "../machine/hypervisor/fixture.ts";
import { checkInvariants } from "../machine/hypervisor/invariants.ts";

const PRIMARY_ENTRY = 0x4100_0000;
const MIB = 0x10_0000;

/** A primary VM: does what the test wants at the start of a vCPU and when a vIRQ comes. */
class Primary implements NativeGuest {
  readonly started: [index: number, x0: bigint][] = [];
  constructor(readonly act: (vcpu: NativeVcpu) => void, readonly onVirq: (vcpu: NativeVcpu, intid: number) => void = () => {}) {}
  start(vcpu: NativeVcpu, _entry: bigint, x0: bigint): void {
    this.started.push([vcpu.index, x0]);
    this.act(vcpu);
  }
  virq(vcpu: NativeVcpu, intid: number): void {
    this.onVirq(vcpu, intid);
  }
  timer(): void {}
  runReturned(): void {}
  save(): unknown {
    return undefined;
  }
  restore(): void {}
}

/** Boots until everything waits. */
function boot(cpus: number, primary: Primary, memory = 1024 * MIB) {
  const { machine, options } = createTestHypervisor(cpus, memory);
  const { hypervisor, root } = createHypervisor(machine, { ...options, resourceManager: createResourceManager });
  hypervisor.registerNative(PRIMARY_ENTRY, () => primary);
  const result = machine.run(50_000_000);
  assert.equal(result.kind, "idle", JSON.stringify(result));
  return { machine, hypervisor, root };
}

Deno.test("the Resource Manager boots and starts the primary VM at its entry with the devicetree's address", () => {
  const primary = new Primary(() => {});
  const { hypervisor } = boot(8, primary);
  assert.deepEqual(primary.started, [[0, 0x40f0_0000n]]);
  assert.deepEqual([...hypervisor.addressSpaces.keys()].sort((a, b) => a - b), [3, 255]);
  checkInvariants(hypervisor);
});

Deno.test("the objects of the primary VM have the recorded capability ids", () => {
  const { root } = boot(8, new Primary(() => {}));
  const types = new Map([...root.cspace.capabilities()].map(([id, capability]) => [Number(id), capability.object!.type]));
  const recorded: [number, string][] = [
    [0x339, "memextent"],
    [0x33a, "thread"],
    [0x33d, "cspace"],
    [0x400, "thread"],
    [0x401, "memextent"],
    [0x402, "memextent"],
    [0x403, "addrspace"],
    [0x404, "memextent"],
    [0x405, "vpm_group"],
    [0x40c, "thread"],
    [0x40d, "vic"],
    [0x40e, "msgqueue"],
    [0x40f, "msgqueue"],
    [0x410, "memextent"],
  ];
  for (const [id, type] of recorded) assert.equal(types.get(id), type, `capability 0x${id.toString(16)}`);
  assert.equal(types.has(0x411), false);
});

Deno.test("the primary's cspace holds its queues to the RM and the RM's vCPU with the right to move it", () => {
  const { hypervisor } = boot(
    1,
    new Primary((vcpu) => {
      assert.equal(vcpu.hvc(Hypercall.msgqueue_receive, 0n, 0n, 0n)[0], 53n, "cap 0 sends");
      assert.equal(vcpu.hvc(Hypercall.msgqueue_send, 1n, 0n, 0n)[0], 53n, "cap 1 receives");
      assert.equal(vcpu.hvc(Hypercall.vcpu_kill, 2n)[0], 53n);
      assert.equal(vcpu.hvc(Hypercall.vcpu_set_affinity, 2n, 0n, 0xffff_ffff_ffff_ffffn)[0], 0n);
      assert.equal(vcpu.hvc(Hypercall.vcpu_kill, 3n)[0], 50n);
    }),
  );
  checkInvariants(hypervisor);
});

Deno.test("the primary has its RAM, the devices and its GIC; the RM's memory is out of reach but for the log", () => {
  boot(
    2,
    new Primary((vcpu) => {
      assert.ok(vcpu.write(0x4000_0000, Uint8Array.of(1)));
      assert.ok(vcpu.write(0x7fff_f000, Uint8Array.of(1)));
      assert.equal(vcpu.read(0x8000_0000, 1), undefined);
      assert.equal(vcpu.read(0x8048_0000, 1), undefined);
      assert.ok(vcpu.read(0x804e_d000, 0x2000));
      assert.ok(!vcpu.write(0x804e_d000, Uint8Array.of(1)));
      assert.equal(vcpu.readDevice(GICD_BASE + 4, 4), 0x0349_001fn);
      assert.equal(vcpu.readDevice(GICR_BASE + GICR_STRIDE + 8, 8), 0x1_0000_0110n, "the second redistributor is the last");
      assert.equal(vcpu.readDevice(GICR_BASE + 2 * GICR_STRIDE + 8, 8), undefined);
    }),
  );
});

Deno.test("vCPUs of the primary start by CPU_ON, each on its own physical CPU", () => {
  const primary = new Primary((vcpu) => {
    if (vcpu.index > 0) return;
    for (const index of [1n, 2n]) assert.equal(vcpu.smc(0xc400_0003, index, BigInt(PRIMARY_ENTRY), 100n + index)[0], 0n);
    assert.equal(BigInt.asIntN(64, vcpu.smc(0xc400_0003, 1n, BigInt(PRIMARY_ENTRY), 0n)[0]), -4n);
  });
  const { hypervisor } = boot(3, primary);
  assert.deepEqual(primary.started.sort(), [[0, 0x40f0_0000n], [1, 101n], [2, 102n]]);
  const affinities = [...hypervisor.scheduler.vcpus].filter((vcpu) => vcpu.addressSpace?.vmid === 3).map((vcpu) => vcpu.settings.affinity);
  assert.deepEqual(affinities.sort(), [0, 1, 2]);
});

Deno.test("two boots are equal in every byte of memory and in virtual time", () => {
  const image = () => {
    const { machine } = boot(2, new Primary(() => {}), 64 * MIB);
    const { map } = machine;
    return { time: machine.time, bytes: machine.ram.bytes(map.resourceManagerBase, map.ramEnd - map.resourceManagerBase).slice() };
  };
  assert.deepEqual(image(), image());
});

Deno.test("a smaller and a larger primary boot as well", () => {
  for (const memory of [64 * MIB, 512 * MIB, 2048 * MIB]) {
    const primary = new Primary((vcpu) => {
      assert.ok(vcpu.write(0x4000_0000 + memory - 1, Uint8Array.of(1)));
      assert.ok(!vcpu.write(0x4000_0000 + memory, Uint8Array.of(1)));
    });
    const { hypervisor } = boot(1, primary, memory);
    assert.equal(primary.started.length, 1);
    assert.ok(hypervisor);
  }
});
