// Exits as events of the trace: device accesses, trapped registers, waits, injected aborts. Each is
// one event, whatever else is traced: of several reports the first counts.

import { ExceptionClass, exceptionClass, type Exit } from "../../../cpu/core/interface.ts";
import { systemRegisterNumber, systemRegisterText } from "../../../cpu/isa/names/system-register-names.ts";
import { Icc, iccKey, isSpecial } from "../gic/gic-registers.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";

/** The encoding of a trapped system register. */
interface RegisterEncoding {
  readonly op0: number;
  readonly op1: number;
  readonly crn: number;
  readonly crm: number;
  readonly op2: number;
}

/** `ICC_PMR_EL1`; the generic name S3_1_C15_C0_0 of a register that has no other. */
const registerName = ({ op0, op1, crn, crm, op2 }: RegisterEncoding): string =>
  systemRegisterText(systemRegisterNumber(op0, op1, crn, crm, op2)).toUpperCase();

/** MRS or MSR of a register that traps; `value` is undefined if the access is undefined. */
export function traceRegister(vcpu: Vcpu, register: RegisterEncoding, isRead: boolean, value: bigint | undefined): void {
  const { trace } = vcpu;
  if (trace.isWanted("trap")) {
    trace.event("trap", registerName(register), { access: isRead ? "read" : "write", value, undefined: value === undefined });
  }
  if (value === undefined || register.op0 !== 3 || !trace.isWanted("virq")) return;
  const key = iccKey(register.crn, register.crm, register.op2);
  if (isRead && (key === Icc.IAR0 || key === Icc.IAR1)) traceInterrupt(vcpu, "acknowledge", Number(value));
  if (!isRead && (key === Icc.EOIR0 || key === Icc.EOIR1)) traceInterrupt(vcpu, "end", Number(value & 0xff_ffffn));
}

/**
 * An abort that is not an access to a device.
 * @param name its outcome: the guest takes an external abort, the VMM gives a page, …
 */
export function traceAbort(vcpu: Vcpu, exit: Exit, name: "external abort" | "page fault" | "cache maintenance" | "fault"): void {
  const { trace, services, registers: { pc } } = vcpu;
  if (!trace.isWanted("trap")) return;
  const fetch = exceptionClass(exit.esr) === ExceptionClass.InstructionAbortLower;
  trace.event("trap", name, { address: services.names.ipa(vcpu, exit.ipa), fetch, pc });
}

/** A vCPU acknowledges or ends an interrupt. */
export function traceInterrupt(vcpu: Vcpu, name: "acknowledge" | "end", intid: number): void {
  const { trace, services, attachments: { vic } } = vcpu;
  if (vic && !isSpecial(intid) && trace.isWanted("virq")) trace.event("virq", name, { irq: services.names.irq(vic, intid) });
}

/**
 * A load or store that a device, or the VMM, answers. `target` says who; `value` is undefined if
 * a load waits, or was refused.
 */
export function traceMmio(
  vcpu: Vcpu,
  ipa: number,
  access: { readonly write: boolean; readonly size: number },
  value: bigint | undefined,
  target: string,
): void {
  const { trace, services } = vcpu;
  trace.event("mmio", access.write ? "write" : "read", { address: services.names.ipa(vcpu, ipa), size: access.size, value, target });
}
