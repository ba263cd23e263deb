// partition_create_X, the same for every type: make the object, put its master capability into a
// cspace (docs/spec/hypervisor.md §4.1).

import { ErrorCode } from "../../abi/errors.ts";
import { CspaceRight, PartitionRight } from "../../abi/rights.ts";
import { active } from "./capability-rules.ts";
import { hypercall, type HypercallDefinition } from "./hypercall-definition.ts";
import type { ObjectClass } from "./object-types.ts";

/** Calls that create an object. */
type CreateName =
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
