// Hypercalls as operations of the trace: decoded arguments and results, built only for listeners
// and for refusals.

import { Vmid } from "../../abi/rpc/messages/vm.ts";
import { ErrorCode, errorName } from "../../abi/errors.ts";
import { type HypercallName, HYPERCALLS, type HypercallSignature } from "../../abi/hypercalls.ts";
import { HYPERCALL_ERRORS } from "../../abi/hypercall-errors.ts";
import type { TraceFields, TraceResult } from "../../abi/trace.ts";
import { HypervisorObject } from "../capabilities/object.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";

/**
 * Whether a result is a refusal: two errors are part of normal work, as polling a queue returns
 * them.
 */
export function isRefusal(error: ErrorCode): boolean {
  return error !== ErrorCode.OK && error !== ErrorCode.MSGQUEUE_EMPTY && error !== ErrorCode.MSGQUEUE_FULL;
}

/**
 * Whether a caller deals with a refusal: BUSY says to try again, and the Resource Manager finds out
 * by calls what the platform has, and answers for what it does for others.
 */
function isDealtWith(caller: Vcpu, error: ErrorCode): boolean {
  return error === ErrorCode.BUSY || caller.addressSpace?.vmid === Vmid.ResourceManager;
}

export function beginCall(caller: Vcpu, name: HypercallName): void {
  caller.trace.showCall(caller.trace.begin("hvc", name, {}));
}

/** A call has its result: for a traced call, or an error. */
export function endCall(
  caller: Vcpu,
  name: HypercallName,
  error: ErrorCode,
  decoded: TraceFields,
  reply: ErrorCode | TraceFields,
): void {
  const refused = isRefusal(error);
  if (caller.trace.call === undefined && !refused) return;
  const { trace } = caller;
  const call = caller.trace.call ?? trace.begin("hvc", name, {});
  caller.trace.closeCall();
  trace.describe(call, argumentFields(caller, name, decoded));
  if (refused) {
    if (caller.native === undefined) trace.locateBefore(call, caller.registers.pc);
    const rule = caller.services.trace.brokenRule(HYPERCALL_ERRORS[name].section);
    trace.refuse(rule.object === "" ? { ...rule, object: mainObject(caller, decoded) } : rule);
  }
  const result: TraceResult = { code: error, name: errorName(error), refused, ...refused && { expected: isDealtWith(caller, error) } };
  trace.end(call, error === ErrorCode.OK && typeof reply !== "number" ? { ...result, fields: resultFields(caller, name, reply) } : result);
}

/** The caller does not continue now: its call returns later (vcpu_run), or never. */
export function leaveCall(caller: Vcpu, name: HypercallName, decoded: TraceFields): void {
  const call = caller.trace.call;
  if (call === undefined) return;
  caller.trace.describe(call, argumentFields(caller, name, decoded));
  if (name === "vcpu_run") caller.trace.suspend(call);
  else caller.trace.abandonCall();
}

/** The call in one line: `debian/0: msgqueue_send msgqueue mq:7, size 24`. */
export function describeCall(caller: Vcpu, name: HypercallName, decoded: TraceFields): string {
  const fields = Object.entries(argumentFields(caller, name, decoded));
  const text = fields.map(([key, value]) => `${key} ${typeof value === "bigint" ? `0x${value.toString(16)}` : value}`);
  return `${caller.services.names.vcpu(caller)}: ${name} ${text.join(", ")}`;
}

function argumentFields(caller: Vcpu, name: HypercallName, decoded: TraceFields): TraceFields {
  const { names } = caller.services;
  const kinds: HypercallSignature["arguments"] = HYPERCALLS[name].arguments;
  const fields: Record<string, unknown> = {};
  for (const [argument, value] of Object.entries(decoded)) {
    if (value instanceof HypervisorObject) fields[argument] = names.object(value);
    else fields[argument] = kinds[argument] === "cap" ? names.cap(caller, value as bigint) : value;
  }
  return fields;
}

/** The object that a call works on: the first that was looked up; empty if none was. */
function mainObject(caller: Vcpu, decoded: TraceFields): string {
  for (const value of Object.values(decoded)) if (value instanceof HypervisorObject) return caller.services.names.object(value);
  return "";
}

function resultFields(caller: Vcpu, name: HypercallName, reply: TraceFields): TraceFields {
  const { names } = caller.services;
  const kinds: HypercallSignature["results"] = HYPERCALLS[name].results;
  const fields: Record<string, unknown> = {};
  for (const [result, kind] of Object.entries(kinds)) {
    fields[result] = kind === "cap" ? names.cap(caller, reply[result] as bigint) : reply[result];
  }
  return fields;
}
