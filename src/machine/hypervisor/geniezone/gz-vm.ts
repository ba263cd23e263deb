// A GenieZone VM: the hypervisor's objects that it consists of, which are those of Gunyah's VMs,
// and the driver's settings (docs/spec/geniezone.md §2 and §9). The master capabilities of its
// objects are in EL2's cspace, which no vCPU has.

import { GZVM_SPIS, GzvmDevice } from "../../abi/geniezone/calls.ts";
import { ErrorCode } from "../../abi/errors.ts";
import { VcpuOption, VdeviceFlags, VicOption } from "../../abi/words.ts";
import { MAX_CPUS } from "../../hardware/memory-map.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { Cspace } from "../capabilities/cspace.ts";
import type { HypervisorObject } from "../capabilities/object.ts";
import type { ObjectClass } from "../capabilities/object-types.ts";
import { Doorbell } from "../ipc/doorbell.ts";
import { Intid } from "../gic/gic-registers.ts";
import { Vic } from "../gic/vic.ts";
import { AddressSpace } from "../memory/addrspace.ts";
import { Memextent } from "../memory/memextent.ts";
import type { Partition } from "../memory/partition.ts";
import { MAX_ADDRESS_SPACE_SIZE } from "../memory/stage2.ts";
import { Vcpu } from "../scheduling/vcpu.ts";
import { VpmGroup } from "../scheduling/vpm-group.ts";
import { GzGuestMemory } from "./guest-memory.ts";

/** The first VMID of these VMs: above those that the Resource Manager gives, below its own. */
const FIRST_VMID = 0xc0;
/** VMs at most. */
export const GZVM_MAX_VMS = 0xff - FIRST_VMID;
/** Bytes of a redistributor's two frames, and of a distributor's. */
const REDISTRIBUTOR_SIZE = 0x2_0000, DISTRIBUTOR_SIZE = 0x1_0000;
const ALL_FLAGS = 0xffff_ffff_ffff_ffffn;

/** A vCPU, and its state between two RUNs. */
export interface GzVcpu {
  readonly vcpu: Vcpu;
  /** Address of the two pages that it shares with the driver, in the primary VM. */
  readonly pages: number;
  /** PSTATE for its power-on, if the driver has set it. */
  pstate: number | undefined;
  /** The driver set its PC. */
  entered: boolean;
  /** It made a call that the driver answers by the next RUN. */
  calls: boolean;
  /** Its last exit was IDLE, and nothing has woken it since. */
  idle: boolean;
}

export const vmidOf = (id: number): number => FIRST_VMID + id - 1;
/** The id of the VM with a VMID, which need not exist. */
export const idOfVmid = (vmid: number): number => vmid - FIRST_VMID + 1;

/** The objects that a VM begins with. */
interface VmObjects {
  readonly cspace: Cspace;
  readonly addressSpace: AddressSpace;
  readonly vic: Vic;
  readonly group: VpmGroup;
  readonly extent: Memextent;
}

/** Makes an object of the root partition and activates it; its master capability is in `el2`. */
function make<O extends HypervisorObject>(
  el2: Cspace,
  type: ObjectClass<O>,
  configure: (object: O) => ErrorCode,
): O | ErrorCode {
  const object = (el2.partition as Partition).create(type);
  if (typeof object === "number") return object;
  let error = configure(object);
  if (error === ErrorCode.OK) error = object.activate();
  const placed = error === ErrorCode.OK ? el2.insertMaster(object) : error;
  if (typeof placed === "bigint") return object;
  object.release();
  return placed;
}

/** Deletes the master capability of an object. */
function drop(el2: Cspace, object: HypervisorObject): void {
  const holder = object.holders.find(({ cspace }) => cspace === el2);
  if (holder) el2.delete(el2.idOf(holder));
}

export class GzVm {
  readonly memory: GzGuestMemory;
  readonly vcpus: (GzVcpu | undefined)[] = [];
  readonly #bells: (Doorbell | undefined)[] = [];
  /** Addresses of the distributor and of the first redistributor; undefined until made. */
  readonly #frames: (number | undefined)[] = [undefined, undefined];
  #started = false;
  #idles = false;
  #blockBuffer: number | undefined;

  private constructor(readonly id: number, readonly el2: Cspace, readonly objects: VmObjects, primary: AddressSpace, own: Memextent) {
    this.memory = new GzGuestMemory(primary, own, objects.addressSpace, objects.extent);
  }

  /** Makes a VM, or gives the error why it cannot. */
  static create(id: number, el2: Cspace, primary: AddressSpace, own: Memextent): GzVm | ErrorCode {
    const made: HypervisorObject[] = [];
    const add = <O extends HypervisorObject>(type: ObjectClass<O>, configure: (object: O) => ErrorCode): O | ErrorCode => {
      const object = make(el2, type, configure);
      if (typeof object !== "number") made.push(object);
      return object;
    };
    const cspace = add(Cspace, (object) => object.configure(1));
    const addressSpace = add(AddressSpace, (object) => object.configure(vmidOf(id)));
    const vic = add(Vic, (object) => object.configure(MAX_CPUS, GZVM_SPIS, VicOption.MaxMsisValid | VicOption.DisableDefaultAddress, 0));
    const group = add(VpmGroup, (object) => {
      object.configure(true);
      return ErrorCode.OK;
    });
    const extent = add(Memextent, (object) => GzGuestMemory.configure(object, own));
    for (const object of [cspace, addressSpace, vic, group, extent]) {
      if (typeof object !== "number") continue;
      for (const one of made.reverse()) drop(el2, one);
      return object;
    }
    const objects = { cspace, addressSpace, vic, group, extent } as VmObjects;
    return new GzVm(id, el2, objects, primary, own);
  }

  /** Whether EL2 may return IDLE exits. */
  get idles(): boolean {
    return this.#idles;
  }

  /**
   * Address of the page in which the driver lists frames of blocks; undefined without block mode.
   */
  get blockBuffer(): number | undefined {
    return this.#blockBuffer;
  }

  /** EL2 may return IDLE exits from now on. */
  enableIdle(): void {
    this.#idles = true;
  }

  /** Blocks of memory are given by frames that are listed at this address. */
  enableBlocks(buffer: number): void {
    this.#blockBuffer = buffer;
  }

  /** Whether its first RUN has begun. */
  get started(): boolean {
    return this.#started;
  }

  createVcpu(index: number, pages: number): ErrorCode {
    const { cspace, addressSpace, vic, group } = this.objects;
    const vcpu = make(this.el2, Vcpu, (object) => {
      object.attachments.attachCspace(cspace);
      object.attachments.attachVic(vic, index);
      object.attachments.attachVpmGroup(group, index);
      object.settings.setOptions(VcpuOption.VcpuRunScheduled);
      return addressSpace.attachThread(object);
    });
    if (typeof vcpu === "number") return vcpu;
    this.vcpus[index] = { vcpu, pages, pstate: undefined, entered: false, calls: false, idle: false };
    return ErrorCode.OK;
  }

  /** Ends a vCPU, if there is one. One inside RUN exits when it runs next. */
  destroyVcpu(index: number): void {
    const one = this.vcpus[index];
    if (!one) return;
    const { vcpu } = one;
    this.vcpus[index] = undefined;
    vcpu.kill();
    if (vcpu.life.stage !== "exited" && !vcpu.turn.donor) vcpu.exit();
    drop(this.el2, vcpu);
  }

  /** Ends the VM; its memory returns. */
  destroy(): void {
    for (let index = 0; index < this.vcpus.length; index++) this.destroyVcpu(index);
    for (const bell of this.#bells) if (bell) drop(this.el2, bell);
    this.memory.release();
    const { extent, group, vic, addressSpace, cspace } = this.objects;
    for (const object of [extent, group, vic, addressSpace, cspace]) drop(this.el2, object);
  }

  /** The frames of a GIC device, at these addresses from the first RUN on. False if it has them. */
  setFrames(device: number, address: number): boolean {
    if (this.#frames[device] !== undefined) return false;
    this.#frames[device] = address;
    return true;
  }

  /** The frames of the GIC with as many redistributors as there are vCPUs. */
  frames(): { readonly index: number; readonly base: number; readonly size: number }[] {
    const [distributor, redistributor] = this.#frames;
    const frames = distributor === undefined ? [] : [{ index: 0, base: distributor, size: DISTRIBUTOR_SIZE }];
    if (redistributor === undefined) return frames;
    for (const index of this.objects.vic.indices()) {
      frames.push({ index: index + 1, base: redistributor + index * REDISTRIBUTOR_SIZE, size: REDISTRIBUTOR_SIZE });
    }
    return frames;
  }

  /** The first RUN: the GIC has its addresses, and the first vCPU is powered on. */
  start(): void {
    this.#started = true;
    const { addressSpace, vic } = this.objects;
    for (const { index, base, size } of this.frames()) {
      const last = index === vic.lastIndex + 1 ? VdeviceFlags.Last : 0n;
      vic.attachVdevice(addressSpace, index, index === 0 ? 0n : VdeviceFlags.LastValid | last, base, size);
    }
    const first = this.vcpus[0];
    if (!first) return;
    first.vcpu.powerOn(first.entered ? undefined : BigInt(this.memory.lowest ?? 0), undefined);
    if (first.pstate !== undefined) first.vcpu.registers.pstate = first.pstate;
  }

  /** The doorbell of a shared interrupt, made when it is first raised. */
  bell(spi: number): Doorbell | ErrorCode {
    const known = this.#bells[spi];
    if (known) return known;
    const { vic } = this.objects;
    const bell = make(this.el2, Doorbell, () => ErrorCode.OK);
    if (typeof bell === "number") return bell;
    // An injection is a pulse: delivering it takes it back.
    bell.setMasks(ALL_FLAGS, ALL_FLAGS);
    const error = vic.bindShared(bell.virq, Intid.PrivateEnd + spi);
    if (error !== ErrorCode.OK) {
      drop(this.el2, bell);
      return error;
    }
    this.#bells[spi] = bell;
    return bell;
  }

  /** Whether its system is off: no vCPU runs, and none can power another on. */
  get isOff(): boolean {
    return this.#started && this.vcpus.every((one) => !one || one.vcpu.life.isDead || one.vcpu.life.isPoweredOff);
  }

  /** A VM of an archive, saved or loaded. */
  static archive(archive: ObjectArchive, el2: Cspace, vm: GzVm | undefined): GzVm {
    const id = archive.integer("id", vm?.id, 1, GZVM_MAX_VMS);
    const objects: VmObjects = {
      cspace: archive.object("cspace", vm?.objects.cspace, "cspace"),
      addressSpace: archive.object("addressSpace", vm?.objects.addressSpace, "addrspace"),
      vic: archive.object("vic", vm?.objects.vic, "vic"),
      group: archive.object("group", vm?.objects.group, "vpm_group"),
      extent: archive.object("extent", vm?.objects.extent, "memextent"),
    };
    const primary = archive.object("primary", vm?.memory.primary, "addrspace");
    const own = archive.object("own", vm?.memory.own, "memextent");
    const result = vm ?? new GzVm(id, el2, objects, primary, own);
    result.#archive(archive);
    archive.later(() => result.#check(archive));
    return result;
  }

  /** Checks that the loaded objects belong together. */
  #check(archive: ObjectArchive): void {
    const { addressSpace, vic, extent } = this.objects;
    const { own, primary } = this.memory;
    const active = [...Object.values(this.objects), own, primary].every(({ state }) => state === "active");
    archive.check(active && addressSpace.vmid === vmidOf(this.id), "a VM has active objects, and the VMID of its id");
    archive.check(extent.base === own.base && extent.extentSize === own.extentSize, "a VM's extent has the range of the primary VM's");
    const placed = this.vcpus.every((one, index) => !one || one.vcpu.addressSpace === addressSpace && one.vcpu.index === index);
    archive.check(placed, "a VM's vCPUs have its address space, and their index");
    archive.check(
      this.#bells.every((bell, spi) => !bell || vic.sources.has(bell.virq) && bell.virq.intid === Intid.PrivateEnd + spi),
      "a VM's doorbells raise its interrupts",
    );
    const held: HypervisorObject[] = [...Object.values(this.objects), ...this.vcpus.map((one) => one?.vcpu), ...this.#bells].filter((one) =>
      one !== undefined
    );
    archive.check(
      held.every(({ holders }) => holders.some(({ cspace }) => cspace === this.el2)),
      "EL2 has a capability of each object of a VM",
    );
  }

  #archive(archive: ObjectArchive): void {
    archive.within("memory", () => this.memory.archive(archive));
    const vcpus = archive.list(
      "vcpus",
      Array.from({ length: MAX_CPUS }, (_, index) => this.vcpus[index]),
      (one) =>
        archive.maybe("vcpu", one, (vcpu) => {
          const result: GzVcpu = {
            vcpu: archive.object("thread", vcpu?.vcpu, "thread"),
            pages: archive.integer("pages", vcpu?.pages, 0, MAX_ADDRESS_SPACE_SIZE),
            pstate: archive.maybe("pstate", vcpu?.pstate, (pstate) => archive.integer("pstate", pstate, 0, 0xffff_ffff)),
            entered: archive.bool("entered", vcpu?.entered),
            calls: archive.bool("calls", vcpu?.calls),
            idle: archive.bool("idle", vcpu?.idle),
          };
          return vcpu ?? result;
        }),
      MAX_CPUS,
    );
    const bells = archive.list(
      "bells",
      Array.from({ length: GZVM_SPIS }, (_, spi) => this.#bells[spi]),
      (bell) => archive.objectOrNone("bell", bell, "doorbell"),
      GZVM_SPIS,
    );
    const frames = archive.list(
      "frames",
      this.#frames,
      (frame) => archive.maybe("frame", frame, (address) => archive.integer("address", address, 0, MAX_ADDRESS_SPACE_SIZE)),
      2,
    );
    if (archive.loading) {
      this.vcpus.push(...vcpus);
      this.#bells.push(...bells);
      this.#frames.splice(0, 2, frames[GzvmDevice.Distributor], frames[GzvmDevice.Redistributor]);
    }
    this.#started = archive.bool("started", this.#started);
    this.#idles = archive.bool("idles", this.#idles);
    this.#blockBuffer = archive.maybe("blockBuffer", this.#blockBuffer, (page) => archive.integer("page", page, 0, MAX_ADDRESS_SPACE_SIZE));
  }
}
