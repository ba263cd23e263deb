// Doorbells, message queues, VICs, hardware interrupts and VPM groups through their hypercalls
// (docs/spec/hypervisor.md §4.2, 4.3, §4.5, §4.10, §6.3; section 10 lines 53 to 91, 168, 169).

import { asIpa, asPa } from "../../src/abi/numbers.ts";
import assert from "node:assert/strict";
import { errorName } from "../../src/abi/errors.ts";
import { type HypercallName, HYPERCALLS } from "../../src/abi/hypercalls.ts";
import { Access, MemoryType, VcpuOption } from "../../src/abi/words.ts";
import { RAM_BASE } from "../../src/machine/memory-map.ts";
import type { AddressSpace } from "../../src/hypervisor/memory/addrspace.ts";
import { Doorbell } from "../../src/hypervisor/ipc/doorbell.ts";
import { DEFERRED } from "../../src/hypervisor/capabilities/hypercall-definition.ts";
import { Hwirq } from "../../src/hypervisor/gic/hwirq.ts";
import { Msgqueue } from "../../src/hypervisor/ipc/msgqueue.ts";
import { Irq } from "../../src/hypervisor/gic/irq-bank.ts";
import { Vic } from "../../src/hypervisor/gic/vic.ts";
import { VpmGroup } from "../../src/hypervisor/scheduling/vpm-group.ts";
import type { HypervisorObject } from "../../src/hypervisor/capabilities/object.ts";
import { ScriptedMachine, ScriptedVm } from "./scripted.ts";
import { Rig } from "./checklist/rig.ts";

const UNCHANGED = 0xffff_ffffn;

/** A VM that makes calls, with RAM at IPA = PA that pointers may name. */
class Caller {
  readonly machine = new ScriptedMachine();
  readonly vm = new ScriptedVm(this.machine, 3, [function* () {}]);
  readonly vcpu = this.vm.vcpus[0];
  readonly vic: bigint;

  constructor() {
    const rw = Access.RW | Access.RW << 4 | MemoryType.NormalWB << 16;
    this.vm.addressSpace.install(asIpa(RAM_BASE), asPa(RAM_BASE), 0x2000, rw);
    this.vic = this.vm.grant(this.vm.vic);
  }

  /** Error name and results of a call. */
  call(name: HypercallName, ...args: bigint[]): [error: string, ...results: bigint[]] {
    const kinds = Object.values(HYPERCALLS[name].arguments);
    const all = kinds.map((kind, index) => args[index] ?? (kind === "res1" ? 0xffff_ffff_ffff_ffffn : 0n));
    const reply = this.machine.hypervisor.hypercalls.dispatch(this.vcpu, HYPERCALLS[name].number, all, "native");
    assert.ok(reply && reply !== DEFERRED);
    return [errorName(reply.values[0]), ...reply.values.slice(1, reply.count)];
  }

  error(name: HypercallName, ...args: bigint[]): string {
    return this.call(name, ...args)[0];
  }

  grant(object: HypervisorObject): bigint {
    return this.vm.grant(object);
  }

  /** How SPI `intid` is triggered. */
  setEdge(intid: number, edge: boolean): void {
    this.vm.vic.gic.update(this.vcpu.gic, intid, edge ? Irq.Edge : 0, edge ? 0 : Irq.Edge);
  }

  isPending(intid: number): boolean {
    return this.vm.vic.gic.shared.isPending(intid);
  }

  /** What a guest's handler does: acknowledge and end. */
  take(): number {
    const intid = this.vcpu.gic.acknowledge(1);
    this.vcpu.gic.endOfInterrupt(1, intid);
    return intid;
  }
}

function doorbell() {
  const caller = new Caller();
  const bell = caller.machine.create(Doorbell);
  bell.activate();
  const cap = caller.grant(bell);
  assert.equal(caller.error("doorbell_bind_virq", cap, caller.vic, 40n), "OK");
  return { caller, cap };
}

function queue(depth: number, size = 128) {
  const caller = new Caller();
  const object = caller.machine.create(Msgqueue);
  const cap = caller.grant(object);
  assert.equal(caller.error("msgqueue_configure", cap, BigInt(size << 16 | depth)), "OK");
  assert.equal(caller.error("object_activate", cap), "OK");
  assert.equal(caller.error("msgqueue_bind_send_virq", cap, caller.vic, 41n), "OK");
  assert.equal(caller.error("msgqueue_bind_receive_virq", cap, caller.vic, 40n), "OK");
  const { ram } = caller.machine.machine;
  return {
    caller,
    cap,
    send(text: string, flags = 0n) {
      const bytes = new TextEncoder().encode(text);
      ram.write(RAM_BASE, bytes);
      return caller.call("msgqueue_send", cap, BigInt(bytes.length), BigInt(RAM_BASE), flags);
    },
    receive(room = 1024n) {
      const [error, length, more] = caller.call("msgqueue_receive", cap, BigInt(RAM_BASE + 0x1000), room);
      return [error, new TextDecoder().decode(ram.bytes(RAM_BASE + 0x1000, Number(length))), more];
    },
  };
}

Deno.test("a doorbell keeps flags; a level vIRQ rings once for flags that are acknowledged automatically", () => {
  const { caller, cap } = doorbell();
  assert.equal(caller.error("doorbell_receive", cap, 0n), "ARGUMENT_INVALID");
  assert.equal(caller.error("doorbell_mask", cap, 3n, 1n), "OK");
  assert.deepEqual(caller.call("doorbell_send", cap, 4n), ["OK", 0n]);
  assert.ok(!caller.isPending(40), "a disabled flag raises no level vIRQ");
  assert.deepEqual(caller.call("doorbell_send", cap, 1n), ["OK", 4n]);
  assert.equal(caller.take(), 40);
  assert.ok(!caller.isPending(40));
  assert.deepEqual(caller.call("doorbell_receive", cap, 0xfn), ["OK", 4n]);
});

Deno.test("a level vIRQ stays until the enabled flags are taken", () => {
  const { caller, cap } = doorbell();
  caller.call("doorbell_send", cap, 2n);
  assert.equal(caller.take(), 40);
  assert.equal(caller.take(), 40);
  caller.call("doorbell_receive", cap, 2n);
  assert.equal(caller.take(), 40, "the line drops at the next check");
  assert.equal(caller.take(), 1023);
});

Deno.test("an edge vIRQ sees every send, enabled or not", () => {
  const { caller, cap } = doorbell();
  caller.setEdge(40, true);
  caller.call("doorbell_mask", cap, 0n, 0n);
  caller.call("doorbell_send", cap, 1n);
  assert.equal(caller.take(), 40);
  caller.call("doorbell_send", cap, 0n);
  assert.equal(caller.take(), 40);
  assert.equal(caller.take(), 1023);
});

Deno.test("masks raise and lower the vIRQ; reset clears flags and masks", () => {
  const { caller, cap } = doorbell();
  caller.call("doorbell_mask", cap, 0n, 0n);
  caller.call("doorbell_send", cap, 8n);
  assert.ok(!caller.isPending(40));
  caller.call("doorbell_mask", cap, 8n, 0n);
  assert.ok(caller.isPending(40));
  caller.call("doorbell_mask", cap, 0n, 0n);
  assert.ok(!caller.isPending(40));
  assert.equal(caller.error("doorbell_reset", cap), "OK");
  assert.deepEqual(caller.call("doorbell_send", cap, 1n), ["OK", 0n]);
  assert.ok(caller.isPending(40));
});

Deno.test("a source is bound once, to a shared vIRQ that no other has", () => {
  const { caller, cap } = doorbell();
  const other = caller.machine.create(Doorbell);
  other.activate();
  const second = caller.grant(other);
  assert.equal(caller.error("doorbell_bind_virq", cap, caller.vic, 41n), "VIRQ_BOUND");
  assert.equal(caller.error("doorbell_bind_virq", second, caller.vic, 40n), "BUSY");
  for (const virq of [0n, 31n, 32n + 64n, 1020n, 0xffff_ffffn]) {
    assert.equal(caller.error("doorbell_bind_virq", second, caller.vic, virq), "ARGUMENT_INVALID");
  }
  assert.equal(
    caller.error("doorbell_bind_virq", second, caller.vic, 0xabcd_0000_0000n | 50n),
    "OK",
    "24: the upper half is not looked at",
  );
  assert.equal(caller.error("doorbell_unbind_virq", second), "OK");
  assert.equal(caller.error("doorbell_unbind_virq", second), "OK");
  caller.call("doorbell_send", cap, 1n);
  assert.equal(caller.error("doorbell_unbind_virq", cap), "OK");
  assert.ok(!caller.isPending(40), "an unbound source holds no line");
  assert.equal(caller.error("doorbell_bind_virq", second, caller.vic, 40n), "OK");
});

Deno.test("limits of a queue's configuration", () => {
  const caller = new Caller();
  const cap = caller.grant(caller.machine.create(Msgqueue));
  for (const info of [0x80_0000n, 0x80_0100n, 0x400_0004n, 4n]) {
    assert.equal(caller.error("msgqueue_configure", cap, info), "ARGUMENT_INVALID");
  }
  assert.equal(caller.error("object_activate", cap), "OBJECT_CONFIG");
});

Deno.test("messages come in order and whole; both ends learn how the queue stands", () => {
  const { send, receive } = queue(2);
  assert.deepEqual(send("one"), ["OK", 1n]);
  assert.deepEqual(send("second"), ["OK", 0n]);
  assert.deepEqual(send("third"), ["MSGQUEUE_FULL", 0n]);
  assert.deepEqual(receive(), ["OK", "one", 1n]);
  assert.deepEqual(receive(), ["OK", "second", 0n]);
  assert.deepEqual(receive(), ["MSGQUEUE_EMPTY", "", 0n]);
});

Deno.test("the receiver hears of the first message and of pushes, the sender of the first room", () => {
  const { caller, send, receive } = queue(2);
  caller.setEdge(40, true);
  caller.setEdge(41, true);
  send("a");
  assert.equal(caller.take(), 40);
  send("b");
  assert.equal(caller.take(), 1023);
  receive();
  assert.ok(caller.isPending(41), "full before, one free now");
  send("c", 1n);
  assert.ok(caller.isPending(40));
});

Deno.test("bad buffers leave the queue as it is", () => {
  const { caller, cap, send, receive } = queue(4, 16);
  assert.equal(caller.error("msgqueue_send", cap, 17n, BigInt(RAM_BASE)), "ARGUMENT_SIZE");
  assert.equal(caller.error("msgqueue_send", cap, 8n, 0x9000_0000n), "ADDR_INVALID");
  assert.equal(caller.error("msgqueue_send", cap, 8n, 0xffff_ffff_ffff_fffcn), "ADDR_OVERFLOW");
  assert.deepEqual(caller.call("msgqueue_send", cap, 0n, BigInt(RAM_BASE)), ["OK", 1n], "no bytes: accepted, not queued");
  assert.deepEqual(receive(), ["MSGQUEUE_EMPTY", "", 0n]);
  send("0123456789");
  assert.deepEqual(receive(9n), ["OK", "", 1n], "it does not fit and stays");
  assert.equal(caller.error("msgqueue_receive", cap, 0x9000_0000n, 64n), "ADDR_INVALID");
  assert.deepEqual(receive(10n), ["OK", "0123456789", 0n]);
});

Deno.test("thresholds, hold-off and flush", () => {
  const { caller, cap, send } = queue(4);
  const configure = (side: "send" | "receive", threshold: bigint, holdoff = UNCHANGED) =>
    caller.error(`msgqueue_configure_${side}`, cap, threshold, holdoff);
  assert.equal(configure("send", 4n), "ARGUMENT_INVALID");
  assert.equal(configure("send", 0xffff_fffen), "ARGUMENT_INVALID");
  assert.equal(configure("receive", 0n), "ARGUMENT_INVALID");
  assert.equal(configure("receive", 5n), "ARGUMENT_INVALID");
  assert.equal(configure("receive", 1n, 0n), "UNIMPLEMENTED");
  assert.equal(configure("send", 1n), "OK");
  assert.ok(caller.isPending(41), "0 messages are no more than 1");
  assert.equal(configure("receive", 0xffff_fffen), "OK");
  for (const text of ["a", "b", "c"]) send(text);
  assert.ok(!caller.isPending(40));
  send("d");
  assert.ok(caller.isPending(40), "the fourth is the threshold");
  assert.equal(configure("send", UNCHANGED), "OK");
  assert.equal(configure("send", 2n), "OK");
  assert.ok(!caller.isPending(41));
  assert.equal(caller.error("msgqueue_flush", cap), "OK");
  assert.ok(caller.isPending(41) && !caller.isPending(40));
  assert.deepEqual(caller.call("msgqueue_receive", cap, BigInt(RAM_BASE), 8n), ["MSGQUEUE_EMPTY", 0n, 0n]);
});

Deno.test("configuration of a VIC, and MPIDRs that follow from indices", () => {
  const caller = new Caller();
  const vic = caller.machine.create(Vic);
  const cap = caller.grant(vic);
  for (const args of [[0n, 0n, 0n, 0n], [9n, 0n, 0n, 0n], [1n, 989n, 0n, 0n], [1n, 0n, 4n, 0n], [1n, 0n, 1n, 1n]]) {
    assert.equal(caller.error("vic_configure", cap, ...args), "ARGUMENT_INVALID", `${args}`);
  }
  assert.equal(caller.error("vic_configure", cap, 8n, 988n, 2n, 77n), "OK", "84: max_msis is not valid here");
  const map = (mask: bigint, ...shift: bigint[]) => caller.error("vgic_set_mpidr_mapping", cap, mask, ...shift, 0n);
  assert.equal(map(0x0707n, 0n, 0n, 0n, 0n), "ARGUMENT_INVALID", "overlap");
  assert.equal(map(0x0007n, 1n, 0n, 0n, 0n), "ARGUMENT_INVALID", "a gap below");
  assert.equal(map(0x0007n, 0n, 32n, 0n, 0n), "ARGUMENT_INVALID");
  assert.equal(map(0x0103n, 0n, 2n, 8n, 8n), "OK");
  assert.equal(caller.error("object_activate", cap), "OK");
  assert.equal(vic.mpidr(6), 0x8000_0102n);
  assert.equal(vic.gic.indexOf(0x102), 6);
  assert.equal(vic.gic.indexOf(0x104), undefined);
});

Deno.test("a frame is attached once, and only for a vCPU that is there", () => {
  const { vm, vcpu } = new Caller();
  const attach = (index: number, flags: bigint, ipa = 0x1000_0000) =>
    errorName(vm.vic.attachVdevice(vm.addressSpace, index, flags, ipa, 0x2_0000));
  assert.equal(attach(0, 0n), "OK");
  assert.equal(attach(0, 0n), "BUSY");
  assert.equal(attach(0, 1n), "ARGUMENT_INVALID");
  assert.equal(attach(1, 4n), "ARGUMENT_INVALID");
  assert.equal(attach(2, 0n), "ARGUMENT_INVALID");
  assert.equal(attach(1, 3n, 0x2000_0000), "OK");
  assert.equal(vm.addressSpace.deviceAt(0x2000_0000)?.device.read(vcpu, 8, 8), 0x10n, "the last one");
});

Deno.test("a vCPU of another VIC finds no SGIs of its own in a distributor: an external abort", () => {
  const w = new Rig();
  const vcpu = w.object("thread");
  w.equip(vcpu);
  vcpu.attachVic(w.get<Vic>(w.active("vic")), 3);
  vcpu.vpmGroup!.release();
  vcpu.vpmGroup = undefined;
  assert.equal(vcpu.activate(), 0);
  assert.equal(w.gicd.read(w.caller, 4, 4), 0x0349_001fn);
  assert.equal(w.gicd.read(vcpu, 4, 4), undefined);
  assert.equal(w.gicd.write(vcpu, 0, 4, 3n), false);
});

Deno.test("at the platform's addresses there are frames of the vCPUs that there are, and the last of them is Last", () => {
  const w = new Rig();
  const { addressSpace } = w.caller;
  const frames = () => addressSpace!.devices.map(({ device }) => device.name.split(" of ")[0]);
  const isLast = (index: number) => w.gicr(index).read(w.caller, 8, 4)! >> 4n & 1n;
  assert.deepEqual([frames(), isLast(0)], [["GICD", "GICR 0"], 1n]);
  const second = w.vcpu();
  assert.deepEqual([frames(), isLast(0), isLast(1)], [["GICD", "GICR 0", "GICR 1"], 0n, 1n]);
  second.powerOn(0n, 0n);
  second.kill();
  // It exits when its turn comes, which is when the caller's slice is over.
  w.machine.run(10_000_000);
  w.ok("cspace_delete_cap_from", { cspace: w.self, cap: w.cap(second) });
  assert.equal(second.state, "destroying");
  assert.deepEqual([frames(), isLast(0)], [["GICD", "GICR 0"], 1n]);
});

Deno.test("a VIC that goes takes its frames out of the address spaces", () => {
  const w = new Rig();
  const vic = w.active("vic");
  const space = w.active("addrspace");
  w.ok("addrspace_attach_vdevice", { addrspace: space, vdevice: vic, index: 0n, vbase: 0x1000_0000n, size: 0x1_0000n, flags: 0n });
  assert.ok(w.get<AddressSpace>(space).deviceAt(0x1000_0000));
  w.ok("cspace_delete_cap_from", { cspace: w.self, cap: vic });
  assert.equal(w.get<AddressSpace>(space).deviceAt(0x1000_0000), undefined);
});

Deno.test("a physical SPI is forwarded at its level", () => {
  const caller = new Caller();
  const hwirq = caller.machine.create(Hwirq33);
  const cap = caller.grant(hwirq);
  assert.equal(caller.error("hwirq_unbind_virq", cap), "VIRQ_NOT_BOUND");
  hwirq.setLevel(true);
  assert.equal(caller.error("hwirq_bind_virq", cap, caller.vic, 40n), "OK");
  assert.equal(caller.error("hwirq_bind_virq", cap, caller.vic, 41n), "VIRQ_BOUND");
  assert.equal(caller.take(), 40);
  assert.equal(caller.take(), 40);
  hwirq.setLevel(false);
  assert.equal(caller.take(), 1023);
  assert.equal(caller.error("hwirq_unbind_virq", cap), "OK");
});

class Hwirq33 extends Hwirq {
  constructor(...[hypervisor, partition]: [ConstructorParameters<typeof Hwirq>[0], ConstructorParameters<typeof Hwirq>[1]]) {
    super(hypervisor, partition, 33);
  }
}

Deno.test("a VPM group tells whether any of its vCPUs is awake", () => {
  const machine = new ScriptedMachine();
  const vm = new ScriptedVm(machine, 3, [function* () {}], { group: "aggregated" });
  const group: VpmGroup = vm.group!;
  assert.equal(group.vpmState, 2n);
  vm.start();
  assert.equal(group.vpmState, 1n);
  vm.vcpus[0].waitForInterrupt();
  assert.equal(group.vpmState, 2n);
  const caller = new Caller();
  const cap = caller.grant(caller.machine.create(VpmGroup));
  assert.equal(caller.error("vpm_group_configure", cap, 2n), "UNIMPLEMENTED");
  assert.equal(caller.error("vpm_group_configure", cap, 1n), "OK");
});

Deno.test("a physical PPI comes to every pinned vCPU of a VIC, present and future, and leaves no trace when it is taken back", () => {
  const w = new Rig();
  const vic = w.active("vic");
  const hwirq = w.hwirq(20);
  w.ok("hwirq_bind_virq", { hwirq, vic, virq: 20n });
  const join = (index: number, options: bigint) => {
    const vcpu = w.object("thread");
    w.equip(vcpu, options);
    vcpu.attachVic(w.get<Vic>(vic), index);
    assert.equal(vcpu.activate(), 0);
  };
  join(0, VcpuOption.Pinned);
  join(1, 0n);
  const { cpus } = w.get<Vic>(vic).gic;
  const bound = () => cpus.map((cpu) => cpu.bank.sources[20] !== undefined);
  assert.deepEqual(bound(), [true, false, false, false]);
  const other = w.hwirq(21);
  assert.equal(w.error("hwirq_bind_virq", { hwirq: other, vic, virq: 20n }), "DENIED", "a vCPU is not pinned");
  w.ok("hwirq_unbind_virq", { hwirq });
  assert.deepEqual(bound(), [false, false, false, false]);
});

Deno.test("a physical PPI cannot be forwarded where a timer is", () => {
  const w = new Rig();
  const vic = w.get<Vic>(w.active("vic"));
  const vcpu = w.object("thread");
  w.equip(vcpu, VcpuOption.Pinned);
  vcpu.attachVic(vic, 0);
  assert.equal(vcpu.activate(), 0);
  const before = w.dump();
  const hwirq = w.hwirq(20);
  const args = { hwirq, vic: w.cap(vic), virq: 27n };
  assert.equal(w.error("hwirq_bind_virq", args), "BUSY");
  assert.notDeepEqual(w.dump(), before, "there are new capabilities");
  assert.equal(w.error("hwirq_bind_virq", { ...args, virq: 20n }), "OK", "nothing of the refused one stays");
});

Deno.test("what an activation takes of the heap comes back with the object", () => {
  const w = new Rig();
  const { rootPartition } = w.hypervisor;
  const before = rootPartition.heapUsed;
  const made = (["vic", "addrspace", "msgqueue"] as const).map((type) => w.active(type));
  const sizes = made.map((cap) => w.get(cap).heapBytes - w.get(cap).size);
  assert.ok(sizes.every((size) => size > 0));
  for (const cap of made) w.ok("cspace_delete_cap_from", { cspace: w.self, cap });
  assert.equal(rootPartition.heapUsed, before);
});
