// How VMs end: the last work of a VM's vCPUs is recorded when one stops for good, and becomes a
// reason when the VM's end is known (src/machine/abi/trace.ts), since the registers are gone by
// then.

import { endedByOwnWill, type HostEvent, type VmExitReason } from "../../../machine/host/interface.ts";
import type { Hypervisor, Vcpu, VcpuEnd } from "../../../machine/hypervisor/boot.ts";
import { instructionAt } from "../../inspection/readers/guest/read-symbols.ts";
import { Vector } from "../../../cpu/core/interface.ts";
import { causeOf } from "../../inspection/causes/exception-cause.ts";
import { noVectors, usedSpEl0 } from "../../inspection/causes/vectors.ts";
import { firstTaken, lastTaken, type Taken } from "../../inspection/causes/taken.ts";
import type { EndedPanic, GuestPanic, LoggedLine, UnseenEnd, View } from "../../inspection/readers/inspected.ts";
import { endedBy, logOf, panicOf, showsPanic, unshownBecause } from "../../inspection/kernels/kernels.ts";
import { callPlaces } from "../../inspection/readers/guest/code-range.ts";
import { isAbort, syndromeText } from "../../inspection/trace/syndromes.ts";
import type { VmSymbols } from "../../../inside/symbols/vm-symbols.ts";
import type { SessionVms } from "./session-vms.ts";
import { EXCEPTION_CAUSES, type ExceptionCause } from "../../../model/queries/facts/exception-cause.ts";
import { type EndedBy, endedByText, LINUX_FINDINGS, WATCHDOG_WAY_OUT } from "../../../model/queries/facts/linux-finding.ts";
import { type CodeRange, placesText, unseenEnd, type UnshownBecause } from "../../../model/queries/facts/verdict.ts";
import { PRIMARY_CONSOLE } from "../../../model/plans/plan.ts";
import { HOST, paId, vmId } from "../../../model/queries/ids.ts";
import type { Reason } from "../../../machine/abi/trace.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { hint } from "../../../kit/support/text/hint.ts";

/** An instruction of a guest, by name where that is known. */
interface LastPlace {
  readonly pc: bigint;
  readonly text: string;
}

/** The last work of a vCPU. */
export interface LastWork {
  readonly vcpu: string;
  readonly how: VcpuEnd;
  /** The instruction that it executed last, or the next one where others ended it. */
  readonly at: LastPlace;
  readonly instructions: number;
  /** The exception that it took last at EL1, with the instruction that took it. */
  readonly exception: TakenException | undefined;
  /** It has not returned from that. */
  readonly inHandler: boolean;
  /** Its kernel has panicked, with this message. */
  readonly panic: GuestPanic | undefined;
  /** The task that made its kernel ask for the end. */
  readonly by: EndedBy | undefined;
  /** Where it asked for a reset, and the callers, if nothing else says why. */
  readonly called: readonly CodeRange[];
  /** Why no console has shown anything; undefined if one has, or none was named. */
  readonly unshown: UnshownBecause | undefined;
  /** The last lines of its kernel's log, where no console has shown anything. */
  readonly log: readonly LoggedLine[];
}

interface TakenException {
  readonly esr: number;
  readonly at: LastPlace;
  readonly far: string | undefined;
  readonly cause: ExceptionCause | undefined;
}

/** The more a stop says about a VM's end, the further in front. */
const TELLING: readonly VcpuEnd[] = ["bug", "fault", "watchdog", "system-reset", "system-off", "killed"];

const EXIT_RULES: Readonly<Record<VmExitReason, string>> = {
  "exit": "the guest asked for its end (VM_EXIT)",
  "system-off": "the guest powered itself off (PSCI SYSTEM_OFF)",
  "system-reset": "the guest asked for a reset (PSCI SYSTEM_RESET)",
  "system-reset2": "the guest asked for a reset (PSCI SYSTEM_RESET2)",
  "watchdog": "the guest did not serve its watchdog in time",
  "fault": "a vCPU took a fault that it could not handle",
  "hardware-error": "the platform reported a hardware error",
  "forced": "its owner ended it by force",
  "unknown": "the Resource Manager does not say why it ended",
};
/** Virtual time (ns) of a life that is too short to have done its work. */
const SHORT_LIFE = 10e9;
/**
 * Virtual time (ns) of a life in which nothing can boot, ends of such lives in a row that are a
 * failure, whoever asked for them, and time without one after which they are over.
 */
const BRIEF_LIFE = 3e6, BRIEF_LIVES = 20, BRIEF_OVER = 30e6;
const EXIT_SECTION = "resource-manager 4.3";

/** A problem that the host has reported, and how many reasons there were then. */
export interface VmProblem {
  readonly message: string;
  readonly reasons: number;
}

/** Knowledge of VMs at a place of the run. */
interface Known {
  readonly work: Map<string, LastWork>;
  /** The first problem that the host reported of a VM in this life of it. */
  readonly problems: Map<string, VmProblem>;
  /** VMIDs of VMs as the host has reported them, of which it fails at the latest. */
  readonly vmids: Map<string, number>;
  /** How many reasons there were when a VM was made. */
  readonly before: Map<string, number>;
  /** VMs whose end has its reason. */
  readonly told: Set<string>;
  /** Of the exceptions that ended VMs, by the number of the reason. */
  readonly causes: Map<number, ExceptionCause>;
  /** Panics before ends, by the number of the reason. */
  readonly panics: Map<number, EndedPanic>;
  /** Ends before which nothing was printed, and logs' last lines, by the number of the reason. */
  readonly unshown: Map<number, UnseenEnd>;
  readonly logs: Map<number, readonly LoggedLine[]>;
  /** When VMs were made that are made again and again, and their bad ends in a row. */
  readonly lives: Map<string, Lives>;
}

/** The last life of a VM: its start, and ends in a row that nobody wanted, and of brief lives. */
export interface Lives {
  readonly since: number;
  readonly bad: number;
  readonly brief: number;
}
const NO_LIVES: Lives = { since: 0, bad: 0, brief: 0 };

/** The same for another machine there. */
export type EndsMemory = Known;

function copy({ work, problems, vmids, before, told, causes, panics, unshown, logs, lives }: Known): Known {
  return {
    work: new Map(work),
    problems: new Map(problems),
    vmids: new Map(vmids),
    before: new Map(before),
    told: new Set(told),
    causes: new Map(causes),
    panics: new Map(panics),
    unshown: new Map(unshown),
    logs: new Map(logs),
    lives: new Map(lives),
  };
}

const NOTHING_UNSEEN = { unshown: undefined, log: [] } as const;

const NOTHING_KNOWN: Known = {
  work: new Map(),
  problems: new Map(),
  vmids: new Map(),
  before: new Map(),
  told: new Set(),
  causes: new Map(),
  panics: new Map(),
  unshown: new Map(),
  logs: new Map(),
  lives: new Map(),
};

/** Called with the name of a VM whose life begins or ends. */
export type VmListener = (vm: string, now: "begins" | "ends") => void;

/** The ends of one machine's VMs. */
export class VmEnds {
  #known: Known = copy(NOTHING_KNOWN);
  readonly #listeners: VmListener[] = [];

  /** Called when one of its vCPUs asks for its power-off or its reset. */
  onAsked: (vm: string) => void = () => {};

  constructor(
    readonly hypervisor: () => Hypervisor,
    readonly vms: Pick<SessionVms, "hosted" | "planned" | "guestExitOf" | "findings" | "isLinux">,
    readonly symbols: Pick<VmSymbols, "nameOf" | "core">,
    readonly view: () => View,
  ) {}

  /** `MortalVms.onChange`. */
  onChange(listener: VmListener): void {
    this.#listeners.push(listener);
  }

  #tell(vm: string, now: "begins" | "ends"): void {
    for (const listener of this.#listeners) listener(vm, now);
  }

  /** The cause of the exception that ended a VM, by the number of the reason. */
  causeOf(reason: number): ExceptionCause | undefined {
    return this.#known.causes.get(reason);
  }

  panicOf(reason: number): EndedPanic | undefined {
    return this.#known.panics.get(reason);
  }

  unshownOf(reason: number): UnseenEnd | undefined {
    return this.#known.unshown.get(reason);
  }

  logOf(reason: number): readonly LoggedLine[] {
    return this.#known.logs.get(reason) ?? [];
  }

  /** The reason of the primary VM's end, if it says more than the call that asked for it. */
  ofPrimary(): string | undefined {
    const reason = this.hypervisor().trace.reasons.endOf(PRIMARY_CONSOLE);
    const { panics, causes, unshown } = this.#known;
    return reason && [panics, causes, unshown].some((known) => known.has(reason.id)) ? reason.rule : undefined;
  }

  badLives(vm: string): number {
    const { since, bad, brief } = this.#known.lives.get(vm) ?? NO_LIVES, lasted = this.hypervisor().now - since;
    if (brief >= BRIEF_LIVES && lasted < BRIEF_OVER) return brief;
    return lasted < SHORT_LIFE ? bad : 0;
  }

  /** Listens to the hypervisor. */
  install(): void {
    this.hypervisor().onVcpuEnd = (vcpu, how) => this.#stopped(vcpu, how);
  }

  remember(): EndsMemory {
    return copy(this.#known);
  }

  recall(memory: EndsMemory): void {
    this.#known = copy(memory);
  }

  /** The host says something of a VM. */
  note(event: HostEvent): void {
    if (event.kind === "error" && event.vm !== undefined && !this.#known.problems.has(event.vm)) {
      this.#known.problems.set(event.vm, { message: event.message, reasons: this.hypervisor().trace.reasons.count });
    }
    if (event.kind !== "state") return;
    const { vm, state, exit, vmid } = event;
    if (vmid !== undefined) this.#known.vmids.set(vm, vmid);
    if (state === "creating") this.#begin(vm);
    if (state === "exited" && exit !== undefined) this.#end(vm, exit);
    if (state === "failed" && !this.#known.told.has(vm)) this.#end(vm, undefined);
  }

  #begin(vm: string): void {
    this.#tell(vm, "begins");
    this.#known.work.delete(vm);
    this.#known.problems.delete(vm);
    this.#known.vmids.delete(vm);
    this.#known.told.delete(vm);
    this.#known.before.set(vm, this.hypervisor().trace.reasons.count);
    this.#known.lives.set(vm, { ...this.#known.lives.get(vm) ?? NO_LIVES, since: this.hypervisor().now });
  }

  #stopped(vcpu: Vcpu, how: VcpuEnd): void {
    const { addressSpace } = vcpu;
    if (!addressSpace || vcpu.native) return;
    const vm = this.hypervisor().names.vm(addressSpace.vmid);
    const known = this.#known.work.get(vm);
    if (how === "system-off" || how === "system-reset") this.onAsked(vm);
    // A VM of an image has many lives, whose beginnings are not reported.
    const hosted = this.vms.hosted(vm);
    const first = !known || !hosted && how !== "killed";
    // The primary VM's own end is the machine's, which stays as it is.
    const endsMachine = vcpu.settings.isPrimary && (how === "system-off" || how === "system-reset");
    if (first && !endsMachine && !this.vms.planned(vm)?.restarts) this.#tell(vm, "ends");
    if (hosted && known && TELLING.indexOf(known.how) <= TELLING.indexOf(how)) return;
    // A power-off that no exception and no panic led to needs no symbols, which take long to find.
    const shown = this.view().system.consoles.tail(vm);
    if (endsMachine && how === "system-off" && !firstTaken(vcpu) && !showsPanic(shown) && !(shown === "" && this.vms.isLinux(vm))) return;
    const work = this.#workOf(vm, vcpu, how);
    if (endsMachine && !work.panic && !work.inHandler && !work.unshown) return;
    this.#known.work.set(vm, work);
    if (!hosted && how !== "killed") this.#end(vm, undefined);
  }

  #workOf(vm: string, vcpu: Vcpu, how: VcpuEnd): LastWork {
    const instructions = this.hypervisor().scheduler.execution.retired;
    const first = firstTaken(vcpu), taken = first ?? lastTaken(vcpu), { elr, esr } = taken;
    // The vector is the next instruction, or the handler got no further than another fault: the
    // exception before is the cause. A reset often follows an exception, too.
    const tells = how === "fault" || how === "system-reset" && esr !== 0;
    const cause = first && tells ? causeOf(this.view(), vcpu, first) : undefined;
    const exception = tells
      ? { esr, at: this.#place(vm, vcpu, elr), far: this.#farOf(vm, vcpu, taken), cause: cause ?? vectorsCause(vcpu, how, taken) }
      : undefined;
    const asked = how === "system-reset" || how === "system-off";
    const panic = asked ? panicOf(this.view(), vcpu) : undefined;
    const inHandler = asked && first !== undefined, by = asked && !panic ? endedBy(this.view(), vcpu) : undefined;
    return {
      vcpu: this.hypervisor().names.vcpu(vcpu),
      how,
      at: this.#last(vm, vcpu, how),
      instructions,
      exception,
      inHandler,
      panic,
      by,
      called: how === "system-reset" && !panic && !by && !inHandler ? callPlaces(this.view(), vcpu) : [],
      ...asked ? this.#unseen(vm, vcpu) : NOTHING_UNSEEN,
    };
  }

  /** Of a VM whose consoles have shown nothing: why, and its kernel's log. */
  #unseen(vm: string, { addressSpace }: Vcpu): Pick<LastWork, "unshown" | "log"> {
    const view = this.view();
    if (!addressSpace || view.system.consoles.tail(vm) !== "") return NOTHING_UNSEEN;
    const absent = this.vms.findings.get(vm)?.find((one) => one.code === "console-absent");
    return { unshown: absent ?? unshownBecause(view, addressSpace), log: logOf(view, addressSpace) };
  }

  /** The instruction that a vCPU executed last. After a call the PC is one instruction further. */
  #last(vm: string, vcpu: Vcpu, how: VcpuEnd): LastPlace {
    const { pc } = vcpu.registers;
    if (how !== "system-off" && how !== "system-reset") return this.#place(vm, vcpu, pc);
    const call = this.#place(vm, vcpu, pc - 4n);
    return /: (?:hvc|smc|hlt) /.test(call.text) ? call : this.#place(vm, vcpu, pc);
  }

  #place(vm: string, vcpu: Vcpu, pc: bigint): LastPlace {
    const { ram } = this.hypervisor().machine;
    const instruction = instructionAt(this.symbols.core, ram, vcpu, pc);
    const symbol = this.symbols.nameOf(vm, pc);
    return { pc, text: `${hex(pc)}${symbol === undefined ? "" : ` <${symbol}>`}: ${instruction ?? "not mapped"}` };
  }

  #farOf(vm: string, vcpu: Vcpu, { esr, far }: Taken): string | undefined {
    if (!isAbort(esr)) return undefined;
    const translation = this.symbols.core.questions.inspect(vcpu.registers, far);
    const symbol = this.symbols.nameOf(vm, far);
    const what = translation.ok ? paId(translation.pa) : "not mapped";
    return `${hex(far)}${symbol === undefined ? "" : ` <${symbol}>`}, ${what}`;
  }

  /**
   * Whether a refusal may be the cause of a problem that the host reported of a VM: it was the
   * host's, came before, and does not name another VM. Other VMs are started at the same time.
   */
  #mayBeOf(vm: string, { reasons }: VmProblem, { id, askedBy, chain }: Reason): boolean {
    const vmid = this.#known.vmids.get(vm);
    return id <= reasons && askedBy.startsWith(`${HOST}/`) &&
      chain.every(({ fields }) => fields.vmid === undefined || vmid === undefined || Number(fields.vmid) === vmid);
  }

  /** @param exit what the Resource Manager says; undefined if it was not asked */
  #end(vm: string, exit: VmExitReason | undefined): void {
    const { trace } = this.hypervisor();
    const { reasons } = trace;
    const work = this.#known.work.get(vm), before = this.#known.before.get(vm);
    // A guest that asked for its end still had its VMM, whatever that had complained of.
    const problem = exit === "exit" || exit === "system-off" ? undefined : this.#known.problems.get(vm);
    this.#known.work.delete(vm);
    this.#known.problems.delete(vm);
    this.#known.told.add(vm);
    const stopped = work?.how !== "killed" && work !== undefined;
    // A step that was refused says best why nothing came of the VM.
    if (!stopped && problem !== undefined && before !== undefined) {
      if (reasons.endsVm(vm, (reason) => reason.id > before && this.#mayBeOf(vm, problem, reason))) return;
    }
    const hasBitten = work?.by?.by === "watchdog";
    const guest = work?.how === "system-off" ? this.vms.guestExitOf(vm) : undefined;
    const failed = guest
      ? guest.code !== 0
      : work?.how === "fault" || work?.how === "bug" || problem !== undefined || exit === undefined && !stopped ||
        exit !== undefined && !endedByOwnWill(exit) || work?.panic !== undefined || hasBitten;
    const unseen = !guest && work?.unshown && !work.panic && !work.inHandler ? { then: thenOf(work), because: work.unshown } : undefined;
    // A reset that nothing led to is a wish.
    const isWish = work?.how === "system-reset" && !work.inHandler && !work.panic && !hasBitten;
    this.#endLife(vm, failed && !isWish);
    const unseenProblem = unseen && unseenEnd(unseen),
      rule = guest ? guest.text : unseenProblem?.what ?? this.#ruleOf(work, exit, problem?.message);
    const { at, instructions, exception } = work ?? {};
    const isFault = work?.how === "fault";
    const cause = isFault || work?.inHandler ? exception?.cause : undefined;
    const why = reasons.addEnd({
      time: trace.now(),
      vm,
      askedBy: work?.vcpu ?? `${vm}/`,
      at: isFault ? exception?.at.pc : at?.pc,
      settled: !failed && !unseen,
      result: isFault ? "fault" : exit ?? (stopped ? work.how : "failed"),
      section: isFault ? "hypervisor 5.4" : EXIT_SECTION,
      rule,
      object: vmId(vm),
      values: {
        ...exception && { exception: syndromeText(exception.esr), esr: hex(BigInt(exception.esr), 8) },
        ...exception && (isFault ? { instruction: exception.at.text } : { exception_at: exception.at.text }),
        ...exception?.far !== undefined && { far: exception.far },
        ...at && (isFault ? { pc: hex(at.pc) } : { instruction: at.text }),
      },
      ...instructions !== undefined && instructions > 0 && { command: hint("back", { to: instructions }) },
      ...cause && { wayOut: EXCEPTION_CAUSES.wayOut(cause) },
      ...work?.panic?.cause && { wayOut: LINUX_FINDINGS.wayOut(work.panic.cause) },
      ...hasBitten && { wayOut: WATCHDOG_WAY_OUT },
      ...unseenProblem && { wayOut: unseenProblem.wayOut },
      ...work?.how === "bug" && { wayOut: BUG_WAY_OUT },
    });
    if (exception?.cause) this.#known.causes.set(why, exception.cause);
    if (work?.panic) this.#known.panics.set(why, { ...work.panic, then: thenOf(work) });
    if (unseen) this.#known.unshown.set(why, unseen);
    if (work?.log.length) this.#known.logs.set(why, work.log);
  }

  /** A life that ends badly soon after its start is one more in a row. */
  #endLife(vm: string, failed: boolean): void {
    const { since, bad, brief } = this.#known.lives.get(vm) ?? NO_LIVES, lasted = this.hypervisor().now - since;
    this.#known.lives.set(vm, {
      since,
      bad: failed && lasted < SHORT_LIFE ? bad + 1 : 0,
      brief: lasted < BRIEF_LIFE ? brief + 1 : 0,
    });
  }

  #ruleOf(work: LastWork | undefined, exit: VmExitReason | undefined, problem: string | undefined): string {
    if (work?.how === "bug") return `${work.vcpu} stopped: an exception in el2 itself at ${work.at.text}`;
    if (work?.how === "fault") {
      const { esr, at, cause } = work.exception!;
      const handler = cause?.code === "no-vectors" ? "" : `; its handler at ${hex(work.at.pc)} cannot be fetched`;
      const why = cause ? `; ${EXCEPTION_CAUSES.text(cause)}` : "";
      return `${work.vcpu} stopped: ${syndromeText(esr)} at ${at.text}${why}${handler}`;
    }
    if (problem !== undefined) return `its VMM gave up: ${problem}`;
    const asked = work?.how === "system-off" || work?.how === "system-reset" ? EXIT_RULES[exit ?? work.how] : undefined;
    if (work?.panic && asked) {
      const { message, cause } = work.panic, why = cause ? `${LINUX_FINDINGS.text(cause)}: ` : "";
      return `${why}Kernel panic - not syncing: ${message ?? "(no message)"}; then ${asked}`;
    }
    if (work?.inHandler && work.exception && asked) {
      const { esr, at, cause } = work.exception, why = cause ? `; ${EXCEPTION_CAUSES.text(cause)}` : "";
      return `${work.vcpu} took ${syndromeText(esr)} at ${at.text}${why}; in its handler ${asked}`;
    }
    if (work?.by && asked) return `${asked}: ${endedByText(work.by)}`;
    if (work && asked) return `${asked}${placesText(work.called)}`;
    return exit === undefined ? "it could not be made" : EXIT_RULES[exit];
  }
}

const thenOf = ({ how }: LastWork) => how === "system-off" ? "power-off" as const : "reset" as const;

/** A vector that cannot be fetched is the cause where the exception is not. */
function vectorsCause(vcpu: Vcpu, how: VcpuEnd, taken: Taken): ExceptionCause | undefined {
  if (how !== "fault") return undefined;
  return noVectors(vcpu, taken.el === 0 ? Vector.LowerAarch64 : usedSpEl0(vcpu, taken) ? Vector.CurrentSp0 : Vector.CurrentSpx);
}

const BUG_WAY_OUT = "file the report that the session names, with the recording beside it; the other VMs continue";
