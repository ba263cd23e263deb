// The vCPUs of a core, and which of them is in the CPU state.

import type { CoreExports } from "./core-module.ts";
import type { CachedPage, CoreResidency, VcpuState } from "./interface.ts";
import type { DecodedPages } from "./decoded/decoded-pages.ts";
import type { RamLayout } from "./memory/translation.ts";
import type { Stage2Pool } from "./memory/stage2.ts";
import { permitsOf, TlbImages } from "./memory/tlb-images.ts";
import { TlbPool } from "./memory/tlb-pool.ts";
import { VcpuContext } from "./registers/vcpu-context.ts";
import type { ExclusiveMonitor, RegisterName } from "./registers/vcpu-state.ts";
import type { CpuFields } from "./state/cpu-fields.ts";
import { CPU, CPU_STATE } from "./state/cpu-state.ts";
import { CONTEXT_STRIDE, CONTEXTS, EL2_CONTEXT_STRIDE, EL2_CONTEXTS, TLB_POOL } from "./state/layout.ts";
import { TlbSpace } from "./state/tlb-layout.ts";

/** The parts of a core that vCPUs need. */
interface CoreParts {
  readonly ram: RamLayout;
  readonly stage2Pool: Stage2Pool;
  readonly decoded: DecodedPages;
  readonly names: readonly RegisterName[];
}

export class Residency implements CoreResidency {
  readonly #view: DataView;
  readonly tlbs: TlbPool;
  readonly #images: TlbImages;
  readonly #free: number[] = [];
  #resident: VcpuContext | undefined;
  readonly #hasEl2: boolean;
  /** Functions that update the state that derives from registers. */
  readonly #updates: readonly (() => void)[];

  constructor(
    readonly memory: WebAssembly.Memory,
    readonly cpu: CpuFields,
    readonly exports: CoreExports,
    readonly parts: CoreParts,
  ) {
    this.#view = new DataView(memory.buffer);
    this.tlbs = new TlbPool(memory, TLB_POOL, (space) => exports.tlbFlushSpace(space));
    const { decoded } = parts;
    this.#images = new TlbImages(memory, parts.ram, this.tlbs, {
      pageOf: (wasmAddress) => decoded.pageOf(wasmAddress),
      allocate: (wasmAddress) => decoded.allocate(wasmAddress),
      get isWatched() {
        return cpu.WATCHING !== 0;
      },
    }, parts.names.includes("HCR_EL2"));
    const { updateRegime, updatePointers, updatePointersOfEl2, updateCounters, updateVirtualInterface } = exports;
    this.#updates = [updateRegime, updatePointers, updatePointersOfEl2, updateCounters, updateVirtualInterface].filter((update) =>
      update !== undefined
    );
    this.#hasEl2 = parts.names.includes("HCR_EL2");
    const [{ base, count }, stride] = this.#hasEl2 ? [EL2_CONTEXTS, EL2_CONTEXT_STRIDE] : [CONTEXTS, CONTEXT_STRIDE];
    for (let i = count - 1; i >= 0; i--) this.#free.push(base + i * stride);
  }

  /** Throws a RangeError when there are more vCPUs than contexts (more than a thousand). */
  create(): VcpuContext {
    const address = this.#free.pop();
    if (address === undefined) throw new RangeError("no context is left for another vCPU");
    return new VcpuContext(this.memory, address, this.parts.names, (id) => this.parts.stage2Pool.root(id));
  }

  /** Its context and its TLB space are free afterwards. */
  release(vcpu: VcpuContext): void {
    if (vcpu === this.#resident) this.#evict();
    for (const owner of this.#ownersOf(vcpu)) this.tlbs.release(owner);
    this.#free.push(vcpu.address);
  }

  /** The vCPU in the CPU state. */
  get vcpu(): VcpuContext | undefined {
    return this.#resident;
  }

  /** Makes a vCPU resident and what derives from its registers right. */
  enter(vcpu: VcpuContext): void {
    if (vcpu !== this.#resident) {
      this.#evict();
      this.exports.moveContext(CPU_STATE, vcpu.address);
      vcpu.resident = true;
      vcpu.derivedStale = true;
      this.#resident = vcpu;
      this.cpu.EXCLUSIVE = 0;
    }
    if (vcpu.translationsStale) {
      for (const owner of this.#ownersOf(vcpu)) this.tlbs.invalidate(owner);
      vcpu.translationsStale = false;
      vcpu.derivedStale = true;
    }
    if (vcpu.derivedStale) {
      const space = this.tlbs.acquire(vcpu, vcpu.stage2);
      if (this.#hasEl2) this.#useSpaces(vcpu, space);
      this.cpu.TLB_SPACE = this.cpu.TLB_UNPRIVILEGED = space + TlbSpace.Sets;
      this.cpu.ATOMICS_TLB = this.tlbs.hasDevice(space) && !this.cpu.DEVICE_ATOMIC ? TLB_POOL.empty : 0;
      for (const update of this.#updates) update();
      vcpu.derivedStale = false;
    }
  }

  /** The owners of the TLB spaces of a vCPU. */
  #ownersOf(vcpu: VcpuContext): readonly object[] {
    return this.#hasEl2 ? [vcpu, vcpu.ofOther, vcpu.ofEl2] : [vcpu];
  }

  /** Tells a core with EL2 the spaces of a vCPU, the first of which is given. */
  #useSpaces(vcpu: VcpuContext, guest: number): void {
    const { cpu, tlbs } = this, other = tlbs.acquire(vcpu.ofOther, vcpu.stage2), ofEl2 = tlbs.acquire(vcpu.ofEl2, vcpu.stage2);
    tlbs.setOfEl2(ofEl2);
    cpu.TLB_GUEST = guest;
    cpu.TLB_OTHER_GUEST = other;
    cpu.TLB_SPACE_EL1 = tlbs.isLatest(other) ? other : guest;
    cpu.TLB_SPACE_EL2 = ofEl2;
    cpu.STAGE2_FOLLOWED = 0;
  }

  /** Its exclusive monitor, while it is set: only that of the resident vCPU can be. */
  monitorOf(vcpu: VcpuContext): ExclusiveMonitor | undefined {
    const size = this.cpu.EXCLUSIVE, view = this.#view;
    if (vcpu !== this.#resident || size === 0) return undefined;
    return {
      size,
      address: view.getBigUint64(CPU.EXCLUSIVE_ADDRESS, true),
      low: view.getBigUint64(CPU.EXCLUSIVE_VALUE, true),
      high: size === 16 ? view.getBigUint64(CPU.EXCLUSIVE_VALUE + 8, true) : 0n,
    };
  }

  setMonitor(vcpu: VcpuContext, monitor: ExclusiveMonitor): void {
    this.enter(vcpu);
    this.cpu.EXCLUSIVE = monitor.size;
    this.#view.setBigUint64(CPU.EXCLUSIVE_ADDRESS, monitor.address, true);
    this.#view.setBigUint64(CPU.EXCLUSIVE_VALUE, monitor.low, true);
    this.#view.setBigUint64(CPU.EXCLUSIVE_VALUE + 8, monitor.high, true);
  }

  isUnanswered(vcpu: VcpuState): boolean {
    return this.tlbs.isUnanswered(vcpu);
  }

  *cachedPages(stage2: number): Generator<CachedPage> {
    const { ram } = this.parts;
    for (const { va, wasmAddress, write } of this.tlbs.entries(stage2)) {
      yield { va, pa: wasmAddress - ram.wasmAddress + ram.base, write };
    }
  }

  leadingTo(vcpu: VcpuState, pages: ReadonlySet<number>): CachedPage[] {
    const context = contextOf(vcpu), { base, wasmAddress: ram } = this.parts.ram;
    if (!this.#isCurrent(context)) return [];
    const targets = new Set(Array.from(pages, (pa) => pa - base + ram));
    return Array.from(this.tlbs.leadingTo(context, targets), ({ va, wasmAddress, write }) => ({ va, pa: wasmAddress - ram + base, write }));
  }

  tlbImage(vcpus: readonly VcpuState[]): Uint8Array {
    return this.#images.take(
      vcpus.map(contextOf).flatMap((vcpu) => {
        const owners = this.#ownersOf(vcpu);
        return this.#isCurrent(vcpu) ? owners : owners.map(() => undefined);
      }),
    );
  }

  /** Whether the vCPU has TLBs that hold its translations. */
  #isCurrent(vcpu: VcpuContext): boolean {
    return !vcpu.translationsStale && this.tlbs.isFor(vcpu, vcpu.stage2);
  }

  setTlbImage(vcpus: readonly VcpuState[], image: Uint8Array, trusted: boolean): string | undefined {
    const contexts = vcpus.map(contextOf), { stage2Pool } = this.parts;
    const defect = this.#images.put(
      image,
      contexts.flatMap((vcpu) => {
        const permits = trusted ? () => true : permitsOf(stage2Pool.tables(vcpu.stage2));
        return this.#ownersOf(vcpu).map((owner) => ({ owner, stage2: vcpu.stage2, permits }));
      }),
    );
    for (const vcpu of contexts) {
      vcpu.translationsStale &&= !this.tlbs.isFor(vcpu, vcpu.stage2);
      vcpu.derivedStale = true;
    }
    return defect;
  }

  #evict(): void {
    const vcpu = this.#resident;
    if (!vcpu) return;
    this.exports.moveContext(vcpu.address, CPU_STATE);
    vcpu.resident = false;
    this.#resident = undefined;
  }
}

/** A vCPU as the core that has made it knows it. */
export function contextOf(vcpu: VcpuState): VcpuContext {
  if (!(vcpu instanceof VcpuContext)) throw new TypeError("a vCPU of another core");
  return vcpu;
}
