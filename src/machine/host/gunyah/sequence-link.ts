// The ways of a step of a sequence to the rest of the driver, and the reading of its reply.

import { RmError, rmErrorName } from "../../abi/rpc/errors.ts";
import type { Fields, Values } from "../../abi/rpc/layout.ts";
import { decodeReply, type RpcRequest } from "../../abi/rpc/message.ts";
import type { BrokenRule } from "../../abi/trace.ts";
import { Errno } from "../../abi/ioctl/errno.ts";
import { VM_PERSONAS } from "../../abi/ioctl/personas.ts";
import type { HostKernel } from "../kernel/kernel.ts";
import { rmErrno } from "./rm-errors.ts";
import { type HostVm, type Sequence, type SequenceFailure } from "./state.ts";

/** Outcome of a step: it is done, it waits, or the sequence fails. */
export type StepResult = "next" | "wait" | SequenceFailure;

/** The driver's actions when a sequence reaches them. */
export interface SequenceEvents {
  /** Sends a request for a VM; the reply comes to `reply`. */
  send(vm: HostVm, id: number, payload: Uint8Array): void;
  /** A resource of a VM exists. Returns the host vCPU that takes its vIRQ. */
  place(resource: { type: number; virq: number }): number;
  /** All resources of a VM exist. */
  bound(vm: HostVm): void;
  /** Whether VM_START may be sent now; if not, `retry` asks again. */
  mayStart(vm: HostVm): boolean;
  /** A START or a call inside an ioctl has ended: zero, or a negative errno with the rule. */
  ended(vm: HostVm, sequence: Sequence, result: number, rule?: BrokenRule): void;
  /** Nothing is left of the VM in the Resource Manager. */
  freed(vm: HostVm): void;
}

/** The ways of a step to the rest of the driver. */
export interface SequenceLink {
  readonly kernel: HostKernel;
  readonly events: SequenceEvents;
  /** Sends the request of a VM's step, which waits for its reply. */
  send<Q extends Fields, R extends Fields>(vm: HostVm, message: RpcRequest<Q, R>, value: Values<Q>): "wait";
}

/** Gives a reply's fields to `use`, or the errno of its error. */
export function read<Q extends Fields, R extends Fields>(
  vm: HostVm,
  message: RpcRequest<Q, R>,
  payload: Uint8Array,
  use?: (value: Values<R>) => void,
): StepResult {
  const persona = VM_PERSONAS[vm.persona];
  const decoded = decodeReply(message, payload);
  const refuse = (errno: number, rule: string, values: Record<string, unknown>): StepResult => ({
    errno: persona.anyRmErrorIsInvalid ? Errno.EINVAL : errno,
    rule: { section: "vm-manager 7", rule, object: `vm ${vm.id}`, values },
  });
  if (!decoded.ok) return refuse(Errno.EBADMSG, `the reply to ${message.name} has to have its fields`, { problem: decoded.problem });
  const { error, value } = decoded.value;
  if (error !== RmError.OK) {
    return refuse(rmErrno(error, persona), `the Resource Manager refused ${message.name}`, { error: rmErrorName(error) });
  }
  if (value === undefined && Object.keys(message.reply.fields).length > 0) {
    return refuse(Errno.EBADMSG, `the reply to ${message.name} has to have its fields`, { bytes: payload.length });
  }
  // A message without reply fields has no value.
  use?.(value ?? {} as Values<R>);
  return "next";
}

/** The sequence of a VM that is in one. */
export function running({ id, sequence }: HostVm): Sequence {
  if (sequence === undefined) throw new Error(`vm ${id} is in no sequence`);
  return sequence;
}

/** The handle of a parcel that the Resource Manager has made. */
export function handleOf({ handle }: { readonly handle: number | undefined }): number {
  if (handle === undefined) throw new Error("a parcel has no handle yet");
  return handle;
}
