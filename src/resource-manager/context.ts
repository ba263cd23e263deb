// What every part of the Resource Manager works with: its state, its hypercalls, its log and its allocators.

import { ErrorCode } from "../abi/errors.ts";
import type { HypercallName } from "../abi/hypercalls.ts";
import type { RootEnvironment, RootResources } from "../abi/root-environment.ts";
import { RmError } from "../abi/rpc/errors.ts";
import { Access, ExtentMemoryType, ExtentType, memextentAttributes, ModifyFlags, ModifyOperation } from "../abi/words.ts";
import { Calls } from "./calls.ts";
import { Log } from "./log.ts";
import { EXTENT_SIZE, LOG_OFFSET, LOG_SIZE, PAGE_SIZE, PAGES_OFFSET } from "./memory-layout.ts";
import { allocateNumber } from "./numbers.ts";
import { Refusal, Refusals } from "./refusals.ts";
import { findVm, newState, type RmState, type Vm } from "./state.ts";

/** One Resource Manager. */
export class Context {
  readonly calls: Calls = new Calls();
  readonly refusals: Refusals = new Refusals();
  state: RmState = newState();

  /** The environment that the hypervisor gave. @throws Error before the boot. */
  get environment(): RootEnvironment {
    if (this.state.environment === undefined) throw new Error("the resource manager has not booted");
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
    this.calls.cspace = state.environment?.resources.cspace_capid ?? 0n;
    this.calls.partition = state.environment?.resources.partition_capid ?? 0n;
  }

  log(text: string): void {
    this.ring.line(this.calls.vcpu, text);
  }

  /** A hypercall of a teardown: what it refuses is logged, and the teardown goes on. */
  undo(name: HypercallName, ...args: (number | bigint)[]): void {
    const failure = this.calls.undo(name, ...args);
    if (failure !== undefined) this.log(failure);
  }

  /** Deletes a capability as a part of a teardown, by default of the root cspace. */
  remove(cap: bigint, cspace: bigint = this.calls.cspace): void {
    this.undo("cspace_delete_cap_from", cspace, cap);
  }

  /** The log ring. */
  get ring(): Log {
    return new Log(this.environment.app_heap_ipa + LOG_OFFSET, LOG_SIZE);
  }

  vm(vmid: number): Vm | undefined {
    return findVm(this.state, vmid);
  }

  /** A vIRQ of the Resource Manager's own VIC, enabled. @throws Refusal with NORESOURCE */
  allocateVirq(): number {
    const virq = allocateNumber(this.state.virqs);
    if (virq === undefined) throw new Refusal(RmError.NORESOURCE, "the resource manager has no vIRQ left");
    this.calls.vcpu.enableIrq(virq, true);
    return virq;
  }

  freeVirq(virq: number): void {
    this.state.virqs.used.delete(virq);
  }

  /** A page of the heap; its offset in the Resource Manager's memory. @throws Refusal with NOMEM */
  allocatePage(): number {
    const { app_heap_ipa, app_heap_size, resources } = this.environment;
    const heap = app_heap_ipa - resources.me_ipa_base;
    for (let offset = heap + PAGES_OFFSET; offset + PAGE_SIZE <= heap + app_heap_size; offset += PAGE_SIZE) {
      if (this.state.heapPages.has(offset)) continue;
      this.state.heapPages.add(offset);
      return offset;
    }
    throw new Refusal(RmError.NOMEM, "the resource manager's heap is full");
  }

  freePage(offset: number): void {
    this.state.heapPages.delete(offset);
  }

  /** 64 random bits. The hypervisor's source is limited in rate; beyond that a generator continues from what it gave at boot. */
  random(): bigint {
    const { code, results } = this.calls.try("prng_get_entropy", 8);
    if (code === ErrorCode.OK) return results[2] << 32n | results[1];
    if (code !== ErrorCode.BUSY) throw new Refusal(RmError.NORESOURCE, "there is no entropy", { code });
    // xorshift64: not for keys, but never the same word twice.
    let word = this.state.entropy | 1n;
    word ^= word << 13n & 0xffff_ffff_ffff_ffffn;
    word ^= word >> 7n;
    word ^= word << 17n & 0xffff_ffff_ffff_ffffn;
    this.state.entropy = word;
    return word;
  }

  /** A sparse extent over all memory, or all device memory, that owns nothing until something is donated to it. @throws HypercallFailure */
  sparseExtent(kind: "memory" | "device"): bigint {
    const { calls } = this;
    const extent = calls.create("memextent");
    try {
      if (kind === "memory") this.#deriveSparse(extent, this.state.memoryParent, EXTENT_SIZE, Access.RWX, ExtentMemoryType.Any);
      else {
        const { device_me_capid, device_me_size } = this.resources;
        this.#deriveSparse(extent, device_me_capid, device_me_size, Access.RW, ExtentMemoryType.Device);
        // A child inherits its parent's mappings; this one shall have none.
        calls.do("memextent_modify", extent, (ModifyOperation.UnmapAll | ModifyFlags.NoSync) >>> 0, 0, 0);
      }
    } catch (failure) {
      this.remove(extent);
      throw failure;
    }
    return extent;
  }

  #deriveSparse(extent: bigint, parent: bigint, size: number, access: number, type: number): void {
    this.calls.do("memextent_configure_derive", extent, parent, 0, size, memextentAttributes(access, type, ExtentType.Sparse));
    this.calls.activate(extent);
  }

  /** A basic extent of one or more pages of the Resource Manager's own memory. */
  ownPages(offset: number, size: number): bigint {
    const extent = this.calls.create("memextent");
    const attributes = memextentAttributes(Access.RW, ExtentMemoryType.Any, ExtentType.Basic);
    this.calls.do("memextent_configure_derive", extent, this.resources.me_capid, offset, size, attributes);
    this.calls.activate(extent);
    return extent;
  }
}
