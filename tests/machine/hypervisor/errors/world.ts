// A machine in which every hypercall can succeed: a caller with all objects of the calls. A test
// changes the part that is to be refused.

import assert from "node:assert/strict";
import { ErrorCode } from "../../../../src/machine/abi/errors.ts";
import { type HypercallName, HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import { allRights, type ObjectType } from "../../../../src/machine/abi/rights.ts";
import { Access, ExtentType, mapAttributes, memextentAttributes, MemoryType, VcpuOption } from "../../../../src/machine/abi/words.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { AddressSpace } from "../../../../src/machine/hypervisor/memory/addrspace.ts";
import type { Behaviour } from "../../../../src/machine/hypervisor/services/behaviour.ts";
import { Cspace } from "../../../../src/machine/hypervisor/capabilities/cspace.ts";
import { Doorbell } from "../../../../src/machine/hypervisor/ipc/doorbell.ts";
import { DEFERRED } from "../../../../src/machine/hypervisor/capabilities/hypercall-definition.ts";
import type { Entrance } from "../../../../src/machine/hypervisor/scheduling/vcpu-services.ts";
import type { Hypervisor } from "../../../../src/machine/hypervisor/hypervisor.ts";
import { Hwirq } from "../../../../src/machine/hypervisor/gic/hwirq.ts";
import { Memextent } from "../../../../src/machine/hypervisor/memory/memextent.ts";
import { Msgqueue } from "../../../../src/machine/hypervisor/ipc/msgqueue.ts";
import type { HypervisorObject } from "../../../../src/machine/hypervisor/capabilities/object.ts";
import { Partition } from "../../../../src/machine/hypervisor/memory/partition.ts";
import { dumpHypervisor } from "../dump.ts";
import { Vcpu } from "../../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { Vic } from "../../../../src/machine/hypervisor/gic/vic.ts";
import { VirtioMmio } from "../../../../src/machine/hypervisor/virtio/virtio-mmio.ts";
import { VpmGroup } from "../../../../src/machine/hypervisor/scheduling/vpm-group.ts";
import { type Script, ScriptedMachine, type ScriptedState } from "../scripted.ts";
import { callBy } from "../native-call.ts";

/** Arguments of a call by name; reserved ones are filled in. */
export type Args = Readonly<Record<string, bigint>>;

/** Result of a call: the error, and the data results. */
export interface Answer {
  /** As a signed 32-bit number; undefined while the call has no answer yet. */
  readonly error: number | undefined;
  readonly results: readonly bigint[];
}

const ALL_ONES = 0xffff_ffff_ffff_ffffn;
/** Memory of the caller, mapped where it lies. */
const CALLER_SIZE = 0x10_0000;
/** Free memory that extents are made of, in pieces. */
const PIECE = 0x1_0000;
const VIRQS = 64;
const VCPUS = 4;

export const RW_NORMAL = BigInt(mapAttributes(Access.RW, Access.RW, MemoryType.NormalWB));

const CLASSES = {
  cspace: Cspace,
  addrspace: AddressSpace,
  memextent: Memextent,
  thread: Vcpu,
  doorbell: Doorbell,
  msgqueue: Msgqueue,
  vic: Vic,
  vpm_group: VpmGroup,
  virtio_mmio: VirtioMmio,
} as const;

/** Types that guests can create. */
export type CreatableType = keyof typeof CLASSES;

/** Where the caller sees its info area. */
export const INFO_AREA = 0x7000_0000n;

/** Settings of a thread, and an object that it lacks. */
interface Equipment {
  readonly options?: bigint;
  readonly affinity?: number;
  readonly without?: "vic" | "group";
}

/**
 * The machine, its caller, and what the caller holds. Capability ids are of the caller's cspace.
 */
export class World {
  readonly machine: ScriptedMachine;
  readonly hypervisor: Hypervisor;
  readonly cspace: Cspace;
  readonly caller: Vcpu;
  /**
   * Capabilities of the caller's own VM: cspace, address space, VIC, VPM group, vCPU; and of the
   * root partition.
   */
  readonly self: bigint;
  readonly space: bigint;
  readonly vic: bigint;
  readonly group: bigint;
  readonly me: bigint;
  readonly partition: bigint;
  /** Virtual address of memory that the caller may read and write. */
  readonly buffer = BigInt(RAM_BASE);
  #free = RAM_BASE + CALLER_SIZE;
  #vmid = 10;
  #index = 1;

  constructor(behaviour: Partial<Behaviour> = {}) {
    this.machine = new ScriptedMachine(2, undefined, { abi: "newer", ...behaviour });
    this.hypervisor = this.machine.hypervisor;
    this.cspace = this.object("cspace");
    this.cspace.configure(256);
    expectOk(this.cspace.activate());
    this.self = this.cap(this.cspace);
    this.partition = this.cap(this.hypervisor.rootPartition);
    this.space = this.#informed();
    this.vic = this.active("vic");
    this.group = this.active("vpm_group");
    this.caller = this.vcpu();
    this.me = this.cap(this.caller);
    this.caller.powerOn(this.buffer, 0n);
    const memory = this.extent(RAM_BASE, CALLER_SIZE, ExtentType.Basic);
    const rwx = mapAttributes(Access.RWX, Access.RWX, MemoryType.NormalWB);
    expectOk(memory.map(this.get<AddressSpace>(this.space), this.buffer, 0, CALLER_SIZE, rwx));
  }

  /** The caller's address space, which has an info area. */
  #informed(): bigint {
    const space = this.object("addrspace");
    space.configure(this.#vmid++);
    expectOk(space.configureInfoArea(this.extent(this.take(4096), 4096, ExtentType.Basic), INFO_AREA));
    expectOk(space.activate());
    return this.cap(space);
  }

  /** A new object in state INIT. */
  object<T extends CreatableType>(type: T): InstanceType<typeof CLASSES[T]> {
    return this.machine.create<HypervisorObject>(CLASSES[type]) as InstanceType<typeof CLASSES[T]>;
  }

  /**
   * Puts a capability to an object into the caller's cspace: the master, or a copy with all rights
   * of the master.
   */
  cap(object: HypervisorObject): bigint {
    const master = object.holders[0];
    const id = master ? this.cspace.insertCopy(master.cspace, master.cspace.idOf(master), 0xffff_ffff) : this.cspace.insertMaster(object);
    assert.ok(typeof id === "bigint", "the caller's cspace is full");
    return id;
  }

  /** A copy of a capability that has these rights only. */
  copy(cap: bigint, rights: number): bigint {
    const id = this.cspace.insertCopy(this.cspace, cap, rights);
    assert.ok(typeof id === "bigint", "the capability cannot be copied");
    return id;
  }

  /** The object behind one of the caller's capabilities. */
  get<O extends HypervisorObject>(cap: bigint): O {
    const object = this.cspace.lookup(cap, { type: "any", rights: 0, untyped: true, state: "any" });
    assert.ok(typeof object === "object", "no such capability");
    return object as unknown as O;
  }

  /** A new object in state INIT, by capability. */
  fresh(type: CreatableType): bigint {
    return this.cap(this.object(type));
  }

  /** A new active object with what its activation needs, by capability. */
  active(type: CreatableType): bigint {
    const object = this.object(type);
    if (object instanceof Cspace) object.configure(16);
    if (object instanceof AddressSpace) object.configure(this.#vmid++);
    if (object instanceof Memextent) object.configure(BigInt(this.take(PIECE)), BigInt(PIECE), RWX_BASIC);
    if (object instanceof Msgqueue) object.configure(2, 64);
    if (object instanceof Vic) object.configure(VCPUS, VIRQS, 0n, 0);
    if (object instanceof VirtioMmio) {
      const page = this.extent(this.take(PIECE), 4096, ExtentType.Basic);
      this.cap(page);
      object.configure(page, 2, 0n, 0);
    }
    if (object instanceof Vcpu) this.equip(object);
    expectOk(object.activate());
    return this.cap(object);
  }

  /** An active vCPU of the caller's VM that is powered off. */
  vcpu(options = 0n, affinity = 0): Vcpu {
    const vcpu = this.object("thread");
    this.equip(vcpu, { options, affinity });
    expectOk(vcpu.activate());
    return vcpu;
  }

  /** A vCPU that only runs by vcpu_run, powered on. */
  proxied(): bigint {
    const vcpu = this.vcpu(VcpuOption.VcpuRunScheduled);
    vcpu.powerOn(this.buffer, 0n);
    return this.cap(vcpu);
  }

  /** Makes a thread the next vCPU of the caller's VM: it can be activated if nothing is missing. */
  equip(vcpu: Vcpu, { options = 0n, affinity = 0, without }: Equipment = {}): void {
    vcpu.attachments.attachCspace(this.cspace);
    expectOk(this.get<AddressSpace>(this.space).attachThread(vcpu));
    const index = vcpu === this.caller || !this.caller ? 0 : this.#index++;
    if (without !== "vic") vcpu.attachments.attachVic(this.get<Vic>(this.vic), index);
    if (without !== "group") vcpu.attachments.attachVpmGroup(this.get<VpmGroup>(this.group), index);
    vcpu.settings.setOptions(options);
    vcpu.settings.setAffinity(affinity);
  }

  /** Sets the script of a vCPU from its next power-on. */
  script(vcpu: Vcpu, script: Script): void {
    (vcpu.registers as ScriptedState).script = script;
  }

  /** Physical address of memory that nobody has claimed. */
  take(size: number): number {
    const at = this.#free;
    this.#free += Math.ceil(size / PIECE) * PIECE;
    return at;
  }

  /** A new active extent over the root partition's memory. */
  extent(base: number, size: number, type: number, access: number = Access.RWX): Memextent {
    const extent = this.object("memextent");
    expectOk(extent.configure(BigInt(base), BigInt(size), memextentAttributes(access, 0, type)));
    expectOk(extent.activate());
    return extent;
  }

  /** A new active SPARSE extent over free memory, that owns it all. */
  sparse(size = PIECE): Memextent {
    const extent = this.extent(this.take(size), size, ExtentType.Sparse);
    assert.ok(Memextent.move(this.hypervisor, this.hypervisor.rootPartition, extent, extent.base, size));
    return extent;
  }

  /** A new active child of an extent. */
  child(parent: Memextent, type: number, offset = 0, size = parent.extentSize): Memextent {
    const extent = this.object("memextent");
    expectOk(extent.configureDerive(parent, BigInt(offset), BigInt(size), memextentAttributes(Access.RWX, 0, type)));
    expectOk(extent.activate());
    return extent;
  }

  /** Maps an extent of one piece, or a part of it, into the caller's address space. */
  map(extent: Memextent, ipa: bigint, offset = 0, size = extent.extentSize): void {
    expectOk(extent.map(this.get<AddressSpace>(this.space), ipa, offset, size, Number(RW_NORMAL)));
  }

  /** A hardware interrupt, by capability. */
  hwirq(intid: number): bigint {
    const { rootPartition } = this.hypervisor;
    assert.ok(rootPartition.allocate(Hwirq.SIZE));
    return this.cap(new Hwirq(this.hypervisor, rootPartition, intid));
  }

  /** A partition with little memory for its heap, by capability. */
  poor(bytes: number): bigint {
    return this.cap(new Partition(this.hypervisor, false, bytes));
  }

  /** A new object in a partition that has memory for its header and no more. */
  poorly(type: CreatableType): HypervisorObject {
    const object = this.get<Partition>(this.poor(CLASSES[type].SIZE)).create<HypervisorObject>(CLASSES[type]);
    assert.ok(typeof object === "object");
    return object;
  }

  /** A capability of the wrong type for a lookup. */
  other(type: ObjectType): bigint {
    return type === "doorbell" ? this.active("msgqueue") : this.active("doorbell");
  }

  /** A capability that was revoked. */
  revoked(): bigint {
    const master = this.active("doorbell");
    const copy = this.copy(master, allRights("doorbell"));
    expectOk(this.cspace.revokeCopies(master));
    return copy;
  }

  /** Makes a call as the caller's vCPU. */
  call(name: HypercallName, args: Args, entrance: Entrance = "native"): Answer {
    const values = Object.entries(HYPERCALLS[name].arguments).map(([argument, kind]) =>
      args[argument] ?? (kind === "res1" ? ALL_ONES : 0n)
    );
    const reply = callBy(entrance, this.hypervisor.hypercalls, this.caller, HYPERCALLS[name].number, values);
    if (reply === DEFERRED) return { error: undefined, results: [] };
    assert.ok(reply !== undefined, `${name} is not assigned`);
    return { error: Number(BigInt.asIntN(32, reply.values[0])), results: reply.values.slice(1) };
  }

  /** Makes a call that must succeed. */
  ok(name: HypercallName, args: Args): readonly bigint[] {
    const { error, results } = this.call(name, args);
    assert.equal(error, ErrorCode.OK, `${name}: ${JSON.stringify(this.hypervisor.trace.note, bigintText)}`);
    return results;
  }

  /** All that the hypervisor knows; two are equal if nothing has changed. */
  dump(): ReturnType<typeof dumpHypervisor> {
    return dumpHypervisor(this.hypervisor);
  }
}

export const RWX_BASIC = memextentAttributes(Access.RWX, 0, ExtentType.Basic);

const bigintText = (_key: string, value: unknown) => typeof value === "bigint" ? `0x${value.toString(16)}` : value;

function expectOk(error: ErrorCode): void {
  assert.equal(error, ErrorCode.OK);
}
