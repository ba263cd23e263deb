// Calls by which a loop polls a queue or a doorbell: their answer stays what it is until the VM at
// the other end acts.

import { HVC_BASE, type HypercallName, HYPERCALLS } from "../../../machine/abi/hypercalls.ts";
import { ErrorCode } from "../../../machine/abi/errors.ts";
import { DoorbellRight, MsgqueueRight } from "../../../machine/abi/rights.ts";
import { Doorbell, Msgqueue, type Vcpu, type VirqSource } from "../../../machine/hypervisor/inspect.ts";
import type { AskedCall } from "../../../cpu/core/interface.ts";
import type { PolledEnd } from "../../../model/queries/facts/verdict.ts";

/** A call that finds nothing: no message, no room, no flag. */
export interface PolledCall extends Pick<AskedCall, "pc"> {
  readonly call: HypercallName;
  readonly object: Doorbell | Msgqueue;
  /** The interrupt that would report it. */
  readonly source: VirqSource;
  readonly until: PolledEnd;
  /** X0 to X7 after it. */
  readonly answer: readonly bigint[];
}

/** Registers that a hypercall gives back. */
const X_RESULTS = 8;
const answerOf = (error: number) => [BigInt(error), ...new Array<bigint>(X_RESULTS - 1).fill(0n)];

const numberOf = (name: HypercallName) => HVC_BASE + HYPERCALLS[name].number;
const RECEIVE = numberOf("msgqueue_receive"), SEND = numberOf("msgqueue_send"), HEAR = numberOf("doorbell_receive");

/** Undefined for a call that does something else, or finds what it polls for. */
export function polledCall(vcpu: Vcpu, { pc, immediate, x }: AskedCall): PolledCall | undefined {
  if (immediate !== RECEIVE && immediate !== SEND && immediate !== HEAR) return undefined;
  const [, capability] = [...vcpu.attachments.cspace?.capabilities() ?? []].find(([id]) => id === x[0]) ?? [];
  const { object, rights = 0 } = capability ?? {};
  if (object?.state !== "active") return undefined;
  if (object instanceof Doorbell && immediate === HEAR && rights & DoorbellRight.Receive) {
    if (object.flags !== 0n || x[1] === 0n || object.messages.vic !== undefined) return undefined;
    return { pc, call: "doorbell_receive", object, source: object.virq, until: "ring", answer: answerOf(ErrorCode.OK) };
  }
  if (!(object instanceof Msgqueue)) return undefined;
  if (immediate === RECEIVE && rights & MsgqueueRight.Receive && object.count === 0) {
    return {
      pc,
      call: "msgqueue_receive",
      object,
      source: object.receiveVirq,
      until: "send to",
      answer: answerOf(ErrorCode.MSGQUEUE_EMPTY),
    };
  }
  if (immediate === SEND && rights & MsgqueueRight.Send && object.isFull) {
    return { pc, call: "msgqueue_send", object, source: object.sendVirq, until: "receive from", answer: answerOf(ErrorCode.MSGQUEUE_FULL) };
  }
  return undefined;
}
