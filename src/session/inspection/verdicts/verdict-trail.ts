// The trail of a VM that leads to its verdict, as evidence: its last refused call, its last access
// that nothing answered, its last SGI that reached no vCPU, its first exclusive or atomic access to
// Device memory, and its first use of a translation that an invalidation had missed.

import type { DeviceAtomicAccess } from "../../../cpu/core/interface.ts";
import type { Reason } from "../../../machine/abi/trace.ts";
import type { RefusedStart, Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { fits } from "../../../machine/hypervisor/options.ts";
import { type Evidence, injectedBy } from "../../../model/queries/facts/evidence.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import { irqId, nameOf, vcpuId, vcpuName, vmOfName, whyId } from "../../../model/queries/ids.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { View } from "../readers/inspected.ts";
import { readInstruction } from "../readers/guest/read-symbols.ts";
import { calledAt, rangeOf } from "../readers/guest/code-range.ts";
import { affinityOf } from "./loop-evidence.ts";
import { evidenceRule, isSick, type Patient, type Verdict } from "./verdict.ts";

/** vCPUs that are off. */
function poweredOff({ view, vcpus }: Patient): OfCode<Evidence, "vcpus-off">[] {
  const off = Map.groupBy(vcpus.filter((vcpu) => vcpu.life.isPoweredOff), ({ usage }) => usage.instructions > 0);
  return Array.from(off, ([started, ones]) => ({ code: "vcpus-off", vcpus: ones.map((one) => view.vcpu(one)), started }));
}

/** A CPU_ON that was refused. */
function refusedStart({ view, vcpus }: Patient): OfCode<Evidence, "start-refused">[] {
  const start = vcpus[0]?.attachments.vpmGroup?.refusedStart, by = vcpus.find(({ index }) => index === start?.vcpu);
  return start && by ? [startRefused(view, by, start, vcpus)] : [];
}

function startRefused(
  view: View,
  vcpu: Vcpu,
  { pc, mpidr, status }: RefusedStart,
  vcpus: readonly Vcpu[],
): OfCode<Evidence, "start-refused"> {
  const at = rangeOf(view, vcpu, calledAt(view, vcpu, pc));
  const mpidrs = vcpus.map(({ registers }) => hex(affinityOf(registers.getRegister("MPIDR_EL1"))));
  return { code: "start-refused", vcpu: view.vcpu(vcpu), at, mpidr: hex(mpidr), status, mpidrs };
}

/** Exclusive and atomic accesses to Device memory, which may fail on a CPU. */
function deviceAtomics({ view, vcpus }: Patient): OfCode<Evidence, "device-atomic">[] {
  return vcpus.flatMap((vcpu) => vcpu.registers.deviceAtomic ? [deviceAtomic(view, vcpu, vcpu.registers.deviceAtomic)] : []);
}

export function deviceAtomic(view: View, vcpu: Vcpu, { va, pc, because }: DeviceAtomicAccess): OfCode<Evidence, "device-atomic"> {
  return {
    code: "device-atomic",
    vcpu: view.vcpu(vcpu),
    at: rangeOf(view, vcpu, pc),
    address: hex(va),
    instruction: readInstruction(view, vcpu, pc) ?? null,
    because: because === "stage-1" ? "mair" : because,
  };
}

/** Uses of translations that the tables no longer held, with the invalidation that missed them. */
export function staleUses(view: View, vcpus: readonly Vcpu[]): OfCode<Evidence, "stale-translation">[] {
  return vcpus.flatMap((vcpu): OfCode<Evidence, "stale-translation">[] => {
    const use = vcpu.registers.staleUse;
    // Until then the vCPU may invalidate by itself, as an interprocessor interrupt asks for.
    if (!use?.forGood) return [];
    const { missed, pc, operand, cpu } = use.tlbi, place = (at: bigint) => rangeOf(view, vcpu, at);
    const by = view.vcpus().find((one) => one.addressSpace === vcpu.addressSpace && one.registers.getRegister("MPIDR_EL1") === cpu);
    return [{
      code: "stale-translation",
      vcpu: view.vcpu(vcpu),
      at: place(use.pc),
      address: hex(use.va),
      missed,
      tlbi: readInstruction(view, by ?? vcpu, pc) ?? "TLBI",
      by: by ? view.vcpu(by) : null,
      by_at: place(pc),
      operand: hex(operand),
    }];
  });
}

/** The last refusal of a VM that `counts`. Refusals name vCPUs as `VM/INDEX`. */
function refusedCall({ view, vm: { id } }: Patient, counts: (reason: Reason) => boolean): OfCode<Evidence, "refused">[] {
  const vm = nameOf(id);
  const own = view.hypervisor.trace.reasons.list().findLast((reason) =>
    reason.ended === undefined && reason.chain.length > 0 && vmOfName(reason.askedBy) === vm && counts(reason)
  );
  return own ? [{ code: "refused", why: whyId(own.id), call: own.chain.at(-1)!.name, rule: own.rule }] : [];
}

function unanswered({ view, vcpus }: Patient): OfCode<Evidence, "unanswered">[] {
  return vcpus.flatMap((vcpu): OfCode<Evidence, "unanswered">[] => {
    const { externalAbort: abort } = vcpu;
    if (!abort) return [];
    return [{ code: "unanswered", vcpu: view.vcpu(vcpu), at: rangeOf(view, vcpu, abort.pc), ipa: hex(abort.ipa) }];
  });
}

function lostSgi({ vm, vcpus: [vcpu] }: Patient): OfCode<Evidence, "lost-sgi">[] {
  const sgi = vcpu?.gic.gic.lostSgi, name = nameOf(vm.id);
  if (!sgi) return [];
  return [{
    code: "lost-sgi",
    irq: irqId(name, sgi.intid, sgi.from),
    from: vcpuId(vcpuName(name, sgi.from)),
    affinity: hex(sgi.affinity),
    wrong_group: sgi.wrongGroup,
  }];
}

/** Rules that have hit operations for which a VM may wait in vain; of interrupts, its own. */
function injectedInto({ view, vm: { id } }: Patient, { vain }: Verdict): OfCode<Evidence, "injected">[] {
  return view.hypervisor.faults.entries.flatMap((entry) => {
    const { rule: { kind, conditions, effect }, hits } = entry;
    if (hits === 0 || !vain?.operations.includes(kind) || effect.kind === "delay" || effect.kind === "double") return [];
    const isOfOther = kind === "virq" && conditions.some((one) => one.field === "vm" && !fits(one, { vm: nameOf(id) }));
    return isOfOther ? [] : [injectedBy(entry)];
  });
}

/** Trails of a sick VM that lives; an end has its own. */
const leadsTo = ({ vm }: Patient, verdict: Verdict) => vm.ended === null && isSick(verdict);

/** The same of a VM that waits, perhaps for one of its vCPUs. */
const leadsToWait = (patient: Patient, verdict: Verdict) => leadsTo(patient, verdict) && verdict.vain?.vcpus === true;

/** A VM that has ended in order. */
const hasLeft = ({ vm }: Patient, verdict: Verdict) => vm.ended !== null && !isSick(verdict);

/** A refused start of a vCPU in a VM that is healthy without it. */
export const START_EVIDENCE = [
  evidenceRule({
    codes: ["start-refused"],
    when: ({ vcpus }, verdict) => !isSick(verdict) && vcpus.some((vcpu) => vcpu.life.isPoweredOff),
    read: refusedStart,
  }),
];

/** Before what the loop of another vCPU reads, or a sleep: one that is off may have changed it. */
export const OFF_EVIDENCE = [evidenceRule({ codes: ["vcpus-off"], when: leadsToWait, read: poweredOff })];

export const TRAIL_EVIDENCE = [
  evidenceRule({ codes: ["refused"], when: leadsTo, read: (patient) => refusedCall(patient, () => true) }),
  // Nothing else shows that something had failed before.
  evidenceRule({ codes: ["refused"], when: hasLeft, read: (patient) => refusedCall(patient, ({ settled }) => !settled) }),
  evidenceRule({ codes: ["unanswered"], when: leadsTo, read: unanswered }),
  evidenceRule({ codes: ["lost-sgi"], when: leadsTo, read: lostSgi }),
  evidenceRule({ codes: ["start-refused"], when: leadsToWait, read: refusedStart }),
  evidenceRule({ codes: ["injected"], read: injectedInto }),
  evidenceRule({ codes: ["device-atomic"], read: deviceAtomics }),
  evidenceRule({ codes: ["stale-translation"], read: ({ view, vcpus }) => staleUses(view, vcpus) }),
  evidenceRule({
    codes: ["board"],
    read: ({ view, vm }) => view.system.boards.of(nameOf(vm.id)).map((finding) => ({ code: "board", finding })),
  }),
];
