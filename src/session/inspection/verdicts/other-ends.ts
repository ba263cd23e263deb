// The VMs at the other end of a wait, as evidence, where none of them is about to end it: the
// verdict on each.

import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import { wordOf } from "../../../model/queries/facts/verdict.ts";
import { Vmid } from "../readers/guest-names.ts";
import type { View } from "../readers/inspected.ts";
import { absentOf, endedAt } from "../readers/objects/absent-peers.ts";
import { type PeerWait, waitsOfLoop, waitsOfSleep } from "./peer-waits.ts";
import { isAsleep, type Sleep } from "./sleep.ts";
import { evidenceRule, isSick, type Patient, type Verdict, type VerdictCode } from "./verdict.ts";

/** Verdicts on waits that say nothing of the other end. */
const WAITS: ReadonlySet<VerdictCode> = new Set<VerdictCode>(["spins", "exit-loop", "waits-in-loop", "waits", "awaits"]);

/** The waits of a VM all of whose vCPUs wait, and none of them for the time. */
function waitsOf({ view, vm, online, others }: Patient): PeerWait[] {
  const { prospects, asleep } = others, sleep = asleep.get(vm.id);
  if (sleep) return sleep.timer ? [] : waitsOfSleep(view, sleep, sleep.vcpus[0]);
  if (!online.every((vcpu) => isAsleep(vcpu) || prospects.loop(vcpu))) return [];
  return online.flatMap((vcpu) => waitsOfLoop(view, prospects, vcpu));
}

/** Waits for the same thing, without those for the VM itself, and for a primary VM that lent it. */
function peersOf(view: View, vm: string, waits: readonly PeerWait[]): PeerWait[] {
  const primary = view.vm(Vmid.Primary), peers = waits.filter(({ what: { by } }) => by !== vm);
  const borrowers = peers.filter(({ what: { by, until } }) => by !== primary || until !== "write" && until !== "release the lock at");
  return borrowers.length > 0 ? borrowers : peers;
}

/** Virtual time (ns) from which on the timer of the VM at the other end is named. */
const LATER = 1e9;

/**
 * A VM that does not do what another one waits for: it is sick, has ended and does not return, or
 * sleeps for long.
 */
function idleEnd({ view, others }: Patient, { what }: PeerWait): OfCode<Evidence, "other-end"> | undefined {
  const { by: vm } = what, verdict = others.verdictOn(vm);
  if (!verdict || !isSick(verdict) && !hasLeft(view, vm, verdict) && !sleepsLong(others.asleep.get(vm))) return undefined;
  return { code: "other-end", vm, what, fact: verdict.fact, ended_ns: endedAt(view, vm) };
}

const sleepsLong = (sleep: Sleep | undefined) => sleep?.timer !== undefined && sleep.timer.in_ns > LATER;

function hasLeft(view: View, vm: string, { fact }: Verdict): boolean {
  const word = wordOf(fact);
  return (word === "off" || word === "stopped") && absentOf(view, [vm]).coming.length === 0;
}

function otherEnds(patient: Patient, { evidence = [] }: Verdict): OfCode<Evidence, "other-end">[] {
  const { view, vm } = patient, told = new Set(evidence.flatMap((one) => one.code === "left-lock" ? [one.vm] : []));
  const byObject = Map.groupBy(waitsOf(patient), ({ what: { through } }) => through);
  const ends = [...byObject.values()].flatMap((waits) => {
    const found = peersOf(view, vm.id, waits).map((wait) => idleEnd(patient, wait));
    return found.every((one) => one !== undefined) ? found : [];
  });
  return [...new Map(ends.map((end) => [end.vm, end])).values()].filter((end) => !told.has(end.vm));
}

export const OTHER_END_EVIDENCE = [
  evidenceRule({ codes: ["other-end"], when: (_, { fact }) => WAITS.has(fact.code), read: otherEnds }),
];
