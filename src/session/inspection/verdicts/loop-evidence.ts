// Why a loop of a vCPU does not end: a return to itself, a store-exclusive that cannot succeed, a
// lock that it holds itself, calls that are answered the same each time, queues and doorbells that
// nobody uses, an interrupt that PSTATE masks, a lock that a VM had taken at its end.

import { type EndlessLoop, Pstate, type SeenWord } from "../../../cpu/core/interface.ts";
import { functionName, Icc, Intid, type Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import { isBarrier } from "../../../model/queries/facts/irq-finding.ts";
import { irqId, nameOf, paId } from "../../../model/queries/ids.ts";
import { rangeOf } from "../readers/guest/code-range.ts";
import { readInstruction, readWord } from "../readers/guest/read-symbols.ts";
import type { View } from "../readers/inspected.ts";
import { type FoundIrq, isInInterrupt } from "../readers/objects/read-irqs.ts";
import { readOwner } from "../readers/objects/read-memory.ts";
import { loopExits } from "../causes/loop-ends.ts";
import { endedAt, endedSharers } from "../readers/objects/absent-peers.ts";
import type { AnsweredCall, Prospects } from "./prospects.ts";
import { isAsleep } from "./sleep.ts";
import type { OtherVms } from "./verdict.ts";

/** RET, by X30; BL, and BLR without its register. */
const RET = 0xd65f_03c0, LINK = 30;
const isCall = (word: number) => (word & 0xfc00_0000) >>> 0 === 0x9400_0000 || (word & 0xffff_fc1f) >>> 0 === 0xd63f_0000;

/** A RET at the end of a loop that returns to its begin, as the call before that has set X30. */
export function returnToItself(view: View, vcpu: Vcpu, { first, last }: EndlessLoop): OfCode<Evidence, "returns-to-itself"> | undefined {
  const before = readWord(view, vcpu, first - 4n);
  if (readWord(view, vcpu, last) !== RET || vcpu.registers.getX(LINK) !== first || before === undefined || !isCall(before)) {
    return undefined;
  }
  return { code: "returns-to-itself", vcpu: view.vcpu(vcpu), at: rangeOf(view, vcpu, last), call: rangeOf(view, vcpu, first - 4n) };
}

/** Compare and swap, and atomic loads with an operation (Arm ARM C4.1.94): they take locks, too. */
const CAS_MASK = 0x3fa0_7c00, CAS = 0x08a0_7c00, ATOMIC_MASK = 0x3f20_0c00, ATOMIC = 0x3820_0000;
const isAtomic = (word: number) => (word & CAS_MASK) >>> 0 === CAS || (word & ATOMIC_MASK) >>> 0 === ATOMIC;
/** Load- and store-exclusives of one register or two (Arm ARM C4.1.94): bit 22 is the load. */
const EXCLUSIVE_MASK = 0x3f80_0000, EXCLUSIVE = 0x0800_0000, IS_LOAD = 1 << 22, RN_SHIFT = 5, RN_MASK = 0x1f, SP = 31;

/** A load- or store-exclusive of a loop, and the address that it is for. */
interface Exclusive {
  readonly at: bigint;
  readonly isLoad: boolean;
  readonly address: bigint;
}

/** Exclusive and atomic accesses of a loop: its load of memory that it reads, and a store. */
function exclusivesOf(view: View, vcpu: Vcpu, loop: EndlessLoop): { readonly load?: Exclusive; readonly store?: Exclusive } {
  const found: Exclusive[] = [];
  for (let at = loop.first; at <= loop.last; at += 4n) {
    const word = readWord(view, vcpu, at) ?? 0, register = word >>> RN_SHIFT & RN_MASK;
    const isExclusive = (word & EXCLUSIVE_MASK) >>> 0 === EXCLUSIVE;
    if (register === SP || !isExclusive && !isAtomic(word)) continue;
    found.push({ at, isLoad: !isExclusive || (word & IS_LOAD) !== 0, address: vcpu.registers.getX(register) });
  }
  return {
    load: found.find(({ isLoad, address }) => isLoad && loop.inputs.some(({ va }) => va === address)),
    store: found.find(({ isLoad }) => !isLoad),
  };
}

/** Whether a store is not to the place that the load has reserved. */
const isStray = (load: Exclusive, store: Exclusive | undefined): store is Exclusive =>
  store !== undefined && store.address !== load.address;

/** Why a loop does not end by its exclusives, of which the load is one of memory that it reads. */
export function vainExclusives(
  view: View,
  vcpu: Vcpu,
  loop: EndlessLoop,
  prospects: Prospects,
): OfCode<Evidence, "stray-exclusive" | "own-lock" | "taken-locks">[] {
  const { load, store } = exclusivesOf(view, vcpu, loop);
  if (!load) return [];
  return isStray(load, store)
    ? strayStore(view, vcpu, load, store)
    : [...ownLock(view, vcpu, load, loop), ...takenLocks(view, vcpu, prospects)];
}

/** The locks for which all vCPUs of a VM that are on wait: none is left that could release one. */
function takenLocks(view: View, { addressSpace }: Vcpu, prospects: Prospects): OfCode<Evidence, "taken-locks">[] {
  const on = view.vcpus().filter((one) => one.addressSpace === addressSpace && !one.life.isPoweredOff), name = view.vmNameOf(addressSpace);
  const waits = on.flatMap((one) => {
    const loop = prospects.isStuck(one) ? prospects.loop(one) : undefined, { load, store } = loop ? exclusivesOf(view, one, loop) : {};
    const word = !load || isStray(load, store) ? undefined : loop?.inputs.find(({ va, value }) => va === load.address && value !== 0n);
    return word
      ? [{ vcpu: view.vcpu(one), lock: rangeOf(view, one, word.va), place: `${name}:${hex(word.va)}`, value: hex(word.value) }]
      : [];
  });
  return on.length > 1 && waits.length === on.length ? [{ code: "taken-locks", waits }] : [];
}

/** A store-exclusive to another address than the load-exclusive has reserved. */
function strayStore(view: View, vcpu: Vcpu, load: Exclusive, store: Exclusive): OfCode<Evidence, "stray-exclusive">[] {
  return [{
    code: "stray-exclusive",
    at: rangeOf(view, vcpu, store.at),
    instruction: readInstruction(view, vcpu, store.at) ?? "",
    address: hex(store.address),
    reserved: hex(load.address),
  }];
}

/** A lock that a loop takes, and that only its own vCPU can have taken: its VM has no other one. */
function ownLock(view: View, vcpu: Vcpu, load: Exclusive, { inputs }: EndlessLoop): OfCode<Evidence, "own-lock">[] {
  const word = inputs.find(({ va }) => va === load.address);
  const isAlone = view.vcpus().every((one) => one === vcpu || one.addressSpace !== vcpu.addressSpace);
  if (!word || word.value === 0n || !isAlone || isShared(view, word)) return [];
  return [{
    code: "own-lock",
    at: rangeOf(view, vcpu, load.at),
    lock: rangeOf(view, vcpu, word.va),
    value: hex(word.value),
    vcpu: view.vcpu(vcpu),
    interrupted: isInInterrupt(vcpu) ? rangeOf(view, vcpu, vcpu.registers.getRegister("ELR_EL1")) : null,
  }];
}

/** A lock that a loop takes, and that is taken. */
export function lockOf(view: View, vcpu: Vcpu, loop: EndlessLoop): SeenWord | undefined {
  const { load, store } = exclusivesOf(view, vcpu, loop);
  return load && !isStray(load, store) ? loop.inputs.find(({ va, value }) => va === load.address && value !== 0n) : undefined;
}

/**
 * A loop in the handler of an interrupt that reads memory of a VM without another CPU: perhaps the
 * interrupted code would write it. A lock says so itself.
 */
export function inHandler(view: View, vcpu: Vcpu, loop: EndlessLoop): OfCode<Evidence, "in-handler">[] {
  const isAlone = view.vcpus().every((one) => one === vcpu || one.addressSpace !== vcpu.addressSpace || one.life.isPoweredOff);
  if (!isInInterrupt(vcpu) || !isAlone || loop.open || loop.inputs.length === 0 || lockOf(view, vcpu, loop)) return [];
  return [{ code: "in-handler", interrupted: rangeOf(view, vcpu, vcpu.registers.getRegister("ELR_EL1")) }];
}

/** The branch that would leave a loop which reads nothing, and makes no call. */
export function unchanging(view: View, vcpu: Vcpu, loop: EndlessLoop): OfCode<Evidence, "unchanging">[] {
  if (loop.inputs.length + loop.registers.length + loop.calls + loop.exceptions > 0 || loop.sleeps) return [];
  const [exit, ...others] = loopExits(view, vcpu, loop);
  if (!exit || others.length > 0) return [];
  const { at, instruction, registers } = exit;
  return [{
    code: "unchanging",
    at: rangeOf(view, vcpu, at),
    instruction,
    registers: registers.map(({ name, value }) => ({ name, value: hex(value) })),
  }];
}

/** Calls of a loop that are answered the same each time. */
export function sameAnswers(view: View, vcpu: Vcpu, prospects: Prospects, loop: EndlessLoop): Evidence[] {
  return prospects.answered(vcpu, loop).map((call): Evidence => {
    const { pc, instruction, x, answer } = call, id = Number(x[0] & 0xffff_ffffn), at = rangeOf(view, vcpu, pc);
    if (answer === -1n) return { code: "unserved-call", instruction, function: hex(id), at };
    const other = askedAbout(view, vcpu, call);
    return {
      code: "same-answer",
      instruction,
      function: functionName(id) ?? hex(id),
      argument: hex(x[1]),
      at,
      answer: String(answer),
      other: other ? { vcpu: view.vcpu(other), asleep: isAsleep(other) } : null,
    };
  });
}

/** The calls by which a loop polls queues and doorbells, with the other end of each. */
export function polledEnds(view: View, vcpu: Vcpu, prospects: Prospects, loop: EndlessLoop): OfCode<Evidence, "polls">[] {
  return prospects.polled(vcpu, loop).map(({ pc, call, object, until, raisers = [], gone: [gone] }) => {
    const [by = gone ?? null] = raisers;
    return { code: "polls", call, at: rangeOf(view, vcpu, pc), through: view.object(object), until, by, ended: by !== null && by === gone };
  });
}

/** Aff3 to Aff0 of an MPIDR. */
export const affinityOf = (mpidr: bigint) => mpidr & 0xff_00ff_ffffn;

/** The vCPU that AFFINITY_INFO asks about, if it is on. */
function askedAbout(view: View, vcpu: Vcpu, { x, answer }: AnsweredCall): Vcpu | undefined {
  if (functionName(Number(x[0] & 0xffff_ffffn)) !== "AFFINITY_INFO" || answer !== 0n) return undefined;
  return view.vcpus().find((one) =>
    one.addressSpace === vcpu.addressSpace && affinityOf(one.registers.getRegister("MPIDR_EL1")) === affinityOf(x[1])
  );
}

/** An interrupt that a vCPU in an endless loop does not take, as its PSTATE masks it. */
export function maskedPending(view: View, vcpu: Vcpu, vm: string): OfCode<Evidence, "masked-pending">[] {
  const { gic } = vcpu, mask = gic.fiq ? "F" : "I";
  const intid = gic.readRegister(gic.fiq ? Icc.HPPIR0 : Icc.HPPIR1) ?? Intid.Spurious;
  if (!(vcpu.registers.pstate & Pstate[mask]) || !gic.hasInterrupt || intid >= Intid.Spurious) return [];
  return [{ code: "masked-pending", irq: irqId(nameOf(vm), intid, vcpu.index), vcpu: view.vcpu(vcpu), mask }];
}

/** SGIs that are pending, and that their vCPUs do not take: nobody else sends them again. */
export function barredSgis(irqs: readonly FoundIrq[]): OfCode<Evidence, "barred-sgi">[] {
  return irqs.flatMap(({ id, intid, pend, fact, then }) =>
    intid < Intid.SgiEnd && pend && fact && isBarrier(fact) ? [{ code: "barred-sgi", irq: id, finding: fact, then }] : []
  );
}

/** Whether memory is part of a parcel. */
const isShared = (view: View, { pa }: SeenWord) => readOwner(view, paId(pa)).some(({ parcel }) => parcel !== null);

/** A lock in shared memory that is taken, and VMs that share it and have ended. */
export function leftLocks(view: View, vcpu: Vcpu, loop: EndlessLoop, others: OtherVms): OfCode<Evidence, "left-lock">[] {
  const { load } = exclusivesOf(view, vcpu, loop), lock = lockOf(view, vcpu, loop);
  if (!load || !lock) return [];
  return endedSharers(view, view.vmOf(vcpu.addressSpace), lock).flatMap((vm): OfCode<Evidence, "left-lock">[] => {
    const fact = others.verdictOn(vm)?.fact, ended_ns = endedAt(view, vm);
    if (!fact || ended_ns === null) return [];
    const { size, pa, va, value } = lock, at = rangeOf(view, vcpu, load.at), ended = { vm, fact, ended_ns };
    return [{ code: "left-lock", ...ended, at, lock: rangeOf(view, vcpu, va), size, pa: paId(pa), value: hex(value) }];
  });
}
