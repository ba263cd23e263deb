// The verdict on each VM: what it does or waits for, and whether that can continue. Each verdict
// has its evidence and the next command. A VM that looks healthy gets a healthy verdict.

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { conId, nameOf } from "../../../model/queries/ids.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { isBarrier } from "../../../model/queries/facts/irq-finding.ts";
import type { DIAGNOSES, VMS } from "../../../model/queries/tables.ts";
import { isHealthy } from "../../../model/queries/facts/verdict-words.ts";
import { kernelHang, kernelVerdict, notesOf, panicOf, remarksOn, showsPanic, stageOf } from "../kernels/kernels.ts";
import { Vmid } from "../readers/guest-names.ts";
import type { View } from "../readers/inspected.ts";
import { type FoundIrq, readIrqFindings } from "../readers/objects/read-irqs.ts";
import { readVmFacts, type VmFacts } from "../readers/objects/read-vms.ts";
import type { Verdict } from "./verdict.ts";
import { ended, hasEndedMachine, isEnding, restarting, starting, switchedOff } from "./verdict-end.ts";
import {
  deadlocked,
  isAsleep,
  isOnline,
  isUnneeded,
  type Others,
  type Sleep,
  sleepOf,
  stuckOf,
  unasked,
  unended,
  unheard,
  unread,
  waiting,
} from "./verdict-sleep.ts";
import { deviceAtomics, refusedStart, staleUses, trailOf } from "./verdict-trail.ts";
import { misplaced } from "./described.ts";
import { dropped, otherGic } from "./verdict-gic.ts";
import { peerless, undelivered } from "./verdict-messages.ts";
import { Prospects } from "./prospects.ts";
import type { DriverProgress } from "../../../model/queries/facts/source-state.ts";
import { driverProgress } from "../readers/objects/driver-progress.ts";
import { slotsOf } from "./source-states.ts";
import { crashed, spins, starves, unserved, working } from "./verdict-work.ts";
import { injectedInto, wayOutOf } from "./way-out.ts";
import type { BootFinding } from "../../../model/queries/facts/boot-finding.ts";
import { EVIDENCE, type Evidence, evidenceLine } from "../../../model/queries/facts/evidence.ts";
import { VERDICT_FACTS, type VerdictFact, wordOf } from "../../../model/queries/facts/verdict.ts";
import { hex } from "../../../kit/support/text/number-text.ts";

/** Findings about interrupts that a verdict lists. */
const FINDINGS_LISTED = 4;

/** The primary VM's console. */
const PRIMARY = "host";
/** Digits of a hash that a verdict shows. */
const DIGITS = 12;

type Diagnosis = RowOf<typeof DIAGNOSES>;

/** A VM with what the verdict on it follows from. */
interface Patient {
  readonly vm: VmFacts;
  readonly vcpus: readonly Vcpu[];
  /** Those of its vCPUs that are powered on. */
  readonly online: readonly Vcpu[];
  readonly irqs: readonly FoundIrq[];
}

/** The verdict on one vCPU, if a rule has one. Rules see evidence and state, and nothing else. */
type VcpuRule = (view: View, vcpu: Vcpu, prospects: Prospects) => Verdict | undefined;

/** From what causes others to what follows: the first that speaks is the VM's verdict. */
const VCPU_RULES: readonly VcpuRule[] = [crashed, unserved, spins, starves];

/** Knowledge of all of them. */
interface Patients extends Others {
  readonly prospects: Prospects;
  /** Those that failed, or ended by a fault: nobody serves their queues. */
  readonly dead: ReadonlySet<string>;
}

/** A verdict for each VM that runs guests' instructions, or did. */
export function readDiagnoses(view: View): Diagnosis[] {
  const vms = readVmFacts(view);
  const primary = vms.find(({ vmid }) => vmid === hex(Vmid.Primary))?.id;
  const notes = notesOf(view.system.consoles.tail(PRIMARY));
  return diagnose(view, vms).map((row) => row.id === primary && row.healthy ? notes.reduce(withNote, row) : row);
}

/** The VMs, each with its verdict, if any. */
export function readVms(view: View): RowOf<typeof VMS>[] {
  const vms = readVmFacts(view);
  const verdicts = new Map(diagnose(view, vms).map((row) => [row.id, row]));
  return vms.map((vm) => {
    const { verdict = null, healthy = true, text = null } = verdicts.get(vm.id) ?? {};
    return { ...vm, verdict, healthy, doing: text };
  });
}

function diagnose(view: View, vms: readonly VmFacts[]): Diagnosis[] {
  const all = view.vcpus();
  const irqs = Map.groupBy(readIrqFindings(view), ({ vm }) => vm);
  const patients = vms.flatMap((vm): Patient[] => {
    const vcpus = all.filter((vcpu) => view.vmOf(vcpu.addressSpace) === vm.id);
    if (vcpus.some(({ native }) => native)) return [];
    const online = vcpus.filter(isOnline);
    return [{ vm, vcpus, online, irqs: irqs.get(vm.id) ?? [] }];
  });
  const prospects = new Prospects(view);
  const asleep = new Map(
    patients.filter(({ online }) => online.length > 0 && online.every(isAsleep)).map((
      { vm, online },
    ) => [vm.id, online.length === 1 ? prospects.sleepOf(online[0]) : sleepOf(view, vm.id, online)]),
  );
  const known = { asleep, failed: new Set(patients.filter(({ vm }) => vm.state === "failed").map(({ vm }) => vm.id)) };
  const dead = new Set(
    patients.filter(({ vm }) => vm.state === "failed" || vm.ended !== null && wordOf(ended(view, vm).fact) === "failed").map(({ vm }) =>
      vm.id
    ),
  );
  const others: Patients = { ...known, stuck: stuckOf(known), dead, prospects };
  return patients.map((patient) => {
    const judged = verdictOf(view, patient, others), { fact, evidence = [], next } = judged;
    const verdict = wordOf(fact), healthy = isHealthy(verdict), text = VERDICT_FACTS.text(fact);
    const cause = healthy ? undefined : plannedCause(view, patient.vm) ?? kernelCause(fact);
    const because = [
      ...misread(view, patient, healthy),
      ...healthy ? [] : [...misplaced(view, patient.vcpus), ...otherGic(view, patient.vcpus)],
      ...evidence,
      // A panic has its place already.
      ...healthy || fact.code === "panicked" ? [] : ofKernel(view, patient.online, stageOf),
      ...healthy ? [] : trailOf(view, patient.vm, patient.vcpus, fact),
      ...injectedInto(view, patient.vm.id, fact),
      ...deviceAtomics(view, patient.vcpus),
      ...staleUses(view, patient.vcpus),
      ...peerless(view, patient.vm),
      ...asleep.has(patient.vm.id) ? unused(view, patient.vm) : [],
      ...barred(patient.irqs),
      ...ofKernel(view, patient.online, remarksOn),
    ].filter((one) => !isTold(fact, one));
    const { wayOut, of } = cause ? { wayOut: EVIDENCE.wayOut(cause) } : wayOutOf(view, judged, because);
    // The verdict has its way out already.
    const lines = [...cause ? [text] : [], ...because.map((one) => one === of ? EVIDENCE.text(one) : evidenceLine(one))];
    return {
      id: patient.vm.id,
      verdict,
      healthy,
      text: cause ? EVIDENCE.text(cause) : text,
      evidence: [...new Set(lines)],
      way_out: wayOut ?? null,
      next: next ?? null,
      fact,
      because: cause ? [cause, ...because] : because,
    };
  });
}

/**
 * Differences between the machine and what the guest reads: all of a silent VM, or a sick one; of
 * others those that leave vCPUs off.
 */
function misread(view: View, { vm: { id }, vcpus }: Patient, healthy: boolean): Evidence[] {
  const name = nameOf(id), findings = view.system.vms.findings.get(name) ?? [], off = vcpus.some((vcpu) => vcpu.life.isPoweredOff);
  const all = !healthy || findings.length > 0 && view.system.consoles.tail(name) === "";
  const shown = findings.filter((finding) => all || off && keepsCpusOff(finding));
  return [...shown.map((finding): Evidence => ({ code: "boot", finding })), ...healthy && off ? refusedStart(view, vcpus) : []];
}

const keepsCpusOff = (finding: BootFinding) =>
  finding.code === "cpus-not-started" || finding.code === "node-absent" && (finding.node === "psci" || finding.node === "cpu");

/** Whether a verdict has evidence in its own words. */
const isTold = (fact: VerdictFact, one: Evidence) =>
  fact.code === "unseen" && (one.code === "boot" || one.code === "kernel") && one.finding.code === fact.because.code;

/** Evidence from the kernel of a VM's vCPUs. */
function ofKernel(view: View, [vcpu]: readonly Vcpu[], read: typeof remarksOn): Evidence[] {
  return vcpu?.addressSpace ? read(view, vcpu.addressSpace) : [];
}

/** Virtio devices that a VM does not use. It sleeps: one that runs may be about to. */
function unused(view: View, { id }: VmFacts): Evidence[] {
  const slots = slotsOf(view, nameOf(id)), devices = Map.groupBy(slots, (slot) => driverProgress(view, slot));
  const idsOf = (word: DriverProgress) => devices.get(word)?.map((slot) => slot.id) ?? [];
  const kinds = [["no-driver", idsOf("none")], ["driver-failed", idsOf("failed")]] as const;
  return kinds.flatMap(([code, found]): Evidence[] => found.length > 0 ? [{ code, devices: found }] : []);
}

/** Pending interrupts that cannot be delivered. */
function barred(irqs: readonly FoundIrq[]): Evidence[] {
  return irqs.flatMap(({ id, fact }): Evidence[] => fact && isBarrier(fact) ? [{ code: "finding", irq: id, finding: fact }] : [])
    .slice(0, FINDINGS_LISTED);
}

function verdictOf(view: View, { vm, vcpus, online, irqs }: Patient, others: Patients): Verdict {
  const again = restarting(view, vm);
  if (again) return again;
  if (vm.ended !== null || isEnding(vm) || hasEndedMachine(view, vm)) return ended(view, vm);
  const off = switchedOff(view, vm, vcpus);
  if (off) return off;
  if (vcpus.length === 0) return starting(view, vm, "no-vcpu");
  for (const vcpu of online) {
    const panic = panicOf(view, vcpu);
    if (!panic) continue;
    const isShown = showsPanic(view.system.consoles.tail(nameOf(vm.id)));
    const evidence = isShown ? [{ code: "console", console: conId(nameOf(vm.id)) } as const] : [];
    return { fact: { code: "panicked", ...panic, then: null }, evidence, next: `el2 vcpu stack ${view.vcpu(vcpu)}` };
  }
  const own = kernelVerdict(view, online);
  if (own) return { fact: own, next: own.code === "halted" ? undefined : `el2 linux log ${nameOf(vm.id)}` };
  for (const { id, source, fact } of irqs) {
    if (fact?.code !== "storm") continue;
    return { fact: { code: "irq-storm", irq: id, finding: fact }, evidence: [{ code: "source", source }], next: `el2 show ${id}` };
  }
  if (online.length === 0) return starting(view, vm, "powered-off");
  const found = worstOf(view, online, others.prospects) ?? resting(view, vm, online, irqs, others);
  if (!isHealthy(wordOf(found.fact))) return found;
  return undelivered(view, vm, (id) => others.dead.has(id)) ?? hanging(view, vm, online) ?? found;
}

/** Tasks of its kernel that wait for ever. */
function hanging(view: View, { id }: VmFacts, vcpus: readonly Vcpu[]): Verdict | undefined {
  const fact = kernelHang(view, vcpus);
  return fact && { fact, next: `el2 linux locks ${nameOf(id)}` };
}

/** The gravest verdict on a vCPU of a VM, with those on the others. */
function worstOf(view: View, vcpus: readonly Vcpu[], prospects: Prospects): Verdict | undefined {
  const judged = new Set<Vcpu>(), found: Verdict[] = [];
  for (const rule of VCPU_RULES) {
    for (const vcpu of vcpus) {
      const verdict = judged.has(vcpu) ? undefined : rule(view, vcpu, prospects);
      if (!verdict) continue;
      judged.add(vcpu);
      found.push(verdict);
    }
  }
  const [worst, ...others] = found;
  if (!worst) return undefined;
  return { ...worst, evidence: [...worst.evidence ?? [], ...others.flatMap(besides)] };
}

/** The verdict on another vCPU, with the memory that it waits for. */
function besides({ fact, evidence = [] }: Verdict): Evidence[] {
  return [{ code: "beside", fact }, ...evidence.filter(({ code }) => code === "reads" || code === "reads-register")];
}

/** The wait of a VM that sleeps, or the work of one that does not. */
function resting(view: View, { id }: VmFacts, online: readonly Vcpu[], irqs: readonly FoundIrq[], others: Patients): Verdict {
  const sleep = others.asleep.get(id);
  if (!sleep) return working(view, online.find((vcpu) => !isAsleep(vcpu)) ?? online[0], others.prospects);
  return unheard(view, sleep) ?? unread(view, sleep) ?? unasked(sleep, others) ?? deadlocked(sleep, others) ??
    masked(sleep, irqs, others) ?? unended(sleep) ?? dropped(sleep) ?? waiting(view, sleep, others);
}

/** The cause of a panic. */
function kernelCause(fact: VerdictFact): Evidence | undefined {
  return fact.code === "panicked" && fact.cause ? { code: "kernel", finding: fact.cause } : undefined;
}

/** The mistake in the configuration of a VM that explains its state. */
function plannedCause(view: View, { id }: VmFacts): Evidence | undefined {
  const { stale, bios } = view.system.vms.planned(nameOf(id)) ?? {};
  if (stale) return { code: "stale-image", used: stale.used.slice(0, DIGITS), built: stale.built.slice(0, DIGITS) };
  return bios && bios.tree > bios.room ? { code: "tree-overrun", room: bios.room, tree: bios.tree } : undefined;
}

function withNote(row: Diagnosis, note: Evidence): Diagnosis {
  return { ...row, text: `${row.text}; ${evidenceLine(note)}`, because: [...row.because, note] };
}

/** An interrupt of a VM that sleeps, which is pending and cannot come. */
function masked(sleep: Sleep, irqs: readonly FoundIrq[], others: Others): Verdict | undefined {
  if (sleep.timer) return undefined;
  for (const { id, source, pend, fact } of irqs) {
    if (!pend || !fact || !isBarrier(fact) || isUnneeded(id, sleep, others)) continue;
    return { fact: { code: "lost", irq: id, finding: fact }, evidence: [{ code: "source", source }], next: `el2 show ${id}` };
  }
  return undefined;
}
