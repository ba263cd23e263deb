// Takes requests from the links and answers them, one at a time and in the order of arrival (spec/resource-manager.md §1.4, §1.5).

import { RmError, rmErrorName } from "../abi/rpc/errors.ts";
import { encodeError } from "../abi/rpc/message.ts";
import { printMessage, rpcName } from "../abi/rpc/messages.ts";
import { PacketType, type RpcMessage } from "../abi/rpc/packet.ts";
import type { Context } from "./context.ts";
import { handlers } from "./handlers/all.ts";
import { isBackedUp, receiveMessage, sendReply } from "./link.ts";
import { asRefusal } from "./refusals.ts";
import type { LinkRecord, Vm } from "./state.ts";

/** Takes everything that a VM has sent, as long as nothing is being waited for and the VM takes its replies. */
export function serve(context: Context, vm: Vm): void {
  while (vm.link !== undefined && context.state.exits.length === 0 && !isBackedUp(vm.link)) {
    const message = receiveMessage(context, vm.link);
    if (message === undefined) return;
    take(context, vm, message);
  }
}

/** Serves every VM: after something that made requests wait. */
export function serveAll(context: Context): void {
  for (const vm of [...context.state.vms]) serve(context, vm);
}

function take(context: Context, vm: Vm, message: RpcMessage): void {
  if (message.type !== PacketType.Request) {
    // Nobody owes the Resource Manager a reply, and it listens to no notification.
    context.log(`VM ${vm.vmid}: ignored ${printMessage(message)}`);
    return;
  }
  const handler = handlers.get(message.id);
  const link = vm.link!;
  if (handler === undefined) {
    refuse(context, vm, link, message, RmError.UNIMPLEMENTED, "there is no such request", {});
    return;
  }
  let payload: Uint8Array | undefined;
  try {
    payload = handler.answer(context, vm, message);
  } catch (failure) {
    const { error, rule, values } = asRefusal(failure);
    refuse(context, vm, link, message, error, rule, values);
    return;
  }
  if (payload !== undefined) reply(context, link, message, payload);
}

function refuse(
  context: Context,
  vm: Vm,
  link: LinkRecord,
  message: RpcMessage,
  error: RmError,
  rule: string,
  values: Readonly<Record<string, unknown>>,
): void {
  const name = rpcName(message.id);
  context.refusals.record({ time: context.calls.vcpu.now, message: name, caller: vm.vmid, error, rule, values });
  context.log(`VM ${vm.vmid}: ${name} ${rmErrorName(error)}: ${rule}`);
  reply(context, link, message, handlers.get(message.id)?.refuse(error) ?? encodeError(error));
}

/** Sends the reply to a request. */
export function reply(context: Context, link: LinkRecord, request: Pick<RpcMessage, "sequence" | "id">, payload: Uint8Array): void {
  sendReply(context, link, { type: PacketType.Reply, sequence: request.sequence, id: request.id, payload });
}
