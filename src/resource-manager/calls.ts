// The Resource Manager's hypercalls: calls by name, a failure as an exception that the handler of
// the request turns into its RPC error (docs/spec/resource-manager.md §1.7, §8).

import { ErrorCode, errorName } from "../abi/errors.ts";
import { Hypercall, type HypercallName } from "../abi/hypercalls.ts";
import type { HypercallResult, NativeVcpu } from "../abi/native-guest.ts";
import type { ObjectType } from "../abi/rights.ts";
import { RmError } from "../abi/rpc/errors.ts";
import type { TracePort } from "../abi/trace.ts";

/** A hypercall that the step in progress cannot do without was refused. */
export class HypercallFailure extends Error {
  constructor(readonly call: HypercallName, readonly code: number, readonly args: readonly bigint[]) {
    super(`${call}(${args.map((value) => `0x${value.toString(16)}`).join(", ")}) answered ${errorName(code)}`);
  }

  /** The RPC error that stands for the hypervisor's. */
  get rmError(): RmError {
    return toRmError(this.code);
  }
}

const RM_ERRORS: ReadonlyMap<number, RmError> = new Map<number, RmError>([
  [ErrorCode.OK, RmError.OK],
  [ErrorCode.UNIMPLEMENTED, RmError.UNIMPLEMENTED],
  [ErrorCode.NOMEM, RmError.NOMEM],
  [ErrorCode.NORESOURCES, RmError.NORESOURCE],
  [ErrorCode.DENIED, RmError.DENIED],
  [ErrorCode.BUSY, RmError.BUSY],
  [ErrorCode.ADDR_INVALID, RmError.MEM_INVALID],
  [ErrorCode.ADDR_OVERFLOW, RmError.MEM_INVALID],
  [ErrorCode.ADDR_UNDERFLOW, RmError.MEM_INVALID],
  [ErrorCode.ARGUMENT_INVALID, RmError.ARGUMENT_INVALID],
]);

/** How the Resource Manager forwards a hypervisor's error. */
function toRmError(code: number): RmError {
  return RM_ERRORS.get(code) ?? RmError.DENIED;
}

/** Object types that the root partition makes. */
export type CreatableObject = Exclude<ObjectType, "partition" | "hwirq">;

/** Makes hypercalls on the vCPU that handles the event in progress. */
export class Calls {
  /** The vCPU of the event in progress; every entry of the native guest sets it. */
  vcpu!: NativeVcpu;
  /** The root cspace and partition, known once the environment is read. */
  cspace = 0n;
  partition = 0n;

  /** The trace, as the vCPU of the event in progress reaches it. */
  get trace(): TracePort {
    return this.vcpu.trace;
  }

  /** Answers the error code and leaves the results in the array, which the next call reuses. */
  try(name: HypercallName, ...args: (number | bigint)[]): { code: number; results: HypercallResult } {
    const results = this.vcpu.hvc(Hypercall[name], ...args.map(BigInt));
    return { code: Number(BigInt.asIntN(32, results[0])), results };
  }

  /** Results of a call that must succeed, X0 being OK. @throws HypercallFailure */
  do(name: HypercallName, ...args: (number | bigint)[]): HypercallResult {
    const { code, results } = this.try(name, ...args);
    if (code !== ErrorCode.OK) throw new HypercallFailure(name, code, args.map(BigInt));
    return results;
  }

  /** A call of a teardown, which goes on whatever it answers. Gives the failure. */
  undo(name: HypercallName, ...args: (number | bigint)[]): HypercallFailure | undefined {
    const { code } = this.try(name, ...args);
    return code === ErrorCode.OK ? undefined : new HypercallFailure(name, code, args.map(BigInt));
  }

  /** A new object in the root partition; its master capability is in the root cspace. */
  create(type: CreatableObject): bigint {
    return this.do(`partition_create_${type}`, this.partition, this.cspace)[1];
  }

  activate(cap: bigint): void {
    this.do("object_activate", cap);
  }

  /** Copies a capability of the root cspace to another cspace, with these rights at most. */
  copyCap(cap: bigint, cspace: bigint, rights: number): bigint {
    return this.do("cspace_copy_cap_from", this.cspace, cap, cspace, rights)[1];
  }
}
