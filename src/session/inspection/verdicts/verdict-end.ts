// Verdicts on VMs that have ended, do not start, or leave something behind.

import { ParcelMessage } from "../../../machine/abi/rpc/messages/all.ts";
import type { FaultKind } from "../../../machine/abi/faults.ts";
import type { Reason } from "../../../machine/abi/trace.ts";
import { nameOf, parcelId, whyId } from "../../../model/queries/ids.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { Operation } from "../../../machine/hypervisor/inspect.ts";
import { endedBy } from "../kernels/kernels.ts";
import type { View } from "../readers/inspected.ts";
import { callPlaces, rangeOf } from "../readers/guest/code-range.ts";
import { lastEnd } from "../readers/objects/absent-peers.ts";
import { isQuiet } from "../readers/objects/quiet.ts";
import { areTurnedOff } from "./sleep.ts";
import { Vmid } from "../readers/guest-names.ts";
import type { VmFacts } from "../readers/objects/read-vms.ts";
import { type JudgedKernel, kernelRule, type Patient, type Verdict, verdictRule } from "./verdict.ts";
import { hint } from "../../../kit/support/text/hint.ts";

/**
 * Virtual time (ns) after which a leak, or a START that has not returned, is reported while the
 * host executes instructions, as nothing shows whether it is about to act. It decides when a
 * verdict is given, not which one.
 */
const TAKEN_DOWN = 100e6, STARTED = 1e9;
/** Ends in a row that are a loop of restarts. */
const BAD_LIVES = 3;
/** Operations for which a VM may wait until it starts, or is taken down. */
const OF_MANAGER: readonly FaultKind[] = ["hvc", "rpc", "ioctl", "alloc", "assign"];
/** States of the Resource Manager's in which a VM has ended and still exists. */
const ENDING: ReadonlySet<string> = new Set(["exited", "resetting", "reset"]);

/** Whether it is the primary VM, and the machine has ended with it. */
function hasEndedMachine({ view, vm: { id, vmid } }: Patient): boolean {
  const { stopReason } = view.hypervisor.machine;
  return stopReason !== undefined && vmid === hex(Vmid.Primary) && lastEnd(view, id) !== undefined;
}

/** Whether a VM has ended, though it may still be there. */
function hasEnded(patient: Patient): boolean {
  return patient.vm.ended !== null || ENDING.has(patient.vm.state) || hasEndedMachine(patient);
}

/** The end of the machine that the primary VM asked for. */
function switchedOff({ view, vm: { vmid }, vcpus }: Patient): Verdict<"switched-off" | "reset" | "watchdog-bite"> | undefined {
  const { stopReason } = view.hypervisor.machine;
  if (vmid !== hex(Vmid.Primary) || !stopReason || stopReason.kind === "crash") return undefined;
  const caller = vcpus.find(({ name }) => name === stopReason.vcpu);
  const by = caller && endedBy(view, caller);
  if (by?.by === "watchdog") return { fact: { code: "watchdog-bite", by } };
  if (stopReason.kind === "system-off") return { fact: { code: "switched-off", by: by ?? null } };
  return { fact: { code: "reset", by: by ?? null, places: caller && !by ? callPlaces(view, caller) : [] } };
}

/** The refusal that kept a VM from its start. */
function bufferRefused({ view, vm }: Patient): Verdict<"buffer-refused"> | undefined {
  const reason = lastEnd(view, vm.id), refused = reason && refusedBuffer(view, reason);
  return refused && {
    fact: { code: "buffer-refused", call: ParcelMessage.Share, rule: refused.rule },
    reason: refused,
    next: hint("why", whyId(refused.id)),
  };
}

/** The panic in which a kernel is. */
function inPanic(kernel: JudgedKernel): Verdict<"panicked"> | undefined {
  const found = kernel.panic();
  if (!found) return undefined;
  const { message, cause, evidence, next } = found;
  return { ...panicVerdict({ code: "panicked", message, cause, then: null }), evidence, next };
}

/** A verdict that shows the cause of a panic, where that is known. */
const panicVerdict = (fact: Verdict<"panicked">["fact"]): Verdict<"panicked"> => ({
  fact,
  ...fact.cause && { cause: { code: "kernel", finding: fact.cause } as const },
  // A panic has its place already.
  tells: (one) => one.code === "kernel" && one.finding.code === "booting",
});

/** The panic after which a VM ended. */
function endedInPanic({ view, vm }: Patient): Verdict<"panicked"> | undefined {
  const reason = lastEnd(view, vm.id), panic = reason && view.system.ends.panicOf(reason.id);
  return panic && { ...panicVerdict({ code: "panicked", ...panic }), ...afterEnd(view, reason) };
}

/** An end before which nothing was printed. */
function unseen({ view, vm }: Patient): Verdict<"unseen"> | undefined {
  const reason = lastEnd(view, vm.id), end = reason && view.system.ends.unshownOf(reason.id);
  return end && {
    fact: { code: "unseen", ...end },
    ...afterEnd(view, reason),
    tells: (one) => (one.code === "boot" || one.code === "kernel") && one.finding.code === end.because.code,
  };
}

/** The log before an end, its reason, and the command that shows it. */
function afterEnd(view: View, reason: Reason) {
  return { evidence: logOf(view, reason), reason, next: hint("why", whyId(reason.id)) };
}

/** How a VM ended, in any other case. */
function howEnded({ view, vm }: Patient) {
  const reason = lastEnd(view, vm.id), [asked] = reason?.chain ?? [];
  return { call: asked?.name ?? null, result: asked?.result.name ?? null, how: vm.ended ?? reason?.rule ?? null };
}

/** The cause of such an end, with what `afterEnd` gives. */
function sinceEnd({ view, vm }: Patient) {
  const reason = lastEnd(view, vm.id);
  return reason && { ...afterEnd(view, reason), evidence: [...causeOf(view, reason), ...logOf(view, reason)] };
}

function hasFailed({ view, vm }: Patient): boolean {
  const reason = lastEnd(view, vm.id);
  return vm.state === "failed" || vm.exit === "fault" || reason !== undefined && !reason.settled;
}

/** Whether a VM ended by its own wish. */
function hasLeft({ view, vm }: Patient): boolean {
  const exit = vm.exit ?? lastEnd(view, vm.id)?.result;
  return exit === "system-off" || exit === "exit";
}

/** The cause of the exception that led to an end. */
function causeOf(view: View, { id }: Reason): Evidence[] {
  const cause = view.system.ends.causeOf(id);
  return cause ? [{ code: "cause", cause }] : [];
}

/** The kernel's log before an end, where nothing was printed. */
const logOf = (view: View, { id }: Reason): Evidence[] => view.system.ends.logOf(id).map((line) => ({ code: "logged", ...line }));

/** A VM that its owner starts again and again, and that never runs for long. */
function restarts({ view, vm: { id } }: Patient): Verdict<"restarts"> | undefined {
  const lives = view.system.ends.badLives(nameOf(id)), reason = lastEnd(view, id);
  if (lives < BAD_LIVES || !reason) return undefined;
  const evidence = causeOf(view, reason);
  return {
    fact: { code: "restarts", lives, how: reason.rule },
    evidence,
    reason,
    next: hint("why", whyId(reason.id)),
    vain: { operations: [] },
  };
}

/** The refusal of the buffer that a VM lacked at its start: that came first, and is the cause. */
function refusedBuffer(view: View, end: Reason): Reason | undefined {
  if (end.code !== "buffer-not-lent") return undefined;
  const before = view.hypervisor.trace.reasons.list().filter(({ time }) => time <= end.time);
  return before.findLast(({ chain }) => chain.some(({ name }) => name === ParcelMessage.Share));
}

/** Objects that a VM that has ended keeps and nothing will release. */
function leaks({ view, vm }: Patient): Verdict<"leaked"> | undefined {
  const name = nameOf(vm.id), vmid = Number(vm.vmid);
  const since = endOf(view, name, vmid);
  const { isOver } = view;
  if (since === undefined) return undefined;
  const isLate = isQuiet(view) || view.now - since >= TAKEN_DOWN;
  if (!isOver && !isLate) return undefined;
  const refused = view.hypervisor.trace.reasons.list().filter((one) => one.time >= since && !one.settled && one.ended === undefined);
  const isRefused = refused.some(({ chain }) => chain.some(({ name }) => name === ParcelMessage.Reclaim));
  const { vms } = view.system.manager.state;
  const known = vms.find((one) => one.vmid === vmid);
  const alive = (id: number) => id !== vmid && (view.hypervisor.addressSpaces.has(id) || vms.some((one) => one.vmid === id));
  const hasLost = ({ borrowers }: { borrowers: readonly { readonly vmid: number }[] }) =>
    borrowers.some((one) => one.vmid === vmid) && !borrowers.some((one) => alive(one.vmid));
  // An owner that lives takes its parcel back soon after, if the machine gives it the time.
  const kept = view.parcels().filter((parcel) => {
    if (parcel.owner === vmid) return known === undefined;
    return hasLost(parcel) && (isLate || isRefused || !alive(parcel.owner));
  });
  if (!known && kept.length === 0) return undefined;
  const virqs = known?.vdevices.reduce((sum, { virqs }) => sum + virqs.length, 0) ?? 0;
  const parcels = kept.map(({ handle, regions }) => ({ parcel: parcelId(handle), size: regions.reduce((sum, { size }) => sum + size, 0) }));
  const since_ns = view.now - since;
  return {
    fact: { code: "leaked", vmid: known ? vm.vmid : null, parcels, virqs, since_ns: isOver ? null : since_ns },
    evidence: [
      ...known ? [{ code: "state-since" as const, vm: vm.id, state: vm.state, for_ns: since_ns }] : [],
      ...refused.map(({ id, chain, rule }) => ({ code: "refused" as const, why: whyId(id), call: chain.at(-1)?.name ?? "end", rule })),
    ],
    reason: refused[0],
    next: refused.length ? hint("why", whyId(refused[0].id)) : hint("vm timeline", name),
    vain: { operations: OF_MANAGER },
  };
}

/** When a VM ended (ns): by its reason, or when it ran last. */
function endOf(view: View, name: string, vmid: number): number | undefined {
  const reason = view.hypervisor.trace.reasons.endOf(name);
  if (reason) return reason.time;
  const own = view.vcpus().filter((vcpu) => vcpu.addressSpace?.vmid === vmid);
  return own.length ? Math.max(...own.map(({ usage }) => usage.ranUntil)) : undefined;
}

/** The ioctls in progress of a VM's VMM; of all VMMs if they cannot be told apart. */
export function callsOf(view: View, vm: string): readonly Operation[] {
  const own = view.system.control.requests(vm);
  return [...view.hypervisor.trace.inProgress].filter(({ id, kind }) => kind === "ioctl" && (!own || own.includes(id)));
}

const timelineOf = ({ id }: VmFacts) => hint("vm timeline", nameOf(id));

/** The lack of a VM that does not run yet. */
const lackOf = ({ vcpus }: Patient) => vcpus.length === 0 ? "no-vcpu" as const : "powered-off" as const;

/** A call of its VMM that keeps a VM from its start. */
function notStarted(patient: Patient): Verdict<"not-started"> | undefined {
  const { view, vm } = patient;
  for (const { name: call, time, vcpu } of callsOf(view, nameOf(vm.id))) {
    // A vCPU's run lasts as long as its guest has something to do.
    if (call.includes("_RUN") || !isQuiet(view) && view.now - time < STARTED) continue;
    return {
      fact: { code: "not-started", call, since_ns: view.now - time },
      evidence: [{ code: "in-progress", call, of: vcpu }, { code: "state", state: vm.state, because: { code: lackOf(patient) } }],
      next: timelineOf(vm),
      vain: { operations: OF_MANAGER },
    };
  }
  return undefined;
}

const isOff = ({ online }: Patient) => online.length === 0;

/** Whether a VM that runs has turned off its vCPUs. */
export const isTurnedOff = ({ vm, vcpus }: Pick<Patient, "vm" | "vcpus">) =>
  vm.ended === null && vm.state === "running" && areTurnedOff(vcpus);

/** Ends again and again. */
export const RESTART_RULES = [verdictRule({ codes: ["restarts"], of: "vm", judge: restarts })];

/** Ends, and panics, which come before them. */
export const END_RULES = [
  verdictRule({ codes: ["buffer-refused"], of: "vm", when: hasEnded, judge: bufferRefused }),
  verdictRule({ codes: ["switched-off", "reset", "watchdog-bite"], of: "vm", when: (patient) => !hasEnded(patient), judge: switchedOff }),
  verdictRule({ codes: ["panicked"], of: "vm", when: hasEnded, judge: endedInPanic }),
  kernelRule({ codes: ["panicked"], when: (patient) => !hasEnded(patient), judge: inPanic }),
  verdictRule({ codes: ["unseen"], of: "vm", when: hasEnded, judge: unseen }),
  verdictRule({
    codes: ["failed"],
    of: "vm",
    when: (patient) => hasEnded(patient) && hasFailed(patient),
    judge: (one) => ({ fact: { code: "failed", ...howEnded(one) }, ...sinceEnd(one) }),
  }),
  verdictRule({ codes: ["leaked"], of: "vm", when: (patient) => hasEnded(patient) && !hasEndedMachine(patient), judge: leaks }),
  verdictRule({
    codes: ["off"],
    of: "vm",
    when: (patient) => hasEnded(patient) && hasLeft(patient),
    judge: (one) => ({ fact: { code: "off", ...howEnded(one) }, ...sinceEnd(one) }),
  }),
  verdictRule({
    codes: ["stopped"],
    of: "vm",
    when: hasEnded,
    judge: (one) => ({ fact: { code: "stopped", ...howEnded(one) }, ...sinceEnd(one) }),
  }),
];

/** VMs none of whose vCPUs is on. */
export const START_RULES = [
  verdictRule({
    codes: ["gated"],
    of: "vm",
    when: isOff,
    judge: ({ view, vm }) =>
      view.system.control.gated().includes(nameOf(vm.id)) ? { fact: { code: "gated" }, next: timelineOf(vm) } : undefined,
  }),
  verdictRule({ codes: ["not-started"], of: "vm", when: isOff, judge: notStarted }),
  verdictRule({
    codes: ["all-off"],
    of: "vm",
    when: isTurnedOff,
    judge: ({ view, vm, vcpus }) => {
      const [last] = vcpus.toSorted((one, other) => other.usage.ranUntil - one.usage.ranUntil);
      return { fact: { code: "all-off", vcpu: view.vcpu(last), at: rangeOf(view, last, last.registers.pc) }, next: timelineOf(vm) };
    },
  }),
  verdictRule({
    codes: ["no-vcpu", "powered-off"],
    of: "vm",
    when: isOff,
    judge: (patient) => ({ fact: { code: lackOf(patient) }, next: timelineOf(patient.vm) }),
  }),
];
