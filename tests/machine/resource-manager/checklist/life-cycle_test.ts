// Lines 24 to 52 of the checklist (docs/spec/resource-manager.md §14): allocation, start, stop,
// reset and exit of VMs, and who hears of them.

import assert from "node:assert/strict";
import { MEM_LEND, MEM_RECLAIM } from "../../../../src/machine/abi/rpc/messages/memory.ts";
import { VM_CONFIG_IMAGE, VM_INIT } from "../../../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_ALLOCATE, VM_DEALLOCATE, VM_EXIT, VM_RESET, VM_START, VM_STOP } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { VM_GET_STATE, VM_SET_CRASH_MSG } from "../../../../src/machine/abi/rpc/messages/queries.ts";
import { VmState } from "../../../../src/machine/abi/rpc/messages/vm.ts";
import { encodeRequest } from "../../../../src/machine/abi/rpc/message.ts";
import { encodePackets, PacketType } from "../../../../src/machine/abi/rpc/packet.ts";
import { Hypercall } from "../../../../src/machine/abi/hypercalls.ts";
import { node } from "../../../../src/machine/devicetree/tree.ts";
import type { Client } from "../client.ts";
import { DT_OFFSET, DT_SIZE, guestTree, Machine, rmRpc } from "../machine.ts";

/** PSCI calls. */
const SYSTEM_OFF = 0x8400_0008, SYSTEM_RESET = 0x8400_0009, SYSTEM_RESET2 = 0x8400_0012, SYSTEM_RESET2_64 = 0xc400_0012;

const TREE = guestTree("life", [rmRpc()]);
const FORCE = { flags: 1, reason: 0 };

const doorbell = (type: string, peer: string) => node("bell", { "vdevice-type": type, peer: `vm-name:${peer}`, "qcom,label": 1 });

/** Texts of the notifications that a VM has got since the last look. */
function told(client: Client): string[] {
  client.receive();
  return client.notifications.splice(0);
}

function stateOf({ primary }: Machine, vmid: number): number {
  return primary.get(VM_GET_STATE, { vmid }).vm_state;
}

/** A guest ends itself by PSCI; what its owner hears, but for states. */
function endBy(machine: Machine, vmid: number, functionId: number, ...args: bigint[]): string[] {
  told(machine.primary);
  machine.system.guest(vmid).smc(functionId, ...args);
  machine.system.wait(2_000_000);
  return told(machine.primary).filter((text) => !text.startsWith("VM_STATUS"));
}

/** VM_EXIT, whose reply nobody is there to take. */
function exit(machine: Machine, guest: Client, exit_flags: number, exit_code: number): string[] {
  told(machine.primary);
  const payload = encodeRequest(VM_EXIT, { exit_flags, exit_code });
  const [packet] = encodePackets({ type: PacketType.Request, sequence: 1, id: VM_EXIT.id, payload });
  guest.on((vcpu) => {
    vcpu.write(guest.place.buffer, packet);
    vcpu.hvc(Hypercall.msgqueue_send, guest.place.tx, BigInt(packet.length), BigInt(guest.place.buffer), 1n);
  });
  machine.system.wait(2_000_000);
  return told(machine.primary);
}

Deno.test("R24: VM_ALLOCATE from a VM that is not the primary is DENIED", () => {
  const machine = new Machine();
  const guest = machine.guest(machine.start(TREE).vmid);
  assert.equal(guest.ask(VM_ALLOCATE, { vmid: 0 }).error, "DENIED");
});

Deno.test("R25: VM_ALLOCATE(0) gives 8 bytes with the id 0x80 on a fresh system", () => {
  const { payload } = new Machine().primary.askRaw(VM_ALLOCATE.id, new Uint8Array(4));
  assert.deepEqual([...payload], [0, 0, 0, 0, 0x80, 0, 0, 0]);
});

Deno.test("R26: ids are given lowest first, and a freed one is given again", () => {
  const { primary } = new Machine();
  const allocate = () => primary.get(VM_ALLOCATE, { vmid: 0 }).vmid;
  assert.deepEqual([allocate(), allocate()], [0x80, 0x81]);
  primary.get(VM_DEALLOCATE, { vmid: 0x80 });
  assert.equal(allocate(), 0x80);
});

Deno.test("R27: the 64th VM at a time is refused with NORESOURCE", () => {
  const { primary } = new Machine();
  for (let count = 0; count < 63; count++) assert.equal(primary.get(VM_ALLOCATE, { vmid: 0 }).vmid, 0x80 + count);
  assert.equal(primary.ask(VM_ALLOCATE, { vmid: 0 }).error, "NORESOURCE");
});

Deno.test("R28: VM_ALLOCATE(5) gives a standard reply without an id", () => {
  const { payload } = new Machine().primary.askRaw(VM_ALLOCATE.id, Uint8Array.of(5, 0, 0, 0));
  assert.deepEqual([...payload], [0, 0, 0, 0]);
});

Deno.test("R29: VM_ALLOCATE(5) a second time is NORESOURCE", () => {
  const { primary } = new Machine();
  assert.deepEqual([5, 5].map((vmid) => primary.ask(VM_ALLOCATE, { vmid }).error), ["OK", "NORESOURCE"]);
});

Deno.test("R30: VM_ALLOCATE(64) is NORESOURCE", () => {
  assert.equal(new Machine().primary.ask(VM_ALLOCATE, { vmid: 64 }).error, "NORESOURCE");
});

Deno.test("R31: VM_ALLOCATE with 3 or 8 bytes is MSG_INVALID", () => {
  const { primary } = new Machine();
  for (const length of [3, 8]) assert.equal(primary.askRaw(VM_ALLOCATE.id, new Uint8Array(length)).payload[0], 4);
});

Deno.test("R32: a new VM is in the state 5, LOAD", () => {
  const machine = new Machine();
  const { vmid } = machine.primary.get(VM_ALLOCATE, { vmid: 0 });
  assert.equal(stateOf(machine, vmid), 5);
});

Deno.test("R33: VM_DEALLOCATE succeeds in LOAD and is VM_STATE in READY", () => {
  const machine = new Machine();
  const { vmid } = machine.ready(TREE);
  assert.equal(machine.primary.ask(VM_DEALLOCATE, { vmid }).error, "VM_STATE");
  assert.equal(stateOf(machine, vmid), VmState.Ready);
  const other = machine.primary.get(VM_ALLOCATE, { vmid: 0 });
  assert.equal(machine.primary.ask(VM_DEALLOCATE, other).error, "OK");
});

Deno.test("R34: VM_DEALLOCATE by a VM that is not the owner is DENIED", () => {
  const machine = new Machine();
  const guest = machine.guest(machine.start(TREE).vmid);
  const { vmid } = machine.primary.get(VM_ALLOCATE, { vmid: 0 });
  assert.equal(guest.ask(VM_DEALLOCATE, { vmid }).error, "DENIED");
});

Deno.test("R35: VM_START in any state but READY is VM_STATE", () => {
  const machine = new Machine();
  const start = (vmid: number) => machine.primary.ask(VM_START, { vmid }).error;
  const load = machine.primary.get(VM_ALLOCATE, { vmid: 0 });
  assert.equal(start(load.vmid), "VM_STATE", "LOAD");
  machine.primary.get(VM_DEALLOCATE, load);
  const { vmid } = machine.configured(TREE);
  assert.equal(start(vmid), "VM_STATE", "INIT");
  machine.primary.get(VM_INIT, { vmid });
  machine.primary.get(VM_START, { vmid });
  assert.equal(start(vmid), "VM_STATE", "RUNNING");
  machine.primary.get(VM_STOP, { vmid, ...FORCE });
  assert.equal(start(vmid), "VM_STATE", "EXITED");
  machine.reset(vmid);
  assert.equal(start(vmid), "VM_STATE", "RESET");
});

Deno.test("R36: VM_START tells the owner the state 3, RUNNING", () => {
  const machine = new Machine();
  const { vmid } = machine.ready(TREE);
  told(machine.primary);
  machine.primary.get(VM_START, { vmid });
  assert.deepEqual(told(machine.primary), [`VM_STATUS vmid=0x80 vm_state=3 os_state=0 app_status=0`]);
});

Deno.test("R37: VM_STOP by force gives VM_STATUS 9, VM_EXITED of type 7 and OK", () => {
  const machine = new Machine();
  const { vmid } = machine.start(TREE);
  told(machine.primary);
  assert.equal(machine.primary.ask(VM_STOP, { vmid, ...FORCE }).error, "OK");
  const [status, exited, ...more] = told(machine.primary);
  assert.match(status, /^VM_STATUS vmid=0x80 vm_state=9 /);
  assert.match(exited, /^VM_EXITED vmid=0x80 exit_type=7 reason_size=4 reason=0{8}$/);
  assert.deepEqual(more, []);
});

Deno.test("R38: VM_STOP without force tells the VM the reason and leaves it RUNNING", () => {
  const machine = new Machine();
  const { vmid } = machine.start(TREE);
  const guest = machine.guest(vmid);
  machine.primary.get(VM_STOP, { vmid, flags: 0, reason: 3 });
  assert.deepEqual(told(guest), ["VM_SHUTDOWN reason=3"]);
  assert.equal(stateOf(machine, vmid), VmState.Running);
});

Deno.test("R39: VM_STOP of a READY VM is VM_STATE", () => {
  const machine = new Machine();
  const { vmid } = machine.ready(TREE);
  assert.equal(machine.primary.ask(VM_STOP, { vmid, ...FORCE }).error, "VM_STATE");
});

Deno.test("R40: VM_STOP with 4 bytes is MSG_INVALID", () => {
  assert.equal(new Machine().primary.askRaw(VM_STOP.id, new Uint8Array(4)).payload[0], 4);
});

Deno.test("R41: VM_RESET of a RUNNING VM is VM_STATE", () => {
  const machine = new Machine();
  const { vmid } = machine.start(TREE);
  assert.equal(machine.primary.ask(VM_RESET, { vmid }).error, "VM_STATE");
});

Deno.test("R42: VM_RESET in READY, EXITED and INIT_FAILED is OK, and VM_STATUS 11 follows", () => {
  for (const state of [VmState.Ready, VmState.Exited, VmState.InitFailed]) {
    const machine = new Machine();
    const { vmid } = state === VmState.InitFailed ? machine.configured(guestTree("bad", [rmRpc(), rmRpc()])) : machine.ready(TREE);
    if (state === VmState.InitFailed) machine.primary.ask(VM_INIT, { vmid });
    if (state === VmState.Exited) {
      machine.primary.get(VM_START, { vmid });
      machine.primary.get(VM_STOP, { vmid, ...FORCE });
    }
    assert.equal(stateOf(machine, vmid), state);
    told(machine.primary);
    assert.equal(machine.primary.ask(VM_RESET, { vmid }).error, "OK");
    machine.system.wait(1_000_000);
    const states = told(machine.primary).filter((text) => text.startsWith("VM_STATUS")).map((text) => /vm_state=(\w+)/.exec(text)![1]);
    assert.deepEqual(states, ["0xa", "0xb"]);
  }
});

Deno.test("a VM whose configuration is not finished, in INIT or AUTH, is reset as one whose initialization failed, and given back", () => {
  for (const [authType, state] of [[0, VmState.Init], [1, VmState.Auth]] as const) {
    const machine = new Machine();
    const before = machine.usage();
    const made = machine.configured(TREE, authType);
    assert.equal(stateOf(machine, made.vmid), state);
    machine.reset(made.vmid);
    machine.primary.get(MEM_RECLAIM, { handle: made.handle, flags: 0 });
    machine.primary.get(VM_DEALLOCATE, { vmid: made.vmid });
    assert.deepEqual(machine.usage(), before);
  }
});

Deno.test("R43: behind VM_STATUS 11 every parcel of the VM can be reclaimed", () => {
  const machine = new Machine();
  const { vmid, handle } = machine.start(TREE);
  machine.primary.get(VM_STOP, { vmid, ...FORCE });
  assert.equal(machine.primary.ask(MEM_RECLAIM, { handle, flags: 0 }).error, "MEM_INUSE");
  machine.reset(vmid);
  assert.equal(machine.primary.ask(MEM_RECLAIM, { handle, flags: 0 }).error, "OK");
});

Deno.test("R44: a reset sends one MEM_RELEASED for each parcel that the VM had", () => {
  const machine = new Machine();
  const { vmid, handle } = machine.ready(TREE);
  const sgl = [{ address: 0x4700_0000n, size: 0x1000n }];
  const acl = [{ vmid, rights: 6 }];
  const buffer = machine.primary.get(MEM_LEND, { mem_type: 0, flags: 0, label: 9, acl, sgl, attributes: [] });
  machine.primary.get(VM_START, { vmid });
  machine.primary.get(VM_STOP, { vmid, ...FORCE });
  told(machine.primary);
  machine.reset(vmid);
  const released = machine.primary.notifications.filter((text) => text.startsWith("MEM_RELEASED"));
  assert.deepEqual(released, [buffer.handle, handle].map((each) => `MEM_RELEASED handle=${each} vmid=0x80 mem_info_tag=0`));
});

Deno.test("R45: after a reset VM_CONFIG_IMAGE is accepted again", () => {
  const machine = new Machine();
  const { vmid, handle } = machine.start(TREE);
  machine.primary.get(VM_STOP, { vmid, ...FORCE });
  machine.reset(vmid);
  const image = { image_offset: 0n, image_size: 0n, dt_offset: BigInt(DT_OFFSET), dt_size: BigInt(DT_SIZE) };
  machine.primary.get(VM_CONFIG_IMAGE, { vmid, auth_type: 0, handle, ...image });
  assert.equal(stateOf(machine, vmid), VmState.Init);
});

Deno.test("R46: VM_EXIT with code 2 or a byte 3 that is not zero is MSG_INVALID", () => {
  const machine = new Machine();
  const guest = machine.guest(machine.start(TREE).vmid);
  for (const payload of [[0, 0, 2, 0], [0, 0, 0, 1]]) assert.equal(guest.askRaw(VM_EXIT.id, Uint8Array.from(payload)).payload[0], 4);
});

Deno.test("R47: VM_EXIT with flags 1 and code 0 gives VM_EXITED of type 0 and the reason 0x00000001", () => {
  const machine = new Machine();
  const guest = machine.guest(machine.start(TREE).vmid);
  assert.match(exit(machine, guest, 1, 0)[1], /^VM_EXITED vmid=0x80 exit_type=0 reason_size=4 reason=01000000$/);
});

Deno.test("R48: PSCI SYSTEM_OFF gives VM_EXITED of type 1", () => {
  const machine = new Machine();
  const { vmid } = machine.start(TREE);
  assert.match(endBy(machine, vmid, SYSTEM_OFF).join(), /^VM_EXITED vmid=0x80 exit_type=1 reason_size=4 reason=00000000$/);
});

Deno.test("R49: PSCI SYSTEM_RESET gives VM_EXITED of type 2", () => {
  const machine = new Machine();
  const { vmid } = machine.start(TREE);
  assert.match(endBy(machine, vmid, SYSTEM_RESET).join(), /^VM_EXITED vmid=0x80 exit_type=2 reason_size=4 /);
});

Deno.test("R50: PSCI SYSTEM_RESET2 gives VM_EXITED of type 3 with 16 bytes: flags, type and cookie", () => {
  for (
    const [functionId, reason] of [[SYSTEM_RESET2, "00000000010000807856341200000000"], [
      SYSTEM_RESET2_64,
      "00800000010000807856341200000000",
    ]]
  ) {
    const machine = new Machine();
    const { vmid } = machine.start(TREE);
    const [exited] = endBy(machine, vmid, functionId as number, 0x8000_0001n, 0x1234_5678n);
    assert.equal(exited, `VM_EXITED vmid=0x80 exit_type=3 reason_size=0x10 reason=${reason}`);
  }
});

Deno.test("R51: a stored crash message turns the code 0 of a halt into 1", () => {
  const machine = new Machine();
  const { vmid } = machine.start(TREE);
  machine.guest(vmid).get(VM_SET_CRASH_MSG, { text: new TextEncoder().encode("Oops") });
  assert.match(endBy(machine, vmid, SYSTEM_OFF).join(), /exit_type=1 reason_size=4 reason=00000100$/);
});

Deno.test("R52: VM_EXITED goes to the owner only, VM_STATUS to all peers that run", () => {
  const machine = new Machine();
  const bell = (peer: string) =>
    guestTree(peer === "b" ? "a" : "b", [rmRpc(), doorbell(peer === "b" ? "doorbell" : "doorbell-source", peer)]);
  const a = machine.start(bell("b"));
  const b = machine.start(bell("a"), 0x4680_0000);
  const peer = machine.guest(a.vmid);
  told(peer);
  told(machine.primary);
  machine.primary.get(VM_STOP, { vmid: b.vmid, ...FORCE });
  assert.deepEqual(told(peer), ["VM_STATUS vmid=0x81 vm_state=9 os_state=0 app_status=0"]);
  assert.deepEqual(told(machine.primary).map((text) => text.split(" ")[0]), ["VM_STATUS", "VM_EXITED"]);
});
