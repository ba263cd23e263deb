// Virtual cpufreq device (binding qemu,virtual-cpufreq; docs/spec/phones.md §C2): a frame for each
// vCPU, in which the guest reads a table of frequencies and requests one of them.

/** Register offsets in the frame of a vCPU; all are 32 bits. */
const CpufreqRegister = {
  CUR_PERF: 0x0,
  SET_PERF: 0x4,
  FREQTBL_LEN: 0x8,
  FREQTBL_SEL: 0xc,
  FREQTBL_RD: 0x10,
  PERF_DOMAIN: 0x14,
} as const;
/** Bytes of a frame. */
export const CPUFREQ_FRAME_SIZE = 0x1000;

/** The registers of one vCPU that a guest can set. */
interface FrequencyFrame {
  /** Entry of the table that FREQTBL_RD reads. */
  select: number;
  /** The requested frequency, kHz; undefined until there is a request. */
  requested: number | undefined;
}

/** State of a `VirtualCpufreq`: plain data. */
export type VirtualCpufreqState = readonly Readonly<FrequencyFrame>[];

/**
 * The frames of one VM; each vCPU is a separate domain. A request changes what CUR_PERF reads, and
 * nothing else: at any frequency a vCPU executes an instruction in one nanosecond of virtual time.
 */
export class VirtualCpufreq {
  #frames: FrequencyFrame[];
  readonly #highest: number;

  /** @param frequencies kHz, at least one */
  constructor(vcpus: number, readonly frequencies: readonly number[]) {
    this.#highest = Math.max(...frequencies);
    this.#frames = Array.from({ length: vcpus }, () => ({ select: 0, requested: undefined }));
  }

  /** A load, which is 0 if there is no register to read. Undefined outside the frames. */
  read(offset: number, size: number): bigint | undefined {
    const vcpu = Math.floor(offset / CPUFREQ_FRAME_SIZE), frame = this.#frames[vcpu];
    if (frame === undefined) return undefined;
    return size === 4 ? BigInt(this.#register(frame, vcpu, offset % CPUFREQ_FRAME_SIZE)) : 0n;
  }

  /** A store, ignored if there is no register to write. Whether it is in a frame. */
  write(offset: number, size: number, value: bigint): boolean {
    const frame = this.#frames[Math.floor(offset / CPUFREQ_FRAME_SIZE)];
    if (frame === undefined) return false;
    const word = Number(value & 0xffff_ffffn), register = offset % CPUFREQ_FRAME_SIZE;
    if (size === 4 && register === CpufreqRegister.SET_PERF) frame.requested = word;
    if (size === 4 && register === CpufreqRegister.FREQTBL_SEL) frame.select = word;
    return true;
  }

  save(): VirtualCpufreqState {
    return this.#frames.map((frame) => ({ ...frame }));
  }

  restore(state: VirtualCpufreqState): void {
    this.#frames = state.map((frame) => ({ ...frame }));
  }

  #register({ select, requested }: FrequencyFrame, vcpu: number, register: number): number {
    switch (register) {
      case CpufreqRegister.CUR_PERF:
        return Math.min(requested || this.#highest, this.#highest);
      case CpufreqRegister.FREQTBL_LEN:
        return this.frequencies.length;
      case CpufreqRegister.FREQTBL_RD:
        return this.frequencies[select] ?? 0;
      case CpufreqRegister.PERF_DOMAIN:
        return vcpu;
      default:
        return 0;
    }
  }
}
