// The outlook of each vCPU, and which of them nothing can free any more: neither an interrupt nor a
// store to memory that they read. Both follow from the state of the machine alone.

import { type AddressSpace, Intid, Irq, unchangingAnswer, type Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { Block } from "../../../machine/hypervisor/interface.ts";
import { type AskedCall, type EndlessLoop, type Outlook, Pstate } from "../../../cpu/core/interface.ts";
import { ErrorCode } from "../../../machine/abi/errors.ts";
import { writersOf } from "../readers/objects/read-memory.ts";
import type { View } from "../readers/inspected.ts";
import { absentOf } from "../readers/objects/absent-peers.ts";
import { isIdle } from "../../../model/queries/facts/source-state.ts";
import { answerOf, type PolledCall, polledCall } from "../causes/polled-calls.ts";
import { deviceState, slotsOf } from "./source-states.ts";
import { deviceRegister, isAnyBusy, type Steady, systemRegister } from "./steady-registers.ts";
import { areTurnedOff, isAble, isAsleep, isOnline, raisersOf, sendersOf, type Sleep, sleepOf, type Waker } from "./sleep.ts";

/**
 * Instructions within which a loop has to come back to its state: some turns of a lock with its
 * calls.
 */
const LOOKED_AT = 1024;
/** The same where another vCPU of the VM works, which could end a loop that reads memory. */
const LOOKED_AT_BESIDE = 48;

/** Waits (ns) for the system counter: the least that is told, and the end of one of 64 bits. */
const COUNTED_LEAST = 2 ** 29, COUNTED_LAST = 2 ** 67;

/** Bits of registers that may change, up to which the effect of each is evaluated. */
const BITS_MAX = 8;

/** The bits of a register that an evaluation changes, of those that may. */
type Flip = (key: string, changing: bigint, count: number) => bigint;
const UNCHANGED: Flip = () => 0n;

/** Each bit of a mask alone. */
const singleBits = (mask: bigint) => [...mask.toString(2)].reverse().flatMap((digit, index) => digit === "1" ? [1n << BigInt(index)] : []);

/** In a function's id: the 64-bit convention. */
const SMC64 = 1n << 30n;
/** Errors that last until the caller asks for something else. */
const LASTING: ReadonlySet<number> = new Set<number>([
  ...[ErrorCode.UNIMPLEMENTED, ErrorCode.ARGUMENT_INVALID, ErrorCode.ARGUMENT_SIZE, ErrorCode.ARGUMENT_ALIGNMENT],
  ...[ErrorCode.ADDR_OVERFLOW, ErrorCode.ADDR_UNDERFLOW, ErrorCode.ADDR_INVALID, ErrorCode.DENIED],
  ...[ErrorCode.CSPACE_CAP_NULL, ErrorCode.CSPACE_WRONG_OBJECT_TYPE, ErrorCode.CSPACE_INSUFFICIENT_RIGHTS],
]);

/** An SMCCC call whose answer cannot change: where it is made, its arguments, and X0 after it. */
export interface AnsweredCall extends Pick<AskedCall, "pc" | "instruction" | "x"> {
  /** Signed, of as many bits as the call's convention has. */
  readonly answer: bigint;
}

/** Whether a vCPU executes instructions when its turn comes, or completes a load of a device. */
function isAwake(vcpu: Vcpu): boolean {
  return !vcpu.life.isDead && !vcpu.native && !vcpu.life.isBlockedBy(~(Block.Run | Block.Vmmio));
}

export class Prospects {
  readonly #outlooks = new Map<Vcpu, Outlook>();
  /** By vCPU and place. */
  readonly #answered = new Map<Vcpu, Map<bigint, AnsweredCall>>();
  /** By vCPU and place. */
  readonly #polled = new Map<Vcpu, Map<bigint, PolledCall>>();
  readonly #sleeps = new Map<Vcpu, Sleep>();
  /** Address spaces in which a vCPU gets on. */
  readonly #working = new Set<AddressSpace | undefined>();
  /** vCPUs that only one another could free. */
  readonly #stuck = new Set<Vcpu>();
  /** Those whose loop something besides vCPUs may end. */
  readonly #changeable = new Set<Vcpu>();
  readonly #writers = new Map<number, ReturnType<typeof writersOf>>();

  constructor(readonly view: View) {
    const online = view.vcpus().filter((vcpu) => isLive(vcpu) && !vcpu.native);
    for (const vcpu of online) if (this.loop(vcpu) || isAsleep(vcpu)) this.#stuck.add(vcpu);
    for (let before = -1; before !== this.#stuck.size;) {
      before = this.#stuck.size;
      for (const vcpu of [...this.#stuck]) if (this.#canBeFreed(vcpu)) this.#stuck.delete(vcpu);
    }
  }

  /** The loop that a vCPU is in, if each turn leaves everything as it was. */
  loop(vcpu: Vcpu): EndlessLoop | undefined {
    const outlook = this.outlook(vcpu);
    return outlook?.kind === "loops" ? outlook : undefined;
  }

  /** Undefined for vCPUs that execute nothing. */
  outlook(vcpu: Vcpu): Outlook | undefined {
    if (!isAwake(vcpu)) return undefined;
    let found = this.#outlooks.get(vcpu);
    if (!found) {
      const { found: now, changing } = this.#evaluate(vcpu, UNCHANGED);
      found = now;
      this.#outlooks.set(vcpu, now);
      if (now.kind !== "loops") this.#working.add(vcpu.addressSpace);
      else if (changing.size > 0 && !this.#loopsAnyway(vcpu, changing)) this.#changeable.add(vcpu);
    }
    return found;
  }

  /**
   * Virtual time (ns) until a loop ends that waits for the system counter alone, and not only for a
   * driver's delay: the first power of two after which it does, null if no later time ends it, but
   * at best one value of the counter. Undefined for all else.
   */
  counterWait(vcpu: Vcpu): { readonly loop: EndlessLoop; readonly for_ns: number | null } | undefined {
    const outlook = this.outlook(vcpu);
    if (outlook?.kind !== "leaves" || outlook.how !== "time") return undefined;
    const after = (ns: number) =>
      this.view.system.symbols.core.questions.outlook(vcpu.registers, {
        signaled: 0,
        expected: Pstate.I,
        limit: LOOKED_AT_BESIDE,
        counter: this.view.now + ns,
      });
    const loop = after(0);
    if (loop.kind !== "loops" || after(COUNTED_LEAST).kind !== "loops") return undefined;
    for (let for_ns = 2 * COUNTED_LEAST; for_ns < COUNTED_LAST; for_ns *= 2) if (after(for_ns).kind !== "loops") return { loop, for_ns };
    return { loop, for_ns: null };
  }

  /** Its outlook if bits of registers change, and the bits that may change, by register. */
  #evaluate(vcpu: Vcpu, flip: Flip): { readonly found: Outlook; readonly changing: ReadonlyMap<string, bigint> } {
    const { view } = this, { externalAbort } = vcpu, changing = new Map<string, bigint>();
    let count = 0;
    const given = (key: string, register: Steady | undefined): bigint | undefined => {
      if (!register) return undefined;
      if (register.changing) changing.set(key, register.changing);
      return register.value ^ flip(key, register.changing, count++);
    };
    // Of a VM of which a CPU works only loops matter that read nothing, and handlers.
    const isBeside = this.#working.has(vcpu.addressSpace) && vcpu.registers.chain.length === 0;
    const found = view.system.symbols.core.questions.outlook(vcpu.registers, {
      signaled: (vcpu.gic.irq ? Pstate.I : 0) | (vcpu.gic.fiq ? Pstate.F : 0),
      expected: Pstate.I | (vcpu.gic.enablesGroup(0) ? Pstate.F : 0),
      answer: (call: AskedCall) =>
        call.immediate === 0 ? this.#answer(vcpu, call) : this.#polls(vcpu, call) ?? this.#refusal(vcpu, call.pc),
      register: (va, size) => given(`${va}/${size}`, deviceRegister(view, vcpu, va, size)),
      system: (name) => given(name, systemRegister(view, vcpu, name)),
      // As it was the last time: the instruction that asked, at that address.
      refused: (pc, va) => externalAbort?.pc === pc && externalAbort.far === va ? externalAbort.esr : undefined,
      limit: isBeside ? LOOKED_AT_BESIDE : LOOKED_AT,
    });
    return { found, changing };
  }

  /** X0 to X7 after an SMCCC call whose answer cannot change, which is noted. */
  #answer(vcpu: Vcpu, { pc, instruction, x }: AskedCall): readonly bigint[] | undefined {
    const answer = unchangingAnswer(vcpu, x, instruction);
    if (!answer) return undefined;
    const calls = this.#answered.get(vcpu) ?? new Map<bigint, AnsweredCall>(), bits = x[0] & SMC64 || answer[0] >> 32n ? 64 : 32;
    this.#answered.set(vcpu, calls.set(pc, { pc, instruction, x, answer: BigInt.asIntN(bits, answer[0]) }));
    return answer;
  }

  /** The SMCCC calls of a loop. */
  answered(vcpu: Vcpu, { first, last }: EndlessLoop): AnsweredCall[] {
    return [...this.#answered.get(vcpu)?.values() ?? []].filter(({ pc }) => pc >= first && pc <= last);
  }

  /** X0 to X7 after a hypercall that finds nothing in its queue or doorbell, which is noted. */
  #polls(vcpu: Vcpu, call: AskedCall): readonly bigint[] | undefined {
    const found = polledCall(vcpu, call), polled = this.#polled.get(vcpu) ?? new Map<bigint, PolledCall>();
    if (found) this.#polled.set(vcpu, polled.set(call.pc, found));
    return found?.answer;
  }

  /** The calls by which a loop polls queues and doorbells, and who has to act on each. */
  polled(vcpu: Vcpu, { first, last }: EndlessLoop): readonly (PolledCall & Pick<Waker, "raisers" | "gone">)[] {
    return [...this.#polled.get(vcpu)?.values() ?? []].filter(({ pc }) => pc >= first && pc <= last)
      .map((one) => ({ ...raisersOf(this.view, one.source, vcpu), ...one }));
  }

  /**
   * X0 to X7 after the hypercall at this address, if its last one was refused with an error that
   * lasts.
   */
  #refusal(vcpu: Vcpu, pc: bigint): readonly bigint[] | undefined {
    const asked = this.view.vcpuName(vcpu);
    const last = this.view.hypervisor.trace.reasons.list().findLast(({ askedBy, at }) => askedBy === asked && at === pc)?.chain.at(-1);
    if (!last || !LASTING.has(last.result.code)) return undefined;
    return answerOf(last.result.code);
  }

  /** Whether it remains a loop if these bits change: all, all in every other read, each alone. */
  #loopsAnyway(vcpu: Vcpu, changing: ReadonlyMap<string, bigint>): boolean {
    const bits = [...changing].flatMap(([key, mask]) => singleBits(mask).map((bit) => [key, bit] as const));
    if (bits.length > BITS_MAX) return false;
    const ways: Flip[] = [
      (_, mask) => mask,
      (_, mask, count) => count % 2 ? mask : 0n,
      ...bits.map(([one, bit]): Flip => (key) => key === one ? bit : 0n),
    ];
    return ways.every((flip) => this.#evaluate(vcpu, flip).found.kind === "loops");
  }

  /** Whether nothing can free a vCPU that loops or sleeps. */
  isStuck(vcpu: Vcpu): boolean {
    return this.#stuck.has(vcpu);
  }

  /** The vCPUs that could write memory that a loop reads. */
  writers(vcpu: Vcpu, loop: EndlessLoop): Vcpu[] {
    const spaces = new Set(loop.inputs.flatMap(({ pa }) => this.#writersOf(pa)));
    if (loop.calls > 0 && vcpu.addressSpace) spaces.add(vcpu.addressSpace);
    const others = new Set(this.polled(vcpu, loop).flatMap(({ raisers = [] }) => raisers));
    return this.view.vcpus().filter((one) =>
      one !== vcpu && !one.native && isLive(one) && one.addressSpace &&
      (spaces.has(one.addressSpace) || others.has(this.view.vmOf(one.addressSpace)))
    );
  }

  #writersOf(pa: number): ReturnType<typeof writersOf> {
    const page = pa - pa % 0x1000;
    let found = this.#writers.get(page);
    if (!found) this.#writers.set(page, found = writersOf(this.view, page));
    return found;
  }

  #canBeFreed(vcpu: Vcpu): boolean {
    const loop = this.loop(vcpu);
    if (loop) {
      if (this.#changeable.has(vcpu)) return true;
      if (this.writers(vcpu, loop).some((one) => !this.#stuck.has(one))) return true;
      if (this.polled(vcpu, loop).some(({ raisers }) => raisers?.some((vm) => this.#isVmFree(vm) || this.#isBetweenLives(vm)) ?? true)) {
        return true;
      }
      // A device of the VM may be about to write what it was asked for.
      if (loop.inputs.length > 0 && this.#mayWrite(vcpu)) return true;
      if (!loop.open) return false;
    }
    return this.#canBeInterrupted(vcpu);
  }

  /** Whether a device of its VM serves a request, or has room for what comes from outside. */
  #mayWrite(vcpu: Vcpu): boolean {
    if (isAnyBusy(this.view, vcpu)) return true;
    return slotsOf(this.view, this.view.vmNameOf(vcpu.addressSpace)).some((slot) => {
      const state = deviceState(this.view, slot);
      const senders = state?.code === "virtio-listens" ? sendersOf(this.view, slot)?.raisers : undefined;
      if (senders) return senders.some((vm) => this.#isVmFree(vm));
      // A device that raises no interrupt may still write.
      return !state || !isIdle(state) || state.code === "virtio-silent" && state.taken + state.available > 0;
    });
  }

  #canBeInterrupted(vcpu: Vcpu): boolean {
    const { timer, wakers, vm } = this.sleepOf(vcpu);
    if (timer) return true;
    if (wakers.some((waker) => isAble(waker) && (!waker.raisers || waker.raisers.some((one) => this.#isVmFree(one))))) return true;
    return hasEnabledSgi(vcpu) && this.#isVmFree(vm);
  }

  /** Whether a VM may still do anything. */
  #isVmFree(name: string): boolean {
    const own = this.view.vcpus().filter((one) => this.view.vmOf(one.addressSpace) === name);
    // One that is not there yet will be.
    return own.length === 0 || own.some((one) => this.#isFree(one));
  }

  /** Whether a VM has no vCPU that is on, and will be started again. */
  #isBetweenLives(name: string): boolean {
    const own = this.view.vcpus().filter((one) => this.view.vmOf(one.addressSpace) === name), isOver = !own.some(isLive);
    return isOver && !areTurnedOff(own) && absentOf(this.view, [name]).coming.length > 0;
  }

  /** Whether a vCPU may still do anything. */
  #isFree(vcpu: Vcpu): boolean {
    return isLive(vcpu) && !this.#stuck.has(vcpu);
  }

  /** The events that would wake a vCPU that sleeps. */
  sleepOf(vcpu: Vcpu): Sleep {
    let sleep = this.#sleeps.get(vcpu);
    if (!sleep) this.#sleeps.set(vcpu, sleep = sleepOf(this.view, this.view.vmOf(vcpu.addressSpace), [vcpu]));
    return sleep;
  }
}

/** Whether it is on, and has not come to its end. */
function isLive(vcpu: Vcpu): boolean {
  return isOnline(vcpu) && !vcpu.life.isBlockedBy(Block.Fault);
}

/** Whether another vCPU of its VM can interrupt it. */
function hasEnabledSgi({ gic: cpu }: Vcpu): boolean {
  const { flags } = cpu.gic.bank(cpu, 0);
  for (let intid = 0; intid < Intid.SgiEnd; intid++) if (flags[intid] & Irq.Enabled) return true;
  return false;
}

/** Whether its PSTATE masks interrupts. */
export function isMasked({ registers }: Vcpu): boolean {
  return (registers.pstate & Pstate.I) !== 0;
}
