// Events inside VMs, while somebody wants them: the core looks at vCPUs that pass certain places of
// a kernel's code, and on CPUs with EL2 the vectors by which its guests enter it and the ERET by
// which they leave it. The VM does not notice, and without a listener nothing is looked at.

import { KERNEL_KINDS, type TraceKind } from "../../../machine/abi/trace.ts";
import type { DebugCore, VcpuState } from "../../../cpu/core/interface.ts";
import type { AddressSpace, Hypervisor, Observed } from "../../../machine/hypervisor/inspect.ts";
import type { LoadedSymbols } from "../../../inside/symbols/module-file.ts";
import type { Gap } from "../../../model/queries/facts/gap.ts";
import type { KernelPlace, KernelPlaces } from "../readers/guest/guest-kernel.ts";
import type { View } from "../readers/inspected.ts";
import { addressKey } from "../../../kit/support/values/address-key.ts";
import { entriesAt, inSpace } from "../readers/guest/stage2.ts";
import { guestEntries, guestExit } from "./guest-exits.ts";
import { GuestReturns } from "./guest-returns.ts";
import type { StageMemory } from "./stage2-fault.ts";
import { placesOf } from "./kernels.ts";

/** Requirements on the system. */
interface ObservedSystem {
  readonly core: Pick<DebugCore, "stops" | "cpu">;
  readonly hypervisor: () => Hypervisor;
  readonly view: () => View;
  /** Reports a bug in el2 itself. */
  readonly bug: (where: string, error: unknown) => void;
}

/** A kernel that is observed. */
interface ObservedKernel {
  readonly stage2: number;
  readonly places: KernelPlaces;
  readonly at: ReadonlyMap<bigint, KernelPlace>;
}

/** Hears of each module that a kernel loads, before its code is executed: which it has now. */
type LoadListener = (vm: string, modules: readonly LoadedSymbols[]) => void;

/** The observation of the kernels of one machine. */
export class KernelEvents {
  readonly #observed = new Map<AddressSpace, ObservedKernel>();
  /** By tables of stage 2 and `addressKey`. */
  readonly #places = new Map<number, ReadonlyMap<number, KernelPlace>>();
  /** Entries of EL2 that are observed, the same. */
  readonly #entries = new Map<number, Map<number, bigint>>();
  #returns = new GuestReturns();
  #kinds: readonly TraceKind[] = [];
  /** Whether exits of guests of a CPU's EL2 are wanted. */
  #wantsExits = false;
  #gap: Gap | undefined;
  #onLoad: LoadListener | undefined;

  constructor(readonly system: ObservedSystem) {}

  /** Whether anybody wants such events, or hears of modules. */
  get wanted(): boolean {
    return this.#wantsExits || this.#wantsKernels;
  }

  get #wantsKernels(): boolean {
    return this.#kinds.length > 0 || this.#onLoad !== undefined;
  }

  /** Calls a function for each module that a kernel loads. */
  hearLoads(listener: LoadListener): void {
    this.#onLoad = listener;
    this.#beginAgain();
  }

  /** Kernels that cannot be observed, and the last event whose memory could not be read. */
  get gaps(): readonly Gap[] {
    return [...[...this.#observed.values()].map(({ places }) => places.gap), this.#gap].filter((gap) => gap !== undefined);
  }

  /** The kinds of events that are wanted may have changed. */
  wantsChanged(): void {
    const { wanted } = this.system.hypervisor().trace, kinds = KERNEL_KINDS.filter((kind) => wanted[kind]);
    const exits = wanted.trap && this.system.core.cpu.features.has("FEAT_EL2");
    if (exits === this.#wantsExits && kinds.length === this.#kinds.length && kinds.every((kind) => this.#kinds.includes(kind))) return;
    this.#kinds = kinds;
    this.#wantsExits = exits;
    this.#gap = undefined;
    this.#beginAgain();
  }

  #beginAgain(): void {
    for (const space of [...this.#observed.keys()]) this.#leave(space);
    for (const [stage2, entries] of this.#entries) {
      for (const address of entries.values()) this.system.core.stops.ignore(stage2, address);
    }
    this.#entries.clear();
    this.#returns = new GuestReturns();
    const { stops } = this.system.core;
    stops.observesReturns = this.#wantsExits;
    stops.observer = this.wanted ? (vcpu, time, retired, returns) => this.#pass(vcpu, time, retired, returns) : undefined;
  }

  /**
   * Observes the kernels that exist by now, if anybody wants their events.
   * @throws SymbolSearch
   */
  follow(): void {
    if (this.#wantsExits) this.#followEntries();
    if (!this.#wantsKernels) return;
    const view = this.system.view(), { addressSpaces } = view.hypervisor, spaces = new Set(addressSpaces.values());
    for (const space of this.#observed.keys()) if (!spaces.has(space)) this.#leave(space);
    for (const space of spaces) {
      const places = placesOf(view, space), known = this.#observed.get(space), stage2 = stage2Of(view, space);
      if (known && known.places.of === places?.of && known.stage2 === stage2) continue;
      if (known) this.#leave(space);
      if (places && stage2 !== undefined) this.#enter(space, { stage2, places, at: this.#placesIn(view.vmNameOf(space), places) });
    }
  }

  /** Observes the vectors that vCPUs have at EL2 now; those that they had stay. */
  #followEntries(): void {
    for (const { native, registers } of this.system.view().objects("thread")) {
      if (native || !registers.hasEl2 || registers.getRegister("VBAR_EL2") === 0n) continue;
      const entries = this.#entries.get(registers.stage2) ?? new Map<number, bigint>();
      this.#entries.set(registers.stage2, entries);
      for (const address of guestEntries(registers)) {
        const key = addressKey(address);
        if (entries.has(key)) continue;
        entries.set(key, address);
        this.system.core.stops.observe(registers.stage2, address);
      }
    }
  }

  #placesIn(vm: string, places: KernelPlaces): ReadonlyMap<bigint, KernelPlace> {
    const { loads } = places, listener = this.#onLoad, at = places.at(this.#kinds);
    if (!loads || !listener) return at;
    return new Map([...at, [loads.at, { seen: () => void listener(vm, loads.modules()) }]]);
  }

  #enter(space: AddressSpace, observed: ObservedKernel): void {
    const { stage2, at } = observed;
    this.#observed.set(space, observed);
    this.#places.set(stage2, new Map([...at].map(([address, place]) => [addressKey(address), place])));
    for (const address of at.keys()) this.system.core.stops.observe(stage2, address);
  }

  #leave(space: AddressSpace): void {
    const observed = this.#observed.get(space);
    if (!observed) return;
    this.#observed.delete(space);
    this.#places.delete(observed.stage2);
    observed.places.forget();
    for (const address of observed.at.keys()) this.system.core.stops.ignore(observed.stage2, address);
  }

  /** A guest of a vCPU's EL2 has left to that. */
  #exit(vcpu: VcpuState, time: number): Observed | undefined {
    const exit = guestExit(vcpu, time, () => this.#memoryOf(vcpu));
    if (exit) this.#returns.exited(vcpu, exit);
    return exit;
  }

  /** The memory that a vCPU's EL2 has. */
  #memoryOf({ stage2 }: VcpuState): StageMemory | undefined {
    const view = this.system.view(), space = view.objects("thread").find(({ registers }) => registers.stage2 === stage2)?.addressSpace;
    return space && { read: entriesAt(inSpace(space), view.hypervisor.machine.ram), features: this.system.core.cpu.features };
  }

  /** A vCPU is at an instruction that has a mark. */
  #pass(vcpu: VcpuState, time: number, retired: number, returns: boolean): boolean | undefined {
    const pc = vcpu.keyOf("PC"), place = this.#places.get(vcpu.stage2)?.get(pc);
    const isEntry = this.#entries.get(vcpu.stage2)?.has(pc) ?? false;
    if (!place && !isEntry && !returns) return undefined;
    const hypervisor = this.system.hypervisor();
    try {
      const event = isEntry ? this.#exit(vcpu, time) : place ? place.seen(vcpu, time) : this.#returns.returns(vcpu, time);
      if (!event) return false;
      if ("code" in event) this.#gap = event;
      else hypervisor.trace.observed(event, time, retired);
    } catch (error) {
      for (const space of [...this.#observed.keys()]) this.#leave(space);
      this.system.core.stops.observer = undefined;
      this.system.bug("events of kernels", error);
    }
    return hypervisor.machine.suspended || hypervisor.scheduler.execution.ends;
  }
}

/** The tables of stage 2 that a VM's vCPUs have. */
function stage2Of(view: View, space: AddressSpace): number | undefined {
  return view.objects("thread").find((vcpu) => vcpu.addressSpace === space && vcpu.native === undefined)?.registers.stage2;
}
