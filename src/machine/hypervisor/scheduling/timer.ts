// The architectural timers of a vCPU: when they fire, and the level of their PPIs
// (docs/spec/hypervisor.md §6.4). The registers are the core's; it says when one was written.

import type { RegisterName, VcpuState } from "../../../cpu/core/interface.ts";
import { NS_PER_TICK, timeOfTicks } from "../../hardware/clock.ts";
import type { Scheduled } from "../../hardware/events.ts";
import type { Machine } from "../../hardware/machine.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import type { HypervisorObject } from "../capabilities/object.ts";
import { VirqSource } from "../gic/vic-source.ts";

/** INTIDs of the timers; the last two are EL2's own. */
export const TimerPpi = { Virtual: 27, Physical: 30, Hyp: 26, HypVirtual: 28 } as const;

/** A timer that CPUs have. */
interface TimerKind {
  /** In rows. */
  readonly name: "virtual" | "physical" | "hyp" | "hyp-virtual";
  /** Its name as a source of interrupts. */
  readonly source: string;
  readonly ppi: number;
  readonly control: RegisterName;
  readonly comparator: RegisterName;
  /** Where the CPU has EL2: what its counter is behind the physical counter by. */
  readonly offset?: RegisterName;
}

const OF_EL1: readonly TimerKind[] = [
  {
    name: "virtual",
    source: "vtimer",
    ppi: TimerPpi.Virtual,
    control: "CNTV_CTL_EL0",
    comparator: "CNTV_CVAL_EL0",
    offset: "CNTVOFF_EL2",
  },
  { name: "physical", source: "ptimer", ppi: TimerPpi.Physical, control: "CNTP_CTL_EL0", comparator: "CNTP_CVAL_EL0" },
];
const OF_EL2: readonly TimerKind[] = [
  { name: "hyp", source: "hptimer", ppi: TimerPpi.Hyp, control: "CNTHP_CTL_EL2", comparator: "CNTHP_CVAL_EL2" },
  { name: "hyp-virtual", source: "hvtimer", ppi: TimerPpi.HypVirtual, control: "CNTHV_CTL_EL2", comparator: "CNTHV_CVAL_EL2" },
];

/** CNTx_CTL_EL0. */
export const TimerControl = { Enable: 1n, Imask: 2n, Istatus: 4n } as const;

/** One timer: its registers and its interrupt line. */
export class Timer {
  #due = Infinity;
  #masked = false;
  #level = false;
  /** Virtual time (ns) for which its condition had held when it was set last. */
  #late = 0;
  readonly source: VirqSource;

  constructor(owner: HypervisorObject, readonly registers: VcpuState, readonly kind: TimerKind) {
    this.source = new VirqSource(owner, kind.source, () => this.#level);
  }

  /** The physical count from which its condition holds. */
  get #ticks(): bigint {
    const { registers, kind: { comparator, offset } } = this, compare = registers.getRegister(comparator);
    // An offset below zero is a counter that is ahead.
    const ticks = offset === undefined || !registers.hasEl2 ? compare : compare + BigInt.asIntN(64, registers.getRegister(offset));
    return ticks < 0n ? 0n : ticks;
  }

  /** Virtual time (ns) from which its condition holds; Infinity while it is off. */
  get due(): number {
    return this.#due;
  }

  /** When the line will rise (ns); Infinity when it is high already or cannot. */
  get deadline(): number {
    return this.#level || this.#masked ? Infinity : this.#due;
  }

  /** It is on, but CNTx_CTL_EL0.IMASK keeps its line low. */
  get isMasked(): boolean {
    return this.#masked && this.#due !== Infinity;
  }

  /**
   * The registers may have changed, at virtual time `now` (ns). A line that stays high is served if
   * it comes nearer to its fall: by periods that are added to a time that has passed.
   */
  reload(now: number): void {
    const control = this.registers.getRegister(this.kind.control), before = this.#due;
    this.#masked = (control & TimerControl.Imask) !== 0n;
    this.#due = control & TimerControl.Enable ? timeOfTicks(this.#ticks) : Infinity;
    if (this.#due === before) return;
    const late = now - this.#due, isNearer = late < this.#late - NS_PER_TICK;
    this.#late = Math.max(0, late);
    this.source.served(isNearer || late < 0);
  }

  /** Sets the line for virtual time `now` (ns). */
  update(now: number): void {
    const level = !this.#masked && now >= this.#due;
    if (level === this.#level) return;
    this.#level = level;
    if (level) this.source.assertLevel();
    // Guests write the registers without a trap: the recorded build finds out at the guest's EOI.
    else if (!this.source.object.services.hasQuirks) this.source.clear();
  }

  /** Its vCPU comes to a CPU: the recorded build takes a line that is high as raised again. */
  resume(): void {
    if (this.#level && !this.source.isEdge) this.source.assertLevel();
  }

  /** The state, saved or loaded. */
  archive(archive: ObjectArchive): void {
    this.#due = archive.float("due", this.#due);
    this.#masked = archive.bool("masked", this.#masked);
    this.#level = archive.bool("level", this.#level);
    this.#late = archive.float("late", this.#late);
    this.source.archive("source", archive);
  }

  /** Turns it off, and its interrupt is gone. `reload` follows. */
  disable(): void {
    this.registers.setRegister(this.kind.control, 0n);
    if (this.source.object.services.hasQuirks) this.source.clear();
  }
}

/**
 * The timers of a vCPU: the virtual and the physical one, and those of EL2 where its CPU has it.
 */
export class VcpuTimers {
  readonly all: readonly Timer[];
  #deadline = Infinity;
  /** The lines stay as they are, whatever the time is, until the vCPU is run. */
  #held = false;
  /** The machine's event for the deadline; it may come too early, never too late. */
  #event: Scheduled | undefined;

  /**
   * @param owner the vCPU, whose interrupts they raise
   * @param onDeadline called when `deadline` has changed
   * @param isHeld whether the timers may not raise their lines, as the VMM keeps the time
   */
  constructor(
    owner: HypervisorObject,
    registers: VcpuState,
    readonly machine: Machine,
    readonly onDeadline: () => void,
    readonly isHeld: () => boolean,
  ) {
    this.all = [...OF_EL1, ...registers.hasEl2 ? OF_EL2 : []].map((kind) => new Timer(owner, registers, kind));
  }

  /** The timer that raises a PPI. */
  of(ppi: number): Timer | undefined {
    return this.all.find((timer) => timer.kind.ppi === ppi);
  }

  /** When a line will rise next (ns). */
  get deadline(): number {
    return this.#deadline;
  }

  /** Registers were written: sets lines and deadline for virtual time `now` (ns). */
  reload(now: number): void {
    for (const timer of this.all) timer.reload(now);
    this.update(now);
  }

  /** When a line would rise, held or not: virtual time (ns), or Infinity. */
  get due(): number {
    let due = Infinity;
    for (const { deadline } of this.all) if (deadline < due) due = deadline;
    return due;
  }

  /** The vCPU is run again: held lines rise. */
  unhold(now: number): void {
    this.#advance(now, false);
  }

  /** The vCPU comes to a physical CPU that another one had, or that slept. */
  resume(): void {
    for (const timer of this.all) timer.resume();
  }

  /** Virtual time has come to `now` (ns). */
  update(now: number): void {
    this.#advance(now, this.isHeld());
  }

  #advance(now: number, held: boolean): void {
    this.#held = held;
    if (!held) { for (const timer of this.all) timer.update(now); }
    const deadline = held ? Infinity : this.due;
    if (deadline !== this.#deadline) {
      this.#deadline = deadline;
      this.onDeadline();
    }
    if (this.#deadline < (this.#event?.at ?? Infinity)) this.#schedule();
  }

  /** Turns all off, as a power-off does. */
  disable(now: number): void {
    for (const timer of this.all) timer.disable();
    this.reload(now);
  }

  /** The timers, saved or loaded. */
  archive(archive: ObjectArchive): void {
    for (const timer of this.all) archive.within(timer.kind.name, () => timer.archive(archive));
    this.#held = archive.bool("held", this.#held);
    this.#deadline = this.#held ? Infinity : this.due;
    const { events } = this.machine;
    this.#event = events.archiveEvent("event", archive, this.#event, () => this.#due());
    archive.check(this.#deadline >= (this.#event?.at ?? Infinity) || this.#deadline === Infinity, "a timer that will fire has its event");
  }

  /** The vCPU is gone. */
  release(): void {
    for (const { source } of this.all) source.unbind();
    this.#event?.cancel();
    this.#event = undefined;
  }

  #schedule(): void {
    this.#event?.cancel();
    // A deadline is the start of a tick; never schedule it before its time by rounding.
    const at = Math.ceil(this.#deadline / NS_PER_TICK) * NS_PER_TICK;
    this.#event = this.machine.events.schedule(at, () => this.#due());
  }

  #due(): void {
    this.#event = undefined;
    this.update(this.machine.time);
    if (this.#deadline !== Infinity && !this.#event) this.#schedule();
  }
}
