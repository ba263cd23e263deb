// Requests that lend hardware interrupts (docs/spec/resource-manager.md §3.13).

import { RmError } from "../../abi/rpc/errors.ts";
import {
  IrqNotifyFlags,
  VIRQ_SAME,
  VM_IRQ_ACCEPT,
  VM_IRQ_ACCEPTED,
  VM_IRQ_LEND,
  VM_IRQ_LENT,
  VM_IRQ_NOTIFY,
  VM_IRQ_RECLAIM,
  VM_IRQ_RELEASE,
  VM_IRQ_RELEASED,
} from "../../abi/rpc/messages/interrupts.ts";
import type { Values } from "../../abi/rpc/layout.ts";
import type { RpcMessage } from "../../abi/rpc/packet.ts";
import type { Context } from "../state/context.ts";
import { acceptIrq, holderOfIrq, lendIrq, loanOf, reclaimIrq, releaseIrq } from "../vm/irq-lending.ts";
import { notify } from "../rpc/link.ts";
import { demand, Refusal } from "../calls/refusals.ts";
import type { Vm } from "../state/state.ts";
import { handle, type Handler } from "./handler.ts";

/** Size of VM_IRQ_NOTIFY without a list, which only LENT has. Bytes. */
const NOTIFY_SIZE = 8;

const lend = handle(VM_IRQ_LEND, (context, caller, { borrower, virq, label }) => {
  return { handle: lendIrq(context, caller, borrower, virq, label).handle };
});

const accept = handle(VM_IRQ_ACCEPT, (context, caller, { handle, virq }) => {
  const loan = loanOf(context, handle, ({ borrower }) => borrower === caller.vmid);
  // The number is that of the hardware interrupt: any other would belong to another device.
  const same = virq === VIRQ_SAME || virq === loan.irq;
  demand(same, RmError.ARGUMENT_INVALID, "a lent interrupt keeps its number", { virq, irq: loan.irq });
  acceptIrq(context, caller, loan);
  return { virq: loan.irq };
});

const release = handle(VM_IRQ_RELEASE, (context, caller, { handle }) => {
  releaseIrq(context, loanOf(context, handle, ({ borrower }) => borrower === caller.vmid));
});

const reclaim = handle(VM_IRQ_RECLAIM, (context, caller, { handle }) => {
  reclaimIrq(context, caller, loanOf(context, handle, ({ borrower }) => borrower !== caller.vmid));
});

function notifyParty(context: Context, caller: Vm, request: Values<typeof VM_IRQ_NOTIFY.request.fields>, message: RpcMessage): void {
  const { handle, flags, vmids } = request;
  const listed = flags === IrqNotifyFlags.Lent || message.payload.length === NOTIFY_SIZE;
  demand(listed, RmError.MSG_INVALID, "only LENT has a list of VMs", { flags });
  const loan = loanOf(context, handle, () => true);
  const held = holderOfIrq(context, loan);
  const borrowerOnly = () => demand(loan.borrower === caller.vmid, RmError.HANDLE_INVALID, "the caller borrows no such interrupt", held);
  const tell = (vmid: number, send: (vm: Vm) => void) => {
    const vm = context.vm(vmid);
    if (vm !== undefined) send(vm);
  };
  switch (flags) {
    case IrqNotifyFlags.Lent: {
      demand(loan.owner === caller.vmid, RmError.HANDLE_INVALID, "the caller lends no such interrupt", held);
      demand(!loan.accepted, RmError.IRQ_INUSE, "the interrupt was accepted already", held);
      const toBorrower = vmids.length === 0 || (vmids.length === 1 && vmids[0].vmid === loan.borrower);
      demand(toBorrower, RmError.ARGUMENT_INVALID, "the list names others than the borrower", held);
      const { owner, label } = loan;
      return tell(loan.borrower, (vm) => notify(context, vm, VM_IRQ_LENT, { owner, handle, label }));
    }
    case IrqNotifyFlags.Released:
      borrowerOnly();
      demand(!loan.accepted, RmError.IRQ_INUSE, "the caller still has the interrupt", held);
      return tell(loan.owner, (vm) => notify(context, vm, VM_IRQ_RELEASED, { handle }));
    case IrqNotifyFlags.Accepted:
      borrowerOnly();
      demand(loan.accepted, RmError.IRQ_RELEASED, "the caller has not accepted the interrupt", held);
      return tell(loan.owner, (vm) => notify(context, vm, VM_IRQ_ACCEPTED, { handle }));
    default:
      throw new Refusal(RmError.ARGUMENT_INVALID, "the flags are not exactly one of the three", { ...held, flags });
  }
}

export const interruptHandlers: readonly Handler[] = [accept, lend, release, reclaim, handle(VM_IRQ_NOTIFY, notifyParty)];
