// Verdicts on VMs that have ended, do not start, or leave something behind.

import { MEM_RECLAIM, MEM_SHARE } from "../../abi/rpc/messages/memory.ts";
import type { Reason } from "../../abi/trace.ts";
import { nameOf, parcelId, whyId } from "../../queries/ids.ts";
import { durationText, sizeText } from "../../queries/format.ts";
import type { View } from "../readers/inspected.ts";
import type { VmFacts } from "../readers/read-vms.ts";
import type { Verdict } from "./verdict.ts";

/** The rule that VM_START breaks if a shared buffer is missing. */
const LACKS_BUFFER = "the buffer of a shm vdevice was not lent";
/** Virtual time (ns) in which the owner of a VM takes it down. */
const TAKEN_DOWN = 100e6;
/** Virtual time (ns) in which a START returns. */
const STARTED = 1e9;
/** States of the Resource Manager's in which a VM has ended and still exists. */
const ENDING: ReadonlySet<string> = new Set(["exited", "resetting", "reset"]);

/** Whether a VM has ended, though it is still there. */
export function isEnding({ state }: VmFacts): boolean {
  return ENDING.has(state);
}

/** How a VM ended, and what it leaves. */
export function ended(view: View, vm: VmFacts): Verdict {
  const end = ending(view, vm);
  return end.verdict === "failed" ? end : leaks(view, vm) ?? end;
}

function ending(view: View, vm: VmFacts): Verdict {
  const reason = view.hypervisor.trace.reasons.endOf(nameOf(vm.id));
  const [asked] = reason?.chain ?? [];
  const call = asked ? `${asked.name} -> ${asked.result.name}: ` : "";
  const refused = reason && refusedBuffer(view, reason);
  if (refused) return { verdict: "failed", text: `${MEM_SHARE.name} refused: ${refused.rule}`, next: `el2 why ${whyId(refused.id)}` };
  const text = `${call}${vm.ended ?? reason?.rule ?? "it has ended, and its owner takes it down"}`;
  const next = reason && `el2 why ${whyId(reason.id)}`;
  if (vm.state === "failed" || vm.exit === "fault" || reason && !reason.settled) return { verdict: "failed", text, next };
  const off = vm.exit === "system-off" || vm.exit === "exit";
  return { verdict: off ? "off" : "stopped", text, next };
}

/** The refusal of the buffer that a VM lacked at its start: that came first, and is the cause. */
function refusedBuffer(view: View, end: Reason): Reason | undefined {
  if (end.rule !== LACKS_BUFFER) return undefined;
  const before = view.hypervisor.trace.reasons.list().filter(({ time }) => time <= end.time);
  return before.findLast(({ chain }) => chain.some(({ name }) => name === MEM_SHARE.name));
}

/** Objects that a VM that has ended keeps and nothing will release. */
function leaks(view: View, vm: VmFacts): Verdict | undefined {
  const name = nameOf(vm.id), vmid = Number(vm.vmid);
  const since = endOf(view, name, vmid);
  const { isOver } = view;
  if (since === undefined) return undefined;
  const isLate = view.now - since >= TAKEN_DOWN;
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
  const what = [
    ...known ? [`VMID ${vm.vmid}`] : [],
    ...kept.map(({ handle, regions }) => `${parcelId(handle)} (${sizeText(regions.reduce((sum, { size }) => sum + size, 0))})`),
    ...virqs > 0 ? [`${virqs} vIRQs`] : [],
  ];
  const ends = known ? [`${vm.id} is ${vm.state} for ${durationText(view.now - since)}`] : [];
  return {
    verdict: "leaked",
    text: `${what.join(", ")}: not given back ${isOver ? "at the end" : `for ${durationText(view.now - since)} since its end`}`,
    evidence: [...ends, ...refused.map(({ id, chain, rule }) => `${whyId(id)} ${chain.at(-1)?.name ?? "end"}: ${rule}`)],
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

/** A VM that does not run yet. */
export function starting(view: View, vm: VmFacts, text: string): Verdict {
  const name = nameOf(vm.id);
  if (view.system.control.gated().includes(name)) {
    return { verdict: "starts", text: "it is made, and waits to be started", next: `el2 vm timeline ${name}` };
  }
  const own = view.system.control.requests(name);
  for (const { id, kind, name: call, time, vcpu } of view.hypervisor.trace.inProgress) {
    if (own && !own.includes(id)) continue;
    // A vCPU's run lasts as long as its guest has something to do.
    if (kind !== "ioctl" || call.includes("_RUN") || !view.isSettled && view.now - time < STARTED) continue;
    const since = durationText(view.now - time);
    return {
      verdict: "stuck",
      text: `it is not started: ${call} of its VMM has not returned for ${since}`,
      evidence: [`ioctl ${call} of ${vcpu} is in progress`, `state ${vm.state}: ${text}`],
      next: `el2 vm timeline ${name}`,
    };
  }
  return { verdict: "starts", text, next: `el2 vm timeline ${name}` };
}
