// Partitions: a heap and a tag of ownership (docs/spec/hypervisor.md §3.5). Two exist, the
// hypervisor's private one and the root partition; both for good.

import { ErrorCode } from "../../abi/errors.ts";
import { asPa } from "../../abi/numbers.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { type Heap, HypervisorObject } from "../capabilities/object.ts";
import type { EveryService, ObjectClass } from "../capabilities/object-types.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { MemoryOwner, PageRun } from "./memdb.ts";

declare module "../capabilities/object-types.ts" {
  interface ObjectTypes {
    partition: Partition;
  }
}

/** Most ranges that a heap is given. */
const ADDED_MAX = 64;

/**
 * A partition. Objects are created in it and charged to its heap; RAM that no extent has claimed
 * belongs to it.
 */
export class Partition extends HypervisorObject implements Heap {
  declare readonly services: EveryService;
  readonly type = "partition";
  #free: number;
  #heapSize: number;
  /** Pages that were given to the heap. */
  readonly #added: PageRun[] = [];

  /**
   * @param privileged may create vCPUs with the options `critical` and `hlos_vm`
   * @param heapSize bytes of its heap
   */
  constructor(services: EveryService, readonly privileged: boolean, heapSize: number) {
    super(services, undefined, 0);
    this.#free = this.#heapSize = heapSize;
    this.beginActive();
    this.retain();
  }

  /** Bytes of its heap. */
  get heapSize(): number {
    return this.#heapSize;
  }

  /** Bytes of the heap that are in use. */
  get heapUsed(): number {
    return this.heapSize - this.#free;
  }

  /** Takes `bytes` of the heap; false, with nothing taken, when there are fewer. */
  allocate(bytes: number): boolean {
    if (bytes > this.#free || this.services.faults.failsAllocation("heap", bytes)) return false;
    this.#free -= bytes;
    return true;
  }

  /** Gives `bytes` back. */
  free(bytes: number): void {
    this.#free += bytes;
    if (this.#free > this.heapSize) throw new Error(`${this.name}: more was freed than allocated`);
  }

  /** Gives pages to another partition. MEMDB_NOT_OWNER. */
  donate({ pa, size }: PageRun, to: MemoryOwner): ErrorCode {
    if (this.services.memory.transfer(this, to, pa, size)) return ErrorCode.OK;
    return this.refuse(ErrorCode.MEMDB_NOT_OWNER, "a partition donates pages that it owns", { base: pa, size });
  }

  /** Adds pages of this partition to its heap; they are the hypervisor's from then on. */
  addToHeap(pages: PageRun): ErrorCode {
    const values = { base: pages.pa, size: pages.size };
    if (this.#added.length === ADDED_MAX) {
      return this.refuse(ErrorCode.NORESOURCES, "a heap takes no more ranges", { ...values, limit: ADDED_MAX });
    }
    if (!this.services.machine.ram.contains(pages.pa, pages.size)) {
      return this.refuse(ErrorCode.ARGUMENT_INVALID, "a heap is RAM", values);
    }
    const error = this.donate(pages, this.services.privatePartition);
    if (error !== ErrorCode.OK) return error;
    this.#added.push(pages);
    this.#heapSize += pages.size;
    this.#free += pages.size;
    return ErrorCode.OK;
  }

  /** Takes pages back that were given to the heap, as zeros. BUSY while objects need them. */
  takeFromHeap(pages: PageRun): ErrorCode {
    const values = { base: pages.pa, size: pages.size };
    const index = this.#added.findIndex(({ pa, size }) => pa === pages.pa && size === pages.size);
    if (index < 0) return this.refuse(ErrorCode.ARGUMENT_INVALID, "the heap was given exactly this range", values);
    if (pages.size > this.#free) return this.refuse(ErrorCode.BUSY, "objects use the heap", { ...values, free: this.#free });
    this.#added.splice(index, 1);
    this.#heapSize -= pages.size;
    this.#free -= pages.size;
    this.services.machine.ram.zero(pages.pa, pages.size);
    if (!this.services.memory.transfer(this.services.privatePartition, this, pages.pa, pages.size)) {
      throw new Error(`${this.name}: pages of its heap are not the hypervisor's`);
    }
    return ErrorCode.OK;
  }

  /** A new object in state INIT, paid from the heap. NOMEM. */
  create<O extends HypervisorObject>(type: ObjectClass<O>): O | typeof ErrorCode.NOMEM {
    if (!this.allocate(type.SIZE)) return this.refuseAllocation("the partition's heap is exhausted", { bytes: type.SIZE });
    return new type(this.services, this);
  }

  /** It holds only itself: partitions exist for good. */
  override held(): HypervisorObject[] {
    return [this];
  }

  protected archiveFields(archive: ObjectArchive): void {
    const added = archive.list("added", this.#added, (run) => ({
      pa: asPa(archive.multiple("pa", run?.pa, PAGE_SIZE)),
      size: archive.multiple("size", run?.size, PAGE_SIZE),
    }), ADDED_MAX);
    if (archive.loading) {
      for (const run of added) {
        archive.check(this.services.machine.ram.contains(run.pa, run.size), "a heap is RAM");
        this.#added.push(run);
        this.#heapSize += run.size;
      }
    }
    this.#free = archive.integer("free", this.#free, 0, this.#heapSize);
  }

  /** It stays, without its holder. */
  override discard(): void {
    this.holders.length = 0;
  }

  protected onActivate(): ErrorCode {
    throw new Error("partitions are active from the start");
  }

  protected onDestroy(): void {
    throw new Error(`${this.name}: a partition is never destroyed`);
  }
}
