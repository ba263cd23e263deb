// The trail of a VM that leads to its verdict, as evidence: its last refused call, its last access
// that nothing answered, its last SGI that reached no vCPU, its first exclusive or atomic access to
// Device memory, and its first use of a translation that an invalidation had missed.

import type { DeviceAtomicAccess } from "../../../cpu/core/interface.ts";
import type { RefusedStart, Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import type { VerdictFact } from "../../../model/queries/facts/verdict.ts";
import { irqId, nameOf, vcpuId, vcpuName, vmOfName, whyId } from "../../../model/queries/ids.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { View } from "../readers/inspected.ts";
import { readInstruction } from "../readers/guest/read-symbols.ts";
import type { VmFacts } from "../readers/objects/read-vms.ts";
import { rangeOf } from "./code-range.ts";

/** Trails of a VM that lives; an end has its own. */
export function trailOf(view: View, vm: VmFacts, vcpus: readonly Vcpu[], fact: VerdictFact): Evidence[] {
  if (vm.ended !== null) return [];
  return [
    ...refusedCall(view, nameOf(vm.id)),
    ...unanswered(view, vcpus, fact),
    ...lostSgi(nameOf(vm.id), vcpus),
    ...powerOf(view, vcpus, fact),
  ];
}

/** Verdicts on vCPUs that wait, perhaps for one that is off. */
const WAITING: ReadonlySet<VerdictFact["code"]> = new Set<VerdictFact["code"]>(["spins", "exit-loop", "no-wakeup", "source-idle"]);

/** vCPUs that are off, and a CPU_ON that was refused. */
function powerOf(view: View, vcpus: readonly Vcpu[], fact: VerdictFact): Evidence[] {
  if (!WAITING.has(fact.code)) return [];
  const off = Map.groupBy(vcpus.filter((vcpu) => vcpu.life.isPoweredOff), ({ usage }) => usage.instructions > 0);
  return [
    ...refusedStart(view, vcpus),
    ...Array.from(off, ([started, ones]): Evidence => ({ code: "vcpus-off", vcpus: ones.map((one) => view.vcpu(one)), started })),
  ];
}

/** A CPU_ON that was refused. */
export function refusedStart(view: View, vcpus: readonly Vcpu[]): Evidence[] {
  const start = vcpus[0]?.attachments.vpmGroup?.refusedStart, by = vcpus.find(({ index }) => index === start?.vcpu);
  return start && by ? [startRefused(view, by, start)] : [];
}

function startRefused(view: View, vcpu: Vcpu, { pc, mpidr, status }: RefusedStart): Evidence {
  // PC is after an HVC, and at an SMC.
  const at = readInstruction(view, vcpu, pc - 4n)?.startsWith("hvc") ? pc - 4n : pc;
  return { code: "start-refused", vcpu: view.vcpu(vcpu), at: rangeOf(view, vcpu, at, at, at), mpidr: hex(mpidr), status };
}

/** Exclusive and atomic accesses to Device memory, which may fail on a CPU. */
export function deviceAtomics(view: View, vcpus: readonly Vcpu[]): Evidence[] {
  return vcpus.flatMap((vcpu) => vcpu.registers.deviceAtomic ? [deviceAtomic(view, vcpu, vcpu.registers.deviceAtomic)] : []);
}

export function deviceAtomic(view: View, vcpu: Vcpu, { va, pc, because }: DeviceAtomicAccess): Evidence {
  return {
    code: "device-atomic",
    vcpu: view.vcpu(vcpu),
    at: rangeOf(view, vcpu, pc, pc, pc),
    address: hex(va),
    instruction: readInstruction(view, vcpu, pc) ?? null,
    because: because === "stage-1" ? "mair" : because,
  };
}

/** Uses of translations that the tables no longer held, with the invalidation that missed them. */
export function staleUses(view: View, vcpus: readonly Vcpu[]): Evidence[] {
  return vcpus.flatMap((vcpu): Evidence[] => {
    const use = vcpu.registers.staleUse;
    // Until then the vCPU may invalidate by itself, as an interprocessor interrupt asks for.
    if (!use?.forGood) return [];
    const { missed, pc, operand, cpu } = use.tlbi, place = (at: bigint) => rangeOf(view, vcpu, at, at, at);
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

/** Refusals name vCPUs as `VM/INDEX`. */
function refusedCall(view: View, vm: string): Evidence[] {
  const own = view.hypervisor.trace.reasons.list().findLast(({ askedBy, ended, chain }) =>
    ended === undefined && chain.length > 0 && vmOfName(askedBy) === vm
  );
  return own ? [{ code: "refused", why: whyId(own.id), call: own.chain.at(-1)!.name, rule: own.rule }] : [];
}

function unanswered(view: View, vcpus: readonly Vcpu[], fact: VerdictFact): Evidence[] {
  // The exception that a verdict tells is this one.
  if (fact.code === "crashed" || fact.code === "fault-loop") return [];
  return vcpus.flatMap((vcpu): Evidence[] => {
    const { externalAbort: abort } = vcpu;
    if (!abort) return [];
    return [{ code: "unanswered", vcpu: view.vcpu(vcpu), at: rangeOf(view, vcpu, abort.pc, abort.pc, abort.pc), ipa: hex(abort.ipa) }];
  });
}

function lostSgi(vm: string, [vcpu]: readonly Vcpu[]): Evidence[] {
  const sgi = vcpu?.gic.gic.lostSgi;
  if (!sgi) return [];
  return [{
    code: "lost-sgi",
    irq: irqId(vm, sgi.intid, sgi.from),
    from: vcpuId(vcpuName(vm, sgi.from)),
    affinity: hex(sgi.affinity),
    wrong_group: sgi.wrongGroup,
  }];
}
