// Checklist of the specification (docs/spec/hypervisor.md §10), lines 172 to 184: virtio-mmio,
// injected faults, the root VM.

import assert from "node:assert/strict";
import { systemRegisterNumber } from "../../../../src/cpu/isa/names/system-register-names.ts";
import type { NativeGuest, NativeVcpu } from "../../../../src/machine/abi/native-guest.ts";
import { decodeRootEnvironment, ROOT_ENVIRONMENT_SIZE } from "../../../../src/machine/abi/root-environment.ts";
import { Access, ExtentType, mapAttributes, MemoryType } from "../../../../src/machine/abi/words.ts";
import { createHypervisor } from "../../../../src/machine/hypervisor/create-hypervisor.ts";
import { VirtioMmioRegister as R, VirtioStatus } from "../../../../src/machine/devices/virtio-mmio-registers.ts";
import type { AddressSpace } from "../../../../src/machine/hypervisor/memory/addrspace.ts";
import type { Memextent } from "../../../../src/machine/hypervisor/memory/memextent.ts";
import { Rig as CoreRig } from "../../../cpu/core/rig.ts";
import { page } from "../errors/recipes.ts";
import { createTestHypervisor } from "../fixture.ts";
import { dataAbort, sysreg } from "../scripted.ts";
import { Rig } from "./rig.ts";

/** Where the frontend sees the page. The caller is both ends. */
const IPA = 0x1000_0000;

/**
 * A device of two queues; vIRQ 40 is the backend's, raised by the frontend's writes, 41 the
 * frontend's.
 */
class Device extends Rig {
  readonly device: bigint;
  readonly #page: number;

  constructor() {
    super();
    const memextent = page(this);
    const extent = this.get<Memextent>(memextent);
    this.#page = extent.base;
    this.device = this.fresh("virtio_mmio");
    this.ok("virtio_mmio_configure", { virtio_mmio: this.device, memextent, vqs_num: 2n, flags: 0n, device_type: 0n });
    this.ok("object_activate", { cap: this.device });
    this.ok("virtio_mmio_frontend_bind_virq", { virtio_mmio: this.device, vic: this.vic, virq: 40n });
    this.ok("virtio_mmio_backend_bind_virq", { virtio_mmio: this.device, vic: this.vic, virq: 41n });
    this.enable(40, 41);
    const readOnly = mapAttributes(Access.R, Access.R, MemoryType.NormalWB);
    assert.equal(extent.map(this.get<AddressSpace>(this.space), BigInt(IPA), 0, 4096, readOnly), 0);
  }

  /** A store of the frontend; false when it is an external abort. */
  write(offset: number, value: number, sizeLog2 = 2): boolean {
    const before = this.registers.exceptions.length;
    this.registers.setX(1, BigInt(value));
    this.exit({ ...dataAbort(true, IPA + offset, sizeLog2, 8) });
    return this.registers.exceptions.length === before;
  }

  /** A load of the frontend, which is plain memory. */
  read(offset: number): number {
    const { buffer, byteOffset } = this.hypervisor.machine.ram.bytes(this.#page + offset, 4);
    return new DataView(buffer, byteOffset, 4).getUint32(0, true);
  }

  notification(): readonly bigint[] {
    return this.ok("virtio_mmio_backend_get_notification", { virtio_mmio: this.device }).slice(0, 2);
  }
}

Deno.test("H172: a virtio-mmio device has a BASIC page of 4 KiB and at most 16 queues", () => {
  const w = new Rig();
  const configure = (memextent: bigint, vqs_num = 2n) =>
    w.error("virtio_mmio_configure", { virtio_mmio: w.fresh("virtio_mmio"), memextent, vqs_num, flags: 0n, device_type: 0n });
  assert.equal(configure(w.cap(w.extent(w.take(8192), 8192, ExtentType.Basic))), "ARGUMENT_INVALID");
  assert.equal(configure(w.cap(w.extent(w.take(4096), 4096, ExtentType.Sparse))), "ARGUMENT_INVALID");
  assert.deepEqual([configure(page(w), 17n), configure(page(w), 16n)], ["ARGUMENT_INVALID", "OK"]);
});

Deno.test("H173: bank 1 of the features offers VERSION_1 and ACCESS_PLATFORM, and not NOTIFICATION_DATA", () => {
  const w = new Device();
  const set = (dev_feat: bigint) => w.error("virtio_mmio_backend_set_dev_features", { virtio_mmio: w.device, sel: 1n, dev_feat });
  assert.deepEqual([set(1n), set(2n), set(0x43n), set(3n)], ["DENIED", "DENIED", "DENIED", "OK"]);
});

Deno.test("H174: QueueNotify tells the backend which queue, with reason bit 0", () => {
  const w = new Device();
  assert.ok(w.write(R.QueueNotify, 1));
  assert.deepEqual(w.notification(), [2n, 1n]);
});

Deno.test("H175: a notification is told once, and the backend's vIRQ drops with it", () => {
  const w = new Device();
  w.write(R.QueueNotify, 0);
  assert.ok(w.isPending(40));
  w.notification();
  assert.equal(w.serve(), 40);
  assert.ok(!w.isPending(40));
  assert.deepEqual(w.notification(), [0n, 0n]);
});

Deno.test("H176: writing 0 to Status asks for a reset, and the backend's acknowledgement ends it", () => {
  const w = new Device();
  w.write(R.QueueSel, 1);
  w.write(R.QueueReady, 1);
  w.write(R.Status, 1);
  assert.ok(w.write(R.Status, 0), "whatever the backend's vIRQ is configured as");
  assert.deepEqual([w.read(R.Status), w.read(R.QueueReady)], [1 | VirtioStatus.NEEDS_RESET, 0]);
  assert.deepEqual(w.notification(), [0n, 2n]);
  w.ok("virtio_mmio_backend_acknowledge_reset", { virtio_mmio: w.device });
  assert.equal(w.read(R.Status), 0);
});

Deno.test("H177: while a reset is under way the backend cannot interrupt", () => {
  const w = new Device();
  w.write(R.Status, 1);
  w.write(R.Status, 0);
  assert.equal(w.error("virtio_mmio_backend_assert_virq", { virtio_mmio: w.device, interrupt_status: 1n }), "DENIED");
});

Deno.test("H178: InterruptACK clears bits, and the frontend's vIRQ drops when none is left", () => {
  const w = new Device();
  w.ok("virtio_mmio_backend_assert_virq", { virtio_mmio: w.device, interrupt_status: 3n });
  w.write(R.InterruptACK, 1);
  assert.equal(w.read(R.InterruptStatus), 2);
  assert.equal(w.serve(), 41);
  assert.ok(w.isPending(41), "one is left");
  w.write(R.InterruptACK, 2);
  assert.equal(w.serve(), 41);
  assert.ok(!w.isPending(41));
});

Deno.test("H179: a store of 16 bits to the page is an external abort", () => {
  const w = new Device();
  assert.equal(w.write(R.Status, 1, 1), false);
  assert.equal(w.registers.exceptions.at(-1)!.esr & 0x3f, 0x10);
});

Deno.test("H180: an access to an IPA that nothing answers is an external abort of the same level, EC 0x25", () => {
  const w = new Rig();
  w.exit({ ...dataAbort(false, 0x9000_0000, 2) });
  const { esr, far } = w.registers.exceptions[0];
  assert.deepEqual([esr >>> 26, esr & 0x3f, far], [0x25, 0x10, 0x9000_0000n]);
});

Deno.test("H181: a trapped system register that nobody handles is undefined, EC 0", () => {
  const w = new Rig();
  w.exit(sysreg(true, 3, 0, 10, 4, 7));
  assert.equal(w.registers.exceptions[0].esr >>> 26, 0);
});

/** The root VM's environment at X0. */
function environment(): Uint8Array {
  const { machine, options } = createTestHypervisor();
  let found: Uint8Array | undefined;
  const program: NativeGuest = {
    start(vcpu: NativeVcpu, _entry, x0) {
      found = vcpu.read(Number(x0), ROOT_ENVIRONMENT_SIZE);
    },
    virq: () => {},
    timer: () => {},
    runReturned: () => {},
    save: () => undefined,
    restore: () => {},
  };
  createHypervisor(machine, { ...options, resourceManager: () => program });
  machine.run(1_000_000);
  assert.ok(found, "the program has started");
  return found;
}

Deno.test("H182: the root VM's X0 points to RVME and, 88 bytes later, DEMR", () => {
  const bytes = environment();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  assert.deepEqual([view.getUint32(0, true), view.getUint32(88, true)], [0x454d_5652, 0x524d_4544]);
});

Deno.test("H183: with memory cacheable by default, as in the root VM, writing SCTLR_EL1 with M set is UNDEFINED", () => {
  const sctlr = systemRegisterNumber(3, 0, 1, 0, 0);
  const write = (cpu: CoreRig, value: bigint) => cpu.call("writeSystemRegister", sctlr, value);
  const cpu = new CoreRig();
  assert.equal(write(cpu, 1n).esr, undefined, "any other VM turns its stage 1 on");
  const root = new CoreRig();
  root.setWord("DEFAULT_CACHEABLE", 1);
  assert.equal(write(root, 0x30d0_0801n).esr! >>> 26, 0);
  assert.equal(root.get("SCTLR_EL1") & 1n, 0n);
  assert.equal(write(root, 0x30d0_0800n).esr, undefined, "other bits are passed on");
});

Deno.test("H184: the root VM's environment is one CBOR map with the recorded keys", () => {
  const decoded = decodeRootEnvironment(environment());
  assert.ok(decoded.ok);
  const { resources } = decoded.environment;
  for (const key of ["cspace_capid", "partition_capid", "vcpu_capid", "addrspace_capid", "vic", "vic_hwirq", "free_ranges", "me_capid"]) {
    assert.ok(key in resources, key);
  }
});
