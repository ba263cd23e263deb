// The services for every part of the Resource Manager: its state, its hypercalls, its log and its
// allocators.

import { asCapId, asIpa, type CapId } from "../../abi/numbers.ts";
import { ErrorCode } from "../../abi/errors.ts";
import { INJECTED, INJECTED_SECTION, injectedValues } from "../../abi/faults.ts";
import type { HypervisorNode } from "../../abi/hypervisor-node.ts";
import type { RootEnvironment, RootResources } from "../../abi/root-environment.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { AUTH_NAMES, type AuthName, Vmid } from "../../abi/rpc/messages/vm.ts";
import { Access, ExtentMemoryType, ExtentType, memextentAttributes, ModifyFlags, ModifyOperation } from "../../abi/words.ts";
import { Calls, type CreatableObject, UndoCalls } from "../calls/calls.ts";
import { Log } from "./log.ts";
import { EXTENT_SIZE, LOG_OFFSET, LOG_SIZE, PAGES_OFFSET } from "./memory-layout.ts";
import { allocateNumber } from "./numbers.ts";
import type { TraceId } from "../../abi/trace.ts";
import { Refusal } from "../calls/refusals.ts";
import { type BuiltVm, findVm, newState, requireBuilt, type RmState, type Vm, type VmObjects } from "./state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

const ZEROS = new Uint8Array(PAGE_SIZE);

/** Pages of the heap that hold info areas and the like. */
export function heapPageCount({ app_heap_size }: RootEnvironment): number {
  return Math.floor((app_heap_size - PAGES_OFFSET) / PAGE_SIZE);
}

/** Default limit on a VM's parcels. */
const PARCELS_MAX = 64;

/** Differences between the Resource Managers of phones (docs/spec/phones.md §A3 and §A4). */
export interface PlatformRules {
  readonly parcels?: number;
  /** Parcels that drivers of the primary VM hold from its boot on. */
  readonly parcelsHeld?: number;
  readonly reservedMemory?: "any" | "must-match" | "never";
  /** "newer": no-timer-wakeups has an effect, and info areas name their address space. */
  readonly abi?: "recorded" | "newer";
  /** VMs' addresses are below 2 to the power of this. */
  readonly ipaBits?: 36 | 40;
  /** "span": size-max limits where a VM may accept memory. */
  readonly sizeMax?: "private" | "span";
  /** Bytes added below the RAM of VMs that their owner fills on demand. */
  readonly lowMemory?: number;
  /**
   * Message-signaled interrupts that the hypervisor has for the primary VM, and whether it has them
   * for other VMs. It is asked for the primary's unless it has them for others alone.
   */
  readonly msi?: "none" | "gicv2m" | "its";
  readonly vmMsis?: boolean;
}

export class Context {
  readonly calls: Calls = new Calls();
  readonly undo: UndoCalls = new UndoCalls(this.calls, (text) => this.log(text));
  /** Operations in the trace of requests without an answer yet, by their cause. */
  readonly unanswered = new Map<string, TraceId>();
  state: RmState = newState();

  /**
   * @param hypervisorNode form of /hypervisor in the primary's devicetree; `none`: it has none, as
   * its calls do not reach the hypervisor
   * @param auth types of authentication that VMs may have
   */
  constructor(
    readonly hypervisorNode: HypervisorNode | "none" = "platform",
    readonly auth: readonly AuthName[] = AUTH_NAMES,
    readonly rules: PlatformRules = {},
  ) {}

  /** Most parcels that a VM owns. */
  get parcelsMax(): number {
    return this.rules.parcels ?? PARCELS_MAX;
  }

  /** Addresses of VMs are below this. */
  get addressLimit(): number {
    return 2 ** (this.rules.ipaBits ?? 36);
  }

  /** Parcels that a VM's own drivers hold from its boot on. */
  heldBy(vmid: number): number {
    return vmid === Vmid.Hlos ? this.rules.parcelsHeld ?? 0 : 0;
  }

  /**
   * The environment from the hypervisor.
   * @throws Error before the boot.
   */
  get environment(): RootEnvironment {
    if (this.state.environment === undefined) throw new Error("the Resource Manager has not booted");
    return this.state.environment;
  }

  get resources(): RootResources {
    return this.environment.resources;
  }

  /** Number of physical CPUs, as the highest usable one counts. */
  get cores(): number {
    return 32 - Math.clz32(this.resources.usable_cores);
  }

  /** Takes up the environment, at boot or when a snapshot is restored. */
  adopt(state: RmState): void {
    this.state = state;
    this.calls.cspace = state.environment?.resources.cspace_capid ?? asCapId(0n);
    this.calls.partition = state.environment?.resources.partition_capid ?? asCapId(0n);
  }

  /** Schedules a call of `timer` at this virtual time (ns), or earlier for another request. */
  wakeAt(at: number): void {
    this.state.wakeAt = Math.min(at, this.state.wakeAt ?? Infinity);
    this.calls.vcpu.setTimer(this.state.wakeAt);
  }

  log(text: string): void {
    this.ring.line(this.calls.vcpu, text);
  }

  /**
   * Runs a step that registers an undo for each of its actions; if it fails, all are undone, the
   * last one first.
   */
  allOrNothing<T>(step: (onFailure: (takeBack: () => void) => void) => T): T {
    const takeBacks: (() => void)[] = [];
    try {
      return step((takeBack) => takeBacks.push(takeBack));
    } catch (failure) {
      for (const takeBack of takeBacks.reverse()) takeBack();
      throw failure;
    }
  }

  /**
   * A new object that is configured and activated.
   * @throws HypercallFailure; the object is removed then
   */
  build(type: CreatableObject, configure: (cap: CapId) => void): CapId {
    return this.allOrNothing((onFailure) => {
      const cap = this.calls.create(type);
      onFailure(() => this.remove(cap));
      configure(cap);
      this.calls.object_activate({ cap });
      return cap;
    });
  }

  /** Deletes a capability as a part of a teardown, by default of the root cspace. */
  remove(cap: CapId, cspace: CapId = this.calls.cspace): void {
    this.undo.cspace_delete_cap_from({ cspace, cap });
  }

  get ring(): Log {
    return new Log(asIpa(this.environment.app_heap_ipa + LOG_OFFSET), LOG_SIZE);
  }

  vm(vmid: number): Vm | undefined {
    return findVm(this.state, vmid);
  }

  /**
   * A VM that exists by a rule of the Resource Manager, such as the owner of another.
   * @throws Error if it does not
   */
  known(vmid: Vmid): Vm {
    const vm = this.vm(vmid);
    if (vm === undefined) throw new Error(`there is no VM ${vmid}`);
    return vm;
  }

  /**
   * A VM that a rule of the Resource Manager says is built, such as the one that owns others.
   * @throws Error if it is not
   */
  built(vmid: Vmid): BuiltVm {
    const vm: Vm = this.known(vmid);
    requireBuilt(vm);
    return vm;
  }

  /**
   * The objects of a VM that is being ended or taken apart.
   * @throws Error if it has none
   */
  objectsOf(vmid: Vmid): VmObjects {
    const { objects } = this.known(vmid);
    if (objects === undefined) throw new Error(`VM ${vmid} has no objects`);
    return objects;
  }

  /**
   * A vIRQ of the Resource Manager's own VIC, enabled.
   * @throws Refusal with NORESOURCE
   */
  allocateVirq(): number {
    this.#failAllocation("virq", RmError.NORESOURCE);
    const virq = allocateNumber(this.state.virqs);
    if (virq === undefined) {
      throw new Refusal(RmError.NORESOURCE, "the Resource Manager has no vIRQ left", { used: this.state.virqs.used.size }, {
        section: "6.3",
        wayOut: "end a VM: each takes two vIRQs for its link and one for each vCPU",
      });
    }
    this.calls.vcpu.enableIrq(virq, true);
    return virq;
  }

  /** @throws Refusal with `error` where a fault rule makes this allocation fail */
  #failAllocation(what: "virq" | "page", error: RmError): void {
    const { faults } = this.calls.vcpu;
    const hit = faults.armed.alloc ? faults.hit("alloc", { what, amount: 1 }) : undefined;
    if (hit) throw new Refusal(error, INJECTED, injectedValues(hit), { foreign: INJECTED_SECTION });
  }

  freeVirq(virq: number): void {
    this.state.virqs.used.delete(virq);
  }

  /**
   * A page of the heap, all zeros; its offset in the Resource Manager's memory.
   * @throws Refusal with NOMEM
   */
  allocatePage(): number {
    const { app_heap_ipa, resources } = this.environment;
    const first = app_heap_ipa - resources.me_ipa_base + PAGES_OFFSET;
    this.#failAllocation("page", RmError.NOMEM);
    const pages = heapPageCount(this.environment);
    for (let offset = first; offset < first + pages * PAGE_SIZE; offset += PAGE_SIZE) {
      if (this.state.heapPages.has(offset)) continue;
      this.state.heapPages.add(offset);
      if (!this.calls.vcpu.write(resources.me_ipa_base + offset, ZEROS)) {
        throw new Error("the heap of the Resource Manager is not writable");
      }
      return offset;
    }
    throw new Refusal(RmError.NOMEM, "the Resource Manager's heap is full", { pages }, { section: "6.3" });
  }

  freePage(offset: number): void {
    this.state.heapPages.delete(offset);
  }

  /**
   * 64 random bits. The hypervisor's source is limited in rate; beyond that a generator continues
   * from what it gave at boot.
   */
  random(): bigint {
    const { error, data0, data1 } = this.calls.try.prng_get_entropy({ num_bytes: 8 });
    if (error === ErrorCode.OK) return BigInt(data1) << 32n | BigInt(data0);
    if (error !== ErrorCode.BUSY) throw new Refusal(RmError.NORESOURCE, "there is no entropy", { code: error });
    // xorshift64: not for keys, but never the same word twice.
    let word = this.state.entropy | 1n;
    word ^= word << 13n & 0xffff_ffff_ffff_ffffn;
    word ^= word >> 7n;
    word ^= word << 17n & 0xffff_ffff_ffff_ffffn;
    this.state.entropy = word;
    return word;
  }

  /**
   * A sparse extent over all memory, or all device memory, that owns nothing until memory is
   * donated to it.
   * @throws HypercallFailure
   */
  sparseExtent(kind: "memory" | "device"): CapId {
    if (kind === "memory") return this.#deriveSparse(this.state.memoryParent, EXTENT_SIZE, Access.RWX, ExtentMemoryType.Any);
    return this.allOrNothing((onFailure) => {
      const { device_me_capid, device_me_size } = this.resources;
      const extent = this.#deriveSparse(device_me_capid, device_me_size, Access.RW, ExtentMemoryType.Device);
      onFailure(() => this.remove(extent));
      // A child inherits its parent's mappings; this one must have none.
      this.calls.memextent_modify({ memextent: extent, flags: ModifyOperation.UnmapAll | ModifyFlags.NoSync, offset: 0, size: 0 });
      return extent;
    });
  }

  #deriveSparse(parent: CapId, size: number, access: number, type: number): CapId {
    return this.build("memextent", (extent) => {
      this.calls.memextent_configure_derive({
        memextent: extent,
        parent_memextent: parent,
        offset: 0,
        size,
        attributes: memextentAttributes(access, type, ExtentType.Sparse),
      });
    });
  }

  /**
   * A basic extent of one or more pages of the Resource Manager's own memory.
   * @throws HypercallFailure
   */
  ownPages(offset: number, size: number, type: number = ExtentMemoryType.Any): CapId {
    return this.build("memextent", (extent) => {
      const attributes = memextentAttributes(Access.RW, type, ExtentType.Basic);
      this.calls.memextent_configure_derive({ memextent: extent, parent_memextent: this.resources.me_capid, offset, size, attributes });
    });
  }
}
