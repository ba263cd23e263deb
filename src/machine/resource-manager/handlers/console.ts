// The console between a VM and its owner (docs/spec/resource-manager.md §3.14). Nothing is
// buffered: characters are lost unless the other side is open.

import { RmError } from "../../abi/rpc/errors.ts";
import { VM_CONSOLE_CHARS, VM_CONSOLE_CLOSE, VM_CONSOLE_FLUSH, VM_CONSOLE_OPEN, VM_CONSOLE_WRITE } from "../../abi/rpc/messages/console.ts";
import type { Context } from "../state/context.ts";
import { notify } from "../rpc/link.ts";
import { demand } from "../calls/refusals.ts";
import type { RmConsole, Vm } from "../state/state.ts";
import { handle, type Handler } from "./handler.ts";

/** One side of a VM's console as the caller has it. */
interface Side {
  readonly vm: Vm;
  readonly console: RmConsole;
  readonly own: "vmOpen" | "ownerOpen";
  readonly other: "vmOpen" | "ownerOpen";
}

function sideOf(context: Context, caller: Vm, target: number): Side {
  const vm = target === 0 ? caller : context.vm(target);
  demand(vm?.console !== undefined, RmError.ARGUMENT_INVALID, "the VM has no console", { vmid: vm?.vmid ?? target });
  demand(target === 0 || vm.owner === caller.vmid, RmError.DENIED, "the console belongs to another VM's owner", {
    vmid: target,
    owner: vm.owner,
  });
  return target === 0
    ? { vm, console: vm.console, own: "vmOpen", other: "ownerOpen" }
    : { vm, console: vm.console, own: "ownerOpen", other: "vmOpen" };
}

function requireOpen({ console, own, vm }: Side): void {
  demand(console[own], RmError.DENIED, "the caller's side of the console is closed", { vmid: vm.vmid });
}

export const consoleHandlers: readonly Handler[] = [
  handle(VM_CONSOLE_OPEN, (context, caller, { target }) => {
    const { console, own } = sideOf(context, caller, target);
    console[own] = true;
  }),
  handle(VM_CONSOLE_CLOSE, (context, caller, { target }) => {
    const { console, own } = sideOf(context, caller, target);
    console[own] = false;
  }),
  handle(VM_CONSOLE_WRITE, (context, caller, { target, data }) => {
    const side = sideOf(context, caller, target);
    requireOpen(side);
    if (!side.console[side.other]) return;
    const [receiver, from] = target === 0 ? [context.vm(side.vm.owner), side.vm.vmid] : [side.vm, 0];
    if (receiver !== undefined) notify(context, receiver, VM_CONSOLE_CHARS, { from, data });
  }),
  handle(VM_CONSOLE_FLUSH, (context, caller, { target }) => requireOpen(sideOf(context, caller, target))),
];
