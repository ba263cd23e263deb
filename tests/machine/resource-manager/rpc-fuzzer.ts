// Hostile RPC: messages made from the layouts of src/machine/abi/rpc/messages, valid or spoiled,
// sent by the primary and by two guests, and what has to come of each. Everything follows from a
// seed.

import assert from "node:assert/strict";
import { ErrorCode } from "../../../src/machine/abi/errors.ts";
import { Hypercall } from "../../../src/machine/abi/hypercalls.ts";
import { rmErrorName } from "../../../src/machine/abi/rpc/errors.ts";
import type { Shape, Shapes } from "../../../src/machine/abi/rpc/layout.ts";
import { decodeReply, type RpcRequest } from "../../../src/machine/abi/rpc/message.ts";
import { RPC_MESSAGES, rpcName } from "../../../src/machine/abi/rpc/messages/all.ts";
import {
  encodePackets,
  PacketType,
  Reassembler,
  RPC_MAX_PAYLOAD,
  RPC_PACKET_SIZE,
  type RpcMessage,
} from "../../../src/machine/abi/rpc/packet.ts";
import { describePackets } from "../../../src/machine/abi/rpc/text/describe.ts";
import { Checker } from "../../../src/machine/hypervisor/check/check.ts";
import { NativeExecution } from "../../../src/machine/hypervisor/native/native-execution.ts";
import { ResourceManager } from "../../../src/machine/resource-manager/resource-manager.ts";
import type { Parcel, Vm } from "../../../src/machine/resource-manager/state/state.ts";
import type { Random } from "../../support/random.ts";
import { dumpSystem } from "./dump.ts";
import { BASE, bell, guestTree, HOST_BASE, Machine, MEMORY, pair, rmRpc } from "./machine.ts";

const REQUESTS: readonly RpcRequest[] = [...RPC_MESSAGES.values()].flatMap((message) => message.kind === "request" ? [message] : []);
/**
 * Requests that end something permanently: sent seldom, so that VMs and objects are left for other
 * requests.
 */
const LETHAL: ReadonlySet<string> = new Set(["VM_STOP", "VM_RESET", "VM_EXIT", "FW_MILESTONE"]);

/** Parcels that are images of VMs. */
const IMAGES = 4;
/** Requests whose refusal leaves a VM in INIT_FAILED. */
const RUINOUS: ReadonlySet<string> = new Set(["VM_CONFIG_IMAGE", "VM_AUTH_IMAGE", "VM_INIT", "VM_START"]);
/** One message in this many must change nothing when it is refused. */
const COMPARED = 150;
const COMPARED_WITH_FAULTS = 5;
/** Errors of hypercalls that are made to fail. */
const FAULTS: readonly ErrorCode[] = [ErrorCode.NOMEM, ErrorCode.DENIED, ErrorCode.BUSY, ErrorCode.MEMDB_NOT_OWNER];

function changesNothing({ id, payload }: RpcMessage): boolean {
  return payload.subarray(0, 4).some((byte) => byte !== 0) && !RUINOUS.has(rpcName(id));
}

/** Memory of the primary that is lent, shared and given away: pages. */
const POOL = 0x4700_0000;
const POOL_PAGES = 48;
const PAGE = 0x1000;

/**
 * Makes payloads that a layout takes, with values that mean something where the name of a field
 * says what.
 */
class PayloadMaker {
  readonly #bytes = new Uint8Array(RPC_MAX_PAYLOAD);
  readonly #view = new DataView(this.#bytes.buffer);
  #length = 0;
  #name = "";
  #sender!: Vm;
  /** The parcel that the message names, so that its fields can be valid. */
  #parcel: Parcel | undefined;

  constructor(readonly random: Random, readonly world: World) {}

  make({ name, request }: RpcRequest, sender: Vm): Uint8Array {
    this.#length = 0;
    this.#name = name;
    this.#sender = sender;
    this.#parcel = undefined;
    this.#fields(request.shapes);
    return this.#bytes.slice(0, this.#length);
  }

  #fields(shapes: Shapes): void {
    // One of the fields that exclude each other, whatever the selector says.
    const skipped = this.random.below(2);
    for (const [name, shape] of Object.entries(shapes)) {
      if (shape.kind !== "when") this.#field(name, shape);
      else if (!shape.values.includes(skipped)) this.#field(name, shape.shape);
    }
  }

  #field(name: string, shape: Shape): void {
    const { random } = this;
    switch (shape.kind) {
      case "unsigned":
        return this.#number(shape.size, this.#value(name, shape.size));
      case "reserved":
        return this.#data(shape.size, 0);
      case "bytes":
        return this.#data(shape.size, random.below(3));
      case "rest":
        return this.#data(random.below(4) * 8 + random.below(2) * 4, random.below(3));
      case "counted": {
        const size = random.below(10) === 0 ? random.below(400) : random.below(20);
        this.#number(2, BigInt(size));
        this.#data(shape.gap, 0);
        this.#data(size, 0x41);
        if (shape.padded) this.#data((4 - size % 4) % 4, 0);
        return;
      }
      case "list": {
        if (name === "acl" && random.below(10) > 0) return this.#acl();
        const few = name === "attributes" || this.#name === "MEM_ACCEPT" ? [0, 0, 0, 0, 0, 0, 1, 2] : [1, 1, 1, 2, 2, 0, 3, 5];
        const count = random.below(60) === 0 ? 480 + random.below(40) : random.pick(few);
        this.#number(shape.counter, BigInt(count));
        if (shape.rpcList !== undefined) this.#number(2, BigInt(shape.rpcList.annotated && random.below(20) === 0 ? 0x80 : 0));
        for (let index = 0; index < count; index++) this.#fields(shape.entry);
        if (shape.rpcList !== undefined) this.#data((4 - this.#length % 4) % 4, 0);
        return;
      }
      case "when":
        return this.#field(name, shape.shape);
    }
  }

  /**
   * An ACL that may be: other VMs, each once, and the sender where it shares; or that of the
   * parcel.
   */
  #acl(): void {
    const { random, world } = this;
    const others = world.vmids().filter((vmid, index, all) => vmid !== this.#sender.vmid && vmid > 3 && all.indexOf(vmid) === index);
    const picked = others.slice(0, 1 + random.below(Math.min(others.length, 2)));
    const vmids = this.#parcel?.acl.map(({ vmid }) => vmid) ?? (this.#name === "MEM_SHARE" ? [...picked, this.#sender.vmid] : picked);
    if (this.#name === "MEM_DONATE") vmids.length = 1;
    this.#number(2, BigInt(vmids.length));
    this.#number(2, 0n);
    for (const vmid of vmids) {
      this.#number(2, BigInt(vmid));
      this.#number(2, random.below(4) > 0 ? 7n : BigInt(random.pick([4, 5, 6])));
    }
  }

  #handle(): number {
    const { random, world } = this;
    const parcels = world.machine.system.rm.state.parcels.slice(IMAGES);
    const mine = parcels.filter((parcel) =>
      this.#name === "MEM_ACCEPT" || this.#name === "MEM_RELEASE"
        ? parcel.acl.some(({ vmid }) => vmid === this.#sender.vmid)
        : parcel.owner === this.#sender.vmid
    );
    if (!this.#name.startsWith("MEM") || mine.length === 0 || random.below(4) === 0) return random.pick(world.handles());
    this.#parcel = random.pick(mine);
    return this.#parcel.handle;
  }

  #value(name: string, size: number): bigint {
    const { random, world } = this;
    if (random.below(40) === 0) return BigInt.asUintN(size * 8, random.wide());
    if (/vmid|borrower|target/.test(name)) return BigInt(random.pick(world.vmids()));
    if (name === "handle") return BigInt(this.#handle());
    if (name === "trans_type" && this.#parcel !== undefined) return BigInt(this.#parcel.transType);
    if (name === "address" && this.#name === "MEM_ACCEPT") return BigInt(0x9000_0000 + random.below(16) * PAGE);
    if (name === "mem_type") return random.below(12) === 0 ? 1n : 0n;
    if (name === "address") return BigInt(POOL + random.below(POOL_PAGES) * PAGE);
    if (name === "size") return BigInt((1 + random.below(3)) * PAGE);
    if (name === "rights") return BigInt([7, 7, 6, 4, 5, 3][random.below(6)]);
    if (name === "virq") return BigInt([40, 41, 42, 0xffff_ffff, 960][random.below(5)]);
    if (name === "trans_type") return BigInt(random.below(3));
    if (name === "flags") return BigInt([0, 1, 2, 4, 0x80, 0x80, 0x90, 0xa0, 8][random.below(9)]);
    if (name === "base" || name === "region_base") return BigInt(0x9000_0000 + random.below(64) * PAGE);
    if (name === "alignment" || name === "region_size") return BigInt(PAGE << random.below(4));
    if (/constraints/.test(name)) return BigInt([0, 0, 0, 0x40, 4, 7, 1][random.below(7)]);
    if (/attr|label|type|auth_type|exit|os_status|tag/.test(name)) return BigInt(random.below(3));
    if (/offset|dt_|image_/.test(name)) return BigInt(random.below(4) * 0x10_0000);
    return BigInt([0, 0, 1, 2, 3, 0x1000][random.below(6)]);
  }

  #number(size: number, value: bigint): void {
    if (this.#length + size > RPC_MAX_PAYLOAD) return;
    for (let index = 0; index < size; index++) this.#view.setUint8(this.#length + index, Number(value >> BigInt(index * 8) & 0xffn));
    this.#length += size;
  }

  #data(size: number, byte: number): void {
    const end = Math.min(this.#length + size, RPC_MAX_PAYLOAD);
    this.#bytes.fill(byte, this.#length, end);
    this.#length = end;
  }
}

/**
 * One end of a link, and what the Resource Manager has to have understood of what it sent:
 * docs/spec/resource-manager.md §1.3 in the fewest words.
 */
class Sender {
  readonly #reassembler = new Reassembler();
  #partial: { readonly header: string; readonly type: number; readonly sequence: number; readonly id: number; left: number } | undefined;
  /** The link that this end belongs to: another one after the VM was made anew. */
  readonly link: unknown;

  constructor(readonly vm: Vm, readonly execution: NativeExecution, readonly buffer: number) {
    this.link = vm.link;
  }

  /** Whether it can send and receive: a VM may also have released the memory that it runs in. */
  get alive(): boolean {
    return this.vm.link === this.link && this.execution.read(this.buffer, RPC_PACKET_SIZE) !== undefined;
  }

  /** False when the queue is full. */
  send(packet: Uint8Array): boolean {
    assert.ok(this.execution.write(this.buffer, packet));
    const [error] = this.execution.hvc(Hypercall.msgqueue_send, 0n, BigInt(packet.length), BigInt(this.buffer), 1n);
    return error === 0n;
  }

  /**
   * Takes all messages and adds replies to the list; notifications are read and forgotten. False if
   * there was none.
   */
  receive(replies: RpcMessage[]): boolean {
    for (let count = 0;; count++) {
      const [error, size] = this.execution.hvc(Hypercall.msgqueue_receive, 1n, BigInt(this.buffer), BigInt(RPC_PACKET_SIZE));
      if (error !== 0n) return count > 0;
      const result = this.#reassembler.accept(this.execution.read(this.buffer, Number(size))!);
      assert.ok(result.done || result.dropped === undefined, "packets of two messages are not mixed");
      if (result.done && result.message.type === PacketType.Reply) replies.push(result.message);
    }
  }

  /** The request that this packet completes, if it completes one. */
  understood(packet: Uint8Array): { sequence: number; id: number } | undefined {
    if (packet.length < 8 || packet[0] !== 0x21 || packet[1] >> 2 > 62) return undefined;
    const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
    const type = packet[1] & 3;
    const header = `${packet[1] >> 2} ${view.getUint16(2, true)} ${view.getUint32(4, true)}`;
    if (type !== 0) {
      this.#partial = { header, type, sequence: view.getUint16(2, true), id: view.getUint32(4, true), left: packet[1] >> 2 };
    } else if (this.#partial?.header === header) this.#partial.left--;
    else return undefined;
    if (this.#partial.left > 0) return undefined;
    const { type: begun, sequence, id } = this.#partial;
    this.#partial = undefined;
    return begun === PacketType.Request ? { sequence, id } : undefined;
  }
}

/** A machine with two guests that all send to its Resource Manager. */
export class World {
  readonly machine = new Machine();
  readonly #senders: Sender[];
  readonly #maker: PayloadMaker;
  #sequence = 0;
  /** The hypercall that failed in the step in progress. */
  #failed = "";

  /** @param faults whether hypercalls of the Resource Manager fail now and then. */
  constructor(readonly random: Random, readonly faults = false) {
    const { system } = this.machine;
    const guests = [HOST_BASE, HOST_BASE + MEMORY].map((place, index) => {
      const vdevices = [rmRpc({ "console-dev": true }), bell(0x20 + index), pair(0x30 + index, { "peer-default": true })];
      return this.machine.start(guestTree(`guest${index}`, vdevices), place).vmid;
    });
    // Two more that send nothing: one waits for VM_START, one for VM_INIT.
    this.machine.ready(guestTree("ready", [rmRpc(), bell(0x40)]), HOST_BASE + 2 * MEMORY);
    this.machine.configured(guestTree("configured", [rmRpc()]), 0, HOST_BASE + 3 * MEMORY);
    this.machine.primary.receive();
    system.primary.awake = false;
    system.wait(100_000);
    this.#senders = [3, ...guests].map((vmid) => {
      const vm = system.rm.state.vms.find((each) => each.vmid === vmid)!;
      return new Sender(vm, system.guest(vmid), vmid === 3 ? 0x4400_0000 : BASE + 0x1_0000);
    });
    this.#maker = new PayloadMaker(random, this);
    system.hypervisor.checker = new Checker(system.hypervisor);
  }

  /** VMIDs worth naming. */
  vmids(): readonly number[] {
    return [...this.machine.system.rm.state.vms.map(({ vmid }) => vmid), 0, 0, 0x80, 0x99, 5];
  }

  /** Handles of parcels and loans, and one of none. */
  handles(): readonly number[] {
    const { parcels, loans } = this.machine.system.rm.state;
    // Without the images, which the guests would soon have given back.
    return [...parcels.slice(IMAGES).slice(-8).map(({ handle }) => handle), ...loans.map(({ handle }) => handle), 0x1234];
  }

  /** Whether a guest is left that can send. */
  get populated(): boolean {
    return this.#senders.filter(({ alive, vm }) => alive && vm.state === 3).length >= 2;
  }

  /**
   * Sends one message, whole or not, and holds what comes back against what must. @throws
   * AssertionError
   */
  step(): void {
    const { random } = this;
    const alive = this.#senders.filter((sender) => sender.alive);
    const sender = random.below(2) === 0 ? alive[0] : random.pick(alive);
    const packets = this.#packets(sender.vm);
    const expected: { sequence: number; id: number }[] = [];
    const replies: RpcMessage[] = [];
    const fault = this.faults && random.below(4) === 0;
    const compared = packets.length === 1 && random.below(fault ? COMPARED_WITH_FAULTS : COMPARED) === 0;
    const before = compared ? dumpSystem(this.machine.system) : undefined;
    this.#failed = "";
    if (fault) this.#fault();
    try {
      for (const packet of packets) {
        if (!sender.alive) return;
        while (!sender.send(packet)) {
          this.#settle();
          sender.receive(replies);
        }
        const request = sender.understood(packet);
        if (request !== undefined) expected.push(request);
      }
      this.#settle();
      // The link of a VM that was reset meanwhile is gone, and so are its replies.
      while (sender.alive && sender.receive(replies)) this.#settle();
      this.machine.system.fail = () => undefined;
      if (!sender.alive) return;
      this.#judge(expected, replies);
      if (before !== undefined && replies.every(changesNothing)) assert.deepEqual(dumpSystem(this.machine.system), before);
    } catch (failure) {
      const sent = packets.slice(0, 3).flatMap((packet) => describePackets(packet)).join("\n");
      const failed = this.#failed === "" ? "" : `${this.#failed} failed\n`;
      if (failure instanceof Error) failure.message = `VM ${sender.vm.vmid} sent\n${sent}\n${failed}${failure.message}`;
      throw failure;
    }
  }

  /** At the end of a world, the checker finds nothing, and the state can be restored. */
  sweep(): void {
    const { hypervisor, rm } = this.machine.system;
    assert.deepEqual(hypervisor.checker!.sweep(), []);
    new ResourceManager().restore(rm.save());
  }

  #judge(expected: readonly { sequence: number; id: number }[], replies: readonly RpcMessage[]): void {
    const key = ({ sequence, id }: { sequence: number; id: number }) => `${rpcName(id)} #${sequence}`;
    assert.deepEqual(replies.map(key), expected.map(key), "each request is answered once, in order, and nothing else is");
    for (const { id, payload } of replies) {
      const message = RPC_MESSAGES.get(id);
      const error = rmErrorName(new DataView(payload.buffer, payload.byteOffset, payload.length).getUint32(0, true));
      if (message?.kind !== "request") {
        assert.equal(error, "UNIMPLEMENTED");
      } else if (error === "OK") {
        assert.ok(decodeReply(message, payload).ok, `the reply of ${message.name} can be read`);
      } else {
        const listed = (message.errors as readonly string[]).includes(error) || this.#failed !== "";
        assert.ok(listed, `${message.name} is refused with ${error}, which it does not list`);
        assert.equal(payload.length, message.errorDetail === undefined ? 4 : 8);
      }
    }
  }

  #packets(sender: Vm): Uint8Array[] {
    const { random } = this;
    const sequence = this.#sequence = this.#sequence + 1 & 0xffff;
    const picked = random.pick(REQUESTS);
    const message = LETHAL.has(picked.name) && random.below(20) > 0 ? REQUESTS[0] : picked;
    const payload = this.#maker.make(message, sender);
    const whole = (bytes: Uint8Array, id = message.id, type: PacketType = PacketType.Request) =>
      encodePackets({ type, sequence, id, payload: bytes.subarray(0, RPC_MAX_PAYLOAD) });
    switch (random.below(24)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return whole(this.#mutated(payload));
      case 4:
        return whole(payload.subarray(0, random.below(payload.length + 1)));
      case 5:
        return whole(Uint8Array.of(...payload.subarray(0, 400), ...new Uint8Array(1 + random.below(40))));
      case 6:
        return whole(payload.subarray(0, 100), random.below(2) === 0 ? message.id ^ 1 << random.below(32) : random.word());
      case 7:
        return whole(payload, message.id, random.pick([PacketType.Continuation, PacketType.Reply, PacketType.Notification]));
      case 8:
        return whole(payload).map((packet) => this.#mutated(packet.subarray(0, 1 + random.below(packet.length))));
      case 9:
      case 10:
        return this.#disordered(whole(new Uint8Array(300 + random.below(900)).fill(random.below(4))));
      default:
        return whole(payload);
    }
  }

  /**
   * One of the next hypercalls of the Resource Manager fails, but for those that carry messages.
   */
  #fault(): void {
    const { random } = this;
    let left = random.below(6);
    const code = random.pick(FAULTS);
    this.machine.system.fail = (name) => {
      if (name === "msgqueue_send" || name === "msgqueue_receive" || left-- !== 0) return undefined;
      this.#failed = name;
      return code;
    };
  }

  /** A few bytes are others. */
  #mutated(bytes: Uint8Array): Uint8Array {
    const { random } = this;
    const changed = bytes.slice();
    for (let count = 1 + random.below(4); count > 0 && changed.length > 0; count--) {
      changed[random.below(changed.length)] = random.below(2) === 0 ? random.word() & 0xff : [0, 1, 0x80, 0xff][random.below(4)];
    }
    return changed;
  }

  /** Packets of a message swapped, left out, doubled, or with another message between them. */
  #disordered(packets: Uint8Array[]): Uint8Array[] {
    const { random } = this;
    const at = random.below(packets.length), other = random.below(packets.length);
    switch (random.below(4)) {
      case 0:
        [packets[at], packets[other]] = [packets[other], packets[at]];
        return packets;
      case 1:
        packets.splice(at, 1);
        return packets;
      case 2:
        packets.splice(at, 0, packets[other]);
        return packets;
      default:
        packets.splice(
          at,
          0,
          ...encodePackets({ type: PacketType.Request, sequence: 0x7777, id: 0x5600_0024, payload: new Uint8Array(0) }),
        );
        return packets;
    }
  }

  /** Lets the Resource Manager work until it waits for something that nobody will do. */
  #settle(): void {
    const { machine, rm } = this.machine.system;
    for (let patience = 0; patience < 10_000; patience++) {
      const result = machine.run(machine.time + 1_000_000_000);
      if (result.kind !== "idle" && result.kind !== "time") assert.fail(`the machine does not go on: ${Deno.inspect(result)}`);
      if (rm.state.exits.length === 0 && rm.state.vms.every(({ reset }) => reset === undefined)) return;
      if (result.kind === "idle") machine.skipTo(result.next);
    }
    assert.fail("the Resource Manager comes to rest");
  }
}
