// Every call of GenieZone's EL2 by HVC and by SMC: documented answers, and refusals of a hostile
// driver (docs/spec/geniezone.md §2, §3.2, §3.3, §5, §13).

import assert from "node:assert/strict";
import { functionId, GZVM_CALLS, type GzvmCallName, GzvmError, packTuple } from "../../../../src/machine/abi/geniezone/calls.ts";
import { GzvmCap } from "../../../../src/machine/abi/ioctl/geniezone.ts";
import { asPa } from "../../../../src/machine/abi/numbers.ts";
import { Access, ExtentMemoryType, ExtentType, mapAttributes, memextentAttributes, MemoryType } from "../../../../src/machine/abi/words.ts";
import { Memextent } from "../../../../src/machine/hypervisor/memory/memextent.ts";
import { ObjectArchive } from "../../../../src/machine/hypervisor/archive/archive.ts";
import { smccc } from "../../../../src/machine/hypervisor/firmware/smccc.ts";
import type { GzVm } from "../../../../src/machine/hypervisor/geniezone/gz-vm.ts";
import { archiveHypervisor } from "../../../../src/machine/hypervisor/hypervisor-archive.ts";
import { ArchiveError } from "../../../../src/machine/hardware/archive.ts";
import { Random } from "../../../support/random.ts";
import { ScriptedMachine, ScriptedVm } from "../scripted.ts";
import { ADDRESS_SPACE_SIZE, CONDUITS, GIVEN, GUEST, MESSAGE, PAGE, Primary, SHARED } from "./rig.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";

const { InvalidArguments, NotSupported, NotImplemented, NoMemory, Fault } = GzvmError;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;
const core = (index: number, size = 3n) => 0x60n << 56n | size << 52n | 0x10_0000n | BigInt(index);

for (const conduit of CONDUITS) {
  const primary = () => new Primary(undefined, 1, conduit);

  Deno.test(`PROBE answers version 16.0 by ${conduit}, in both forms of the function id`, () => {
    const test = primary();
    assert.deepEqual(test.must("PROBE", 16, 0), [16n, 0n]);
    assert.deepEqual(test.callId(functionId("PROBE", false)), { error: 0, values: [16n, 0n] });
  });

  Deno.test(`CREATE_VM and DESTROY_VM by ${conduit}: ids are not reused while in use, and nothing stays`, () => {
    const test = primary();
    const before = test.hypervisor.rootPartition.heapUsed;
    assert.deepEqual([test.createVm(), test.createVm(), test.createVm()], [1, 2, 3]);
    test.must("DESTROY_VM", 2);
    assert.equal(test.createVm(), 2);
    const [cspace] = [...test.hypervisor.objects].filter(({ type }) => type === "cspace").slice(1);
    for (const vm of [1, 2, 3]) test.must("DESTROY_VM", vm);
    assert.equal(test.call("DESTROY_VM", 2).error, InvalidArguments);
    assert.equal(test.call("DESTROY_VM", 0x1_0001).error, InvalidArguments);
    assert.equal(test.hypervisor.rootPartition.heapUsed - before, cspace.heapBytes, "only EL2's own cspace stays");
  });

  Deno.test(`CREATE_VCPU and DESTROY_VCPU by ${conduit}: 8 vCPUs, each once, with two pages of the caller's`, () => {
    const test = primary();
    const vm = test.createVm();
    for (let index = 0; index < 8; index++) test.must("CREATE_VCPU", packTuple(vm, index), SHARED + index * 2 * PAGE);
    assert.equal(test.call("CREATE_VCPU", packTuple(vm, 8), SHARED).error, InvalidArguments);
    assert.equal(test.call("CREATE_VCPU", packTuple(vm, 7), SHARED).error, InvalidArguments);
    test.must("DESTROY_VCPU", packTuple(vm, 7));
    assert.equal(test.call("DESTROY_VCPU", packTuple(vm, 7)).error, InvalidArguments);
    assert.equal(test.call("CREATE_VCPU", packTuple(vm, 7), SHARED + 8).error, InvalidArguments);
    for (const pages of [0, 0x900_0000, ADDRESS_SPACE_SIZE - PAGE]) {
      assert.equal(test.call("CREATE_VCPU", packTuple(vm, 7), pages).error, Fault);
    }
    assert.equal(test.call("CREATE_VCPU", packTuple(vm, 7), ALL_ONES - 0xfffn).error, Fault);
    test.must("CREATE_VCPU", packTuple(vm, 7), SHARED);
    assert.equal(test.call("CREATE_VCPU", 0x1_0000_0000n, SHARED).error, InvalidArguments);
  });

  Deno.test(`MEMREGION_PURPOSE by ${conduit}: purposes 1, 2 and 4 of whole pages`, () => {
    const test = primary();
    const vm = test.createVm();
    for (const [index, purpose] of [0, 1, 2, 4, 7].entries()) {
      test.must("MEMREGION_PURPOSE", vm, GUEST + index * 16 * PAGE, 16 * PAGE, purpose);
    }
    for (
      const [address, size, purpose] of [[GUEST, PAGE, 8], [GUEST + 1, PAGE, 1], [GUEST, PAGE + 1, 1], [GUEST, 0, 1], [
        ADDRESS_SPACE_SIZE,
        PAGE,
        1,
      ]]
    ) {
      assert.equal(test.call("MEMREGION_PURPOSE", vm, address, size, purpose).error, InvalidArguments);
    }
    assert.equal(test.call("MEMREGION_PURPOSE", vm, ALL_ONES - 0xfffn, 2 * PAGE, 1).error, InvalidArguments);
    let error = 0;
    for (let index = 0; index < 64 && error === 0; index++) {
      error = test.call("MEMREGION_PURPOSE", vm, (2 * index + 1) * PAGE, PAGE, 1).error;
    }
    assert.equal(error, NoMemory);
  });

  Deno.test(`SET_MEMREGION by ${conduit}: constituents in order, shared with the driver, and returned by DESTROY_VM`, () => {
    const test = primary();
    const vm = test.createVm();
    test.region(0, GUEST, [[GIVEN + 4 * PAGE, 2], [GIVEN, 1]]);
    test.must("SET_MEMREGION", vm, 2 * PAGE, MESSAGE);
    const { addressSpace } = test.zone.vms.get(vm)!.objects;
    const pages = [0, 1, 2, 3].map((page) => addressSpace.stage2.lookup(GUEST + page * PAGE)?.pa);
    assert.deepEqual(pages, [GIVEN + 4 * PAGE, GIVEN + 5 * PAGE, GIVEN, undefined]);
    assert.equal(test.vm.addressSpace.stage2.lookup(GIVEN)?.pa, GIVEN, "shared");
    assert.deepEqual(test.must("GET_STATISTICS", vm), [0n, BigInt(3 * PAGE)]);
    test.must("DESTROY_VM", vm);
    assert.equal(test.hypervisor.memory.ownerOf(GIVEN as never), test.own);
    assert.equal(test.vm.addressSpace.stage2.lookup(GIVEN + 4 * PAGE)?.pa, GIVEN + 4 * PAGE);
  });

  Deno.test(`SET_MEMREGION by ${conduit} refuses a message that is wrong, and gives nothing`, () => {
    const test = primary();
    const vm = test.createVm();
    const refused = (error: number, what: string, size: number | bigint = 2 * PAGE, at: number | bigint = MESSAGE) => {
      assert.equal(test.call("SET_MEMREGION", vm, size, at).error, error, what);
      assert.deepEqual(test.must("GET_STATISTICS", vm), [0n, 0n]);
      assert.equal(test.zone.vms.get(vm)!.memory.lowest, undefined, what);
    };
    test.region(10, GUEST, [[GIVEN, 1]]);
    refused(InvalidArguments, "slot 10");
    test.region(0, GUEST, [[GIVEN, 1]]);
    refused(InvalidArguments, "a buffer without room for the head", 16);
    refused(InvalidArguments, "a buffer over two pages", 2 * PAGE + 1);
    refused(InvalidArguments, "a buffer without room for the constituent", 32);
    refused(Fault, "a buffer outside the caller's memory", 2 * PAGE, 0x900_0000);
    refused(Fault, "a buffer at the end of addresses", 2 * PAGE, ALL_ONES - 7n);
    test.region(0, GUEST + 8, [[GIVEN, 1]]);
    refused(InvalidArguments, "an unaligned guest address");
    test.region(0, ADDRESS_SPACE_SIZE - PAGE, [[GIVEN, 2]]);
    refused(InvalidArguments, "a guest range over the end");
    test.region(0, GUEST, [[GIVEN, 1]], 2);
    refused(InvalidArguments, "a total of other pages");
    test.region(0, GUEST, []);
    refused(InvalidArguments, "no pages");
    test.region(0, GUEST, [[GIVEN, 1], [GIVEN + PAGE, 0]]);
    refused(InvalidArguments, "a constituent without pages");
    test.region(0, GUEST, [[GIVEN + 4, 1]]);
    refused(Fault, "unaligned host pages");
    test.region(0, GUEST, [[GIVEN, 2], [GIVEN + PAGE, 1]]);
    refused(Fault, "a page twice");
    test.region(0, GUEST, [[0x900_0000, 1]]);
    refused(Fault, "a device");
    test.region(0, GUEST, [[test.hypervisor.machine.map.primaryEnd - PAGE, 2]]);
    refused(Fault, "pages over the end of the caller's memory");
    test.region(0, GUEST, [[GIVEN, 0xffff_ffff]]);
    refused(InvalidArguments, "more pages than there are addresses");
  });

  Deno.test(`a page is given to one VM, at one address, by ${conduit}`, () => {
    const test = primary();
    const one = test.vmWith(), other = test.createVm();
    test.region(0, GUEST, [[GIVEN, 1]]);
    assert.equal(test.call("SET_MEMREGION", other, 2 * PAGE, MESSAGE).error, Fault);
    test.region(1, GUEST + 0x100_0000, [[GIVEN, 1]]);
    assert.equal(test.call("SET_MEMREGION", one, 2 * PAGE, MESSAGE).error, Fault);
    test.region(1, GUEST, [[GIVEN + 0x100_0000, 1]]);
    assert.equal(test.call("SET_MEMREGION", one, 2 * PAGE, MESSAGE).error, InvalidArguments, "a guest's page is mapped already");
  });

  Deno.test(`ENABLE_CAP PROTECTED_VM by ${conduit} takes private pages from the driver; static swiotlb stays; they return as zeros`, () => {
    const test = primary();
    const vm = test.vmWith({ pages: 4 });
    test.must("MEMREGION_PURPOSE", vm, GUEST + 4 * PAGE, 2 * PAGE, 4);
    test.region(1, GUEST + 4 * PAGE, [[GIVEN + 4 * PAGE, 2]]);
    test.must("SET_MEMREGION", vm, 2 * PAGE, MESSAGE);
    test.ram.write(GIVEN, Uint8Array.of(0x5e, 0xc0));
    test.ram.write(GIVEN + 4 * PAGE, Uint8Array.of(0x77));
    assert.deepEqual(test.must("ENABLE_CAP", vm, GzvmCap.ProtectedVm, 1), [0n], "EL2 has no firmware");
    assert.equal(test.call("ENABLE_CAP", vm, GzvmCap.ProtectedVm, 0, GUEST).error, NotSupported);
    assert.equal(test.call("ENABLE_CAP", vm, GzvmCap.ProtectedVm, 3).error, InvalidArguments);
    test.must("ENABLE_CAP", vm, GzvmCap.ProtectedVm, 2);
    assert.equal(test.vm.addressSpace.stage2.lookup(GIVEN), undefined);
    assert.equal(test.vm.addressSpace.stage2.lookup(GIVEN + 4 * PAGE)?.pa, GIVEN + 4 * PAGE);
    assert.deepEqual(test.must("GET_STATISTICS", vm), [BigInt(4 * PAGE), BigInt(2 * PAGE)]);
    assert.equal(test.call("MEMREGION_PURPOSE", vm, GUEST, PAGE, 4).error, InvalidArguments);
    test.must("DESTROY_VM", vm);
    assert.deepEqual([...test.ram.bytes(GIVEN, 2), ...test.ram.bytes(GIVEN + 4 * PAGE, 1)], [0, 0, 0x77]);
    assert.equal(test.vm.addressSpace.stage2.lookup(GIVEN)?.pa, GIVEN);
  });

  Deno.test(`ENABLE_CAP by ${conduit}: the other capabilities, and none else`, () => {
    const test = primary();
    const vm = test.createVm();
    for (const zero of [0, vm]) {
      assert.deepEqual(test.must("ENABLE_CAP", zero, GzvmCap.QueryHypBatchPages), [512n]);
      assert.deepEqual(test.must("ENABLE_CAP", zero, GzvmCap.QueryHypDestroyBatchPages), [512n]);
    }
    test.must("ENABLE_CAP", vm, GzvmCap.EnableDemandPaging);
    test.must("ENABLE_CAP", vm, GzvmCap.EnableIdle);
    test.must("ENABLE_CAP", vm, GzvmCap.BlockBasedDemandPaging, 0x20_0000, MESSAGE);
    assert.equal(test.call("ENABLE_CAP", vm, GzvmCap.BlockBasedDemandPaging, PAGE, MESSAGE).error, InvalidArguments);
    assert.equal(test.call("ENABLE_CAP", vm, GzvmCap.BlockBasedDemandPaging, 0x20_0000, 0).error, Fault);
    assert.equal(test.call("ENABLE_CAP", vm, GzvmCap.VmGpaSize).error, InvalidArguments);
    assert.equal(test.call("ENABLE_CAP", vm, 0x1234).error, InvalidArguments);
    assert.equal(test.call("ENABLE_CAP", 0, GzvmCap.EnableIdle).error, InvalidArguments);
    assert.equal(test.call("ENABLE_CAP", 9, GzvmCap.EnableIdle).error, InvalidArguments);
  });

  Deno.test(`MAP_GUEST and MAP_GUEST_BLOCK by ${conduit} give pages of memory with a purpose`, () => {
    const test = primary();
    const vm = test.createVm();
    test.must("MEMREGION_PURPOSE", vm, GUEST, 1024 * PAGE, 1);
    const frame = GIVEN / PAGE, guest = GUEST / PAGE;
    test.must("MAP_GUEST", vm, 0, frame, guest, 3);
    const { addressSpace } = test.zone.vms.get(vm)!.objects;
    assert.equal(addressSpace.stage2.lookup(GUEST + 2 * PAGE)?.pa, GIVEN + 2 * PAGE);
    assert.equal(test.call("MAP_GUEST", vm, 0, frame + 3, guest + 2, 1).error, InvalidArguments, "mapped already");
    assert.equal(test.call("MAP_GUEST", vm, 0, frame, guest + 3, 1).error, Fault, "given already");
    assert.equal(test.call("MAP_GUEST", vm, 10, frame + 3, guest + 3, 1).error, InvalidArguments, "slot 10");
    assert.equal(test.call("MAP_GUEST", vm, 0, frame + 3, guest + 1024, 1).error, InvalidArguments, "no memory there");
    assert.equal(test.call("MAP_GUEST", vm, 0, frame + 3, guest + 3, 0).error, InvalidArguments, "no pages");
    assert.equal(test.call("MAP_GUEST", vm, 0, ALL_ONES, guest + 3, 1).error, Fault);
    assert.equal(test.call("MAP_GUEST", vm, 0, frame + 3, ALL_ONES, ALL_ONES).error, InvalidArguments);
    assert.equal(test.call("MAP_GUEST_BLOCK", vm, 0, guest + 512, 2).error, InvalidArguments, "no block mode");
    test.must("ENABLE_CAP", vm, GzvmCap.BlockBasedDemandPaging, 0x20_0000, MESSAGE);
    const frames = BigUint64Array.of(BigInt(frame + 9), BigInt(frame + 7));
    test.ram.write(MESSAGE, new Uint8Array(frames.buffer));
    test.must("MAP_GUEST_BLOCK", vm, 0, guest + 512, 2);
    assert.deepEqual([0, 1].map((page) => addressSpace.stage2.lookup(GUEST + (512 + page) * PAGE)?.pa), [
      GIVEN + 9 * PAGE,
      GIVEN + 7 * PAGE,
    ]);
    assert.equal(test.call("MAP_GUEST_BLOCK", vm, 0, guest + 514, 513).error, InvalidArguments, "over a block");
  });

  Deno.test(`GET_ONE_REG and SET_ONE_REG by ${conduit}: core registers; GET_REGS and SET_REGS are not implemented`, () => {
    const test = primary();
    const vm = test.vmWith();
    const tuple = packTuple(vm, 0);
    for (const [index, value] of [[0, 7n], [60, 8n], [62, 0x10n], [64, 0x8000_0004n], [66, 0x3c5n], [68, 0x20n]] as const) {
      test.must("SET_ONE_REG", tuple, core(index), value);
      if (index !== 66) assert.deepEqual(test.must("GET_ONE_REG", tuple, core(index)), [value]);
    }
    const wrong: [bigint, bigint, number][] = [
      [core(1), 0n, InvalidArguments],
      [core(70), 0n, InvalidArguments],
      [core(0, 2n), 0n, InvalidArguments],
      [core(64), 2n, InvalidArguments],
      [core(62), 8n, InvalidArguments],
      [core(66), 0x3c9n, InvalidArguments],
      [core(66), 0x1d0n, InvalidArguments],
      [core(66), 0x1_0000_03c5n, InvalidArguments],
      [core(0) | 0x3_0000n, 0n, NotSupported],
      [0x40n << 56n, 0n, NotSupported],
    ];
    for (const [id, value, error] of wrong) assert.equal(test.call("SET_ONE_REG", tuple, id, value).error, error, id.toString(16));
    assert.equal(test.call("GET_ONE_REG", tuple, core(70)).error, InvalidArguments);
    assert.equal(test.call("GET_ONE_REG", packTuple(vm, 1), core(0)).error, InvalidArguments);
    assert.equal(test.call("GET_REGS", tuple).error, NotImplemented);
    assert.equal(test.call("SET_REGS", tuple).error, NotImplemented);
  });

  Deno.test(`CREATE_DEVICE, SET_DTB_CONFIG, IRQ_LINE, INFORM_EXIT and GET_STATISTICS by ${conduit} check their arguments`, () => {
    const test = primary();
    const vm = test.vmWith();
    test.must("CREATE_DEVICE", vm, test.device(0, 0x3fff_0000, 0x1_0000));
    assert.equal(test.call("CREATE_DEVICE", vm, test.device(0, 0x3ff0_0000, 0x1_0000)).error, InvalidArguments, "twice");
    assert.equal(test.call("CREATE_DEVICE", vm, test.device(2, 0x3ff0_0000, 0x1_0000)).error, InvalidArguments, "type 2");
    assert.equal(test.call("CREATE_DEVICE", vm, test.device(1, 0x3ff0_0004, 0x1_0000)).error, InvalidArguments, "unaligned");
    assert.equal(test.call("CREATE_DEVICE", vm, test.device(1, ADDRESS_SPACE_SIZE, 0x2_0000)).error, InvalidArguments, "outside");
    assert.equal(test.call("CREATE_DEVICE", vm, 0x900_0000).error, Fault);
    test.must("CREATE_DEVICE", vm, test.device(1, 0x3ffd_0000, 0x2_0000));
    test.must("SET_DTB_CONFIG", vm, GUEST + 8, 0x1000);
    for (const [at, size] of [[GUEST, 0], [GUEST, 17 * PAGE], [0, PAGE]]) {
      assert.equal(test.call("SET_DTB_CONFIG", vm, at, size).error, InvalidArguments);
    }
    assert.equal(test.call("SET_DTB_CONFIG", vm, ALL_ONES, ALL_ONES).error, InvalidArguments);
    test.must("IRQ_LINE", packTuple(vm, 0), 0, 1);
    test.must("IRQ_LINE", packTuple(vm, 0), 31, 0);
    assert.equal(test.call("IRQ_LINE", packTuple(vm, 0), 32, 1).error, InvalidArguments);
    assert.equal(test.call("IRQ_LINE", packTuple(vm, 8), 0, 1).error, InvalidArguments);
    const [bell] = [...test.hypervisor.objects].filter(({ type }) => type === "doorbell");
    assert.equal((bell as unknown as { virq: { intid: number } }).virq.intid, 32, "SPI 0 is INTID 32");
    test.must("INFORM_EXIT", vm);
    for (const name of ["INFORM_EXIT", "GET_STATISTICS", "CREATE_DEVICE", "SET_DTB_CONFIG"] as const) {
      assert.equal(test.call(name, 99).error, InvalidArguments);
    }
  });
}

Deno.test("every call but RUN with every argument at its extremes returns a documented error, and invariants hold", () => {
  const test = new Primary();
  test.vmWith({ pages: 2 });
  const values = [0n, 1n, 0x1_0000n, 0xfffn, BigInt(GIVEN), BigInt(RAM_BASE) - 1n, 0x7fff_ffff_ffff_ffffn, ALL_ONES];
  const documented = new Set<number>(Object.values(GzvmError));
  const random = new Random(1), next = () => random.pick(values);
  for (const name of Object.keys(GZVM_CALLS) as GzvmCallName[]) {
    if (name === "RUN") continue;
    for (let count = 0; count < 24; count++) {
      const { error } = test.callUnchecked(functionId(name), next(), next(), next(), next(), next(), next());
      assert.ok(documented.has(error), `${name}: ${error}`);
    }
  }
  assert.deepEqual(test.hypervisor.checker!.sweep(), []);
});

Deno.test("with an exhausted heap CREATE_VM fails with NO_MEMORY, and leaves nothing of the VM", () => {
  const test = new Primary();
  test.createVm();
  const { rootPartition } = test.hypervisor;
  const left = rootPartition.heapSize - rootPartition.heapUsed;
  for (const room of [0, 2048, 4096, 20_000, 30_000]) {
    assert.ok(rootPartition.allocate(left - room));
    const { error } = test.callUnchecked(functionId("CREATE_VM"));
    rootPartition.free(left - room);
    assert.equal(error, NoMemory);
    assert.equal(rootPartition.heapSize - rootPartition.heapUsed, left);
    assert.deepEqual([...test.zone.vms.keys()], [1]);
  }
});

Deno.test("the calls are unknown without the key, to other VMs, and beyond their numbers", () => {
  const call = (vm: ScriptedVm, id: number) => smccc(vm.vcpus[0], [BigInt(id), 0n, 0n, 0n, 0n, 0n, 0n, 0n], "hvc");
  const without = new ScriptedVm(new ScriptedMachine(), 3, [function* () {}]);
  assert.deepEqual(call(without, functionId("PROBE")), [ALL_ONES]);
  const test = new Primary();
  const other = new ScriptedVm(test.machine, 0x80, [function* () {}], { affinity: () => 0 });
  assert.deepEqual(call(other, functionId("PROBE")), [ALL_ONES]);
  for (const id of [0xfb00_1014, 0xfb00_0fff, 0xbb00_1014, 0xfb00_0000]) assert.deepEqual(call(test.vm, id), [ALL_ONES]);
});

Deno.test("a refused call leaves a reason with its rule, arguments and error", () => {
  const test = new Primary();
  test.call("DESTROY_VM", 5);
  const reason = test.hypervisor.trace.reasons.last!;
  assert.deepEqual([reason.section, reason.rule, reason.values], ["geniezone 2", "there is no such VM", { vm: 5n }]);
  const step = reason.chain.at(-1)!;
  assert.deepEqual([step.kind, step.name, step.fields], ["hvc", "GZVM DESTROY_VM", { vm: 5n }]);
  assert.deepEqual([step.result.code, step.result.name], [InvalidArguments, "INVALID_ARGUMENTS"]);
});

Deno.test("a page that cannot be given, and a place that cannot have it, say which of their rules they break, and where", () => {
  const test = new Primary(), vm = test.vmWith({ given: GIVEN }), guest = GUEST / PAGE, frame = GIVEN / PAGE;
  const { primaryEnd } = test.hypervisor.machine.map, uart = 0x0900_0000;
  // A device, as a primary VM has those of the bus.
  const bus = test.machine.create(Memextent);
  bus.configure(BigInt(uart), BigInt(PAGE), memextentAttributes(Access.RW, ExtentMemoryType.Any, ExtentType.Sparse));
  assert.equal(bus.activate(), 0);
  test.vm.cspace.insertMaster(bus);
  assert.ok(Memextent.move(test.hypervisor, test.hypervisor.privatePartition, bus, asPa(uart), PAGE));
  assert.equal(bus.map(test.vm.addressSpace, BigInt(uart), 0, PAGE, mapAttributes(Access.RW, Access.RW, MemoryType.DeviceNGnRnE)), 0);
  const memory = `0x${RAM_BASE.toString(16)}..0x${primaryEnd.toString(16)}`;
  test.must("MEMREGION_PURPOSE", vm, GUEST + 256 * PAGE, 4 * PAGE, 1);
  const cases: [args: readonly number[], rule: string, values: Record<string, unknown>][] = [
    [[0x9_0000_0000 / PAGE, guest + 256, 1], "a page that is given is memory of the caller's", {
      address: 0x9_0000_0000n,
      memory,
      pages: 1,
    }],
    [[primaryEnd / PAGE - 1, guest + 256, 2], "a page that is given is memory of the caller's", {
      address: BigInt(primaryEnd),
      memory,
      pages: 2,
    }],
    [[uart / PAGE, guest + 256, 1], "a page that is given is memory, and no device", { address: BigInt(uart), pages: 1 }],
    [[frame, guest + 256, 1], "a page is given to one VM, at one address", {
      ...{
        address: BigInt(GIVEN),
        mapped: `ipa:${test.hypervisor.names.vm(test.zone.vms.get(vm)!.objects.addressSpace.vmid)}/0x${GUEST.toString(16)}`,
      },
      pages: 1,
    }],
    [[frame + 64, guest + 512, 1], "a slot, or a range with a purpose, has the first page", {
      guest_frame: BigInt(guest + 512),
      pages: 1n,
    }],
    [[frame + 64, guest + 258, 5], "the pages end where their slot ends, or before", {
      ...{ guest_frame: BigInt(guest + 258), pages: 5n, pages_left: 2n },
    }],
  ];
  for (const [[first, at, pages], rule, values] of cases) {
    assert.ok(test.call("MAP_GUEST", vm, 0, first, at, pages).error < 0);
    const reason = test.hypervisor.trace.reasons.last!;
    assert.deepEqual([reason.rule, reason.values], [rule, values]);
  }
  // Private pages of a protected VM are gone from the driver's memory.
  test.must("ENABLE_CAP", vm, GzvmCap.ProtectedVm, 2);
  assert.ok(test.call("MAP_GUEST", vm, 0, frame, guest + 256, 1).error < 0);
  assert.equal(test.rule, "a page that is given is not given or lent away already");
});

Deno.test("EL2's VMs are in an archive, which loads into the same state", () => {
  const test = new Primary();
  const vm = test.vmWith({ vcpus: 2 });
  test.must("ENABLE_CAP", vm, GzvmCap.EnableIdle);
  test.must("CREATE_DEVICE", vm, test.device(0, 0x3fff_0000, 0x1_0000));
  test.must("IRQ_LINE", packTuple(vm, 0), 3, 1);
  test.must("SET_ONE_REG", packTuple(vm, 0), core(66), 0x3c5n);
  const save = (machine: ScriptedMachine) => {
    const archive = new ObjectArchive();
    archiveHypervisor(machine.hypervisor, archive);
    return archive.saved;
  };
  const saved = save(test.machine);
  const copy = new ScriptedMachine(1, undefined, { geniezone: true });
  const archive = new ObjectArchive(saved);
  archiveHypervisor(copy.hypervisor, archive);
  archive.finish();
  assert.deepEqual([...copy.hypervisor.geniezone!.vms.keys()], [vm]);
  assert.ok(save(copy).every((byte, index) => byte === saved[index]), "the same bytes");
});

Deno.test("a VM of an archive that has another VM's objects is refused", () => {
  const wrong: Record<string, (one: GzVm, other: GzVm) => void> = {
    addressSpace: (one, other) => Object.assign(one.objects, { addressSpace: other.objects.addressSpace }),
    extent: (one, other) => Object.assign(one.objects, { extent: other.memory.own }),
    vcpus: (one, other) => one.vcpus[0] = other.vcpus[0],
    id: (one) => Object.assign(one, { id: 7 }),
  };
  for (const [what, spoil] of Object.entries(wrong)) {
    const test = new Primary();
    const [one, other] = [test.vmWith(), test.vmWith({ given: GIVEN + 0x10_0000 })].map((vm) => test.zone.vms.get(vm)!);
    spoil(one, other);
    const archive = new ObjectArchive();
    archiveHypervisor(test.hypervisor, archive);
    const copy = new ScriptedMachine(1, undefined, { geniezone: true });
    const loading = new ObjectArchive(archive.saved);
    assert.throws(
      () => {
        archiveHypervisor(copy.hypervisor, loading);
        loading.finish();
      },
      ArchiveError,
      what,
    );
  }
});
