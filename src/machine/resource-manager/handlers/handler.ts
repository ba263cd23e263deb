// How a request reaches its handler and becomes a reply (docs/spec/resource-manager.md §1.5, §10).

import { RmError } from "../../abi/rpc/errors.ts";
import type { Decoded, Fields, Values } from "../../abi/rpc/layout.ts";
import type { RpcRequest } from "../../abi/rpc/message.ts";
import { Vmid } from "../../abi/rpc/messages/vm.ts";
import type { RpcMessage } from "../../abi/rpc/packet.ts";
import type { Context } from "../state/context.ts";
import { demand, Refusal } from "../calls/refusals.ts";
import { type OkReply, okReply } from "../rpc/replies.ts";
import type { Vm } from "../state/state.ts";

/** Result of a handler whose reply is sent later. */
export const LATER: unique symbol = Symbol("the reply is sent later");

/** A handler with the message that it answers. */
export interface Handler {
  readonly message: RpcRequest;
  /**
   * @param decoded the payload by the message's layout
   * @throws Refusal, HypercallFailure
   */
  answer(context: Context, caller: Vm, request: RpcMessage, decoded: Decoded<unknown>): OkReply | typeof LATER;
}

/**
 * Declares a handler.
 * @param run the fields of the reply; nothing for a standard reply. Refusals are thrown.
 * @param before checks that come before the length's.
 */
export function handle<Q extends Fields, R extends Fields>(
  message: RpcRequest<Q, R>,
  run: (context: Context, caller: Vm, value: Values<Q>, request: RpcMessage) => Values<R> | typeof LATER | void,
  before: (context: Context, caller: Vm, request: RpcMessage) => void = () => {},
): Handler {
  return {
    // The types of known fields are erased: a handler gets the fields that its own message decoded.
    message: message as unknown as RpcRequest,
    answer: (context, caller, request, decoded) => {
      before(context, caller, request);
      if (!decoded.ok) {
        const { error, problem, section } = decoded;
        throw new Refusal(error, problem, { length: request.payload.length }, { section });
      }
      const reply = run(context, caller, decoded.value as Values<Q>, request);
      return reply === LATER ? LATER : okReply(message, reply ?? undefined);
    },
  };
}

/** Only the primary VM may ask this. */
export function onlyHlos(_context: Context, caller: Vm): void {
  demand(caller.vmid === Vmid.Hlos, RmError.DENIED, "only the primary VM may do this", { caller: caller.vmid });
}

/**
 * The VM of this id.
 * @throws Refusal with `error`
 */
export function existing(context: Context, vmid: number, error: RmError): Vm {
  const vm = context.vm(vmid);
  demand(vm !== undefined, error, "there is no VM of this id", { vmid });
  return vm;
}

/**
 * A VM that the caller owns.
 * @throws Refusal with `unknown` or `foreign`
 */
export function owned(context: Context, caller: Vm, vmid: number, unknown: RmError, foreign: RmError): Vm {
  const vm = existing(context, vmid, unknown);
  demand(vm.owner === caller.vmid, foreign, "the VM belongs to another VM", { vmid, owner: vm.owner });
  return vm;
}

/**
 * A VM that the caller may ask about: itself (0), one that it owns, or a peer.
 * @throws Refusal with `unknown` or `foreign`
 */
export function visible(context: Context, caller: Vm, vmid: number, unknown: RmError, foreign: RmError): Vm {
  const vm = vmid === 0 ? caller : existing(context, vmid, unknown);
  demand(mayQuery(caller, vm), foreign, "the caller is neither the VM nor its owner nor a peer", { vmid });
  return vm;
}

/** Whether the caller may ask about a VM. */
export function mayQuery(caller: Vm, vm: Vm): boolean {
  return vm === caller || vm.owner === caller.vmid || caller.peers.includes(vm.vmid);
}
