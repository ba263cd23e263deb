// The verdict on each VM: what it does or waits for, and whether that can continue. Each verdict
// has its evidence and the next command. A VM that looks healthy gets a healthy verdict.

import type { Vcpu } from "../../hypervisor/inspect.ts";
import { Block } from "../../hypervisor/interface.ts";
import { conId, nameOf } from "../../queries/ids.ts";
import { hex, type RowOf } from "../../queries/table.ts";
import { IRQ_FINDINGS, isBarrier } from "../../queries/facts/irq-finding.ts";
import type { DIAGNOSES, VMS } from "../../queries/tables.ts";
import { isHealthy } from "../../queries/verdicts.ts";
import { Vmid } from "../readers/guest-names.ts";
import type { PlannedVm, View } from "../readers/inspected.ts";
import { type FoundIrq, readIrqFindings } from "../readers/read-irqs.ts";
import { readVmFacts, type VmFacts } from "../readers/read-vms.ts";
import type { Verdict } from "./verdict.ts";
import { ended, isEnding, starting } from "./verdict-end.ts";
import { deadlocked, type Others, type Sleep, sleepOf, stuckOf, unheard, waiting } from "./verdict-sleep.ts";
import { peerless, undelivered } from "./verdict-messages.ts";
import { isAsleep, loops, starves, working } from "./verdict-work.ts";

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

/** Knowledge of all of them. */
interface Patients extends Others {
  /** Those that failed, or ended by a fault: nobody serves their queues. */
  readonly dead: ReadonlySet<string>;
}

/** A verdict for each VM that runs guests' instructions, or did. */
export function readDiagnoses(view: View): Diagnosis[] {
  const vms = readVmFacts(view);
  const primary = vms.find(({ vmid }) => vmid === hex(Vmid.Primary))?.id;
  return diagnose(view, vms).map((row) => row.id === primary && row.healthy ? { ...row, text: `${row.text}${kvmText(view)}` } : row);
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
    const online = vcpus.filter((vcpu) => !vcpu.isDead && !vcpu.isBlockedBy(Block.Lifecycle | Block.Off));
    return [{ vm, vcpus, online, irqs: irqs.get(vm.id) ?? [] }];
  });
  const asleep = new Map(
    patients.filter(({ online }) => online.length > 0 && online.every(isAsleep)).map((
      { vm, online },
    ) => [vm.id, sleepOf(view, vm.id, online)]),
  );
  const known = { asleep, failed: new Set(patients.filter(({ vm }) => vm.state === "failed").map(({ vm }) => vm.id)) };
  const dead = new Set(
    patients.filter(({ vm }) => vm.state === "failed" || vm.ended !== null && ended(view, vm).verdict === "failed").map(({ vm }) => vm.id),
  );
  const others: Patients = { ...known, stuck: stuckOf(known), dead };
  return patients.map((patient) => {
    const { verdict, text, evidence = [], next } = caused(view, patient.vm, verdictOf(view, patient, others));
    const findings = patient.irqs.filter(({ fact }) => fact && isBarrier(fact)).slice(0, FINDINGS_LISTED);
    return {
      id: patient.vm.id,
      verdict,
      healthy: isHealthy(verdict),
      text,
      evidence: [
        ...new Set([
          ...evidence,
          ...peerless(view, patient.vm),
          ...findings.map(({ id, fact }) => `${id} ${fact && IRQ_FINDINGS.text(fact)}`),
        ]),
      ],
      next: next ?? null,
    };
  });
}

function verdictOf(view: View, { vm, vcpus, online, irqs }: Patient, others: Patients): Verdict {
  if (vm.ended !== null || isEnding(vm)) return ended(view, vm);
  if (vcpus.length === 0) return starting(view, vm, "it has no vCPU yet");
  const name = nameOf(vm.id);
  const panic = panicText(view.system.consoles.tail(name));
  if (panic !== undefined) {
    return { verdict: "panicked", text: panic, evidence: [`${conId(name)} shows it`], next: `el2 console ${name}` };
  }
  for (const { id, source, fact } of irqs) {
    if (fact?.code !== "storm") continue;
    return { verdict: "storm", text: `${id} ${IRQ_FINDINGS.text(fact)}`, evidence: [source], next: `el2 irq show ${id}` };
  }
  if (online.length === 0) return starting(view, vm, "no vCPU is powered on");
  for (const vcpu of online) {
    const found = loops(view, vcpu) ?? starves(view, vcpu);
    if (found) return found;
  }
  const sleep = others.asleep.get(vm.id);
  const found = sleep
    ? unheard(view, sleep) ?? deadlocked(sleep, others) ?? masked(sleep, irqs) ?? waiting(view, sleep, others)
    : working(view, online.find((vcpu) => !isAsleep(vcpu))!);
  return isHealthy(found.verdict) ? undelivered(view, vm, (id) => others.dead.has(id)) ?? found : found;
}

/** A verdict; what the configuration of an unhealthy VM explains comes first. */
function caused(view: View, { id }: VmFacts, found: Verdict): Verdict {
  const planned = view.system.vms.planned(nameOf(id));
  const text = planned === undefined || isHealthy(found.verdict) ? undefined : staleText(planned) ?? overrunText(planned);
  return text === undefined ? found : { ...found, text, evidence: [found.text, ...found.evidence ?? []] };
}

function staleText({ stale }: PlannedVm): string | undefined {
  if (stale === undefined) return undefined;
  const [used, built] = [stale.used, stale.built].map((hash) => `SHA-256 ${hash.slice(0, DIGITS)}`);
  return `its image (${used}) is not the one that was built (${built}): that build has not run yet`;
}

function overrunText({ bios }: PlannedVm): string | undefined {
  if (bios === undefined || bios.tree <= bios.room) return undefined;
  return `its BIOS has ${bios.room} bytes for a copy of the devicetree, which has ${bios.tree}: the copy overruns`;
}

/** Why the primary VM's Linux has no KVM, if it has looked for it. */
function kvmText(view: View): string {
  if (!/kvm \[\d+\]: HYP mode not available/.test(view.system.consoles.tail(PRIMARY))) return "";
  return "; this kernel is Gunyah's primary VM, at EL1: it cannot have /dev/kvm, and makes VMs by /dev/gunyah";
}

/** An interrupt of a VM that sleeps, which is pending and cannot come. */
function masked(sleep: Sleep, irqs: readonly FoundIrq[]): Verdict | undefined {
  if (sleep.due !== Infinity) return undefined;
  for (const { id, source, pend, fact } of irqs) {
    if (!pend || !fact || !isBarrier(fact)) continue;
    return { verdict: "lost", text: `${id} is pending and ${IRQ_FINDINGS.text(fact)}`, evidence: [source], next: `el2 irq show ${id}` };
  }
  return undefined;
}

/** Linux's last message when it has panicked, in this life. */
function panicText(console: string): string | undefined {
  const life = console.slice(Math.max(0, console.lastIndexOf("Booting Linux on physical CPU")));
  return /---\[ end (Kernel panic - not syncing: .*?) \]---/.exec(life)?.[1];
}
