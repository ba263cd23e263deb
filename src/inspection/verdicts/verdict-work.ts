// Verdicts on vCPUs that do not sleep: a loop that leads nowhere, a turn that does not come, a VMM
// that does not answer.

import type { Vcpu } from "../../hypervisor/inspect.ts";
import { Block } from "../../hypervisor/interface.ts";
import { ExceptionClass, exceptionClass, Pstate, X_REGISTERS } from "../../core/interface.ts";
import { nameOf, paId, pcpuId, vmOfName } from "../../queries/ids.ts";
import { lastPart } from "../../queries/format.ts";
import { hex } from "../../support/number-text.ts";
import type { Stretch, View } from "../readers/inspected.ts";
import { readOwner } from "../readers/read-memory.ts";
import { instructionAt } from "../readers/read-symbols.ts";
import { syndromeText } from "../trace/syndromes.ts";
import type { Verdict } from "./verdict.ts";
import type { CodeRange, Evidence } from "../../queries/facts/verdict.ts";

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
  const id = view.vcpu(vcpu), place = `${view.vmNameOf(vcpu.addressSpace)}/${vcpu.index}`;
  const took = { code: "instructions", count } as const;
  if (last - first <= SPIN_CODE && known.exits === exits && (repeated || time >= COUNTING_TIME)) {
    // Firmware waits for a time by reading the counter.
    if (readsCounter(view, vcpu, first, last)) return undefined;
    return {
      fact: { code: "spins", vcpu: id, range: rangeOf(view, vcpu, first, last, pc), for_ns: time },
      evidence: [took, maskedBy(vcpu), ...polled(view, vcpu, first, last)],
      next: `el2 disasm ${place}:pc`,
    };
  }
  if (fault === undefined || known.exits === exits && time < FAULT_TIME) return undefined;
  const elr = vcpu.registers.getRegister("ELR_EL1"), esr = Number(vcpu.registers.getRegister("ESR_EL1") & 0xffff_ffffn);
  return {
    fact: { code: "fault-loop", vcpu: id, for_ns: time, exception: syndromeText(esr) },
    evidence: [{ code: "elr", range: rangeOf(view, vcpu, elr, elr, elr) }, { code: "esr", esr: hex(esr, 8) }, took],
    next: `el2 disasm ${place}:${hex(elr)}`,
  };
}

function maskedBy({ registers }: Vcpu): Evidence {
  return { code: "masked", masked: (registers.pstate & Pstate.I) !== 0 };
}

/** A loop whose every round exits to the hypervisor, and whose registers return. */
function exitStorm(view: View, vcpu: Vcpu, { first, last, since, exits, instructions }: Stretch): Verdict {
  const id = view.vcpu(vcpu), { usage, registers } = vcpu;
  const loop = { vcpu: id, exits: usage.exits - exits, for_ns: view.now - since }, at = waitAt(view, vcpu, first, last);
  const again = { code: "registers-return" } as const;
  if (at !== undefined) {
    return {
      fact: { code: "wfi-returns", at: hex(at), ...loop },
      evidence: [maskedBy(vcpu), again],
      next: `el2 irq ls ${vmOfName(nameOf(id))}`,
    };
  }
  return {
    fact: { code: "exit-loop", range: rangeOf(view, vcpu, first, last, registers.pc), ...loop },
    evidence: [{ code: "instructions-between", count: usage.instructions - instructions }, again],
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

/** Code with the symbol and the source line of an address in it, if a known image has them. */
function rangeOf(view: View, vcpu: Vcpu, first: bigint, last: bigint, pc: bigint): CodeRange {
  const vm = view.vmNameOf(vcpu.addressSpace), { symbols } = view.system;
  const source = symbols.sourceOf(vm, pc);
  return {
    first: hex(first),
    last: hex(last),
    symbol: symbols.nameOf(vm, pc) ?? null,
    source: source === undefined ? null : lastPart(source),
  };
}

/** The memory that a loop reads, and the VMs that could change it. */
function polled(view: View, vcpu: Vcpu, first: bigint, last: bigint): Evidence[] {
  const { symbols, hypervisor } = view.system;
  const { ram } = hypervisor.machine;
  const found = new Map<bigint, Evidence>();
  for (let at = first - LOOP_NEAR; at <= last + LOOP_NEAR; at += 4n) {
    const [, base, offset = "0"] = LOAD.exec(instructionAt(symbols.core, ram, vcpu, at) ?? "") ?? [];
    if (base === undefined) continue;
    const address = (base === "sp" ? vcpu.registers.getRegister("SP_EL1") : vcpu.registers.getX(Number(base.slice(1)))) + BigInt(offset);
    const translation = symbols.core.inspect(vcpu.registers, address);
    if (!translation.ok || !ram.contains(translation.pa, 1)) continue;
    const [page] = readOwner(view, paId(translation.pa));
    if (page) {
      found.set(address, {
        code: "reads",
        range: rangeOf(view, vcpu, address, address, address),
        pa: paId(translation.pa),
        mapped: page.mapped,
      });
    }
  }
  return [...found.values()];
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
  return {
    fact: { code: "starved", vcpu: view.vcpu(vcpu), for_ns: time },
    evidence: [
      { code: "priority", priority },
      {
        code: "rivals",
        pcpu: pcpuId(affinity),
        rivals: rivals.map((one) => ({ vcpu: view.vcpu(one), priority: one.settings.priority })),
      },
    ],
    next: `el2 vcpu show ${view.vcpu(vcpu)}`,
  };
}

/** The work of an awake vCPU, or that its VMM does not serve it. */
export function working(view: View, vcpu: Vcpu): Verdict {
  const { vmmio } = vcpu;
  const id = view.vcpu(vcpu), since_ns = Math.max(0, view.now - vcpu.usage.ranUntil), next = `el2 vcpu show ${id}`;
  const late = since_ns >= SERVED || view.isSettled;
  if (vmmio) {
    const access = { vcpu: id, write: vmmio.write, ipa: hex(vmmio.ipa) };
    return late ? { fact: { code: "vmm-silent", access, since_ns }, next } : { fact: { code: "waits-for-vmm", access, since_ns } };
  }
  if (vcpu.isBlockedBy(Block.Run) && late) return { fact: { code: "vmm-absent", vcpu: id, since_ns }, next };
  return { fact: { code: "runs", vcpu: id } };
}
