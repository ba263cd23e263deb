// virtio-mmio devices: the frontend's writes, the backend's calls (docs/spec/hypervisor.md §4.11,
// §7.1; section 10 lines 172 to 179).

import { asIpa, asPa } from "../../../../src/machine/abi/numbers.ts";
import assert from "node:assert/strict";
import { errorName } from "../../../../src/machine/abi/errors.ts";
import { type HypercallName, HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import { Access, ExtentType, memextentAttributes, MemoryType } from "../../../../src/machine/abi/words.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { DEFERRED } from "../../../../src/machine/hypervisor/capabilities/hypercall-definition.ts";
import { Memextent } from "../../../../src/machine/hypervisor/memory/memextent.ts";
import { VirtioMmioRegister as R } from "../../../../src/machine/devices/virtio-mmio-registers.ts";
import { dataAbort, type Script, ScriptedMachine, type ScriptedState, ScriptedVm, type Step } from "../scripted.ts";
import { nativeCall } from "../native-call.ts";

const PAGE = RAM_BASE;
/** Where frontends see the page. */
const IPA = 0x1000_0000;
/** The backend's buffer for virtio_input_set_data. */
const BUFFER = RAM_BASE + 0x1000;

/** A store of the frontend; false when it is an external abort. */
function* write(registers: ScriptedState, offset: number, value: number, sizeLog2 = 2): Generator<Step, boolean, void> {
  const before = registers.exceptions.length;
  registers.setX(1, BigInt(value));
  yield { ...dataAbort(true, IPA + offset, sizeLog2, 8) };
  return registers.exceptions.length === before;
}

/**
 * A device with its backend, whose vIRQ 40 is raised by the frontend; the frontend's vIRQ 41 by the
 * backend.
 */
class Rig {
  readonly machine = new ScriptedMachine();
  readonly backend = new ScriptedVm(this.machine, 3, [function* () {}]);
  readonly vic = this.backend.grant(this.backend.vic);
  readonly device: bigint;

  constructor(queues = 2, deviceType?: number) {
    this.backend.grant(this.machine.hypervisor.rootPartition);
    const partition = 1n, cspace = this.backend.grant(this.backend.cspace);
    this.device = this.results("partition_create_virtio_mmio", partition, cspace)[0];
    const extent = this.extent(PAGE, 0x1000);
    const flags = deviceType === undefined ? 0n : 0x40n;
    this.ok("virtio_mmio_configure", this.device, extent, BigInt(queues), flags, BigInt(deviceType ?? 0));
    this.ok("object_activate", this.device);
    this.ok("virtio_mmio_frontend_bind_virq", this.device, this.vic, 40n);
    this.ok("virtio_mmio_backend_bind_virq", this.device, this.vic, 41n);
    this.backend.addressSpace.install(asIpa(BUFFER), asPa(BUFFER), 0x1000, Access.RW | Access.RW << 4 | MemoryType.NormalWB << 16);
  }

  extent(base: number, size: number, type: number = ExtentType.Basic, access: number = Access.RW): bigint {
    const extent = this.machine.create(Memextent);
    assert.equal(extent.configure(BigInt(base), BigInt(size), memextentAttributes(access, 0, type)), 0);
    assert.equal(extent.activate(), 0);
    return this.backend.grant(extent);
  }

  call(name: HypercallName, ...args: bigint[]): [error: string, ...results: bigint[]] {
    const all = Object.keys(HYPERCALLS[name].arguments).map((_, index) => args[index] ?? 0n);
    const reply = nativeCall(this.machine.hypervisor.hypercalls, this.backend.vcpus[0], HYPERCALLS[name].number, all);
    assert.ok(reply && reply !== DEFERRED);
    return [errorName(reply.values[0]), ...reply.values.slice(1, reply.count)];
  }

  error(name: HypercallName, ...args: bigint[]): string {
    return this.call(name, ...args)[0];
  }

  results(name: HypercallName, ...args: bigint[]): bigint[] {
    const [error, ...results] = this.call(name, ...args);
    assert.equal(error, "OK", name);
    return results;
  }

  ok(name: HypercallName, ...args: bigint[]): void {
    this.results(name, ...args);
  }

  /** A register as the frontend reads it. */
  page(offset: number): number {
    const bytes = this.machine.machine.ram.bytes(PAGE + offset, 4);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  }

  isPending(virq: number): boolean {
    return this.backend.vic.gic.shared.isPending(virq);
  }

  /** A handler of vIRQ 40 or 41. */
  take(): number {
    const { gic } = this.backend.vcpus[0];
    this.backend.vic.gic.update(gic, 41, 3, 0);
    const intid = gic.acknowledge(1);
    gic.endOfInterrupt(1, intid);
    return intid;
  }

  /** Runs the frontend's script to its end. */
  frontend(script: Script): void {
    let ended = false;
    const vm = new ScriptedVm(this.machine, 0x80, [function* (registers) {
      yield* script(registers);
      ended = true;
    }]);
    vm.addressSpace.install(asIpa(IPA), asPa(PAGE), 0x1000, Access.R | Access.R << 4 | MemoryType.NormalWB << 16);
    vm.start();
    this.machine.run(200_000);
    assert.ok(ended, "the script has ended");
  }
}

Deno.test("what a device cannot be configured with", () => {
  const rig = new Rig();
  const fresh = rig.results("partition_create_virtio_mmio", 1n, 2n)[0];
  const configure = (extent: bigint, queues: bigint, flags = 0n, type = 0n) =>
    rig.error("virtio_mmio_configure", fresh, extent, queues, flags, type);
  assert.equal(configure(rig.extent(RAM_BASE + 0x10000, 0x2000), 1n), "ARGUMENT_INVALID");
  assert.equal(configure(rig.extent(RAM_BASE + 0x20000, 0x1000, ExtentType.Sparse), 1n), "ARGUMENT_INVALID");
  const page = rig.extent(RAM_BASE + 0x30000, 0x1000);
  assert.equal(configure(page, 17n), "ARGUMENT_INVALID");
  assert.equal(configure(page, 1n, 0x40n, 2n), "ARGUMENT_INVALID");
  assert.equal(configure(page, 16n), "OK");
  assert.equal(rig.error("object_activate", fresh), "OK");
  const second = rig.results("partition_create_virtio_mmio", 1n, 2n)[0];
  assert.equal(rig.error("object_activate", second), "OBJECT_CONFIG");
  const third = rig.results("partition_create_virtio_mmio", 1n, 2n)[0];
  rig.ok("virtio_mmio_configure", third, page, 1n);
  assert.equal(rig.error("object_activate", third), "BUSY", "the page is another device's");
  const readOnly = rig.results("partition_create_virtio_mmio", 1n, 2n)[0];
  rig.ok("virtio_mmio_configure", readOnly, rig.extent(RAM_BASE + 0x40000, 0x1000, ExtentType.Basic, Access.R), 1n);
  assert.equal(rig.error("object_activate", readOnly), "DENIED");
});

Deno.test("features are offered and accepted in banks", () => {
  const rig = new Rig();
  assert.equal(rig.error("virtio_mmio_backend_set_dev_features", rig.device, 2n, 0n), "ARGUMENT_INVALID");
  for (const features of [0n, 1n, 2n, 0x43n]) {
    assert.equal(rig.error("virtio_mmio_backend_set_dev_features", rig.device, 1n, features), "DENIED");
  }
  rig.ok("virtio_mmio_backend_set_dev_features", rig.device, 0n, 0x30n);
  rig.ok("virtio_mmio_backend_set_dev_features", rig.device, 1n, 3n);
  rig.frontend(function* (registers) {
    assert.ok(yield* write(registers, R.DeviceFeaturesSel, 0));
    assert.equal(rig.page(R.DeviceFeatures), 0x30);
    assert.ok(yield* write(registers, R.DeviceFeaturesSel, 1));
    assert.equal(rig.page(R.DeviceFeatures), 3);
    assert.ok(!(yield* write(registers, R.DeviceFeaturesSel, 2)));
    yield* write(registers, R.DriverFeaturesSel, 1);
    yield* write(registers, R.DriverFeatures, 3);
    assert.ok(!(yield* write(registers, R.DriverFeaturesSel, 2)));
  });
  assert.deepEqual(rig.results("virtio_mmio_backend_get_drv_features", rig.device, 1n), [3n]);
  assert.equal(rig.error("virtio_mmio_backend_get_drv_features", rig.device, 2n), "ARGUMENT_INVALID");
});

Deno.test("the frontend sets up queues that the backend can ask for", () => {
  const rig = new Rig();
  rig.ok("virtio_mmio_backend_set_queue_num_max", rig.device, 1n, 256n);
  rig.frontend(function* (registers) {
    yield* write(registers, R.QueueSel, 1);
    assert.equal(rig.page(R.QueueNumMax), 256);
    for (
      const [offset, value] of [[R.QueueNum, 128], [R.QueueDescLow, 0x1000], [R.QueueDescHigh, 1], [R.QueueDriverLow, 0x2000], [
        R.QueueDeviceLow,
        0x3000,
      ]]
    ) {
      assert.ok(yield* write(registers, offset, value));
    }
    yield* write(registers, R.QueueReady, 1);
    assert.equal(rig.page(R.QueueReady), 1);
    yield* write(registers, R.QueueSel, 0);
    assert.equal(rig.page(R.QueueReady), 0);
    assert.ok(!(yield* write(registers, R.QueueSel, 2)));
  });
  assert.deepEqual(rig.results("virtio_mmio_backend_get_queue_info", rig.device, 1n), [128n, 1n, 0x1_0000_1000n, 0x2000n, 0x3000n]);
  assert.equal(rig.error("virtio_mmio_backend_get_queue_info", rig.device, 2n), "ARGUMENT_INVALID");
});

Deno.test("notified queues are told once, and the backend's vIRQ drops with them", () => {
  const rig = new Rig();
  rig.frontend(function* (registers) {
    yield* write(registers, R.QueueNotify, 1);
    assert.ok(!(yield* write(registers, R.QueueNotify, 2)));
  });
  assert.equal(rig.take(), 40);
  assert.deepEqual(rig.results("virtio_mmio_backend_get_notification", rig.device), [2n, 1n]);
  assert.equal(rig.take(), 40);
  assert.equal(rig.take(), 1023);
  assert.deepEqual(rig.results("virtio_mmio_backend_get_notification", rig.device), [0n, 0n]);
});

Deno.test("reset handshake, interrupts and their acknowledgement", () => {
  const rig = new Rig();
  rig.frontend(function* (registers) {
    yield* write(registers, R.Status, 0x0f);
    assert.equal(rig.page(R.Status), 0x0f);
    assert.deepEqual(rig.results("virtio_mmio_backend_get_notification", rig.device), [0n, 8n], "DRIVER_OK");
    rig.ok("virtio_mmio_backend_assert_virq", rig.device, 3n);
    assert.equal(rig.page(R.InterruptStatus), 3);
    assert.ok(rig.isPending(41));
    yield* write(registers, R.InterruptACK, 1);
    assert.equal(rig.page(R.InterruptStatus), 2);
    assert.equal(rig.take(), 40);
    assert.equal(rig.take(), 41);
    assert.equal(rig.take(), 41, "bit 1 is still set");
    yield* write(registers, R.InterruptACK, 2);
    assert.equal(rig.take(), 41);
    assert.equal(rig.take(), 1023);
    yield* write(registers, R.QueueSel, 0);
    yield* write(registers, R.QueueReady, 1);
    yield* write(registers, R.Status, 0);
    assert.equal(rig.page(R.Status), 0x4f);
    assert.equal(rig.page(R.QueueReady), 0);
    assert.equal(rig.error("virtio_mmio_backend_assert_virq", rig.device, 1n), "DENIED");
    assert.deepEqual(rig.results("virtio_mmio_backend_get_notification", rig.device), [0n, 2n]);
    rig.ok("virtio_mmio_backend_acknowledge_reset", rig.device);
    assert.equal(rig.page(R.Status), 0);
    rig.ok("virtio_mmio_backend_update_status", rig.device, 0x40n);
    assert.equal(rig.page(R.Status), 0x40);
  });
});

Deno.test("other sizes and other registers are external aborts; the config space takes bytes and words", () => {
  const rig = new Rig();
  rig.frontend(function* (registers) {
    assert.ok(!(yield* write(registers, R.Status, 1, 1)));
    assert.ok(!(yield* write(registers, R.Status, 1, 0)));
    for (const offset of [0, R.DeviceFeatures, R.QueueNumMax, R.InterruptStatus, 0x0fc]) assert.ok(!(yield* write(registers, offset, 1)));
    assert.ok(yield* write(registers, R.Config, 0x1234_5678));
    assert.ok(yield* write(registers, R.Config + 5, 0xab, 0));
    assert.ok(!(yield* write(registers, R.Config, 1, 1)));
    assert.ok(!(yield* write(registers, R.Config + 8, 1, 3)));
    assert.equal(rig.page(R.Config), 0x1234_5678);
    assert.equal(rig.page(R.Config + 4), 0xab00);
  });
});

Deno.test("an input device answers selections with what its backend has set", () => {
  const rig = new Rig(2, 18);
  const { ram } = rig.machine.machine;
  const set = (sel: number, subsel: number, size: number, at = BUFFER) =>
    rig.error("virtio_input_set_data", rig.device, BigInt(sel), BigInt(subsel), BigInt(size), BigInt(at));
  assert.equal(rig.error("virtio_input_configure", rig.device, 0n, 0n, 33n, 0n), "ARGUMENT_INVALID");
  assert.equal(rig.error("virtio_input_configure", rig.device, 0x4_0003_0002_0001n, 1n, 1n, 0n), "OK");
  assert.equal(rig.error("virtio_input_configure", rig.device, 0n, 0n, 1n, 0n), "BUSY");
  ram.write(BUFFER, new TextEncoder().encode("keyboard"));
  assert.equal(set(1, 0, 8), "OK");
  assert.equal(set(1, 1, 8), "ARGUMENT_INVALID");
  assert.equal(set(4, 0, 8), "ARGUMENT_INVALID");
  assert.equal(set(1, 0, 129), "ARGUMENT_SIZE");
  assert.equal(set(1, 0, 0), "ARGUMENT_SIZE");
  assert.equal(set(1, 0, 8, 0x9000_0000), "ADDR_INVALID");
  assert.equal(set(0x11, 1, 4), "OK");
  assert.equal(set(0x11, 2, 4), "NORESOURCES");
  rig.frontend(function* (registers) {
    assert.ok(yield* write(registers, R.Config, 1, 0));
    assert.equal(rig.page(R.Config) >> 16 & 0xff, 8);
    assert.equal(new TextDecoder().decode(ram.bytes(PAGE + R.Config + 8, 8)), "keyboard");
    assert.ok(yield* write(registers, R.Config, 3, 0));
    assert.equal(rig.page(R.Config + 8), 0x0002_0001);
    assert.ok(yield* write(registers, R.Config, 9, 0));
    assert.equal(rig.page(R.Config) >> 16 & 0xff, 0, "nothing is there");
    assert.ok(!(yield* write(registers, R.Config + 2, 1, 0)));
    assert.ok(!(yield* write(registers, R.Config, 1)));
  });
  const plain = new Rig();
  assert.equal(plain.error("virtio_input_configure", plain.device, 0n, 0n, 0n, 0n), "OBJECT_CONFIG");
  assert.equal(plain.error("virtio_input_set_data", plain.device, 1n, 0n, 1n, BigInt(BUFFER)), "CSPACE_WRONG_OBJECT_TYPE");
});
