// vCPU stall detector (binding qemu,vcpu-stall-detector; docs/spec/phones.md §C2): a timer for each
// vCPU that the guest restarts in time. Only the vCPU's own run time counts.

/** Register offsets in the frame of a vCPU; all are 32 bits. */
export const StallRegister = { STATUS: 0x0, LOAD: 0x4, CURRENT: 0x8, FREQ: 0xc } as const;
/** Bytes of a frame. */
const STALL_FRAME_SIZE = 0x10;
/** Rate and time limit until the guest sets others. */
export const STALL_HZ = 2, STALL_SECONDS = 10;
const NS = 1e9;
/** Least time (ns) from one look to the next: the vCPU may sleep just before its time is up. */
const LOOK_INTERVAL = 1_000_000;

/** The time base, virtual ns. */
interface StallTime {
  now(): number;
  /** How long a vCPU has run. */
  ran(vcpu: number): number;
}

/** Effects of a detector on its VM. */
interface StallActions {
  /** The timer of a vCPU has expired. */
  interrupt(vcpu: number): void;
  /** It has expired once more. */
  reset(vcpu: number): void;
}

/** The timer of one vCPU. */
interface Timer {
  on: boolean;
  hz: number;
  /** The time limit, in ticks. */
  load: number;
  /** The vCPU's run time at its last restart. */
  since: number;
  /** It has expired, and was not restarted. */
  expired: boolean;
  /** Time of its next check, virtual ns; undefined while it is off. */
  lookAt: number | undefined;
}

/** State of a `StallDetector`: plain data. */
export type StallDetectorState = readonly Readonly<Timer>[];

/** The timers of one VM. */
export class StallDetector {
  #timers: Timer[];

  constructor(vcpus: number, readonly time: StallTime, readonly actions: StallActions) {
    const off = { on: false, hz: STALL_HZ, load: STALL_HZ * STALL_SECONDS, since: 0, expired: false, lookAt: undefined };
    this.#timers = Array.from({ length: vcpus }, () => ({ ...off }));
  }

  /** A load: crosvm's registers read as zero. Undefined for another size or offset. */
  read(offset: number, size: number): bigint | undefined {
    return this.#timers[Math.floor(offset / STALL_FRAME_SIZE)] === undefined || size !== 4 || offset % 4 !== 0 ? undefined : 0n;
  }

  /** A store; whether there is a register. */
  write(offset: number, size: number, value: bigint): boolean {
    const vcpu = Math.floor(offset / STALL_FRAME_SIZE), timer = this.#timers[vcpu];
    if (timer === undefined || size !== 4) return false;
    const word = Number(value & 0xffff_ffffn);
    switch (offset % STALL_FRAME_SIZE) {
      case StallRegister.STATUS:
        timer.on = word !== 0;
        break;
      case StallRegister.LOAD:
        timer.load = word;
        break;
      case StallRegister.CURRENT:
        return true;
      case StallRegister.FREQ:
        // A rate of zero would never expire.
        timer.hz = Math.max(word, 1);
        break;
      default:
        return false;
    }
    this.#restart(timer, vcpu);
    return true;
  }

  /** Virtual time (ns) at which `timer` has to be called, if at all. */
  get wakeAt(): number | undefined {
    const at = Math.min(...this.#timers.map(({ lookAt = Infinity }) => lookAt));
    return at === Infinity ? undefined : at;
  }

  timer(): void {
    this.#timers.forEach((timer, vcpu) => {
      if (timer.lookAt === undefined || this.time.now() < timer.lookAt) return;
      // A vCPU cannot run for longer than time passes.
      const left = this.#left(timer, vcpu);
      if (left > 0) timer.lookAt = this.time.now() + Math.max(left, LOOK_INTERVAL);
      else this.#expire(timer, vcpu);
    });
  }

  save(): StallDetectorState {
    return this.#timers.map((timer) => ({ ...timer }));
  }

  restore(state: StallDetectorState): void {
    this.#timers = state.map((timer) => ({ ...timer }));
  }

  /** Run time (ns) that is left to a vCPU. */
  #left({ load, hz, since }: Timer, vcpu: number): number {
    return Math.max(0, load / hz * NS - (this.time.ran(vcpu) - since));
  }

  #restart(timer: Timer, vcpu: number): void {
    timer.expired = false;
    this.#arm(timer, vcpu);
  }

  #arm(timer: Timer, vcpu: number): void {
    timer.since = this.time.ran(vcpu);
    timer.lookAt = timer.on ? this.time.now() + this.#left(timer, vcpu) : undefined;
  }

  #expire(timer: Timer, vcpu: number): void {
    const again = timer.expired;
    timer.expired = true;
    this.#arm(timer, vcpu);
    if (!again) return this.actions.interrupt(vcpu);
    timer.lookAt = undefined;
    this.actions.reset(vcpu);
  }
}
