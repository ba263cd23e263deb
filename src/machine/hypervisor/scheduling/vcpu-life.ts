// Life and power of a vCPU, and the reasons why it does not run (docs/spec/hypervisor.md §3.6,
// §5.2, §5.4, §5.6): plain state. The effects of a change, on vIRQs, timers and the run queue, are
// in vcpu.ts.

import type { BlockCode } from "../../abi/trace.ts";
import type { Archive } from "../../hardware/archive.ts";

/** power_state as PSCI writes it (Arm DEN 0022): the CPU loses its registers. Original format. */
export const POWER_STATE_POWERDOWN = 1 << 16;
/** The deepest state of a CPU, which CPU_DEFAULT_SUSPEND enters. */
export const DEEPEST_POWER_STATE = POWER_STATE_POWERDOWN | 1;

/** Arguments of a reset, as vcpu_run reports them. */
export interface SystemReset {
  readonly kind: "reset" | "reset2";
  /** SYSTEM_RESET2 of the 64-bit convention. */
  readonly wide: boolean;
  readonly type: number;
  readonly cookie: bigint;
}

/** Why a vCPU does not run, one bit each. None set: it is runnable. */
export const Block = {
  /** Not activated yet, or exited. */
  Lifecycle: 1,
  /** Powered off. */
  Off: 2,
  /** PSCI suspend, or WFI of a vCPU without a VPM group. */
  Suspend: 4,
  Wfi: 8,
  /** Proxy-scheduled, and not inside vcpu_run. */
  Run: 32,
  /** A device access waits for the VMM. */
  Vmmio: 64,
  /** It has a fault that it cannot take as an exception: it never runs again. */
  Fault: 128,
} as const;

const CODES: readonly (readonly [bit: number, code: BlockCode])[] = [
  [Block.Lifecycle, "activation"],
  [Block.Off, "power-on"],
  [Block.Suspend, "suspended"],
  [Block.Wfi, "wfi"],
  [Block.Run, "vcpu_run"],
  [Block.Vmmio, "mmio"],
  [Block.Fault, "fault"],
];

/** The waits of each set of bits that a vCPU had: they are asked for at every switch. */
const WAITS: (readonly BlockCode[])[] = [];

const ALL_BLOCKS = Object.values(Block).reduce<number>((all, bit) => all | bit, 0);

/** The life of an active thread. A killed one has to run once more to exit. */
export type Life = "ready" | "killed" | "exited";

const LIVES = ["ready", "killed", "exited"] as const;

/** Where a vCPU that lost its registers in a suspend comes back. */
export interface ResumePoint {
  readonly entry: bigint;
  readonly context: bigint;
}

/** A device access that waits for the VMM. */
export interface VmmioAccess {
  readonly write: boolean;
  readonly ipa: number;
  /** 1, 2, 4 or 8 bytes; 0 for a page fault, after which the access is made again. */
  readonly size: number;
  /** The register of a store, whole. */
  readonly value: bigint;
  readonly esr: number;
  /** The virtual address. */
  readonly far: bigint;
}

/** The life of a vCPU as others see it: what changes it has effects, which `Vcpu` brings about. */
export type LifeOfVcpu = Omit<
  VcpuLife,
  "block" | "unblock" | "leaveToVmm" | "vmmAnswered" | "suspend" | "wake" | "forgetResume" | "bite" | "kill" | "exit" | "archive" | "canRun"
>;

export class VcpuLife {
  readonly #onWish: () => void;
  #stage: Life = "ready";
  #blocks: number = Block.Lifecycle | Block.Off;
  #powerState = 0;
  #resume: ResumePoint | undefined;
  #vmmio: VmmioAccess | undefined;
  #systemReset: SystemReset | undefined;
  #bitten = false;

  /** @param onWish called when it wants to run again, inside vcpu_run or not */
  constructor(onWish: () => void) {
    this.#onWish = onWish;
  }

  get stage(): Life {
    return this.#stage;
  }

  /** `Block` bits. */
  get blocks(): number {
    return this.#blocks;
  }

  /** power_state of the suspend in progress. */
  get powerState(): number {
    return this.#powerState;
  }

  /** The access of `Block.Vmmio`. */
  get vmmio(): VmmioAccess | undefined {
    return this.#vmmio;
  }

  /** The reset that it asked for, which vcpu_run reports from then on. */
  get systemReset(): SystemReset | undefined {
    return this.#systemReset;
  }

  /** Its fault is the bite of its VM's watchdog. */
  get bitten(): boolean {
    return this.#bitten;
  }

  /** Its wait; empty when it can run. */
  get waits(): readonly BlockCode[] {
    if (this.#stage === "exited") return ["exited"];
    return WAITS[this.#blocks] ??= CODES.filter(([bit]) => this.#blocks & bit).map(([, code]) => code);
  }

  get isPoweredOff(): boolean {
    return this.isBlockedBy(Block.Off);
  }

  /** Killed or exited: it will never run a guest's instruction again. */
  get isDead(): boolean {
    return this.#stage !== "ready";
  }

  /** Powered on and not asleep. */
  get isAwake(): boolean {
    return !this.isBlockedBy(Block.Lifecycle | Block.Off | Block.Suspend | Block.Wfi);
  }

  /** Whether the scheduler can run it. */
  get isRunnable(): boolean {
    return this.canRun(0);
  }

  /** Whether it could run inside vcpu_run. */
  get isRunnableByProxy(): boolean {
    return this.canRun(Block.Run);
  }

  isBlockedBy(reasons: number): boolean {
    return (this.#blocks & reasons) !== 0;
  }

  /**
   * Whether it can run, reasons in `but` aside. A killed vCPU runs to its exit whatever it waits
   * for, but not out of vcpu_run.
   */
  canRun(but: number): boolean {
    if (this.#stage === "exited") return false;
    const blocks = this.#blocks & ~but;
    return this.#stage === "killed" ? (blocks & Block.Run) === 0 : blocks === 0;
  }

  block(reasons: number): void {
    this.#blocks |= reasons;
  }

  unblock(reasons: number): void {
    const waited = this.#blocks & ~Block.Run;
    this.#blocks &= ~reasons;
    if (waited && !(this.#blocks & ~Block.Run)) this.#onWish();
  }

  /** It waits until its VMM has answered an access. */
  leaveToVmm(access: VmmioAccess): void {
    this.#vmmio = access;
    this.block(Block.Vmmio);
  }

  /** The access is answered. */
  vmmAnswered(): void {
    this.#vmmio = undefined;
    this.unblock(Block.Vmmio);
  }

  /** It sleeps; without `resume`, it keeps its registers. */
  suspend(powerState: number, resume: ResumePoint | undefined): void {
    this.#powerState = powerState;
    this.#resume = resume;
    this.block(Block.Suspend);
  }

  /** Sleep is over. Gives where it comes back if it lost its registers. */
  wake(): ResumePoint | undefined {
    const resume = this.#blocks & Block.Suspend ? this.#resume : undefined;
    this.#resume = undefined;
    this.unblock(Block.Wfi | Block.Suspend);
    return resume;
  }

  /** A suspend in progress does not end. */
  forgetResume(): void {
    this.#resume = undefined;
  }

  /** It asks for a reset of its system, which vcpu_run reports; its power-off follows. */
  askForReset(reset: SystemReset): void {
    this.#systemReset = reset;
  }

  bite(): void {
    this.#bitten = true;
    this.block(Block.Fault);
  }

  kill(): void {
    this.#stage = "killed";
  }

  exit(): void {
    this.#stage = "exited";
    this.#vmmio = undefined;
    this.block(Block.Lifecycle);
  }

  archive(archive: Archive): void {
    this.#stage = archive.choice("life", this.#stage, LIVES);
    this.#blocks = archive.integer("blocks", this.#blocks, 0, ALL_BLOCKS);
    this.#powerState = archive.integer("powerState", this.#powerState, 0, 0xffff_ffff);
    this.#resume = archive.maybe("resume", this.#resume, (resume) => ({
      entry: archive.word("entry", resume?.entry),
      context: archive.word("context", resume?.context),
    }));
    this.#vmmio = archive.maybe("vmmio", this.#vmmio, (access) => ({
      write: archive.bool("write", access?.write),
      ipa: archive.integer("ipa", access?.ipa),
      size: archive.choice("size", access?.size, [0, 1, 2, 4, 8]),
      value: archive.word("value", access?.value),
      esr: archive.integer("esr", access?.esr, 0, 0xffff_ffff),
      far: archive.word("far", access?.far),
    }));
    this.#systemReset = archive.maybe("systemReset", this.#systemReset, (reset) => ({
      kind: archive.choice("kind", reset?.kind, ["reset", "reset2"]),
      wide: archive.bool("wide", reset?.wide),
      type: archive.integer("type", reset?.type, 0, 0xffff_ffff),
      cookie: archive.word("cookie", reset?.cookie),
    }));
    this.#bitten = archive.bool("bitten", this.#bitten);
  }
}
