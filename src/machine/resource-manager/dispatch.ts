// Takes requests from the links and answers them, one at a time and in the order of arrival
// (docs/spec/resource-manager.md §1.4, §1.5).

import { type FaultHit, INJECTED, INJECTED_SECTION, injectedValues } from "../abi/faults.ts";
import { RmError } from "../abi/rpc/errors.ts";
import { printMessage, RPC_UNIMPLEMENTED, rpcName } from "../abi/rpc/messages/all.ts";
import { PacketType, type RpcMessage } from "../abi/rpc/packet.ts";
import type { Context } from "./state/context.ts";
import { handlers } from "./handlers/all.ts";
import { LATER } from "./handlers/handler.ts";
import { isBackedUp, receiveMessage, REPLIES_MAX } from "./rpc/link.ts";
import { asRefusal, Refusal } from "./calls/refusals.ts";
import { answer, beginRequest, postpone, refuse } from "./rpc/replies.ts";
import type { Vm } from "./state/state.ts";

/** Handles all messages of a VM, until the VM waits for something or does not take its replies. */
export function serve(context: Context, vm: Vm): void {
  while (vm.link !== undefined && context.state.exits.length === 0 && !isBackedUp(vm.link) && !hasMuchDelayed(context, vm)) {
    const message = receiveMessage(context, vm.link);
    if (message === undefined) return;
    if (message.type === PacketType.Request) takeUp(context, vm, message);
    // The Resource Manager awaits no replies and handles no notifications.
    else context.log(`VM ${vm.vmid}: ignored ${printMessage(message)}`);
  }
}

/**
 * Whether as many requests of a VM are delayed as replies may wait for it: the next ones stay in
 * its queue.
 */
function hasMuchDelayed({ state }: Context, { vmid }: Vm): boolean {
  return state.delayed.length > 0 && state.delayed.filter((one) => one.vmid === vmid).length >= REPLIES_MAX;
}

/** Serves every VM: after something that made requests wait. */
export function serveAll(context: Context): void {
  for (const vm of [...context.state.vms]) serve(context, vm);
}

/** Takes up the requests that were delayed until now. */
export function serveDelayed(context: Context): void {
  const { state, calls } = context;
  const due = state.delayed.filter(({ at }) => at <= calls.vcpu.now);
  for (const one of due) state.delayed.splice(state.delayed.indexOf(one), 1);
  for (const { vmid, message } of due) {
    const vm = context.vm(vmid);
    // A VM that is gone does not need the answer.
    if (vm?.link !== undefined) take(context, vm, message);
  }
  for (const { at } of state.delayed) context.wakeAt(at);
}

/** Handles a request, unless a fault rule applies to it. */
function takeUp(context: Context, vm: Vm, message: RpcMessage): void {
  const { faults, now } = context.calls.vcpu;
  const subject = { msg: rpcName(message.id), vm: vm.vmid, seq: message.sequence, type: "request" };
  const hit = faults.armed.rpc ? faults.hit("rpc", subject) : undefined;
  switch (hit?.effect.kind) {
    case "lose":
      return;
    case "delay": {
      const at = now + hit.effect.ns;
      context.state.delayed.push({ at, vmid: vm.vmid, message });
      return context.wakeAt(at);
    }
    case "double":
      take(context, vm, message);
      return take(context, vm, message);
    case "error":
      return take(context, vm, message, hit);
    default:
      return take(context, vm, message);
  }
}

function take(context: Context, vm: Vm, message: RpcMessage, hit?: FaultHit): void {
  // An earlier request may have removed the link.
  if (vm.link === undefined) return;
  const link = vm.link;
  const handler = handlers.get(message.id);
  const decoded = handler?.message.request.decode(message.payload);
  const fields = decoded?.ok ? decoded.value : { length: message.payload.length };
  const operation = beginRequest(context, vm.vmid, message, fields);
  try {
    if (hit?.effect.kind === "error") {
      throw new Refusal(hit.effect.code as RmError, INJECTED, injectedValues(hit), { foreign: INJECTED_SECTION });
    }
    if (handler === undefined || decoded === undefined) {
      const named = RPC_UNIMPLEMENTED.has(message.id);
      throw new Refusal(RmError.UNIMPLEMENTED, named ? "this Resource Manager does not serve the request" : "no such request");
    }
    const result = handler.answer(context, vm, message, decoded);
    if (result === LATER) postpone(context, operation);
    else answer(context, link, operation, result);
  } catch (failure) {
    refuse(context, link, operation, asRefusal(failure), handler?.message);
  }
}
