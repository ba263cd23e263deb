// Partitions: a heap and a tag of ownership (docs/spec/hypervisor.md §3.5). Two exist, the
// hypervisor's private one and the root partition; both for good.

import { ErrorCode } from "../../abi/errors.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { type Heap, HypervisorObject } from "../capabilities/object.ts";
import type { EveryService, ObjectClass } from "../capabilities/object-types.ts";

declare module "../capabilities/object-types.ts" {
  interface ObjectTypes {
    partition: Partition;
  }
}

/**
 * A partition. Objects are created in it and charged to its heap; RAM that no extent has claimed
 * belongs to it.
 */
export class Partition extends HypervisorObject implements Heap {
  declare readonly services: EveryService;
  readonly type = "partition";
  #free: number;

  /**
   * @param privileged may create vCPUs with the options `critical` and `hlos_vm`
   * @param heapSize bytes of its heap
   */
  constructor(services: EveryService, readonly privileged: boolean, readonly heapSize: number) {
    super(services, undefined, 0);
    this.#free = heapSize;
    this.beginActive();
    this.retain();
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

  /** A new object in state INIT, paid from the heap. NOMEM. */
  create<O extends HypervisorObject>(type: ObjectClass<O>): O | typeof ErrorCode.NOMEM {
    if (!this.allocate(type.SIZE)) return this.refuse(ErrorCode.NOMEM, "the partition's heap is exhausted", { bytes: type.SIZE });
    return new type(this.services, this);
  }

  /** Nobody's but its own: partitions are there for good. */
  override held(): HypervisorObject[] {
    return [this];
  }

  protected archiveFields(archive: ObjectArchive): void {
    this.#free = archive.integer("free", this.#free, 0, this.heapSize);
  }

  /** It stays, without whoever holds it. */
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
