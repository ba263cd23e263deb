// Hardware interrupts that one VM lends another (docs/spec/resource-manager.md §3.13).

import { asVmid, type CapId } from "../../abi/numbers.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { NO_CAP } from "../../abi/root-environment.ts";
import { Vmid } from "../../abi/rpc/messages/vm.ts";
import type { Context } from "../state/context.ts";
import { demand, refuseAs } from "../calls/refusals.ts";
import { type IrqLoan, isKnownVmid, type Vm, type VmRecord } from "../state/state.ts";
import { numberedId } from "../../abi/ids.ts";

/** Stands for the borrower of a loan whose borrower was reset. */
const NOBODY = asVmid(0xffff);

/** The capability of a hardware interrupt; undefined if the interrupt is not available. */
function hwirq(context: Context, irq: number): CapId | undefined {
  const cap = context.resources.vic_hwirq[irq];
  return cap === undefined || cap === NO_CAP ? undefined : cap;
}

/**
 * The capability of an interrupt that is lent.
 * @throws Error if it is not available
 */
function lentHwirq(context: Context, { irq }: IrqLoan): CapId {
  const cap = hwirq(context, irq);
  if (cap === undefined) throw new Error(`the hardware interrupt ${irq} is lent, but not available`);
  return cap;
}

/**
 * Takes an interrupt from the caller and offers it to `borrower`.
 * @throws Refusal with IRQ_INVALID or IRQ_INUSE
 */
export function lendIrq(context: Context, owner: Vm, borrower: number, irq: number, label: number): IrqLoan {
  // All hardware interrupts are the primary's, under their own numbers; other VMs have virtual ones
  // only, which cannot be lent.
  const cap = owner.vmid === Vmid.Hlos ? hwirq(context, irq) : undefined;
  demand(cap !== undefined, RmError.IRQ_INVALID, "the interrupt is not a hardware interrupt of the caller's", { irq });
  const loan = context.state.loans.find((each) => each.irq === irq);
  demand(loan === undefined, RmError.IRQ_INUSE, "the interrupt is lent already", { irq, ...loan && holderOfIrq(context, loan) }, {
    wayOut: loan && `${numberedId("vm", loan.owner)} sends VM_IRQ_RECLAIM once the borrower has released the interrupt`,
  });
  demand(isKnownVmid(context.state, borrower), RmError.VMID_INVALID, "there is no VM of this id to lend to", { irq, vmid: borrower });
  refuseAs(RmError.IRQ_INVALID, "the interrupt cannot be taken from its owner", () => context.calls.hwirq_unbind_virq({ hwirq: cap }));
  const handle = (context.state.irqHandleBase + irq) >>> 0;
  const made: IrqLoan = { handle, irq, owner: owner.vmid, borrower: asVmid(borrower), label, accepted: false };
  context.state.loans.push(made);
  return made;
}

/**
 * The loan of this handle.
 * @throws Refusal with HANDLE_INVALID unless `party` allows the caller to name it
 */
export function loanOf(context: Context, handle: number, party: (loan: IrqLoan) => boolean): IrqLoan {
  const loan = context.state.loans.find((each) => each.handle === handle);
  demand(loan !== undefined && party(loan), RmError.HANDLE_INVALID, "there is no such loan for the caller", { loan: handle });
  return loan;
}

/** Binds a lent interrupt to the borrower's VIC under its own number. */
export function acceptIrq(context: Context, borrower: Vm, loan: IrqLoan): void {
  demand(!loan.accepted, RmError.IN_USE, "the interrupt was accepted already", holderOfIrq(context, loan));
  bind(context, borrower, loan);
  loan.accepted = true;
}

/** Takes an accepted interrupt from its borrower. It may be accepted again. */
export function releaseIrq(context: Context, loan: IrqLoan): void {
  demand(loan.accepted, RmError.IN_USE, "the interrupt was not accepted", holderOfIrq(context, loan));
  context.calls.hwirq_unbind_virq({ hwirq: lentHwirq(context, loan) });
  loan.accepted = false;
}

/** Gives a lent interrupt back to its owner. */
export function reclaimIrq(context: Context, owner: Vm, loan: IrqLoan): void {
  demand(!loan.accepted, RmError.IN_USE, "the borrower still has the interrupt", holderOfIrq(context, loan), {
    wayOut: `${numberedId("vm", loan.borrower)} sends VM_IRQ_RELEASE, or its owner ends it and sends VM_RESET`,
  });
  demand(loan.owner === owner.vmid, RmError.IRQ_INVALID, "the interrupt belongs to another VM", { ...holderOfIrq(context, loan) });
  bind(context, owner, loan);
  const { loans } = context.state;
  loans.splice(loans.indexOf(loan), 1);
}

/** The holder of an interrupt, for the reason of a refusal: its loan and capability. */
export function holderOfIrq(context: Context, { handle, irq, owner, borrower, accepted }: IrqLoan): Readonly<Record<string, unknown>> {
  return { loan: handle, irq, owner, borrower, accepted, hwirq_cap: hwirq(context, irq) };
}

function bind(context: Context, vm: Vm, loan: IrqLoan): void {
  const vic = vm.objects?.vic;
  demand(vic !== undefined, RmError.ARGUMENT_INVALID, "the VM has no VIC", { vmid: vm.vmid });
  context.calls.hwirq_bind_virq({ hwirq: lentHwirq(context, loan), vic, virq: loan.irq });
}

/** A VM is removed: the interrupts that it borrowed are not offered again. */
export function releaseLoansOf(context: Context, vm: VmRecord): void {
  for (const loan of context.state.loans) {
    if (loan.borrower !== vm.vmid) continue;
    if (loan.accepted) context.undo.hwirq_unbind_virq({ hwirq: lentHwirq(context, loan) });
    loan.accepted = false;
    loan.borrower = NOBODY;
  }
}
