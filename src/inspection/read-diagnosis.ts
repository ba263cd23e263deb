// The verdict on each VM: what it does or waits for, and whether that can go on. Each verdict has
// its evidence and the command to ask next. What looks healthy gets no other word than that.

import { Intid } from "../hypervisor/gic/gic-registers.ts";
import { Irq } from "../hypervisor/gic/irq-bank.ts";
import { VirqSource } from "../hypervisor/gic/vic-source.ts";
import { TimerPpi } from "../hypervisor/scheduling/timer.ts";
import { Block, type Vcpu } from "../hypervisor/scheduling/vcpu.ts";
import { countText, durationText } from "../queries/format.ts";
import type { RowOf } from "../queries/table.ts";
import { hex } from "../queries/table.ts";
import type { DIAGNOSES, IRQS, VMS } from "../queries/tables.ts";
import type { View } from "./inspected.ts";
import { irqId, readIrqs } from "./read-irqs.ts";
import { readVmFacts, type VmFacts } from "./read-vms.ts";
import { sourceNames } from "./virq-sources.ts";

/** Virtual time (ns) for which a loop without an exit has to go on to be a spin. */
const SPIN_TIME = 50e6;
/** Instructions that it has to retire meanwhile. */
const SPIN_INSTRUCTIONS = 100_000;
/** Bytes of code in which a spin stays, as far as was seen. */
const SPIN_CODE = 256n;
/** Times that the PC has to be seen there. */
const SPIN_LOOKS = 3;
/** Virtual time (ns) for which a vCPU that can run does not, to be starved. */
const STARVED = 1e9;
/** Virtual time (ns) that a VM may sleep before an interrupt is missed. */
const UNHEARD = 10e6;

type Diagnosis = RowOf<typeof DIAGNOSES>;

/** A verdict, before it has its VM. */
interface Verdict {
  readonly verdict: string;
  readonly text: string;
  readonly evidence?: readonly string[];
  readonly next?: string;
}

/** A verdict for each VM that runs guests' instructions, or did. */
export function readDiagnoses(view: View): Diagnosis[] {
  return diagnose(view, readVmFacts(view));
}

/** The VMs, each with the verdict on it where there is one. */
export function readVms(view: View): RowOf<typeof VMS>[] {
  const vms = readVmFacts(view);
  const verdicts = new Map(diagnose(view, vms).map((row) => [row.id, row]));
  return vms.map((vm) => {
    const { verdict = null, healthy = true, text = null } = verdicts.get(vm.id) ?? {};
    return { ...vm, verdict, healthy, doing: text };
  });
}

function diagnose(view: View, vms: readonly VmFacts[]): Diagnosis[] {
  const vcpus = view.vcpus();
  const irqs = Map.groupBy(readIrqs(view), ({ vm }) => vm);
  return vms.flatMap((vm) => {
    const own = vcpus.filter((vcpu) => view.vmOf(vcpu.addressSpace) === vm.id);
    if (own.some(({ native }) => native)) return [];
    const { verdict, text, evidence = [], next } = verdictOf(view, vm, own, irqs.get(vm.id) ?? []);
    return [{
      id: vm.id,
      verdict,
      healthy: HEALTHY.has(verdict),
      text,
      evidence: [...evidence],
      next: next ?? null,
    }];
  });
}

/** Verdicts that are no reason to look further. */
const HEALTHY: ReadonlySet<string> = new Set(["runs", "waits", "starts", "off", "stopped"]);

function verdictOf(
  view: View,
  vm: VmFacts,
  vcpus: readonly Vcpu[],
  irqs: readonly RowOf<typeof IRQS>[],
): Verdict {
  const name = vm.id.slice("vm:".length);
  const why = vm.why === null ? undefined : `el2 why ${vm.why}`;
  if (vcpus.length === 0) return endOf(vm, why);
  const panic = panicText(view.system.consoles.tail(name));
  if (panic !== undefined) {
    return { verdict: "panicked", text: panic, evidence: [`con:${name}/0 shows it`], next: `el2 console ${name}` };
  }
  const storm = irqs.find(({ finding }) => finding?.startsWith("storm"));
  if (storm) return { verdict: "storm", text: `${storm.id} ${storm.finding}`, evidence: [storm.source], next: `el2 irq show ${storm.id}` };
  const online = vcpus.filter((vcpu) => !vcpu.isDead && !vcpu.isBlockedBy(Block.Lifecycle | Block.Off));
  if (online.length === 0) return { verdict: "starts", text: "no vCPU is powered on" };
  for (const vcpu of online) {
    const found = spins(view, vcpu) ?? starves(view, vcpu);
    if (found) return found;
  }
  const awake = online.find((vcpu) => !isAsleep(vcpu));
  if (awake) return doing(view, awake);
  const lost = irqs.find(({ pend, finding }) => pend && finding?.startsWith("cannot fire"));
  if (lost) {
    return { verdict: "lost", text: `${lost.id} is pending and ${lost.finding}`, evidence: [lost.source], next: `el2 irq show ${lost.id}` };
  }
  return unheard(view, name, online) ?? waiting(view, name, online);
}

function endOf(vm: VmFacts, why: string | undefined): Verdict {
  if (vm.ended === null) return { verdict: "starts", text: "it has no vCPU yet", next: `el2 vm timeline ${vm.id.slice("vm:".length)}` };
  const word = vm.state === "failed" || vm.exit === "fault" ? "failed" : vm.exit === "system-off" || vm.exit === "exit" ? "off" : "stopped";
  return { verdict: word, text: vm.ended, next: why };
}

/** What Linux says last when it has panicked, in this life. */
function panicText(console: string): string | undefined {
  const life = console.slice(Math.max(0, console.lastIndexOf("Booting Linux on physical CPU")));
  const text = /---\[ end (Kernel panic - not syncing: .*?) \]---/.exec(life)?.[1];
  return text;
}

function isAsleep(vcpu: Vcpu): boolean {
  return vcpu.isBlockedBy(Block.Wfi | Block.Suspend) && !vcpu.isBlockedBy(Block.Vmmio);
}

/** A loop that has not left for the hypervisor for long, and stays in a little code. */
function spins(view: View, vcpu: Vcpu): Verdict | undefined {
  const { exits, instructions } = vcpu.usage;
  const { pc } = vcpu.registers;
  const known = view.stretches.get(vcpu);
  if (isAsleep(vcpu) || vcpu.isBlockedBy(Block.Vmmio) || !known || known.exits !== exits) {
    view.stretches.set(vcpu, { exits, since: view.now, instructions, looks: 1, first: pc, last: pc });
    return undefined;
  }
  const moved = instructions > known.instructions;
  const first = pc < known.first ? pc : known.first, last = pc > known.last ? pc : known.last;
  const stretch = { ...known, looks: known.looks + (moved ? 1 : 0), first, last };
  view.stretches.set(vcpu, stretch);
  const count = instructions - known.instructions, time = view.now - known.since;
  if (stretch.looks < SPIN_LOOKS || last - first > SPIN_CODE || count < SPIN_INSTRUCTIONS || time < SPIN_TIME) return undefined;
  const id = view.vcpu(vcpu), name = view.vmOf(vcpu.addressSpace).slice("vm:".length);
  const symbol = view.system.symbols.nameOf(name, pc);
  const range = first === last ? hex(first) : `${hex(first)}..${hex(last)}`;
  return {
    verdict: "spins",
    text: `${id} loops at ${range}${symbol === undefined ? "" : ` <${symbol}>`} for ${durationText(time)} without an exit`,
    evidence: [`${countText(count)} instructions`, `interrupts ${vcpu.registers.pstate & PSTATE_I ? "masked" : "not masked"} (PSTATE.I)`],
    next: `el2 disasm ${name}/${vcpu.index}:pc`,
  };
}

const PSTATE_I = 1 << 7;

function starves(view: View, vcpu: Vcpu): Verdict | undefined {
  const time = view.now - vcpu.usage.ranUntil;
  if (!vcpu.isRunnable || time < STARVED) return undefined;
  const { affinity, priority } = vcpu.settings;
  const rivals = view.vcpus().filter((one) =>
    one !== vcpu && one.settings.affinity === affinity && one.usage.ranUntil > vcpu.usage.ranUntil
  );
  if (rivals.length === 0) return undefined;
  const others = rivals.map((one) => `${view.vcpu(one)} of priority ${one.settings.priority}`).join(", ");
  return {
    verdict: "starved",
    text: `${view.vcpu(vcpu)} can run and has not for ${durationText(time)}`,
    evidence: [`priority ${priority}`, `pcpu:${affinity} runs ${others}`],
    next: `el2 vcpu show ${view.vcpu(vcpu)}`,
  };
}

function doing(view: View, vcpu: Vcpu): Verdict {
  const { vmmio } = vcpu;
  if (!vmmio) return { verdict: "runs", text: `${view.vcpu(vcpu)} runs` };
  const access = `${vmmio.write ? "write to" : "read of"} ${hex(vmmio.ipa)}`;
  const since = durationText(Math.max(0, view.now - vcpu.usage.ranUntil));
  return { verdict: "waits", text: `${view.vcpu(vcpu)} waits for its VMM: MMIO ${access}, for ${since}` };
}

/** All vCPUs sleep: what wakes one, or that nothing can. */
function waiting(view: View, vm: string, vcpus: readonly Vcpu[]): Verdict {
  const names = sourceNames(view);
  const found: string[] = [];
  let due = Infinity;
  for (const vcpu of vcpus) {
    due = Math.min(due, vcpu.timers.deadline);
    const { gic } = vcpu.gic;
    for (let intid: number = Intid.SgiEnd; intid < Intid.SpiEnd; intid++) {
      const bank = gic.bank(vcpu.gic, intid);
      const source = bank.sources[intid];
      if (!(bank.flags[intid] & Irq.Enabled) && !bank.isPending(intid)) continue;
      if (intid === TimerPpi.Virtual || intid === TimerPpi.Physical) continue;
      if (intid >= Intid.PrivateEnd && gic.routeOf(intid) !== vcpu.index) continue;
      if (source) found.push(`${irqId(vm, intid, vcpu.index)} (${names.get(source) ?? "hardware"})`);
    }
  }
  if (due !== Infinity) {
    const after = durationText(Math.max(0, due - view.now));
    return { verdict: "waits", text: `waits for its timer, due in ${after}`, evidence: found };
  }
  if (found.length > 0) {
    const more = found.length > 1 ? ` or ${found.length - 1} more` : "";
    return { verdict: "waits", text: `waits for ${found[0]}${more}`, evidence: found };
  }
  return {
    verdict: "stuck",
    text: "every vCPU waits for an interrupt, and none can come",
    evidence: vcpus.map((vcpu) => `${view.vcpu(vcpu)}: no timer is set, no interrupt with a source is enabled`),
    next: `el2 irq ls ${vm}`,
  };
}

/**
 * An interrupt that is enabled and whose condition holds, and which is not pending: nothing tells
 * the sleeping guest.
 */
function unheard(view: View, vm: string, vcpus: readonly Vcpu[]): Verdict | undefined {
  const asleep = view.now - Math.max(...vcpus.map(({ usage }) => usage.ranUntil));
  if (asleep < UNHEARD) return undefined;
  for (const vcpu of vcpus) {
    const { gic } = vcpu.gic;
    for (let intid: number = Intid.SgiEnd; intid < Intid.SpiEnd; intid++) {
      const bank = gic.bank(vcpu.gic, intid);
      const source = bank.sources[intid];
      const quiet = bank.flags[intid] & Irq.Enabled && !(bank.flags[intid] & Irq.Active) && !bank.isPending(intid);
      if (!quiet || !(source instanceof VirqSource) || !source.stillPending()) continue;
      const irq = irqId(vm, intid, vcpu.index);
      const what = sourceNames(view).get(source) ?? "hardware";
      return {
        verdict: "lost",
        text: `${irq} (${what}) is not pending though its condition holds: the interrupt was lost`,
        evidence: [`condition: ${source.what}`, `the VM has slept for ${durationText(asleep)}`],
        next: `el2 irq show ${irq}`,
      };
    }
  }
  return undefined;
}
