// The places at which vCPUs of Linux are observed, for events of its tasks (src/inside/linux).
// Memory is read as the vCPU translates it at that instant.

import type { VcpuState } from "../../../cpu/core/interface.ts";
import type { AddressSpace } from "../../../machine/hypervisor/inspect.ts";
import type { LinuxKernel } from "../../../inside/linux/kernel/kernel.ts";
import { SeenMemory } from "../../../inside/linux/kernel/memory.ts";
import { gapOf, Reading } from "../../../inside/linux/kernel/reading.ts";
import { TaskEvents, type TaskPlace } from "../../../inside/linux/events/task-events.ts";
import { MODULE_LOADS } from "../../../model/queries/stop-rule.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { KernelPlace, KernelPlaces } from "../readers/guest/guest-kernel.ts";
import type { View } from "../readers/inspected.ts";
import { findReading, physicalMemory } from "./read-linux.ts";

/** The places of each kernel, as long as the kernel is known. */
const KNOWN = new WeakMap<LinuxKernel, KernelPlaces>();
/** Pages whose views are kept. */
const PAGES_MAX = 4096;

export function placesOf(view: View, space: AddressSpace): KernelPlaces | undefined {
  const reading = findReading(view, space);
  if (!reading) return undefined;
  const { kernel } = reading;
  let known = KNOWN.get(kernel);
  if (!known) {
    known = reading.tried("events", () => placesIn(view, space, reading)) ??
      { of: kernel, gap: reading.gaps.at(-1), at: () => new Map(), forget() {} };
    KNOWN.set(kernel, known);
  }
  return known;
}

function placesIn(view: View, space: AddressSpace, { kernel, vm }: Reading): KernelPlaces {
  const { core } = view.system.symbols, { ram } = view.hypervisor.machine, physical = physicalMemory(view, space);
  const pages = new Map<number, DataView>();
  let cpu: VcpuState | undefined;
  const pageAt = (pa: number) => {
    const known = pages.get(pa);
    if (known) return known;
    if (!ram.contains(pa, PAGE_SIZE)) return undefined;
    if (pages.size >= PAGES_MAX) pages.clear();
    const bytes = ram.bytes(pa, PAGE_SIZE), page = new DataView(bytes.buffer, bytes.byteOffset, PAGE_SIZE);
    pages.set(pa, page);
    return page;
  };
  const see = (address: bigint) => {
    const found = cpu && core.questions.inspect(cpu, address);
    return found?.ok ? pageAt(found.pa) : undefined;
  };
  const physicalPage = (ipa: number) => {
    const found = space.stage2.lookup(ipa);
    return found && pageAt(found.pa);
  };
  const memory = new SeenMemory(physical, kernel.tables, see, physicalPage), events = new TaskEvents(vm, kernel, memory);
  const placeOf = ({ of, seen }: TaskPlace): KernelPlace => ({
    seen: (vcpu, time) => {
      cpu = vcpu;
      memory.renew();
      try {
        return seen(vcpu, time);
      } catch (error) {
        const gap = gapOf(of, error);
        if (gap) return gap;
        throw error;
      }
    },
  });
  const loads = kernel.find(kernel.memory(physical), MODULE_LOADS);
  const all = events.places(new Reading(vm, kernel, kernel.memory(physical)));
  return {
    of: kernel,
    at: (kinds) =>
      new Map([...all].filter(([, place]) => place.kinds.some((kind) => kinds.includes(kind))).map(([at, place]) => [at, placeOf(place)])),
    loads: loads === undefined ? undefined : { at: loads, modules: () => kernel.modules.in(kernel.memory(physical)) },
    forget: () => events.forget(),
  };
}
