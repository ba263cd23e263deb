// Verdicts on vCPUs that do not sleep: a loop that leads nowhere, a turn that does not come, a VMM
// that does not answer.

import type { Vcpu } from "../../hypervisor/inspect.ts";
import { Block } from "../../hypervisor/interface.ts";
import { ExceptionClass, exceptionClass, Pstate, X_REGISTERS } from "../../core/interface.ts";
import { nameOf, paId, pcpuId, vmOfName } from "../../queries/ids.ts";
import { countText, durationText, lastPart } from "../../queries/format.ts";
import { hex } from "../../queries/table.ts";
import type { Stretch, View } from "../readers/inspected.ts";
import { readOwner } from "../readers/read-memory.ts";
import { instructionAt } from "../readers/read-symbols.ts";
import { syndromeText } from "../trace/syndromes.ts";
import type { Verdict } from "./verdict.ts";

/**
 * Virtual time (ns) that a loop without an exit must last to be a spin, if its registers return to
 * earlier values: no counter in them.
 */
const SPIN_TIME = 50e6;
/** The same where no two states were equal: a long computation looks like that, too. */
const COUNTING_TIME = 2e9;
/** States that are compared. */
const STATES_KEPT = 64;
/** Instructions that it has to retire meanwhile. */
const SPIN_INSTRUCTIONS = 100_000;
/** Limit on the bytes of code in which a spin was seen. */
const SPIN_CODE = 256n;
/** Bytes of code around a loop in which it may read the counter. */
const COUNTER_NEAR = 64n;
/** Times that the PC has to be seen there. */
const SPIN_LOOKS = 3;
/** Exits of a whole stretch of a vCPU that does nothing else. */
const STORM_EXITS = 2_000;
/** Virtual time (ns) that they must last. */
const STORM_TIME = 50e6;
/** Most instructions from one exit to the next then. */
const STORM_INSTRUCTIONS = 200;
/** Virtual time (ns) for which a vCPU that can run does not, to be starved. */
const STARVED = 1e9;
/** Virtual time (ns) within which a VMM serves its vCPU. */
const SERVED = 2e9;
/** Most instructions from one exception to the next, where a handler raises it itself. */
const FAULT_INSTRUCTIONS = 1000;
/** Virtual time (ns) that the same activity must last if the hypervisor is not involved. */
const FAULT_TIME = 200e6;

/** Whether a vCPU waits for an interrupt. */
export function isAsleep(vcpu: Vcpu): boolean {
  return vcpu.isBlockedBy(Block.Wfi | Block.Suspend) && !vcpu.isBlockedBy(Block.Vmmio);
}

/** Remembers where all vCPUs are that execute instructions. */
export function watchWork(view: View): void {
  for (const vcpu of view.hypervisor.scheduler.vcpus) if (!vcpu.native) loops(view, vcpu);
}

/** Remembers where a vCPU is, and what it makes of that: a loop that makes no progress. */
export function loops(view: View, vcpu: Vcpu): Verdict | undefined {
  const { exits, instructions } = vcpu.usage;
  const { pc } = vcpu.registers;
  const known = view.stretches.get(vcpu);
  const fault = lastFault(vcpu);
  const first = !known || pc < known.first ? pc : known.first, last = !known || pc > known.last ? pc : known.last;
  // Looked at twice at one time, it has done nothing else either.
  const exitsAgain = known !== undefined && last - first <= SPIN_CODE &&
    instructions - known.seen <= (exits - known.seenExits) * STORM_INSTRUCTIONS;
  const goesOn = known && !isAsleep(vcpu) && !vcpu.isBlockedBy(Block.Vmmio) && known.fault === fault &&
    (known.exits === exits || exitsAgain ||
      fault !== undefined && instructions - known.instructions < (exits - known.exits) * FAULT_INSTRUCTIONS);
  if (!goesOn) {
    const states = new Set([stateOf(vcpu)]);
    view.stretches.set(vcpu, {
      exits,
      since: view.now,
      instructions,
      looks: 1,
      first: pc,
      last: pc,
      fault,
      states,
      repeated: false,
      seen: instructions,
      seenExits: exits,
    });
    return undefined;
  }
  const state = stateOf(vcpu), moved = instructions > known.seen;
  const repeated = known.repeated || moved && known.states.has(state);
  if (known.states.size < STATES_KEPT) known.states.add(state);
  const stretch = { ...known, looks: known.looks + (moved ? 1 : 0), first, last, repeated, seen: instructions, seenExits: exits };
  view.stretches.set(vcpu, stretch);
  const count = instructions - known.instructions, time = view.now - known.since, left = exits - known.exits;
  const isStorm = exitsAgain && left >= STORM_EXITS && time >= STORM_TIME;
  if (stretch.looks >= SPIN_LOOKS && repeated && isStorm && fault === undefined) return exitStorm(view, vcpu, stretch);
  if (stretch.looks < SPIN_LOOKS || count < SPIN_INSTRUCTIONS || time < SPIN_TIME) return undefined;
  const id = view.vcpu(vcpu), name = view.vmNameOf(vcpu.addressSpace);
  const next = `el2 disasm ${name}/${vcpu.index}:pc`, took = `${countText(count)} instructions`;
  if (last - first <= SPIN_CODE && known.exits === exits && (repeated || time >= COUNTING_TIME)) {
    // Firmware waits for a time by reading the counter.
    if (readsCounter(view, vcpu, first, last)) return undefined;
    const range = `${first === last ? hex(first) : `${hex(first)}..${hex(last)}`}${named(view, vcpu, pc)}`;
    const masked = `interrupts ${vcpu.registers.pstate & Pstate.I ? "masked" : "not masked"} (PSTATE.I)`;
    return {
      verdict: "spins",
      text: `${id} loops at ${range} for ${durationText(time)} without an exit`,
      evidence: [took, masked, ...polled(view, vcpu, first, last)],
      next,
    };
  }
  if (fault === undefined || known.exits === exits && time < FAULT_TIME) return undefined;
  const elr = vcpu.registers.getRegister("ELR_EL1"), esr = Number(vcpu.registers.getRegister("ESR_EL1") & 0xffff_ffffn);
  return {
    verdict: "storm",
    text: `${id} takes the same exception in its handler again and again, for ${durationText(time)}: ${syndromeText(esr)}`,
    evidence: [`ELR_EL1 ${hex(elr)}${named(view, vcpu, elr)}`, `ESR_EL1 ${hex(esr, 8)}`, took],
    next: `el2 disasm ${name}/${vcpu.index}:${hex(elr)}`,
  };
}

/** A loop whose every round exits to the hypervisor, and whose registers return. */
function exitStorm(view: View, vcpu: Vcpu, { first, last, since, exits, instructions }: Stretch): Verdict {
  const id = view.vcpu(vcpu), { usage, registers } = vcpu;
  const range = `${first === last ? hex(first) : `${hex(first)}..${hex(last)}`}${named(view, vcpu, registers.pc)}`;
  const waits = waitAt(view, vcpu, first, last);
  if (waits !== undefined) {
    const times = `${countText(usage.exits - exits)} times in ${durationText(view.now - since)}`;
    return {
      verdict: "storm",
      text: `${id} is never blocked: its WFI at ${hex(waits)} returns at once, ${times}: an interrupt is pending that it does not take`,
      evidence: [
        `interrupts ${registers.pstate & Pstate.I ? "masked" : "not masked"} (PSTATE.I)`,
        "its registers return to earlier values",
      ],
      next: `el2 irq ls ${vmOfName(nameOf(id))}`,
    };
  }
  return {
    verdict: "storm",
    text: `${id} exits at ${range} again and again, ${countText(usage.exits - exits)} times in ${durationText(view.now - since)}`,
    evidence: [`${countText(usage.instructions - instructions)} instructions between them`, "its registers return to earlier values"],
    next: `el2 disasm ${nameOf(id)}:pc`,
  };
}

/** The WFI of a loop. */
function waitAt(view: View, vcpu: Vcpu, first: bigint, last: bigint): bigint | undefined {
  const { symbols, hypervisor } = view.system;
  for (let at = first - 4n; at <= last; at += 4n) {
    if (instructionAt(symbols.core, hypervisor.machine.ram, vcpu, at) === "wfi") return at;
  }
  return undefined;
}

/** PC and registers. */
function stateOf({ registers }: Vcpu): string {
  const values = [registers.pc];
  for (let index = 0; index < X_REGISTERS; index++) values.push(registers.getX(index));
  return values.join();
}

/** Whether code reads the time. */
function readsCounter(view: View, vcpu: Vcpu, first: bigint, last: bigint): boolean {
  const { symbols, hypervisor } = view.system;
  for (let at = first - COUNTER_NEAR; at <= last + COUNTER_NEAR; at += 4n) {
    if (/, cnt[vp]ct(?:ss)?_el0$/.test(instructionAt(symbols.core, hypervisor.machine.ram, vcpu, at) ?? "")) return true;
  }
  return false;
}

/** ` <take_lock+0x8> at lock.c:42`, if a known image has it. */
function named(view: View, vcpu: Vcpu, address: bigint): string {
  const vm = view.vmNameOf(vcpu.addressSpace), { symbols } = view.system;
  const symbol = symbols.nameOf(vm, address), source = symbols.sourceOf(vm, address);
  return `${symbol === undefined ? "" : ` <${symbol}>`}${source === undefined ? "" : ` at ${lastPart(source)}`}`;
}

/** The memory that a loop reads, and the VMs that could change it. */
function polled(view: View, vcpu: Vcpu, first: bigint, last: bigint): string[] {
  const { symbols, hypervisor } = view.system;
  const { ram } = hypervisor.machine;
  const found = new Set<string>();
  for (let at = first - LOOP_NEAR; at <= last + LOOP_NEAR; at += 4n) {
    const [, base, offset = "0"] = LOAD.exec(instructionAt(symbols.core, ram, vcpu, at) ?? "") ?? [];
    if (base === undefined) continue;
    const address = (base === "sp" ? vcpu.registers.getRegister("SP_EL1") : vcpu.registers.getX(Number(base.slice(1)))) + BigInt(offset);
    const translation = symbols.core.inspect(vcpu.registers, address);
    if (!translation.ok || !ram.contains(translation.pa, 1)) continue;
    const [page] = readOwner(view, paId(translation.pa));
    if (page) found.add(`reads ${hex(address)}${named(view, vcpu, address)}, ${paId(translation.pa)}; mapped: ${page.mapped.join(", ")}`);
  }
  return [...found];
}

/** Bytes around the observed places of a loop in which it may read memory. */
const LOOP_NEAR = 8n;
const LOAD = /^ld(?:a?x?r|apr|ur)[bh]? [wx]\d+, \[(x\d+|sp)(?:, #(0x[0-9a-f]+|\d+))?\]$/;

/** The last synchronous exception that a vCPU took from EL1, which its handler may raise itself. */
function lastFault({ registers }: Vcpu): string | undefined {
  const esr = Number(registers.getRegister("ESR_EL1") & 0xffff_ffffn);
  const inKernel = (Number(registers.getRegister("SPSR_EL1")) & Pstate.ElMask) === Pstate.EL1t;
  if (esr === 0 || !inKernel || !SYNCHRONOUS.has(exceptionClass(esr))) return undefined;
  return `${hex(registers.getRegister("ELR_EL1"))} ${hex(esr)}`;
}

/** Exception classes of what a handler does wrong: undefined, illegal state, aborts, alignment. */
const SYNCHRONOUS: ReadonlySet<number> = new Set([
  ExceptionClass.Unknown,
  ExceptionClass.IllegalState,
  ExceptionClass.InstructionAbort,
  ExceptionClass.PcAlignment,
  ExceptionClass.DataAbort,
  ExceptionClass.SpAlignment,
]);

/** A vCPU that can run and does not get a CPU, as others of its CPU run. */
export function starves(view: View, vcpu: Vcpu): Verdict | undefined {
  const time = view.now - vcpu.usage.ranUntil;
  // A vCPU that yielded its turn to another has been scheduled.
  if (!vcpu.isRunnable || vcpu.turn.yieldTo || time < STARVED) return undefined;
  const { affinity, priority } = vcpu.settings;
  const rivals = view.vcpus().filter((one) =>
    one !== vcpu && one.settings.affinity === affinity && one.usage.ranUntil > vcpu.usage.ranUntil
  );
  if (rivals.length === 0) return undefined;
  const others = rivals.map((one) => `${view.vcpu(one)} of priority ${one.settings.priority}`).join(", ");
  return {
    verdict: "starved",
    text: `${view.vcpu(vcpu)} can run and has not for ${durationText(time)}`,
    evidence: [`priority ${priority}`, `${pcpuId(affinity)} runs ${others}`],
    next: `el2 vcpu show ${view.vcpu(vcpu)}`,
  };
}

/** The work of an awake vCPU, or that its VMM does not serve it. */
export function working(view: View, vcpu: Vcpu): Verdict {
  const { vmmio } = vcpu;
  const id = view.vcpu(vcpu), time = Math.max(0, view.now - vcpu.usage.ranUntil);
  const since = durationText(time), next = `el2 vcpu show ${id}`;
  if (vmmio) {
    const access = `MMIO ${vmmio.write ? "write to" : "read of"} ${hex(vmmio.ipa)}`;
    if (time < SERVED && !view.isSettled) return { verdict: "waits", text: `${id} waits for its VMM: ${access}, for ${since}` };
    return { verdict: "stuck", text: `the VMM has not answered the ${access} of ${id} for ${since}`, next };
  }
  if (vcpu.isBlockedBy(Block.Run) && (time >= SERVED || view.isSettled)) {
    return { verdict: "stuck", text: `${id} can run, but its VMM has not called vcpu_run for ${since}`, next };
  }
  return { verdict: "runs", text: `${id} runs` };
}
