// Verdicts on VMs that have ended, do not start, or leave something behind.

import { MEM_RECLAIM, MEM_SHARE } from "../../../machine/abi/rpc/messages/memory.ts";
import type { Reason } from "../../../machine/abi/trace.ts";
import { nameOf, parcelId, whyId } from "../../../model/queries/ids.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import { wordOf } from "../../../model/queries/facts/verdict.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { isHealthy } from "../../../model/queries/facts/verdict-words.ts";
import type { Operation, Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { endedBy } from "../kernels/kernels.ts";
import type { View } from "../readers/inspected.ts";
import { isQuiet } from "./quiet.ts";
import { Vmid } from "../readers/guest-names.ts";
import type { VmFacts } from "../readers/objects/read-vms.ts";
import type { Verdict } from "./verdict.ts";

/**
 * Virtual time (ns) after which a leak, or a START that has not returned, is reported while the
 * host executes instructions, as nothing shows whether it is about to act. It decides when a
 * verdict is given, not which one.
 */
const TAKEN_DOWN = 100e6, STARTED = 1e9;
/** Ends in a row that are a loop of restarts. */
const BAD_LIVES = 3;
/** States of the Resource Manager's in which a VM has ended and still exists. */
const ENDING: ReadonlySet<string> = new Set(["exited", "resetting", "reset"]);

/** Whether a VM has ended, though it is still there. */
export function isEnding({ state }: VmFacts): boolean {
  return ENDING.has(state);
}

/** Whether it is the primary VM, and the machine has ended with it. */
export function hasEndedMachine(view: View, { id, vmid }: VmFacts): boolean {
  const { stopReason } = view.hypervisor.machine;
  return stopReason !== undefined && vmid === hex(Vmid.Primary) && view.hypervisor.trace.reasons.endOf(nameOf(id)) !== undefined;
}

/** The end of the machine that the primary VM asked for. */
export function switchedOff(view: View, { vmid }: VmFacts, vcpus: readonly Vcpu[]): Verdict | undefined {
  const { stopReason } = view.hypervisor.machine;
  if (vmid !== hex(Vmid.Primary) || !stopReason || stopReason.kind === "crash") return undefined;
  const caller = vcpus.find(({ name }) => name === stopReason.vcpu);
  const by = caller && endedBy(view, caller);
  return { fact: { code: stopReason.kind === "system-off" ? "switched-off" : "reset", by: by ?? null } };
}

/** How a VM ended, and what it leaves. */
export function ended(view: View, vm: VmFacts): Verdict {
  const end = ending(view, vm);
  return !isHealthy(wordOf(end.fact)) || hasEndedMachine(view, vm) ? end : leaks(view, vm) ?? end;
}

function ending(view: View, vm: VmFacts): Verdict {
  const reason = view.hypervisor.trace.reasons.endOf(nameOf(vm.id));
  const [asked] = reason?.chain ?? [];
  const refused = reason && refusedBuffer(view, reason);
  if (refused) {
    return {
      fact: { code: "buffer-refused", call: MEM_SHARE.name, rule: refused.rule },
      reason: refused,
      next: `el2 why ${whyId(refused.id)}`,
    };
  }
  const end = { call: asked?.name ?? null, result: asked?.result.name ?? null, how: vm.ended ?? reason?.rule ?? null };
  const next = reason && `el2 why ${whyId(reason.id)}`;
  const failed = vm.state === "failed" || vm.exit === "fault" || reason !== undefined && !reason.settled;
  const exit = vm.exit ?? reason?.result, off = exit === "system-off" || exit === "exit";
  const panic = reason && view.system.ends.panicOf(reason.id);
  const unseen = reason && view.system.ends.unshownOf(reason.id), log = reason ? logOf(view, reason) : [];
  if (panic) return { fact: { code: "panicked", ...panic }, evidence: log, reason, next };
  if (unseen) return { fact: { code: "unseen", ...unseen }, evidence: log, reason, next };
  const evidence = [...reason ? causeOf(view, reason) : [], ...log];
  return { fact: { code: failed ? "failed" : off ? "off" : "stopped", ...end }, evidence, reason, next };
}

/** The cause of the exception that led to an end. */
function causeOf(view: View, { id }: Reason): Evidence[] {
  const cause = view.system.ends.causeOf(id);
  return cause ? [{ code: "cause", cause }] : [];
}

/** The kernel's log before an end, where nothing was printed. */
const logOf = (view: View, { id }: Reason): Evidence[] => view.system.ends.logOf(id).map((line) => ({ code: "logged", ...line }));

/** A VM that its owner starts again and again, and that never runs for long. */
export function restarting(view: View, { id }: VmFacts): Verdict | undefined {
  const name = nameOf(id), lives = view.system.ends.badLives(name), reason = view.hypervisor.trace.reasons.endOf(name);
  if (lives < BAD_LIVES || !reason) return undefined;
  const evidence = causeOf(view, reason);
  return { fact: { code: "restarts", lives, how: reason.rule }, evidence, reason, next: `el2 why ${whyId(reason.id)}` };
}

/** The refusal of the buffer that a VM lacked at its start: that came first, and is the cause. */
function refusedBuffer(view: View, end: Reason): Reason | undefined {
  if (end.code !== "buffer-not-lent") return undefined;
  const before = view.hypervisor.trace.reasons.list().filter(({ time }) => time <= end.time);
  return before.findLast(({ chain }) => chain.some(({ name }) => name === MEM_SHARE.name));
}

/** Objects that a VM that has ended keeps and nothing will release. */
function leaks(view: View, vm: VmFacts): Verdict | undefined {
  const name = nameOf(vm.id), vmid = Number(vm.vmid);
  const since = endOf(view, name, vmid);
  const { isOver } = view;
  if (since === undefined) return undefined;
  const isLate = isQuiet(view) || view.now - since >= TAKEN_DOWN;
  if (!isOver && !isLate) return undefined;
  const refused = view.hypervisor.trace.reasons.list().filter((one) => one.time >= since && !one.settled && one.ended === undefined);
  const isRefused = refused.some(({ chain }) => chain.some(({ name }) => name === MEM_RECLAIM.name));
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
    next: refused.length ? `el2 why ${whyId(refused[0].id)}` : `el2 vm timeline ${name}`,
  };
}

/** When a VM ended (ns): by its reason, or when it ran last. */
function endOf(view: View, name: string, vmid: number): number | undefined {
  const reason = view.hypervisor.trace.reasons.endOf(name);
  if (reason) return reason.time;
  const own = view.vcpus().filter((vcpu) => vcpu.addressSpace?.vmid === vmid);
  return own.length ? Math.max(...own.map(({ usage }) => usage.ranUntil)) : undefined;
}

/** A VM that does not run yet, and what it lacks. */
export function starting(view: View, vm: VmFacts, lacks: "no-vcpu" | "powered-off"): Verdict {
  const name = nameOf(vm.id), next = `el2 vm timeline ${name}`;
  if (view.system.control.gated().includes(name)) return { fact: { code: "gated" }, next };
  for (const { name: call, time, vcpu } of callsOf(view, name)) {
    // A vCPU's run lasts as long as its guest has something to do.
    if (call.includes("_RUN") || !isQuiet(view) && view.now - time < STARTED) continue;
    return {
      fact: { code: "not-started", call, since_ns: view.now - time },
      evidence: [{ code: "in-progress", call, of: vcpu }, { code: "state", state: vm.state, because: { code: lacks } }],
      next,
    };
  }
  return { fact: { code: lacks }, next };
}

/** The ioctls in progress of a VM's VMM; of all VMMs if they cannot be told apart. */
export function callsOf(view: View, vm: string): readonly Operation[] {
  const own = view.system.control.requests(vm);
  return [...view.hypervisor.trace.inProgress].filter(({ id, kind }) => kind === "ioctl" && (!own || own.includes(id)));
}
