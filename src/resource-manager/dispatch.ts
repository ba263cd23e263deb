// Takes requests from the links and answers them, one at a time and in the order of arrival (spec/resource-manager.md §1.4, §1.5).

import { RmError } from "../abi/rpc/errors.ts";
import { printMessage } from "../abi/rpc/messages.ts";
import { PacketType, type RpcMessage } from "../abi/rpc/packet.ts";
import type { Context } from "./context.ts";
import { handlers } from "./handlers/all.ts";
import { LATER } from "./handlers/handler.ts";
import { isBackedUp, receiveMessage } from "./link.ts";
import { asRefusal, Refusal } from "./refusals.ts";
import { answer, beginRequest, postpone, refuse } from "./replies.ts";
import type { Vm } from "./state.ts";

/** Takes everything that a VM has sent, as long as nothing is being waited for and the VM takes its replies. */
export function serve(context: Context, vm: Vm): void {
  while (vm.link !== undefined && context.state.exits.length === 0 && !isBackedUp(vm.link)) {
    const message = receiveMessage(context, vm.link);
    if (message === undefined) return;
    if (message.type === PacketType.Request) take(context, vm, message);
    // Nobody owes the Resource Manager a reply, and it listens to no notification.
    else context.log(`VM ${vm.vmid}: ignored ${printMessage(message)}`);
  }
}

/** Serves every VM: after something that made requests wait. */
export function serveAll(context: Context): void {
  for (const vm of [...context.state.vms]) serve(context, vm);
}

function take(context: Context, vm: Vm, message: RpcMessage): void {
  const link = vm.link!;
  const handler = handlers.get(message.id);
  const decoded = handler?.message.request.decode(message.payload);
  const fields = decoded?.ok ? decoded.value : { length: message.payload.length };
  const operation = beginRequest(context, vm.vmid, message, fields);
  try {
    if (handler === undefined || decoded === undefined) throw new Refusal(RmError.UNIMPLEMENTED, "there is no such request");
    const result = handler.answer(context, vm, message, decoded);
    if (result === LATER) postpone(context, operation);
    else answer(context, link, operation, result);
  } catch (failure) {
    refuse(context, link, operation, asRefusal(failure), handler?.message);
  }
}
