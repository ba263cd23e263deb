// Calls by which a loop polls a queue or a doorbell: their answer stays what it is until the VM at
// the other end acts.

import { hypercallOf } from "../../../machine/abi/hypercalls.ts";
import { ErrorCode } from "../../../machine/abi/errors.ts";
import { DoorbellRight, MsgqueueRight } from "../../../machine/abi/rights.ts";
import { Doorbell, Msgqueue, type Vcpu, type VirqSource } from "../../../machine/hypervisor/inspect.ts";
import type { AskedCall } from "../../../cpu/core/interface.ts";
import type { PolledEnd } from "../../../model/queries/facts/verdict.ts";

/** A call that finds nothing: no message, no room, no flag. */
export interface PolledCall extends Pick<AskedCall, "pc"> {
  readonly call: "msgqueue_receive" | "msgqueue_send" | "doorbell_receive";
  readonly object: Doorbell | Msgqueue;
  /** The interrupt that would report it. */
  readonly source: VirqSource;
  readonly until: PolledEnd;
  /** X0 to X7 after it. */
  readonly answer: readonly bigint[];
}

/** Registers that a hypercall gives back. */
const X_RESULTS = 8;

/** These registers after a hypercall that has no result but its error. */
export const answerOf = (error: number): readonly bigint[] => [
  BigInt.asUintN(64, BigInt(error)),
  ...new Array<bigint>(X_RESULTS - 1).fill(0n),
];

/** Undefined for a call that does something else, or finds what it polls for. */
export function polledCall(vcpu: Vcpu, { pc, immediate, x }: AskedCall): PolledCall | undefined {
  const call = hypercallOf(immediate);
  if (call !== "msgqueue_receive" && call !== "msgqueue_send" && call !== "doorbell_receive") return undefined;
  const { object, rights = 0 } = vcpu.attachments.cspace?.capabilityOf(x[0]) ?? {};
  if (object?.state !== "active") return undefined;
  if (object instanceof Doorbell && call === "doorbell_receive" && rights & DoorbellRight.Receive) {
    if (object.flags !== 0n || x[1] === 0n || object.messages.vic !== undefined) return undefined;
    return { pc, call, object, source: object.virq, until: "ring", answer: answerOf(ErrorCode.OK) };
  }
  if (!(object instanceof Msgqueue)) return undefined;
  if (call === "msgqueue_receive" && rights & MsgqueueRight.Receive && object.count === 0) {
    return {
      pc,
      call,
      object,
      source: object.receiveVirq,
      until: "send to",
      answer: answerOf(ErrorCode.MSGQUEUE_EMPTY),
    };
  }
  if (call === "msgqueue_send" && rights & MsgqueueRight.Send && object.isFull) {
    return { pc, call, object, source: object.sendVirq, until: "receive from", answer: answerOf(ErrorCode.MSGQUEUE_FULL) };
  }
  return undefined;
}
