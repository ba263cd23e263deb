// The hypercalls on partitions but for those that create objects (docs/spec/hypervisor.md §3.5,
// §4.14).

import { ErrorCode } from "../../abi/errors.ts";
import { asPa } from "../../abi/numbers.ts";
import { PartitionRight } from "../../abi/rights.ts";
import { CAP_INVALID, PartitionDonateType } from "../../abi/words.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { active } from "../capabilities/capability-rules.ts";
import { type Call, hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import type { Partition } from "./partition.ts";

const PAGE = BigInt(PAGE_SIZE);

/** Moves pages between partitions, or between a partition and its heap. */
function donate(
  call: Call,
  { flags, partition, arg2, base, size }: {
    readonly flags: number;
    readonly partition: Partition;
    readonly arg2: bigint;
    readonly base: bigint;
    readonly size: bigint;
  },
): ErrorCode {
  const to = flags === PartitionDonateType.ToPartition ? call.lookup(arg2, active("partition", PartitionRight.Donate)) : partition;
  if (typeof to === "number") return to;
  if (flags === PartitionDonateType.RemoveHeap && arg2 !== 0n) {
    return call.refuse(ErrorCode.ARGUMENT_INVALID, "memory is taken from a heap without attributes", { arg2 });
  }
  const range = { base, size };
  if (size === 0n) return call.refuse(ErrorCode.ARGUMENT_SIZE, "a range has a size", range);
  if (base + size > 1n << 64n) return call.refuse(ErrorCode.ADDR_OVERFLOW, "the range wraps", range);
  if (base % PAGE !== 0n || size % PAGE !== 0n) return call.refuse(ErrorCode.ARGUMENT_ALIGNMENT, "ranges are whole pages", range);
  const pages = { pa: asPa(Number(base)), size: Number(size) };
  if (flags === PartitionDonateType.RemoveHeap) return partition.takeFromHeap(pages);
  if (flags === PartitionDonateType.AddHeap) return partition.addToHeap(pages);
  return partition.donate(pages, to);
}

export const calls: readonly HypercallDefinition[] = [
  hypercall("partition_create_partition", {
    handler: (call) => ({ error: call.refuse(ErrorCode.UNIMPLEMENTED, "partitions are not created dynamically"), new_cap: CAP_INVALID }),
  }),
  hypercall("partition_donate", {
    validate: (call, { flags }) =>
      flags > PartitionDonateType.RemoveHeap
        ? call.refuse(ErrorCode.ARGUMENT_INVALID, "donate to a partition, or to or from a heap", { flags })
        : ErrorCode.OK,
    caps: { partition: active("partition", PartitionRight.Donate) },
    handler: donate,
  }),
];
