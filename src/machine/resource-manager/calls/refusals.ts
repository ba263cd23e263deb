// Refusals: within a handler a refusal is an exception, as it ends the request from any depth; the
// dispatcher turns it into the reply, and notes the rule, the object and the values for display
// (docs/design/decisions.md §6).

import type { BrokenRule, RuleCode } from "../../abi/trace.ts";
import { RmError, rmErrorName } from "../../abi/rpc/errors.ts";
import { HypercallFailure } from "./calls.ts";
import { numberedId } from "../../abi/ids.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way, type WayOut } from "../../../kit/support/text/way-out.ts";

/**
 * The content of a reason besides the rule and the values, if it is not the message's section and
 * the object that the values name.
 */
export interface About {
  readonly code?: RuleCode;
  /** Section of docs/spec/resource-manager.md: `5.3`. */
  readonly section?: string;
  /** Where the rule is said, if not in docs/spec/resource-manager.md. */
  readonly foreign?: string;
  /** Id of the object, as `parcel:0x12`. */
  readonly object?: string;
  /** The requester's remedy. */
  readonly wayOut?: WayOut;
  /** A hypercall was refused: the hypervisor's own note is the reason. */
  readonly byHypercall?: true;
}

/** Ends the request in progress with an error. */
export class Refusal extends Error {
  /**
   * @param rule the rule that was broken, as a phrase.
   * @param values the values that broke the rule.
   */
  constructor(
    readonly error: RmError,
    readonly rule: string,
    readonly values: Readonly<Record<string, unknown>> = {},
    readonly about: About = {},
  ) {
    super(rule);
  }
}

/** @throws Refusal unless `condition` holds. */
export function demand(
  condition: boolean,
  error: RmError,
  rule: string,
  values: Readonly<Record<string, unknown>> = {},
  about: About = {},
): asserts condition {
  if (!condition) throw new Refusal(error, rule, values, about);
}

/** Runs a step whose hypercall failures all become one RPC error. */
export function refuseAs<T>(error: RmError, rule: string, step: () => T): T {
  try {
    return step();
  } catch (failure) {
    if (failure instanceof HypercallFailure) throw new Refusal(error, rule, { hypercall: failure.message }, { byHypercall: true });
    throw failure;
  }
}

/** The refusal that an exception stands for; other exceptions are bugs and propagate. */
export function asRefusal(failure: unknown): Refusal {
  if (failure instanceof Refusal) return failure;
  if (failure instanceof HypercallFailure) {
    // OK is not an error: a code that maps to none is a denial.
    return new Refusal(failure.rmError === RmError.OK ? RmError.DENIED : failure.rmError, "a hypercall was refused", {
      hypercall: failure.message,
    }, { byHypercall: true });
  }
  throw failure;
}

/** The reason for display. `section` is the message's. */
export function brokenRule(refusal: Refusal, section: string): BrokenRule {
  const { rule, values, about, error } = refusal, { code } = about;
  const known = about.wayOut ?? (error === RmError.VM_STATE ? timelineOf(values) : WAYS_OUT.get(error));
  return {
    section: about.foreign ?? `resource-manager ${about.section ?? section}`,
    rule,
    object: about.object ?? objectOf(values),
    values,
    ...code && { code },
    ...(known === undefined ? {} : { wayOut: known }),
  };
}

/** The object that values name: a parcel or a loan by its handle, else an interrupt, else a VM. */
function objectOf(values: Readonly<Record<string, unknown>>): string {
  const id = (kind: Parameters<typeof numberedId>[0], value: unknown) => typeof value === "number" ? numberedId(kind, value) : undefined;
  return id("parcel", values.handle) ?? id("irq", values.irq) ?? id("loan", values.loan) ?? id("vm", values.vmid) ?? "";
}

/** Remedies by error, for any request. */
const WAYS_OUT: ReadonlyMap<RmError, WayOut> = new Map<RmError, WayOut>([
  [RmError.MSG_INVALID, "send the fields that docs/reference/rpc.md lists for this message, no more and no fewer"],
  [RmError.UNIMPLEMENTED, "see the list of messages in docs/reference/rpc.md"],
  [RmError.HANDLE_INVALID, way`list the handles that exist: \`${hint("mem parcels")}\`, \`${hint("irq ls")}\``],
  [RmError.VMID_INVALID, way`list the VMs that exist: \`${hint("vm ls")}\``],
  [RmError.NOMEM, way`see which limit is reached: \`${hint("mem limits")}\``],
]);

/** The remedy where the state of a VM is another one: its history, if the values name it. */
function timelineOf({ vmid }: Readonly<Record<string, unknown>>): WayOut {
  return way`see how the VM came to its state${typeof vmid === "number" ? way`: \`${hint("vm timeline", numberedId("vm", vmid))}\`` : ""}`;
}

/** One line for the log. */
export function refusalText(name: string, { error, rule }: Refusal): string {
  return `${name} ${rmErrorName(error)}: ${rule}`;
}
