// Changes of a VM's state and their notifications (docs/spec/resource-manager.md §4.2).

import { VM_STATUS } from "../../abi/rpc/messages/queries.ts";
import { VmState } from "../../abi/rpc/messages/vm.ts";
import type { Context } from "../state/context.ts";
import { notify } from "./link.ts";
import { isWhole, type Vm, type VmRecord } from "../state/state.ts";

/**
 * Puts a VM in a state and notifies its peers.
 * @throws Error if it lacks what it has in that state
 */
export function enterState(context: Context, vm: VmRecord, state: VmState): void {
  vm.state = state;
  if (!isWhole(vm)) throw new Error(`VM ${vm.vmid} is incomplete for state ${state}`);
  notifyStatus(context, vm);
}

/** VM_STATUS to every peer that has a link and runs. */
export function notifyStatus(context: Context, vm: Vm): void {
  for (const vmid of vm.peers) {
    const peer = context.vm(vmid);
    if (peer?.link === undefined || peer.state !== VmState.Running) continue;
    notify(context, peer, VM_STATUS, { vmid: vm.vmid, vm_state: vm.state, os_state: vm.osState, app_status: vm.appStatus });
  }
}

/** Makes two VMs peers of each other. */
export function befriend(a: VmRecord, b: VmRecord): void {
  if (!a.peers.includes(b.vmid)) a.peers.push(b.vmid);
  if (!b.peers.includes(a.vmid)) b.peers.push(a.vmid);
}

/** Ends all of a VM's friendships. */
export function unfriend(context: Context, vm: VmRecord): void {
  for (const vmid of vm.peers) {
    const peer = context.vm(vmid);
    if (peer !== undefined) peer.peers = peer.peers.filter((each) => each !== vm.vmid);
  }
  vm.peers = [];
}
