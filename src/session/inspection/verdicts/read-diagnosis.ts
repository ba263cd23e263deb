// The verdict on each VM: what it does or waits for, and whether that can continue. Each verdict
// has its evidence and the next command. A VM that looks healthy gets a healthy verdict.

import { nameOf } from "../../../model/queries/ids.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { DIAGNOSES, VMS } from "../../../model/queries/tables.ts";
import { type Evidence, evidenceLine } from "../../../model/queries/facts/evidence.ts";
import { wordOf } from "../../../model/queries/facts/verdict.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { el2GuestColumns } from "../kernels/el2-guests.ts";
import { notesOf } from "../kernels/kernels.ts";
import { Vmid } from "../readers/guest-names.ts";
import type { View } from "../readers/inspected.ts";
import { readIrqFindings } from "../readers/objects/read-irqs.ts";
import { memoryOfVms, readVmFacts, type VmFacts } from "../readers/objects/read-vms.ts";
import { Prospects } from "./prospects.ts";
import { isAsleep, isOnline, sleepOf, stuckOf } from "./sleep.ts";
import { END_RULES, isTurnedOff } from "./verdict-end.ts";
import { EVIDENCE_RULES, VERDICT_RULES } from "./verdict-rules.ts";
import { diagnosisOf, evidenceBy } from "./verdict-row.ts";
import type { OtherVms, Patient, Verdict, VerdictRule } from "./verdict.ts";
import { machineKernel } from "./machine-kernel.ts";
import { remedyOf } from "../readers/objects/read-trace.ts";
import { type InPieces, mapInPieces } from "../../../kit/support/values/work.ts";

/** The primary VM's console. */
const PRIMARY = "host";
/** Digits of a hash that a verdict shows. */
const DIGITS = 12;

type Diagnosis = RowOf<typeof DIAGNOSES>;

/** A verdict for each VM that runs guests' instructions, or did. */
export function* readDiagnoses(view: View): InPieces<Diagnosis[]> {
  const vms = readVmFacts(view);
  const primary = vms.find(({ vmid }) => vmid === hex(Vmid.Primary))?.id;
  const notes = notesOf(view.system.consoles.tail(PRIMARY));
  const rows = yield* diagnose(view, vms);
  return rows.map((row) => row.id === primary && row.healthy ? notes.reduce(withNote, row) : row);
}

/** The VMs, each with its verdict, if any. */
export function* readVms(view: View): InPieces<RowOf<typeof VMS>[]> {
  const vms = readVmFacts(view);
  const rows = yield* diagnose(view, vms), verdicts = new Map(rows.map((row) => [row.id, row])), memory = memoryOfVms(view);
  return vms.map((vm) => {
    const { verdict = null, healthy = true, text = null } = verdicts.get(vm.id) ?? {};
    return { ...vm, ...el2GuestColumns(view, vm.vmid), memory: memory(vm), verdict, healthy, doing: text };
  });
}

/** The verdicts, a VM in a piece. */
function diagnose(view: View, vms: readonly VmFacts[]): InPieces<Diagnosis[]> {
  return mapInPieces(patientsOf(view, vms), (patient) => {
    const judged = judge(patient, VERDICT_RULES);
    return diagnosisOf({
      id: patient.vm.id,
      judged,
      evidence: evidenceOf(patient, judged),
      planned: plannedCause(patient),
      remedyOf: (reason) => remedyOf(view, reason),
    });
  });
}

/** The evidence of all readers about a VM with a verdict. */
function evidenceOf(patient: Patient, judged: Verdict): Evidence[] {
  return EVIDENCE_RULES.flatMap((rule) =>
    rule.of === "kernel" ? evidenceBy(rule, patient.kernel, judged) : evidenceBy(rule, patient, judged)
  );
}

type FoundPatient = Omit<Patient, "others" | "kernel">;

/** The VMs that run guests' instructions, or did. */
function patientsOf(view: View, vms: readonly VmFacts[]): Patient[] {
  const all = view.vcpus(), irqs = Map.groupBy(readIrqFindings(view), ({ vm }) => vm);
  const found = vms.flatMap((vm): FoundPatient[] => {
    const vcpus = all.filter((vcpu) => view.vmOf(vcpu.addressSpace) === vm.id);
    if (vcpus.some(({ native }) => native)) return [];
    return [{ view, vm, vcpus, online: vcpus.filter(isOnline), irqs: irqs.get(vm.id) ?? [] }];
  });
  const prospects = new Prospects(view);
  const asleep = new Map(
    found.filter(({ online }) => online.length > 0 && online.every(isAsleep)).map((
      { vm, online },
    ) => [vm.id, online.length === 1 ? prospects.sleepOf(online[0]) : sleepOf(view, vm.id, online)]),
  );
  const loops = ({ vm, online }: FoundPatient) =>
    online.length > 0 && !asleep.has(vm.id) && online.every((vcpu) => prospects.isStuck(vcpu));
  const known = {
    asleep,
    endless: new Set(found.filter((one) => loops(one) || isTurnedOff(one)).map(({ vm }) => vm.id)),
    failed: new Set(found.filter(({ vm }) => vm.state === "failed").map(({ vm }) => vm.id)),
  };
  const isDead = (id: string) => {
    const patient = patients.find(({ vm }) => vm.id === id);
    if (!patient) return false;
    return patient.vm.state === "failed" || patient.vm.ended !== null && wordOf(judge(patient, END_RULES).fact) === "failed";
  };
  const verdicts = new Map<string, Verdict | undefined>();
  const verdictOn = (id: string) => {
    const patient = verdicts.has(id) ? undefined : patients.find(({ vm }) => vm.id === id);
    // Not yet: rules may ask about the VM that asks.
    verdicts.set(id, verdicts.get(id));
    if (patient) verdicts.set(id, judge(patient, VERDICT_RULES));
    return verdicts.get(id);
  };
  const others: OtherVms = { ...known, stuck: stuckOf(known), prospects, isDead, verdictOn, irqsOf: (vm) => irqs.get(vm) ?? [] };
  const patients = found.map((patient): Patient => {
    const { vm: { id }, online } = patient;
    return { ...patient, others, kernel: machineKernel(view, nameOf(id), online, asleep.has(id)) };
  });
  return patients;
}

/** The verdict of the first rule that has one. */
function judge(patient: Patient, rules: readonly VerdictRule[]): Verdict {
  const sleep = patient.others.asleep.get(patient.vm.id);
  for (const rule of rules) {
    if (!(rule.when?.(patient) ?? true)) continue;
    const verdict = rule.of === "vm"
      ? rule.judge(patient, undefined)
      : rule.of === "sleep"
      ? sleep && rule.judge(patient, sleep)
      : rule.of === "kernel"
      ? patient.kernel && rule.judge(patient.kernel)
      : worstOf(patient, rule, rules);
    if (verdict) return verdict;
  }
  throw new Error(`no rule has a verdict on ${patient.vm.id}`);
}

type VcpuRule = Extract<VerdictRule, { of: "vcpu" }>;

/** The verdict of a rule on a vCPU of a VM, with those of all rules on the others. */
function worstOf(patient: Patient, rule: VcpuRule, rules: readonly VerdictRule[]): Verdict | undefined {
  for (const vcpu of patient.online) {
    const worst = rule.judge(patient, vcpu);
    if (!worst) continue;
    const judged = new Set([vcpu]), evidence = [...worst.evidence ?? []];
    for (const other of rules) {
      if (other.of !== "vcpu") continue;
      for (const one of patient.online) {
        const verdict = judged.has(one) ? undefined : other.judge(patient, one);
        if (!verdict) continue;
        judged.add(one);
        evidence.push(...besides(verdict));
      }
    }
    return { ...worst, evidence };
  }
  return undefined;
}

/** The verdict on another vCPU, with the memory that it waits for. */
function besides({ fact, evidence = [] }: Verdict): Evidence[] {
  return [{ code: "beside", fact }, ...evidence.filter(({ code }) => code === "reads" || code === "reads-register")];
}

/** The mistake in the configuration of a VM that explains its state. */
function plannedCause({ view, vm }: Patient): Evidence | undefined {
  const { stale, bios } = view.system.vms.planned(nameOf(vm.id)) ?? {};
  if (stale) return { code: "stale-image", used: stale.used.slice(0, DIGITS), built: stale.built.slice(0, DIGITS) };
  return bios && bios.tree > bios.room ? { code: "tree-overrun", room: bios.room, tree: bios.tree } : undefined;
}

function withNote(row: Diagnosis, note: Evidence): Diagnosis {
  return { ...row, text: `${row.text}; ${evidenceLine(note)}`, because: [...row.because, note] };
}
