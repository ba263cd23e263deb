// Partitions: a heap and a tag of ownership (docs/spec/hypervisor.md §3.5). Two exist, the
// hypervisor's private one and the root partition; both for good.

import { CAP_INVALID } from "../../abi/words.ts";
import { ErrorCode } from "../../abi/errors.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import type { ObjectClass } from "../capabilities/hypercall-create.ts";
import type { Hypervisor } from "../hypervisor.ts";
import { HypervisorObject } from "../capabilities/object.ts";
import type { Fields } from "../check/state-dump.ts";

/**
 * A partition. Objects are created in it and charged to its heap; RAM that no extent has claimed
 * belongs to it.
 */
export class Partition extends HypervisorObject {
  readonly type = "partition";
  #free: number;

  /**
   * @param privileged may create vCPUs with the options `critical` and `hlos_vm`
   * @param heapSize bytes of its heap
   */
  constructor(hypervisor: Hypervisor, readonly privileged: boolean, readonly heapSize: number) {
    super(hypervisor, undefined, 0);
    this.#free = heapSize;
    this.state = "active";
    this.retain();
  }

  /** Bytes of the heap that are in use. */
  get heapUsed(): number {
    return this.heapSize - this.#free;
  }

  /** Takes `bytes` of the heap; false, and nothing is taken, when there are fewer. */
  allocate(bytes: number): boolean {
    if (bytes > this.#free || this.hypervisor.failsAllocation("heap", bytes)) return false;
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
    return new type(this.hypervisor, this);
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

  protected fields(): Fields {
    return { heapUsed: this.heapUsed };
  }

  protected onActivate(): ErrorCode {
    throw new Error("partitions are active from the start");
  }

  protected onDestroy(): void {
    throw new Error(`${this.name}: a partition is never destroyed`);
  }
}

export const calls: readonly HypercallDefinition[] = [
  hypercall("partition_create_partition", {
    handler: (call) => ({ error: call.refuse(ErrorCode.UNIMPLEMENTED, "partitions are not created dynamically"), new_cap: CAP_INVALID }),
  }),
];
