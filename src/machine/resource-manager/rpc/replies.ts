// Answers to requests, and their operations in the trace: a request is an operation from its
// arrival to its reply, which may come in a later event (docs/spec/resource-manager.md §1.4; the
// events are those of src/machine/abi/trace.ts).

import { RmError, rmErrorName } from "../../abi/rpc/errors.ts";
import type { Fields, Values } from "../../abi/rpc/layout.ts";
import { encodeError, encodeReply, type RpcRequest } from "../../abi/rpc/message.ts";
import { rpcName, traceFields } from "../../abi/rpc/messages/all.ts";
import { PacketType, RPC_MAX_PAYLOAD, type RpcMessage } from "../../abi/rpc/packet.ts";
import type { TraceId } from "../../abi/trace.ts";
import type { Context } from "../state/context.ts";
import { sendReply } from "./link.ts";
import { brokenRule, demand, type Refusal, refusalText } from "../calls/refusals.ts";
import type { Link } from "../state/state.ts";
import { requestKey } from "../../abi/ids.ts";

/** The origin of a request, for its reply. */
export interface Origin {
  readonly vmid: number;
  readonly sequence: number;
  readonly id: number;
}

/** The operation in the trace of a request. */
export interface RequestOperation {
  readonly trace: TraceId;
  readonly origin: Origin;
}

/** The key under which the sender of a request publishes the operation that sent it. */
function causeOf({ vmid, sequence }: Origin): string {
  return requestKey(vmid, sequence);
}

/** A request is taken up. */
export function beginRequest(context: Context, vmid: number, message: RpcMessage, fields: object): RequestOperation {
  const origin = { vmid, sequence: message.sequence, id: message.id };
  const given = { from: vmid, sequence: message.sequence, ...traceFields(fields) };
  const trace = context.calls.trace.begin("rpc", rpcName(message.id), given, causeOf(origin), causeOf(origin));
  context.calls.trace.carry(trace, message);
  context.unanswered.set(causeOf(origin), trace);
  return { trace, origin };
}

/** A reply that is OK: its payload, and its fields for the trace. */
export interface OkReply {
  readonly payload: Uint8Array;
  readonly fields: object;
}

/**
 * Encodes a reply that is OK.
 * @throws Refusal with NOMEM when it does not fit into one message.
 */
export function okReply<Q extends Fields, R extends Fields>(message: RpcRequest<Q, R>, value: Values<R> | undefined): OkReply {
  const payload = encodeReply(message, value);
  const limit = { length: payload.length, maximum: RPC_MAX_PAYLOAD };
  demand(payload.length <= RPC_MAX_PAYLOAD, RmError.NOMEM, "the reply does not fit into one message", limit, { section: "1.3" });
  return { payload, fields: value ?? {} };
}

/** Answers with OK. */
export function answer(context: Context, link: Link, operation: RequestOperation, { payload, fields }: OkReply): void {
  const { trace } = context.calls;
  context.unanswered.delete(causeOf(operation.origin));
  send(context, link, operation.origin, payload, operation.trace);
  const shown = trace.isWanted("rpc") ? traceFields(fields) : {};
  trace.end(operation.trace, { code: RmError.OK, name: "OK", refused: false, fields: shown });
}

export function refuse(
  context: Context,
  link: Link,
  operation: RequestOperation,
  refusal: Refusal,
  declared: RpcRequest | undefined,
): void {
  const { trace } = context.calls;
  context.unanswered.delete(causeOf(operation.origin));
  // Where a hypercall was refused, its reason is the innermost.
  if (!refusal.about.byHypercall) {
    trace.disregard();
    trace.refuse(brokenRule(refusal, declared?.section ?? "2"));
  }
  context.log(`VM ${operation.origin.vmid}: ${refusalText(rpcName(operation.origin.id), refusal)}`);
  send(context, link, operation.origin, encodeError(refusal.error, declared?.errorDetail), operation.trace);
  // Drivers probe for features by asking, and retry when busy.
  const expected = refusal.error === RmError.UNIMPLEMENTED || refusal.error === RmError.BUSY;
  trace.end(operation.trace, { code: refusal.error, name: rmErrorName(refusal.error), refused: true, expected });
}

/** The handler answers by `answerLater`: in a later event, unless it has already. */
export function postpone(context: Context, operation: RequestOperation): void {
  if (context.unanswered.has(causeOf(operation.origin))) context.calls.trace.suspend(operation.trace);
}

/** Answers a request that was postponed with OK; a requester that is gone hears nothing. */
export function answerLater(context: Context, origin: Origin): void {
  const key = causeOf(origin);
  // Absent after a snapshot was restored, unless the trace was kept with it.
  const trace = context.unanswered.get(key) ?? context.calls.trace.recall(key);
  const link = context.vm(origin.vmid)?.link;
  if (link !== undefined) send(context, link, origin, encodeError(RmError.OK), trace);
  if (trace === undefined) return;
  context.unanswered.delete(key);
  context.calls.trace.resume(trace);
  context.calls.trace.end(trace, { code: RmError.OK, name: "OK", refused: false });
}

function send(context: Context, link: Link, { sequence, id }: Origin, payload: Uint8Array, trace: TraceId | undefined): void {
  const reply: RpcMessage = { type: PacketType.Reply, sequence, id, payload };
  if (trace !== undefined) context.calls.trace.carry(trace, reply);
  sendReply(context, link, reply);
}
