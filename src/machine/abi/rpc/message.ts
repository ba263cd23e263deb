// Declarations of RPC messages: name, id and the layouts of request and reply or of a notification
// (docs/spec/resource-manager.md §2).

import { RmError, type RmErrorName } from "./errors.ts";
import { type Decoded, type Fields, Input, type Layout, layout, type LayoutRules, Output, type Values } from "./layout.ts";

/** A request that a VM sends and the Resource Manager answers. */
export interface RpcRequest<Q extends Fields = Fields, R extends Fields = Fields> {
  readonly kind: "request";
  readonly name: string;
  readonly id: number;
  /** Where docs/spec/resource-manager.md describes it: `3.7`. */
  readonly section: string;
  /** The errors that it can be refused with, in the order of their checks where that is defined. */
  readonly errors: readonly RmErrorName[];
  readonly request: Layout<Q>;
  /**
   * The layout after the error word when it is OK; a reply may also be the error word alone
   * ("standard reply").
   */
  readonly reply: Layout<R>;
  /** A word that follows the error of a refusal, in the few messages that have one. */
  readonly errorDetail?: number;
}

/** A notification that the Resource Manager sends. */
export interface RpcNotification<N extends Fields = Fields> {
  readonly kind: "notification";
  readonly name: string;
  readonly id: number;
  /** Where docs/spec/resource-manager.md describes it. */
  readonly section: string;
  readonly layout: Layout<N>;
}

/** The options of a request's declaration, in addition to its name, id and fields. */
interface RequestOptions<R extends Fields> {
  /** Section of docs/spec/resource-manager.md. */
  readonly section: string;
  /**
   * Every error that the request can be refused with; tests/machine/resource-manager/errors_test.ts
   * reaches
   * each.
   */
  readonly errors: readonly RmErrorName[];
  /** Fields after the error word of a reply that is OK, in wire order. */
  readonly reply?: R;
  readonly rules?: LayoutRules;
  readonly errorDetail?: number;
}

/** Declares a request. `fields` are in wire order. */
export function request<const Q extends Fields, const R extends Fields = Record<never, never>>(
  name: string,
  id: number,
  fields: Q,
  { section, errors, reply = {} as R, rules, errorDetail }: RequestOptions<R>,
): RpcRequest<Q, R> {
  return { kind: "request", name, id, section, errors, request: layout(fields, rules), reply: layout(reply), errorDetail };
}

/** Declares a notification of a section of docs/spec/resource-manager.md. */
export function notification<const N extends Fields>(name: string, id: number, section: string, fields: N): RpcNotification<N> {
  return { kind: "notification", name, id, section, layout: layout(fields) };
}

export function encodeRequest<Q extends Fields, R extends Fields>(message: RpcRequest<Q, R>, value: Values<Q>): Uint8Array {
  return message.request.encode(value);
}

/** Payload of a reply that is OK: the error word and, where given, the reply's fields. */
export function encodeReply<Q extends Fields, R extends Fields>(message: RpcRequest<Q, R>, value?: Values<R>): Uint8Array {
  const output = new Output();
  output.unsigned(4, RmError.OK);
  if (value !== undefined) output.append(message.reply.encode(value));
  return output.bytes();
}

export function encodeError(error: RmError, detail?: number): Uint8Array {
  const output = new Output();
  output.unsigned(4, error);
  if (detail !== undefined) output.unsigned(4, detail);
  return output.bytes();
}

/** A decoded reply: `value` is absent in refusals and standard replies. */
export function decodeReply<Q extends Fields, R extends Fields>(
  message: RpcRequest<Q, R>,
  payload: Uint8Array,
): Decoded<{ error: number; value: Values<R> | undefined }> {
  const input = new Input(payload);
  const error = input.unsigned(4);
  if (input.fault !== undefined) return { ok: false, ...input.fault };
  if (error !== RmError.OK || input.left === 0) return { ok: true, value: { error, value: undefined } };
  const decoded = message.reply.decode(payload.subarray(4));
  return decoded.ok ? { ok: true, value: { error, value: decoded.value } } : decoded;
}
