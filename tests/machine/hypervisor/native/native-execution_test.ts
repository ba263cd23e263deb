// Native guests: what a program can do, and what it cannot (src/machine/abi/native-guest.ts).

import { asCapId } from "../../../../src/machine/abi/numbers.ts";
import assert from "node:assert/strict";
import { Hypercall } from "../../../../src/machine/abi/hypercalls.ts";
import type { NativeGuest, NativeVcpu } from "../../../../src/machine/abi/native-guest.ts";
import { createHypervisor } from "../../../../src/machine/hypervisor/create-hypervisor.ts";
import { createTestHypervisor, NO_SYNC, R_NORMAL } from "../fixture.ts";

/** Base of the root VM's memory, and a page of it that nothing uses. */
const MEMORY = 0x8048_0000;
const FREE_PAGE = 0x8051_0000;
const CSPACE = 0n, PARTITION = 1n, VCPU = 2n, VIC = 3n, ADDRSPACE = 0x335n;

type Handlers = Partial<Pick<NativeGuest, "start" | "virq" | "timer" | "runReturned">>;

/** A root VM whose program has these handlers. */
function rootVm(handlers: Handlers, cpus = 1) {
  const { machine, options } = createTestHypervisor(cpus);
  const program: NativeGuest = {
    start: () => {},
    virq: (_vcpu, intid) => assert.fail(`unexpected vIRQ ${intid}`),
    timer: () => assert.fail("unexpected timer"),
    runReturned: () => assert.fail("unexpected return of vcpu_run"),
    save: () => undefined,
    restore: () => {},
    ...handlers,
  };
  return { machine, ...createHypervisor(machine, { ...options, resourceManager: () => program }) };
}

function create(vcpu: NativeVcpu, number: number): bigint {
  const [error, cap] = vcpu.hvc(number, PARTITION, CSPACE);
  assert.equal(error, 0n);
  return cap;
}

Deno.test("a program reads and writes its own memory through stage 2, also across pages", () => {
  let done = false;
  const { machine } = rootVm({
    start(vcpu) {
      assert.ok(vcpu.write(FREE_PAGE - 2, Uint8Array.of(1, 2, 3, 4)));
      assert.deepEqual(vcpu.read(FREE_PAGE - 2, 4), Uint8Array.of(1, 2, 3, 4));
      done = true;
    },
  });
  machine.run(1e6);
  assert.ok(done);
  assert.deepEqual([...machine.ram.bytes(FREE_PAGE - 2, 4)], [1, 2, 3, 4]);
});

Deno.test("a write that reaches a page it may not write does nothing at all", () => {
  const { machine } = rootVm({
    start(vcpu) {
      const extent = create(vcpu, Hypercall.partition_create_memextent);
      const BASIC_R = 4n;
      assert.equal(vcpu.hvc(Hypercall.memextent_configure_derive, extent, 0x336n, BigInt(FREE_PAGE - MEMORY), 0x1000n, BASIC_R)[0], 0n);
      assert.equal(vcpu.hvc(Hypercall.object_activate, extent)[0], 0n);
      assert.ok(!vcpu.write(FREE_PAGE - 1, Uint8Array.of(7, 7)));
      assert.deepEqual(vcpu.read(FREE_PAGE - 1, 2), Uint8Array.of(0, 0), "the page has become read-only");
      assert.equal(vcpu.hvc(Hypercall.addrspace_unmap, ADDRSPACE, extent, BigInt(FREE_PAGE), NO_SYNC)[0], 0n);
      assert.equal(vcpu.read(FREE_PAGE, 1), undefined);
      assert.equal(vcpu.hvc(Hypercall.addrspace_map, ADDRSPACE, extent, 0x5000n, R_NORMAL, NO_SYNC)[0], 0n);
      assert.deepEqual(vcpu.read(0x5000, 1), Uint8Array.of(0));
    },
  });
  machine.run(1e6);
});

Deno.test("a call with a number that is not assigned answers -1, as HVC does", () => {
  const { machine } = rootVm({
    start(vcpu) {
      assert.deepEqual(vcpu.hvc(0x08), [0xffff_ffff_ffff_ffffn, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
      assert.deepEqual(vcpu.hvc(Hypercall.hypervisor_identify).slice(0, 2), [0x5100_0000_0000_8001n, 0x1000_0effn]);
      assert.throws(() => vcpu.hvc(Hypercall.vcpu_run, VCPU), /vcpuRun/);
    },
  });
  machine.run(1e6);
});

Deno.test("the virtual timer fires at its time or soon after, once, and can be disarmed", () => {
  const fired: number[] = [];
  const { machine } = rootVm({
    start: (vcpu) => vcpu.setTimer(500_000),
    timer(vcpu) {
      fired.push(vcpu.now);
      if (fired.length === 1) vcpu.setTimer(vcpu.now + 300_000);
      else {
        vcpu.setTimer(vcpu.now + 100_000);
        vcpu.setTimer(undefined);
      }
    },
  });
  for (let i = 0; i < 10; i++) {
    const result = machine.run(5e6);
    if (result.kind !== "idle" || result.next === Infinity) break;
    machine.skipTo(result.next);
  }
  assert.equal(fired.length, 2);
  assert.ok(fired[0] >= 500_000 && fired[0] < 520_000, `${fired[0]}`);
  assert.ok(fired[1] >= fired[0] + 300_000 && fired[1] < fired[0] + 320_000, `${fired[1]}`);
});

Deno.test("a vIRQ that was enabled comes to the program: level and edge, by its own doorbell", () => {
  const seen: number[] = [];
  const { machine } = rootVm({
    start(vcpu) {
      for (const [virq, edge] of [[40, false], [41, true]] as const) {
        const doorbell = create(vcpu, Hypercall.partition_create_doorbell);
        assert.equal(vcpu.hvc(Hypercall.object_activate, doorbell)[0], 0n);
        assert.equal(vcpu.hvc(Hypercall.doorbell_bind_virq, doorbell, VIC, BigInt(virq))[0], 0n);
        vcpu.enableIrq(virq, edge);
        assert.equal(vcpu.hvc(Hypercall.doorbell_mask, doorbell, 1n, 1n)[0], 0n);
        assert.equal(vcpu.hvc(Hypercall.doorbell_send, doorbell, 1n)[0], 0n);
      }
    },
    virq: (_vcpu, intid) => void seen.push(intid),
  });
  machine.run(1e6);
  assert.deepEqual(seen, [40, 41]);
});

Deno.test("every event takes virtual time, and more calls take more", () => {
  const time = (calls: number) => {
    const { machine, root } = rootVm({
      start(vcpu) {
        for (let i = 0; i < calls; i++) vcpu.hvc(Hypercall.hypervisor_identify);
      },
    });
    machine.run(1e6);
    return root.vcpu.usage.time;
  };
  assert.ok(time(0) > 0);
  assert.ok(time(100) > time(0));
});

Deno.test("vcpu_run that is refused comes back with its error as the next event", () => {
  const returned: number[] = [];
  const { machine } = rootVm({
    start(vcpu) {
      const run = { cap: asCapId(VCPU), resume_data_0: 0n, resume_data_1: 0n, resume_data_2: 0n };
      vcpu.vcpuRun(run);
      assert.throws(() => vcpu.vcpuRun(run), /inside vcpu_run/);
    },
    runReturned: (_vcpu, { error, vcpu_state }) => void returned.push(error, vcpu_state),
  });
  machine.run(1e6);
  assert.deepEqual(returned, [31, 0], "BUSY: it is not proxy-scheduled");
});

Deno.test("one program instance serves all vCPUs of a VM; two programs cannot have one address", () => {
  const { hypervisor, root } = rootVm({});
  assert.ok(hypervisor.natives.guestOf(root.addressSpace));
  assert.throws(() => hypervisor.registerNative(MEMORY + 0x1000, () => assert.fail()), /already a native program at 0x/);
});
