// Breakpoints and watchpoints in a core: a debugger's and the guest's, the marks of decoded
// instructions, and the accesses that are asked about.

import type { FeatureName } from "../isa/cpus/features.ts";
import type { InstructionSet } from "../isa/instruction-set.ts";
import type { CoreExports } from "./core-module.ts";
import { Breakpoints } from "./debug/breakpoints.ts";
import { writersOf } from "./register-writers.ts";
import { comparedBits } from "./debug/self-hosted-debug.ts";
import { type MemoryWatch, Watch, type WatchHit, type WatchKind, Watchpoints } from "./debug/watchpoints.ts";
import type { DecodedPages, WordTest } from "./decoded/decoded-pages.ts";
import { GuestDebug } from "./guest-debug.ts";
import type { CoreStops, InstructionObserver } from "./interface.ts";
import { AccessKind } from "./memory/translation.ts";
import type { TlbPool } from "./memory/tlb-pool.ts";
import type { VcpuContext } from "./registers/vcpu-context.ts";
import type { CpuFields } from "./state/cpu-fields.ts";
import { CPU, Pending, Watching } from "./state/cpu-state.ts";
import { Access } from "./state/functions.ts";

/** The parts of a core that stops need. */
interface StoppedCore {
  readonly memory: WebAssembly.Memory;
  readonly cpu: CpuFields;
  readonly exports: CoreExports;
  readonly decoded: DecodedPages;
  readonly tlbs: TlbPool;
  /** Whether each entry into a page is reported, even without breakpoints. */
  readonly watchesEntries: boolean;
  readonly features: ReadonlySet<FeatureName>;
  readonly instructions: InstructionSet;
  /** The word at a vCPU's PC, or 0 where none can be read. */
  wordAt(vcpu: VcpuContext): number;
  /** Where RAM is in the Wasm memory. Throws a RangeError outside RAM. */
  placeOf(pa: number, size: number): number;
}

/** An access to RAM inside one page. */
interface WatchedAccess {
  readonly va: bigint;
  /** `Access` and `AccessKind`. */
  readonly access: number;
  readonly wasmAddress: number;
  readonly size: number;
}

/** ERET, ERETAA, ERETAB. Arm ARM C6.2.90, C6.2.91. */
const RETURNS: ReadonlySet<number> = new Set([0xd69f_03e0 | 0, 0xd69f_0bff | 0, 0xd69f_0fff | 0]);

export class Stops implements CoreStops {
  readonly guest: GuestDebug;
  readonly watchpoints = new Watchpoints();
  observer: InstructionObserver | undefined;
  /** Whether those of a debugger stop the run in progress. */
  enabled = true;
  readonly #breakpoints = new Breakpoints();
  /** Instructions that may write a watched register. */
  #writers: WordTest | undefined;
  #observesReturns = false;
  readonly #view: DataView;

  constructor(readonly core: StoppedCore) {
    this.#view = new DataView(core.memory.buffer);
    core.cpu.WATCHING = core.watchesEntries ? Watching.Counts : 0;
    this.guest = new GuestDebug(core.cpu, this.#breakpoints, {
      marksChanged: () => this.#watchAgain(),
      watchesChanged: (fresh) => {
        this.#watchData();
        if (fresh) core.exports.tlbFlushAll();
      },
      comparedBits: comparedBits(core.features),
      wordAt: (vcpu) => core.wordAt(vcpu),
      takeException: (esr, toEl2, far = this.#view.getBigInt64(toEl2 ? CPU.FAR_EL2 : CPU.FAR_EL1, true)) => {
        core.exports.injectException(esr | 0, far);
        core.cpu.PENDING = Pending.None;
      },
    });
  }

  insertBreakpoint(stage2: number, address: bigint): void {
    if (this.#breakpoints.insert(stage2, address)) this.#watchAgain();
  }

  removeBreakpoint(stage2: number, address: bigint): void {
    this.#breakpoints.remove(stage2, address);
  }

  observe(stage2: number, address: bigint): void {
    if (this.#breakpoints.hold(stage2, address)) this.#watchAgain();
  }

  ignore(stage2: number, address: bigint): void {
    this.#breakpoints.drop(stage2, address);
  }

  insertWatchpoint(stage2: number, address: bigint, length: number, kind: WatchKind): void {
    this.watchpoints.insert(stage2, address, length, kind);
    this.#watchData();
    this.#dropWatched();
  }

  removeWatchpoint(stage2: number, address: bigint, length: number, kind: WatchKind): void {
    this.watchpoints.remove(stage2, address, length, kind);
    this.#watchData();
  }

  watchMemory(watch: MemoryWatch | undefined): void {
    const starts = watch ? [watch.pa, ...watch.more ?? []] : [];
    const wasmAddresses = starts.map((pa) => this.core.placeOf(pa, watch?.length ?? 0));
    const isExecuted = watch?.kind === "execute";
    this.#breakpoints.inMemory = isExecuted ? wasmAddresses : [];
    this.watchpoints.memory = watch && !isExecuted ? { starts: wasmAddresses, length: watch.length, kind: watch.kind } : undefined;
    this.#watchData();
    if (watch && !isExecuted) this.#dropWatched();
    this.#watchAgain();
  }

  watchRegisters(names: readonly string[]): void {
    this.#writers = names.length ? writersOf(names, this.core.instructions) : undefined;
    this.#markWords();
  }

  get observesReturns(): boolean {
    return this.#observesReturns;
  }

  set observesReturns(observes: boolean) {
    if (observes === this.#observesReturns) return;
    this.#observesReturns = observes;
    this.#markWords();
  }

  #markWords(): void {
    const writers = this.#writers;
    const isMarked: WordTest | undefined = this.#observesReturns ? (word) => RETURNS.has(word) || (writers?.(word) ?? false) : writers;
    this.core.decoded.markWords(isMarked);
  }

  get hit(): WatchHit | undefined {
    return this.watchpoints.hit;
  }

  /** Whether a debugger's breakpoint stops the run before the instruction at PC. */
  stopsAt({ stage2, pc }: VcpuContext): boolean {
    if (!this.enabled) return false;
    const { decoded, cpu } = this.core, { inMemory } = this.#breakpoints, here = decoded.wasmAddressOf(cpu.IP);
    return this.#breakpoints.has(stage2, pc) || inMemory.includes(here) || (this.#writers?.(this.#view.getInt32(here, true)) ?? false);
  }

  /** Whether the instruction under the mark at PC is an ERET that is observed. */
  get isAtReturn(): boolean {
    if (!this.#observesReturns) return false;
    const { decoded, cpu } = this.core;
    return RETURNS.has(this.#view.getInt32(decoded.wasmAddressOf(cpu.IP), true));
  }

  /**
   * Executes the instruction under a mark where nothing stops; 1 when it retired.
   * @param stays whether the mark is known to be needed
   */
  passMark(vcpu: VcpuContext, stays: boolean): number {
    const { cpu, decoded, exports } = this.core, { pc } = vcpu;
    const wasmAddress = decoded.wasmAddressOf(cpu.IP);
    // The exit of this one instruction is the caller's.
    const called = cpu.EL2_CALLED;
    cpu.EL2_CALLED = 0;
    const retired = decoded.pass(cpu.IP, () => 1 - exports.run(1));
    cpu.EL2_CALLED = called;
    if (this.enabled && !stays && this.#breakpoints.forget(vcpu.stage2, pc)) {
      decoded.unmark(wasmAddress);
      this.#watchAgain();
    }
    return retired;
  }

  /** Execution enters a page by a virtual address. */
  pageEntered(va: bigint, wasmAddress: number): void {
    const { cpu, decoded } = this.core;
    for (const offset of this.#breakpoints.offsets(cpu.STAGE2_ID, va, wasmAddress)) decoded.mark(wasmAddress + offset);
  }

  /** The verdict (`Watch`) on an access of the resident vCPU. */
  watched(vcpu: VcpuContext | undefined, { va, access, wasmAddress, size }: WatchedAccess): number {
    const writes = (access & AccessKind.Write) !== 0, reads = !writes || (access & AccessKind.ReadModifyWrite) !== 0;
    const looked = { stage2: this.core.cpu.STAGE2_ID, va, wasmAddress, size, reads, writes }, found = this.watchpoints.look(looked);
    this.guest.forgetHit();
    if (found === Watch.Hit && this.enabled) return found;
    return Math.max(Math.min(found, Watch.Page), this.guest.look(vcpu, looked, (access & Access.Unprivileged) !== 0));
  }

  #watchData(): void {
    const { cpu } = this.core, { watchpoints, guest } = this, alone = guest.watching ? undefined : watchpoints.onlyPlace;
    cpu.WATCHING_DATA = watchpoints.watching || guest.watching ? 1 : 0;
    cpu.WATCH_START = alone?.start ?? 0;
    cpu.WATCH_END = alone?.end ?? 0;
  }

  /** Accesses to watched pages take the slow path from now on; other translations stay. */
  #dropWatched(): void {
    this.core.tlbs.dropData((stage2, va, wasmAddress) => this.watchpoints.isIn(stage2, va, wasmAddress));
  }

  /**
   * Pages with breakpoints are entered anew, so that the marks in them are made. Other translations
   * stay: the guest may not have invalidated what its tables no longer hold.
   */
  #watchAgain(): void {
    const { cpu, decoded, tlbs, watchesEntries } = this.core;
    cpu.WATCHING = (watchesEntries ? Watching.Counts : 0) | (this.#breakpoints.watching ? Watching.Breakpoints : 0);
    tlbs.dropFetches((stage2, va, page) => this.#breakpoints.isIn(stage2, va, decoded.wasmAddressOf(page)));
  }
}
