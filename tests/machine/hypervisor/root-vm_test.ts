// The root VM's start (docs/spec/hypervisor.md §8 and §10, lines 182-184; docs/spec/observed.md
// §7).

import assert from "node:assert/strict";
import type { NativeGuest, NativeVcpu } from "../../../src/machine/abi/native-guest.ts";
import { decodeRootEnvironment, NO_CAP, ROOT_ENVIRONMENT_SIZE } from "../../../src/machine/abi/root-environment.ts";
import { createHypervisor } from "../../../src/machine/hypervisor/create-hypervisor.ts";
import { RAM_BASE } from "../../../src/machine/hardware/memory-map.ts";
import { createTestHypervisor } from "./fixture.ts";
import { checkInvariants } from "./invariants.ts";

const GIB = 0x4000_0000;

/** Starts a root VM whose program does `act` at its start. */
function start(memory: number, act: (vcpu: NativeVcpu, entry: bigint, x0: bigint) => void, cpus = 1) {
  const { machine, options } = createTestHypervisor(cpus, memory);
  let started = 0;
  const program: NativeGuest = {
    start(vcpu, entry, x0) {
      started++;
      act(vcpu, entry, x0);
    },
    virq: () => {},
    timer: () => {},
    runReturned: () => {},
    save: () => undefined,
    restore: () => {},
  };
  const { hypervisor, root } = createHypervisor(machine, { ...options, resourceManager: () => program });
  machine.run(1_000_000);
  assert.equal(started, 1);
  return { machine, hypervisor, root };
}

/** The environment that the program finds at X0. */
function environment(memory: number, cpus = 1) {
  let bytes: Uint8Array | undefined;
  const system = start(memory, (vcpu, _entry, x0) => {
    bytes = vcpu.read(Number(x0), ROOT_ENVIRONMENT_SIZE);
  }, cpus);
  assert.ok(bytes);
  const decoded = decodeRootEnvironment(bytes);
  assert.ok(decoded.ok);
  return { ...system, bytes, environment: decoded.environment };
}

Deno.test("X0 points to a block with the signatures RVME and, 88 bytes later, DEMR", () => {
  const { bytes } = environment(GIB);
  const text = (at: number) => new TextDecoder().decode(bytes.subarray(at, at + 4));
  assert.equal(text(0), "RVME");
  assert.equal(text(88), "DEMR");
});

Deno.test("the vCPU enters at the runtime's entry point", () => {
  start(GIB, (_vcpu, entry, x0) => {
    assert.equal(entry, 0x8048_1000n);
    assert.equal(x0, 0x804e_1000n);
  });
});

Deno.test("the environment has the recorded capabilities and addresses", () => {
  const { resources, ...block } = environment(GIB, 8).environment;
  assert.equal(block.app_heap_ipa, 0x804e_5000);
  assert.equal(block.app_heap_size, 0x3_b000);
  assert.equal(block.timer_freq, 62_500_000);
  assert.equal(resources.cspace_capid, 0n);
  assert.equal(resources.partition_capid, 1n);
  assert.equal(resources.vcpu_capid, 2n);
  assert.equal(resources.vic, 3n);
  assert.equal(resources.addrspace_capid, 0x335n);
  assert.equal(resources.me_capid, 0x336n);
  assert.equal(resources.device_me_capid, 0x337n);
  assert.equal(resources.uart_me_capid, 0x338n);
  assert.equal(resources.usable_cores, 0xff);
  assert.deepEqual(resources.gicr_ranges, [[0x080a_0000, 8]]);
});

Deno.test("every forwardable PPI and SPI has a capability, from 4 on, and no other interrupt has one", () => {
  const { vic_hwirq } = environment(GIB).environment.resources;
  assert.equal(vic_hwirq.length, 256);
  assert.equal(vic_hwirq[16], 4n);
  assert.equal(vic_hwirq.filter((cap) => cap !== NO_CAP).length, 235);
  for (const intid of [0, 15, 23, 25, 26, 27, 30]) assert.equal(vic_hwirq[intid], NO_CAP, `interrupt ${intid}`);
  assert.equal(vic_hwirq[255], 0x334n);
});

Deno.test("with more RAM the root VM and its environment move above it", () => {
  const { machine, environment: { resources, runtime_ipa } } = environment(2 * GIB);
  assert.equal(resources.hlos_vm_size, 2 * GIB);
  assert.equal(runtime_ipa, RAM_BASE + 2 * GIB + 0x48_0000);
  assert.deepEqual(resources.free_ranges, [[RAM_BASE, 2 * GIB], [machine.map.rootBase, machine.map.ramEnd - machine.map.rootBase]]);
});

Deno.test("the root VM reaches its memory, its GIC frames and nothing else", () => {
  const { hypervisor } = start(GIB, (vcpu) => {
    assert.ok(vcpu.write(0x8048_0000, Uint8Array.of(1)));
    assert.ok(!vcpu.write(0x8047_f000, Uint8Array.of(1)));
    assert.equal(vcpu.read(RAM_BASE, 1), undefined);
    assert.equal(vcpu.readDevice(0x0800_0004, 4), 0x0349_001fn);
    assert.equal(vcpu.readDevice(0x080a_0008, 8), 0x10n);
    assert.equal(vcpu.readDevice(0x080c_0008, 8), undefined, "there is one redistributor");
    assert.equal(vcpu.readDevice(0x0900_0018, 4), undefined, "the UART is not mapped yet");
  });
  checkInvariants(hypervisor);
});

Deno.test("the GIC's frames cannot be mapped: the device extent does not own them", () => {
  start(GIB, (vcpu) => {
    const map = (ipa: bigint, offset: bigint) => vcpu.hvc(0x2b, 0x335n, 0x337n, ipa, 0x66n, 0x8000_0001n, offset, 0x1000n)[0];
    const lookup = (ipa: bigint) => vcpu.hvc(0x5a, 0x335n, 0x337n, ipa, 0x1000n)[0];
    assert.equal(map(0x1_0000_0000n, 0x0800_0000n), 0n);
    assert.equal(lookup(0x1_0000_0000n), 22n);
    assert.equal(map(0x1_0000_1000n, 0x0901_0000n), 0n);
    assert.equal(lookup(0x1_0000_1000n), 0n);
  });
});

Deno.test("the root VM's vCPU is in no group: it has no PSCI", () => {
  start(GIB, (vcpu) => assert.equal(vcpu.smc(0x8400_0000)[0], 0xffff_ffff_ffff_ffffn));
});
