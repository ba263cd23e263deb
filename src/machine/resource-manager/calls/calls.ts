// The Resource Manager's hypercalls: a failure is an exception that the handler of the request
// turns into its RPC error (docs/spec/resource-manager.md §1.7, §8).

import { asCapId, type CapId } from "../../abi/numbers.ts";
import { ErrorCode, errorName } from "../../abi/errors.ts";
import { type CallShape, type FallibleCall, HypercallCaller, HypercallMethods } from "../../abi/hypercall-caller.ts";
import type { HypercallArguments, HypercallName, HypercallResults } from "../../abi/hypercalls.ts";
import type { NativeVcpu } from "../../abi/native-guest.ts";
import type { ObjectType } from "../../abi/rights.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import type { TracePort } from "../../abi/trace.ts";

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

/**
 * Makes hypercalls on the vCPU that handles the event in progress.
 * @throws HypercallFailure
 */
export class Calls extends HypercallMethods {
  /** The same calls; a refusal is only in their results. */
  readonly try: HypercallCaller = new HypercallCaller();
  /** The root cspace and partition, known once the environment is read. */
  cspace: CapId = asCapId(0n);
  partition: CapId = asCapId(0n);

  /** The vCPU of the event in progress; every entry of the native guest sets it. */
  get vcpu(): NativeVcpu {
    return this.try.vcpu;
  }
  set vcpu(vcpu: NativeVcpu) {
    this.try.vcpu = vcpu;
  }

  /** The trace, as the vCPU of the event in progress reaches it. */
  get trace(): TracePort {
    return this.vcpu.trace;
  }

  override invoke<N extends FallibleCall>(call: CallShape<N>, args: HypercallArguments<N>): HypercallResults<N> {
    const results = this.try.invoke(call, args);
    if (results.error !== ErrorCode.OK) throw new HypercallFailure(call.name, results.error, call.encode(args));
    return results;
  }

  /** A new object in the root partition; its master capability is in the root cspace. */
  create(type: CreatableObject): CapId {
    return this[`partition_create_${type}`]({ src_partition: this.partition, cspace: this.cspace }).new_cap;
  }

  /** Copies a capability of the root cspace to another cspace, with these rights at most. */
  copyCap(cap: CapId, cspace: CapId, rights: number): CapId {
    return this.cspace_copy_cap_from({ src_cspace: this.cspace, src_cap: cap, dest_cspace: cspace, rights_mask: rights }).new_cap;
  }
}

/** Errors of a teardown's hypercall that mean that there is nothing to undo. */
const UNDONE: readonly number[] = [ErrorCode.VIRQ_NOT_BOUND, ErrorCode.CSPACE_CAP_NULL];
/** How often a hypercall of a teardown is made before its refusal counts. */
const UNDO_ATTEMPTS = 3;

/**
 * Hypercalls of a teardown, which continues whatever they answer. A refusal that passes costs
 * nothing; one that stays is logged.
 */
export class UndoCalls extends HypercallMethods {
  constructor(readonly calls: Calls, readonly log: (text: string) => void) {
    super();
  }

  override invoke<N extends FallibleCall>(call: CallShape<N>, args: HypercallArguments<N>): HypercallResults<N> {
    for (let attempt = 1;; attempt++) {
      const results = this.calls.try.invoke(call, args);
      const { error } = results;
      if (error === ErrorCode.OK || UNDONE.includes(error)) return results;
      if (attempt < UNDO_ATTEMPTS) continue;
      this.log(new HypercallFailure(call.name, error, call.encode(args)).message);
      return results;
    }
  }
}
