// partition_create_X, the same for every type: make the object, put its master capability into a
// cspace (docs/spec/hypervisor.md §4.1).

import { ErrorCode } from "../../abi/errors.ts";
import { CspaceRight, PartitionRight } from "../../abi/rights.ts";
import { active, hypercall, type HypercallDefinition } from "./hypercall-definition.ts";
import type { Hypervisor } from "../hypervisor.ts";
import type { HypervisorObject } from "./object.ts";
import type { Partition } from "../memory/partition.ts";

/** A class whose objects guests may create. */
export interface ObjectClass<O extends HypervisorObject = HypervisorObject> {
  new (hypervisor: Hypervisor, partition: Partition): O;
  /** Bytes of the partition's heap that an object takes. */
  readonly SIZE: number;
}

/** Calls that create an object. */
export type CreateName =
  | "partition_create_cspace"
  | "partition_create_addrspace"
  | "partition_create_memextent"
  | "partition_create_thread"
  | "partition_create_doorbell"
  | "partition_create_msgqueue"
  | "partition_create_vic"
  | "partition_create_vpm_group"
  | "partition_create_virtio_mmio";

/**
 * Defines the call that creates objects of `type`; belongs in the list of calls of the type's own
 * file.
 */
export function creation(name: CreateName, type: ObjectClass): HypercallDefinition {
  return hypercall(name, {
    caps: {
      src_partition: active("partition", PartitionRight.ObjectCreate),
      cspace: active("cspace", CspaceRight.CapCreate),
    },
    handler(_call, { src_partition, cspace }) {
      const object = src_partition.create(type);
      if (typeof object === "number") return object;
      const new_cap = cspace.insertMaster(object);
      if (typeof new_cap === "bigint") return { new_cap };
      object.release();
      return new_cap as ErrorCode;
    },
  });
}
