// Verdicts on vCPUs that do not sleep: a handler that faults, a loop that nothing can end, a turn
// that does not come, a VMM that does not answer.

import {
  type EndlessLoop,
  ExceptionClass,
  exceptionClass,
  type KnownRegister,
  Pstate,
  type SeenWord,
} from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { Block } from "../../../machine/hypervisor/interface.ts";
import { nameOf, paId, pcpuId, vmOfName } from "../../../model/queries/ids.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { View } from "../readers/inspected.ts";
import { isInInterrupt } from "../readers/objects/read-irqs.ts";
import { readOwner } from "../readers/objects/read-memory.ts";
import { readInstruction, readWord } from "../readers/guest/read-symbols.ts";
import { causeOf } from "../causes/exception-cause.ts";
import { lastTaken } from "../causes/taken.ts";
import { isAbort, syndromeText } from "../trace/syndromes.ts";
import { deviceAt } from "./steady-registers.ts";
import { polledState } from "./source-states.ts";
import { isIdle } from "../../../model/queries/facts/source-state.ts";
import { loopEnd } from "../causes/loop-ends.ts";
import {
  barredSgis,
  inHandler,
  leftLocks,
  maskedPending,
  polledEnds,
  returnToItself,
  sameAnswers,
  unchanging,
  vainExclusives,
} from "./loop-evidence.ts";
import { isMasked, type Prospects } from "./prospects.ts";
import { isQuiet } from "../readers/objects/quiet.ts";
import { rangeOf } from "../readers/guest/code-range.ts";
import { callsOf } from "./verdict-end.ts";
import { isAsleep } from "./sleep.ts";
import { RING_OF_LOOPS } from "./wait-rings.ts";
import { evidenceRule, type Patient, type Verdict, verdictRule } from "./verdict.ts";
import { FAULT_KINDS, type FaultKind } from "../../../machine/abi/faults.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import type { LoopEnd } from "../../../model/queries/facts/loop-end.ts";
import type { CodeRange, VerdictFact } from "../../../model/queries/facts/verdict.ts";
import { hint } from "../../../kit/support/text/hint.ts";

/** Exceptions in a row with the same address and syndrome, without a return, that are a loop. */
const FAULTS = 500;
/**
 * Virtual time (ns) after which a vCPU that can run and does not is reported, if its rivals may
 * still make way, and a VMM that does not serve its vCPU, if the VMM executes instructions: nothing
 * shows what they do next. They decide when a verdict is given, not which one.
 */
const STARVED = 1e9, SERVED = 2e9;
/** Operations for which a vCPU may wait that its VMM does not serve. */
const OF_VMM: readonly FaultKind[] = ["hvc", "ioctl"];
/** Places that a verdict lists of those that a loop reads. */
const READS_LISTED = 4;

/** An exception that a vCPU has not returned from, or takes in each turn of a loop. */
interface Taken {
  readonly esr: number;
  readonly elr: bigint;
  readonly far: bigint | undefined;
  /** The level that raised it. */
  readonly el: 0 | 1;
}

/** The first exception that leads where a vCPU is now. */
function firstOf(view: View, vcpu: Vcpu, loop: EndlessLoop | undefined): Taken | undefined {
  const { chain, hasEl2 } = vcpu.registers;
  // With EL2, the exceptions at EL1 may be those of any of its guests.
  if (hasEl2) return undefined;
  if (chain.length > 0) return { ...withFar(Number(chain.esr & 0xffff_ffffn), chain), el: 1 };
  if (loop && loop.exceptions > 0) return { ...withFar(loop.esr, loop), el: loop.el };
  return loop && fromEl0(view, vcpu);
}

/**
 * The exception from EL0 in whose handler a vCPU is. After an interrupt at EL0 its syndrome is that
 * of an earlier one: no interrupt may be active, and the syndrome has to fit the instruction.
 */
function fromEl0(view: View, vcpu: Vcpu): Taken | undefined {
  const { registers } = vcpu, { entered } = registers, last = lastTaken(vcpu), ec = exceptionClass(last.esr);
  const wasAtEl0 = entered?.by === "return" && (entered.spsr & Pstate.ElMask) === 0 && isAtEl1(vcpu);
  if (!wasAtEl0 || last.el !== 0 || ec === ExceptionClass.Svc || isInInterrupt(vcpu) || !causeOf(view, vcpu, last)) return undefined;
  return { ...withFar(last.esr, last), el: 0 };
}

/** FAR is of some exceptions alone. */
function withFar(esr: number, { elr, far }: { readonly elr: bigint; readonly far: bigint }): Omit<Taken, "el"> {
  const hasFar = isAbort(esr) || exceptionClass(esr) === ExceptionClass.PcAlignment;
  return { esr, elr, far: hasFar ? far : undefined };
}

/** A handler that takes an exception again and again, or never returns from one. */
function crashed(view: View, vcpu: Vcpu, prospects: Prospects): Verdict<"crashed" | "fault-loop"> | undefined {
  const { chain } = vcpu.registers, loop = prospects.loop(vcpu), isStuck = prospects.isStuck(vcpu);
  const repeats = chain.length > 0 && chain.same >= FAULTS;
  const first = firstOf(view, vcpu, loop);
  if (!first || !repeats && !isStuck) return undefined;
  const id = view.vcpu(vcpu), { pc } = vcpu.registers, { elr } = first;
  const at = rangeOf(view, vcpu, elr), exception = syndromeText(first.esr);
  const cause = causeOf(view, vcpu, { ...first, far: first.far ?? 0n });
  const last = lastOf(vcpu, first),
    then = last ? { exception: syndromeText(last.esr), at: rangeOf(view, vcpu, last.elr) } : null;
  const causes = [cause, last && causeOf(view, vcpu, last)];
  const evidence: Evidence[] = [
    ...causes.flatMap((cause) => cause ? [{ code: "cause" as const, cause }] : []),
    { code: "esr", esr: hex(first.esr, 8) },
    ...first.far === undefined ? [] : [{ code: "far" as const, range: rangeOf(view, vcpu, first.far) }],
  ];
  // After a branch to nowhere there is no code to show: its caller is on the stack.
  const next = readWord(view, vcpu, elr) === undefined ? hint("vcpu stack", id) : hint("disasm", `${nameOf(id)}:${hex(elr)}`);
  // The exception that nothing answered is this one.
  const tells = ({ code }: Evidence) => code === "unanswered";
  if (repeats || loop && loop.exceptions > 0) {
    return { fact: { code: "fault-loop", vcpu: id, exception, at, then }, evidence, next, tells };
  }
  const handler = loop ? loopRange(view, vcpu, loop) : rangeOf(view, vcpu, pc);
  return { fact: { code: "crashed", vcpu: id, exception, at, handler, then }, evidence: [...evidence, masked(vcpu)], next, tells };
}

/** Whether a verdict is on a handler that faults, or does not return. */
export const isOfHandler = ({ code }: VerdictFact): boolean => code === "crashed" || code === "fault-loop";

/** The exception that came last, where it is another one. */
function lastOf(vcpu: Vcpu, { esr, elr }: Taken) {
  const last = lastTaken(vcpu);
  return vcpu.registers.chain.length < 2 || last.esr === esr && last.elr === elr ? undefined : last;
}

const isAtEl1 = ({ registers }: Vcpu): boolean => (registers.pstate & Pstate.ElMask) !== 0;

function masked(vcpu: Vcpu): Evidence {
  return { code: "masked", masked: isMasked(vcpu) };
}

/**
 * A loop that nothing can end: its state comes back, and nobody is left who could change what it
 * reads.
 */
function spins({ view, vm, irqs, others }: Patient, vcpu: Vcpu): Verdict<"spins" | "exit-loop" | "wfi-returns"> | undefined {
  const { prospects } = others, loop = prospects.loop(vcpu);
  if (!loop || !prospects.isStuck(vcpu) || isParked(view, vcpu, prospects, loop)) return undefined;
  const id = view.vcpu(vcpu), range = loopRange(view, vcpu, loop), next = hint("disasm", `${nameOf(id)}:pc`);
  if (loop.sleeps) {
    const at = hex(waitAt(view, vcpu, loop) ?? vcpu.registers.pc);
    const mask = vcpu.gic.irq ? "I" : "F";
    return { fact: { code: "wfi-returns", vcpu: id, at, mask }, evidence: [masked(vcpu)], next: hint("irq ls", vmOfName(nameOf(id))) };
  }
  const evidence = [
    ...polledEnds(view, vcpu, prospects, loop),
    ...sameAnswers(view, vcpu, prospects, loop),
    ...vainExclusives(view, vcpu, loop, prospects),
    ...leftLocks(view, vcpu, loop, others),
    ...barredSgis(irqs),
    ...inHandler(view, vcpu, loop),
    ...unchanging(view, vcpu, loop),
    ...readsOf(view, vcpu, loop),
    masked(vcpu),
  ];
  const vain = { operations: FAULT_KINDS, vcpus: true } as const;
  if (loop.calls > 0) return { fact: { code: "exit-loop", vcpu: id, range }, evidence, next, vain };
  const reads = loop.inputs.length + loop.registers.length, asked = reads === 0 ? levelAsked(view, vcpu, loop) : undefined;
  const cause = polledBy(view, vcpu, loop) ?? returnToItself(view, vcpu, loop);
  // No handler of an interrupt ends a loop that waits for nothing.
  const pending = reads > 0 || !isAtEl1(vcpu) ? maskedPending(view, vcpu, vm.id) : [];
  return {
    fact: { code: "spins", vcpu: id, range, reads, asked: asked === undefined ? null : hex(asked) },
    tells: (one) => one.code === "finding" && evidence.some((other) => other.code === "barred-sgi" && other.irq === one.irq),
    evidence: [...cause ? [] : sourcesOf(prospects, vcpu, loop), ...pending, ...evidence],
    next,
    vain,
    ...cause && { cause },
  };
}

/**
 * MRS CurrentEL, for any register; bytes around a loop in which it is sought; instructions from it
 * to the loop.
 */
const MRS_CURRENT_EL = 0xd538_4240, RT_MASK = 0x1f, NEAR = 0x400n, WAY = 256;

/** Where code reads CurrentEL that leads to a loop by registers alone. */
function levelAsked(view: View, vcpu: Vcpu, { first, last }: EndlessLoop): bigint | undefined {
  const { questions } = view.system.symbols.core;
  for (let from = first > NEAR ? first - NEAR : 0n; from <= last + NEAR; from += 4n) {
    const word = readWord(view, vcpu, from);
    if (word === undefined || (word & ~RT_MASK) >>> 0 !== MRS_CURRENT_EL) continue;
    const found = questions.outlook(vcpu.registers, { signaled: 0, expected: Pstate.I, limit: WAY, from });
    if (found.kind === "loops" && found.calls === 0 && found.first === first && found.last === last) return from;
  }
  return undefined;
}

/**
 * A CPU that was told to stay where it is, while others of its VM work: it waits, and reads
 * nothing.
 */
function isParked(view: View, vcpu: Vcpu, prospects: Prospects, { yields, inputs }: EndlessLoop): boolean {
  if (!yields || inputs.length > 0) return false;
  return view.vcpus().some((one) =>
    one !== vcpu && one.addressSpace === vcpu.addressSpace && !one.life.isPoweredOff && !prospects.isStuck(one)
  );
}

/** The WFI of a loop. */
function waitAt(view: View, vcpu: Vcpu, { first, last }: EndlessLoop): bigint | undefined {
  for (let at = first; at <= last; at += 4n) if (readInstruction(view, vcpu, at) === "wfi") return at;
  return undefined;
}

/** A loop's code is named by its first instruction, wherever in it the vCPU is. */
function loopRange(view: View, vcpu: Vcpu, { first, last }: EndlessLoop): CodeRange {
  return rangeOf(view, vcpu, first, last);
}

/** The device whose ring a loop reads, and which does not serve it. */
function polledBy(view: View, vcpu: Vcpu, { inputs }: EndlessLoop): Evidence | undefined {
  for (const { va, size } of inputs) {
    const { ipa } = view.system.symbols.core.questions.inspect(vcpu.registers, va);
    const state = polledState(view, view.vmNameOf(vcpu.addressSpace), ipa, size);
    if (state) return { code: "polled-device", vcpu: view.vcpu(vcpu), range: rangeOf(view, vcpu, va), state };
  }
  return undefined;
}

/** Sources whose interrupts would end a loop that handlers may end, and which need their driver. */
function sourcesOf(prospects: Prospects, vcpu: Vcpu, loop: EndlessLoop): Evidence[] {
  if (!loop.open || loop.inputs.length === 0) return [];
  return prospects.sleepOf(vcpu).wakers.flatMap(({ wait, state }): Evidence[] =>
    state && isIdle(state) ? [{ code: "wakeup", wait, state }] : []
  );
}

/** Registers and memory that a loop reads. */
function readsOf(view: View, vcpu: Vcpu, loop: EndlessLoop): Evidence[] {
  const { inputs, registers } = loop;
  return [
    ...registers.slice(0, READS_LISTED).map((register) => readsRegister(view, vcpu, loop, register)),
    ...inputs.slice(0, READS_LISTED).map((word) => reads(view, vcpu, word, loopEnd(view, vcpu, loop, word))),
  ];
}

function readsRegister(view: View, vcpu: Vcpu, loop: EndlessLoop, { name, va, size, value }: KnownRegister): Evidence {
  const until = loopEnd(view, vcpu, loop, va === undefined ? { name: name ?? "", size } : { va, size }) ?? null;
  const shown = { code: "reads-register" as const, value: hex(value, 2 * size), until };
  if (va === undefined) return { ...shown, register: name ?? "", of: null, name: null };
  const { ipa } = view.system.symbols.core.questions.inspect(vcpu.registers, va);
  return { ...shown, register: hex(ipa), ...deviceAt(view, vcpu, ipa, size) };
}

/** Memory that a loop reads, and the VMs that could change it. */
function reads(view: View, vcpu: Vcpu, { va, pa, size, value }: SeenWord, until: LoopEnd | undefined): Evidence {
  const [page] = readOwner(view, paId(pa));
  return {
    code: "reads",
    range: rangeOf(view, vcpu, va),
    pa: paId(pa),
    value: hex(value, 2 * size),
    until: until ?? null,
    mapped: page?.mapped ?? [],
  };
}

/** A vCPU that can run and does not get a CPU, as others of its CPU run. */
function starves(view: View, vcpu: Vcpu, prospects: Prospects): Verdict<"starved"> | undefined {
  const time = view.now - vcpu.usage.ranUntil;
  // A vCPU that yielded its turn to another has been scheduled.
  if (!vcpu.life.isRunnable || vcpu.turn.yieldTo) return undefined;
  const { affinity, priority } = vcpu.settings;
  const rivals = view.vcpus().filter((one) =>
    one !== vcpu && one.settings.affinity === affinity && one.usage.ranUntil > vcpu.usage.ranUntil
  );
  // An endless loop of a higher priority leaves it no turn.
  const isHopeless = rivals.some((one) => one.settings.priority > priority && prospects.loop(one) && prospects.isStuck(one));
  if (rivals.length === 0 || time < STARVED && !isHopeless) return undefined;
  return {
    fact: { code: "starved", vcpu: view.vcpu(vcpu), for_ns: time },
    evidence: [
      { code: "priority", priority },
      {
        code: "rivals",
        pcpu: pcpuId(affinity),
        rivals: rivals.map((one) => ({ vcpu: view.vcpu(one), priority: one.settings.priority })),
      },
    ],
    next: hint("show", view.vcpu(vcpu)),
  };
}

/** Whether a VMM is not about to serve its vCPU, or has kept it waiting for too long. */
const isLate = (view: View, { usage }: Vcpu) => isQuiet(view) || view.now - usage.ranUntil >= SERVED;

/** The call that the VMM of a vCPU's VM is in. */
function vmmCall(view: View, { addressSpace }: Vcpu): Evidence[] {
  const [call] = callsOf(view, view.vmNameOf(addressSpace));
  return call ? [{ code: "in-progress", call: call.name, of: call.vcpu }] : [];
}

/** A vCPU that could run if its VMM did its part. */
function unserved(view: View, vcpu: Vcpu): Verdict<"vmm-silent" | "vmm-absent"> | undefined {
  const { vmmio } = vcpu.life, id = view.vcpu(vcpu), since_ns = Math.max(0, view.now - vcpu.usage.ranUntil);
  if (!isLate(view, vcpu) || vcpu.life.isBlockedBy(Block.Wfi | Block.Suspend) && !vmmio) return undefined;
  const how = { evidence: vmmCall(view, vcpu), next: hint("show", id), vain: { operations: OF_VMM } };
  if (vmmio) return { fact: { code: "vmm-silent", vcpu: id, access: { write: vmmio.write, ipa: hex(vmmio.ipa) }, since_ns }, ...how };
  return vcpu.life.isBlockedBy(Block.Run) ? { fact: { code: "vmm-absent", vcpu: id, since_ns }, ...how } : undefined;
}

/** The access for which an awake vCPU waits. */
function waitsForVmm(view: View, vcpu: Vcpu): Verdict<"waits-for-vmm"> | undefined {
  const { vmmio } = vcpu.life;
  if (!vmmio) return undefined;
  const access = { write: vmmio.write, ipa: hex(vmmio.ipa) }, since_ns = Math.max(0, view.now - vcpu.usage.ranUntil);
  return { fact: { code: "waits-for-vmm", vcpu: view.vcpu(vcpu), access, since_ns } };
}

/** A loop of an awake vCPU that something may end. */
function waitsInLoop(view: View, vcpu: Vcpu, prospects: Prospects): Verdict<"waits-in-loop"> | undefined {
  const loop = prospects.loop(vcpu);
  if (!loop) return undefined;
  return {
    fact: {
      code: "waits-in-loop",
      vcpu: view.vcpu(vcpu),
      range: loopRange(view, vcpu, loop),
      interruptible: loop.open,
      writers: prospects.writers(vcpu, loop).map((one) => view.vcpu(one)),
    },
    evidence: [...polledEnds(view, vcpu, prospects, loop), ...unchanging(view, vcpu, loop), ...readsOf(view, vcpu, loop)],
  };
}

/** A loop of an awake vCPU that the time ends; those of a driver's delay are over at once. */
function waitsForCounter(view: View, vcpu: Vcpu, prospects: Prospects): Verdict<"waits-for-counter"> | undefined {
  const found = prospects.counterWait(vcpu);
  return found &&
    { fact: { code: "waits-for-counter", vcpu: view.vcpu(vcpu), range: loopRange(view, vcpu, found.loop), for_ns: found.for_ns } };
}

/** The first vCPU of a VM that does not sleep. */
const awakeOf = ({ online }: Patient): Vcpu => online.find((vcpu) => !isAsleep(vcpu)) ?? online[0];

/** The one word that an endless loop reads, with the value that would end it. */
export const LOOP_EVIDENCE = [
  evidenceRule({
    codes: ["unwritten"],
    when: (_, { fact }) => fact.code === "spins" && fact.reads === 1,
    read: (_, { evidence = [] }) =>
      evidence.flatMap((one) => {
        if (one.code !== "reads" || one.until === null) return [];
        const { range, pa, value, until } = one;
        return [{ code: "unwritten" as const, range, pa, value, until }];
      }),
  }),
];

/** Defects of vCPUs, from what causes others to what follows. */
export const VCPU_RULES = [
  verdictRule({
    codes: ["crashed", "fault-loop"],
    of: "vcpu",
    judge: ({ view, others }, vcpu) => crashed(view, vcpu, others.prospects),
  }),
  verdictRule({ codes: ["vmm-silent", "vmm-absent"], of: "vcpu", judge: ({ view }, vcpu) => unserved(view, vcpu) }),
  RING_OF_LOOPS,
  verdictRule({
    codes: ["spins", "exit-loop", "wfi-returns"],
    of: "vcpu",
    judge: spins,
  }),
  verdictRule({ codes: ["starved"], of: "vcpu", judge: ({ view, others }, vcpu) => starves(view, vcpu, others.prospects) }),
];

/** The work of a VM that does not sleep. */
export const WORK_RULES = [
  verdictRule({ codes: ["waits-for-vmm"], of: "vm", judge: (patient) => waitsForVmm(patient.view, awakeOf(patient)) }),
  verdictRule({
    codes: ["waits-in-loop"],
    of: "vm",
    judge: (patient) => waitsInLoop(patient.view, awakeOf(patient), patient.others.prospects),
  }),
  verdictRule({
    codes: ["waits-for-counter"],
    of: "vm",
    judge: (patient) => waitsForCounter(patient.view, awakeOf(patient), patient.others.prospects),
  }),
  verdictRule({ codes: ["runs"], of: "vm", judge: (patient) => ({ fact: { code: "runs", vcpu: patient.view.vcpu(awakeOf(patient)) } }) }),
];
