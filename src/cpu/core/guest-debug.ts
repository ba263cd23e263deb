// A guest that debugs itself, in a run: its breakpoints, watchpoints and steps become exceptions to
// EL1, or with FEAT_EL2 to EL2 (debug/self-hosted-debug.ts).

import { Mdscr, Pstate } from "./architecture/exceptions.ts";
import { Hcr, Mdcr } from "./architecture/hypervisor-control.ts";
import type { Breakpoints } from "./debug/breakpoints.ts";
import {
  ArmedDebug,
  breakpointSyndrome,
  type DebugControls,
  debugEnabled,
  type GuestWatchHit,
  isLoadExclusive,
  stepSyndrome,
  watchpointSyndrome,
} from "./debug/self-hosted-debug.ts";
import { type LookedAt, Watch } from "./debug/watchpoints.ts";
import { ExitReason } from "./interface.ts";
import type { VcpuContext } from "./registers/vcpu-context.ts";
import type { CpuFields } from "./state/cpu-fields.ts";

/** The services of the core for it. */
interface DebuggedCore {
  /** Marks of breakpoints have changed: each page is to be entered anew. */
  marksChanged(): void;
  /** Armed watchpoints have changed; `fresh`: no TLB may hold a page of theirs. */
  watchesChanged(fresh: boolean): void;
  /** `comparedBits` of its CPU. */
  readonly comparedBits: number;
  /** The word at PC, or 0 where none can be read. */
  wordAt(vcpu: VcpuContext): number;
  /** Takes an exception to EL1 or EL2; without an address its FAR stays. */
  takeException(esr: number, toEl2: boolean, far?: bigint): void;
}

/** In the lower halves of the registers. */
const TDE = Number(Mdcr.TDE), TGE = Number(Hcr.TGE);

export class GuestDebug {
  /** vCPUs that have watchpoints armed, and the access that one of them stops. */
  #watchers = 0;
  #hit: GuestWatchHit | undefined;

  constructor(readonly cpu: CpuFields, readonly breakpoints: Breakpoints, readonly core: DebuggedCore) {}

  get #controls(): DebugControls {
    const { PSTATE: pstate, MDSCR_EL1: mdscr, MDCR_EL2, HCR_EL2 } = this.cpu;
    return { pstate, mdscr, toEl2: (MDCR_EL2 & TDE) !== 0 || (HCR_EL2 & TGE) !== 0 };
  }

  #take(esr: number, far?: bigint): void {
    this.core.takeException(esr, this.#controls.toEl2, far);
  }

  /** Whether a vCPU has watchpoints armed. */
  get watching(): boolean {
    return this.#watchers > 0;
  }

  /** Makes what the guest's comparators ask for effective; nothing when MDSCR_EL1.MDE is off. */
  arm(vcpu: VcpuContext, mdscr: number): void {
    const { armed, debug, stage2 } = vcpu;
    const wanted = (mdscr & Mdscr.MDE) !== 0;
    if (armed && wanted && armed.version === debug.version && armed.stage2 === stage2) return;
    this.disarm(vcpu);
    if (!wanted) return;
    const fresh = vcpu.armed = new ArmedDebug(debug, debug.version, stage2, this.core.comparedBits);
    let unseen = false;
    for (const { address } of fresh.breakpoints) unseen = this.breakpoints.hold(stage2, address) || unseen;
    if (unseen) this.core.marksChanged();
    if (!fresh.watchpoints.length) return;
    this.#watchers++;
    this.core.watchesChanged(true);
  }

  disarm(vcpu: VcpuContext): void {
    if (!vcpu.armed) return;
    const { stage2, breakpoints, watchpoints } = vcpu.armed;
    for (const { address } of breakpoints) this.breakpoints.drop(stage2, address);
    if (watchpoints.length) this.#watchers--;
    this.core.watchesChanged(false);
    vcpu.armed = undefined;
  }

  /** Whether the guest has a breakpoint at PC that counts here. */
  breaksAt(vcpu: VcpuContext): boolean {
    const controls = this.#controls;
    if (!vcpu.armed || !debugEnabled(controls)) return false;
    return vcpu.armed.stopsAt(vcpu.pc, controls.pstate >> 2 & 3, vcpu.getRegister("CONTEXTIDR_EL1"));
  }

  /** Takes the exception of that breakpoint. */
  takeBreakpoint(): void {
    this.#take(breakpointSyndrome(this.#controls));
  }

  /** Takes the watchpoint exception, if a watchpoint of the guest has stopped the access. */
  takeWatchpoint(): boolean {
    if (!this.#hit) return false;
    const { address, write } = this.#hit;
    this.#take(watchpointSyndrome(this.#controls, write), address);
    return true;
  }

  /**
   * MDSCR_EL1.SS is set: takes the step exception that is due, and answers whether the next
   * instruction is one to step.
   */
  beginStep(vcpu: VcpuContext): boolean {
    const controls = this.#controls;
    if (!debugEnabled(controls)) return false;
    if (controls.pstate & Pstate.SS) {
      vcpu.stepped = isLoadExclusive(this.core.wordAt(vcpu)) ? "exclusive" : "other";
      return true;
    }
    this.#take(stepSyndrome(controls, vcpu.stepped));
    vcpu.stepped = "none";
    return false;
  }

  /**
   * The instruction that was to be stepped has completed, or taken an exception, which has changed
   * PSTATE.SS, or is to be executed again.
   */
  endStep(vcpu: VcpuContext, reason: ExitReason): void {
    const pstate = this.cpu.PSTATE;
    const completed = reason === ExitReason.Budget || reason === ExitReason.Timer || reason === ExitReason.Yield ||
      reason === ExitReason.Pmu || reason === ExitReason.VirtualInterface;
    if (!(completed && pstate & Pstate.SS)) vcpu.stepped = "none";
    else this.cpu.PSTATE = pstate & ~Pstate.SS;
  }

  /** Another access is asked about. */
  forgetHit(): void {
    this.#hit = undefined;
  }

  /** The verdict (`Watch`) of the guest's watchpoints on an access. */
  look(vcpu: VcpuContext | undefined, { va, size, reads, writes }: LookedAt, isUnprivileged: boolean): number {
    if (!vcpu?.armed) return Watch.None;
    const pstate = this.cpu.PSTATE;
    const el = isUnprivileged && !(pstate & Pstate.UAO) ? 0 : pstate >> 2 & 3;
    const hit = vcpu.armed.look(va, size, reads, writes, el, vcpu.getRegister("CONTEXTIDR_EL1"));
    if (typeof hit !== "object") return hit === undefined ? Watch.None : Watch.Page;
    if (!debugEnabled(this.#controls)) return Watch.Page;
    this.#hit = hit;
    return Watch.Hit;
  }
}
