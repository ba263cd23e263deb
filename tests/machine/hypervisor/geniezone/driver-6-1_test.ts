// A VM from its creation to its end by the calls that the driver of 6.1 makes: a region without
// constituents, and blocks of 2 MiB for the pages that the guest misses (docs/spec/geniezone.md §4
// and §5). The guest is AArch64 code on the core.

import assert from "node:assert/strict";
import { functionId, type GzvmCallName, GzvmException, packTuple } from "../../../../src/machine/abi/geniezone/calls.ts";
import { GZVM_REGION } from "../../../../src/machine/abi/geniezone/messages.ts";
import { GZVM_RUN, GZVM_RUN_EXCEPTION, GZVM_RUN_SYSTEM_EVENT, GzvmCap, GzvmExit } from "../../../../src/machine/abi/ioctl/geniezone.ts";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../../../src/session/assembly/system/guest-system.ts";
import { smccc } from "../../../../src/machine/hypervisor/firmware/smccc.ts";
import { Vcpu } from "../../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { MiB } from "../../../../src/kit/support/values/sizes.ts";
import { imageOf } from "../../../app/cli/program.ts";
import { bootPlan, runTo } from "../../../session/snapshots/systems.ts";
import { GUEST, PAGE } from "./rig.ts";

/** Places in the primary VM's RAM. */
const MESSAGE = RAM_BASE + 4 * MiB, SHARED = MESSAGE + PAGE, FRAMES = SHARED + 2 * PAGE, GIVEN = RAM_BASE + 8 * MiB;
const BLOCK = 2 * MiB, BLOCK_PAGES = BLOCK / PAGE, BLOCKS = 2;
const REGISTER_PC = 0x6030_0000_0010_0040n;

/** The primary VM: makes the call whose X0 and X1 are in memory, and puts its results there. */
const CALLER = [
  0x10000804, // adr x4, 0x100
  0xa9400480, // ldp x0, x1, [x4]
  0xb4ffffe0, // cbz x0, 4
  0xd4000002, // hvc #0
  0xa9010480, // stp x0, x1, [x4, #16]
  0xf900009f, // str xzr, [x4]
  0x17fffffb, // b 4
];
/** The guest: stores to its second block, loads it again, and turns its system off. */
const CODE = [
  0xd2b00401, // mov x1, #0x80200000
  0xd2824682, // mov x2, #0x1234
  0xf9000022, // str x2, [x1]
  0xf9400023, // ldr x3, [x1]
  0xf9000423, // str x3, [x1, #8]
  0x52800100, // mov w0, #8
  0x72b08000, // movk w0, #0x8400, lsl #16
  0xd4000002, // hvc #0
  0x14000000, // b .
];

class Driver {
  readonly system: GuestSystem;
  readonly primary: Vcpu;

  constructor(system: GuestSystem) {
    this.system = system;
    runTo(system, 1000);
    this.primary = [...system.hypervisor.objects].find((object): object is Vcpu => object instanceof Vcpu && object.settings.isPrimary)!;
  }

  static async create(): Promise<Driver> {
    const what = { kind: "boot", image: imageOf(CALLER), initrd: undefined, dtb: undefined, append: undefined } as const;
    return new Driver(assemble(await bootPlan({ memory: 64 * MiB, what, behaviour: { geniezone: true } })));
  }

  get ram() {
    return this.system.machine.ram;
  }

  must(name: GzvmCallName, ...args: (number | bigint)[]): bigint {
    const x = [BigInt(functionId(name)), ...args.map(BigInt)];
    while (x.length < 8) x.push(0n);
    const reply = smccc(this.primary, x, "hvc");
    assert.ok(Array.isArray(reply) && reply[0] === 0n, `${name}: ${this.primary.services.trace.reasons.last?.rule}`);
    return reply[1];
  }

  /** RUN, made by the primary VM's own code. Gives the exit reason. */
  run(tuple: number): number {
    const at = Number(this.primary.registers.getX(4)), { machine } = this.system;
    this.ram.write(at, new Uint8Array(BigUint64Array.of(BigInt(functionId("RUN")), BigInt(tuple)).buffer));
    const words = () => new BigUint64Array(this.ram.bytes(at, 32).slice().buffer);
    for (let turns = 0; words()[0] !== 0n; turns++) {
      assert.ok(turns < 1000, "RUN does not return");
      machine.run(machine.time + 10_000, 64);
    }
    assert.equal(words()[2], 0n);
    return Number(words()[3]) - 0x9292_0000;
  }

  runStruct(): Uint8Array {
    return this.ram.bytes(SHARED, GZVM_RUN.size);
  }
}

for (const isProtected of [false, true]) {
  Deno.test(`the driver of 6.1 runs a ${isProtected ? "protected " : ""}VM from CREATE_VM to SYSTEM_OFF in blocks`, async () => {
    const driver = await Driver.create(), { ram } = driver;
    const vm = Number(driver.must("CREATE_VM", 0)), tuple = packTuple(vm, 0);
    driver.must("ENABLE_CAP", vm, GzvmCap.BlockBasedDemandPaging, BLOCK, FRAMES);
    driver.must("MEMREGION_PURPOSE", vm, GUEST, BLOCKS * BLOCK, 0);
    const region = { slot: 0, constituents: 0, total_pages: BigInt(BLOCKS * BLOCK_PAGES), address: BigInt(GUEST) };
    ram.write(MESSAGE, GZVM_REGION.encode(region));
    driver.must("SET_MEMREGION", vm, 2 * PAGE, MESSAGE);
    driver.must("CREATE_VCPU", tuple, SHARED);
    driver.must("SET_ONE_REG", tuple, REGISTER_PC, GUEST);
    if (isProtected) driver.must("ENABLE_CAP", vm, GzvmCap.ProtectedVm, 2);
    ram.write(GIVEN, new Uint8Array(Uint32Array.from(CODE).buffer));

    const missed: number[] = [];
    for (let reason = driver.run(tuple); reason !== GzvmExit.SystemEvent; reason = driver.run(tuple)) {
      assert.equal(reason, GzvmExit.Exception);
      const { exception, fault_gpa } = GZVM_RUN_EXCEPTION.decode(driver.runStruct());
      assert.equal(exception, GzvmException.PageFault);
      const block = Math.floor((Number(fault_gpa) - GUEST) / BLOCK);
      missed.push(block);
      assert.ok(missed.length <= BLOCKS, `${missed}`);
      const frame = (GIVEN + block * BLOCK) / PAGE;
      ram.write(FRAMES, new Uint8Array(BigUint64Array.from({ length: BLOCK_PAGES }, (_, index) => BigInt(frame + index)).buffer));
      driver.must("MAP_GUEST_BLOCK", vm, 0, GUEST / PAGE + block * BLOCK_PAGES, BLOCK_PAGES);
    }
    assert.deepEqual(missed, [0, 1]);
    assert.equal(GZVM_RUN_SYSTEM_EVENT.decode(driver.runStruct()).type, 1, "shutdown");
    const stored = () => [...new BigUint64Array(ram.bytes(GIVEN + BLOCK, 16).slice().buffer)];
    assert.deepEqual(stored(), [0x1234n, 0x1234n]);
    driver.must("DESTROY_VM", vm);
    assert.deepEqual(stored(), isProtected ? [0n, 0n] : [0x1234n, 0x1234n], "a protected VM's pages come back as zeros");
  });
}

Deno.test("a region without constituents has pages to miss, and lies in the guest's addresses", async () => {
  const driver = await Driver.create();
  const vm = Number(driver.must("CREATE_VM", 0));
  const refused = (total: bigint, address: bigint) => {
    driver.ram.write(MESSAGE, GZVM_REGION.encode({ slot: 0, constituents: 0, total_pages: total, address }));
    assert.throws(
      () => driver.must("SET_MEMREGION", vm, 2 * PAGE, MESSAGE),
      /SET_MEMREGION: a region is whole pages of the guest's address space/,
    );
  };
  refused(0n, BigInt(GUEST));
  refused(1n, BigInt(GUEST + 8));
  refused(1n << 40n, BigInt(GUEST));
});
