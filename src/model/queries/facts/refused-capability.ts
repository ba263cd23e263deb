// Ways out of hypercalls that the lookup of a capability refuses (docs/spec/hypervisor.md §3.3), by
// the error that the caller gets.

import type { ErrorName } from "../../../machine/abi/hypercall-errors.ts";
import { capId } from "../../../machine/abi/ids.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way, type WayOut } from "../../../kit/support/text/way-out.ts";

/** A capability that a VM has passed. */
export interface RefusedCapability {
  readonly vm: string;
  readonly cap: bigint;
  /** The type of object that the call needs, or the rights; meaningless with other errors. */
  readonly wanted: string;
}

const another = ({ vm }: RefusedCapability) => way`pass a capability that the VM has: \`${hint("caps ls", vm)}\``;

export const CAPABILITY_WAYS_OUT: { readonly [E in ErrorName]?: (refused: RefusedCapability) => WayOut } = {
  // Not the id of any slot.
  "ARGUMENT_INVALID": another,
  "CSPACE_CAP_NULL": another,
  "CSPACE_CAP_REVOKED": ({ vm }) =>
    way`have the owner of the object give another one; \`${hint("caps ls", vm)}\` lists those that are left`,
  "CSPACE_WRONG_OBJECT_TYPE": ({ vm, wanted }) =>
    way`pass the capability of an object of type ${wanted}: \`${hint("caps ls", vm, { filter: `type=${wanted}` })}\``,
  "CSPACE_INSUFFICIENT_RIGHTS": ({ vm, cap, wanted }) =>
    way`have the owner of the object give one with the right ${wanted}: \`${hint("show", capId(vm, cap))}\` shows the rights of this one`,
};
