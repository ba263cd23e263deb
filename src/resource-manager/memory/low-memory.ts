// Memory that the Resource Manager of later phones adds below a VM's RAM: the VM reads and writes
// it, and cannot execute it (docs/spec/phones.md §A4). Its pages are the Resource Manager's own.

import { Access, mapAttributes, MapFlags, MemoryType } from "../../abi/words.ts";
import { allocateRange } from "../state/addresses.ts";
import type { Context } from "../state/context.ts";
import type { Vm } from "../state/state.ts";
import { PAGE_SIZE } from "../../support/sizes.ts";

const DATA = mapAttributes(Access.RW, Access.RW, MemoryType.NormalWB);

/**
 * VM_INIT: adds the memory to a VM that its owner fills on demand, at the lowest free addresses.
 * Each page is recorded at once, so that a reset finds it after a failure.
 * @throws Refusal, HypercallFailure
 */
export function addLowMemory(context: Context, vm: Vm): void {
  if (vm.paging === undefined) return;
  const { addrspace, lowPages } = vm.objects!;
  for (let added = 0; added < (context.rules.lowMemory ?? 0); added += PAGE_SIZE) {
    const ipa = allocateRange(vm.addresses!, PAGE_SIZE, PAGE_SIZE)!;
    const extent = context.allOrNothing((onFailure) => {
      const heapOffset = context.allocatePage();
      onFailure(() => context.freePage(heapOffset));
      const page = context.ownPages(heapOffset, PAGE_SIZE);
      lowPages.push({ extent: page, ipa, heapOffset });
      return page;
    });
    context.calls.addrspace_map({
      ...{ addrspace: addrspace!, memextent: extent, vbase: ipa, map_attrs: DATA },
      ...{ map_flags: MapFlags.NoSync, offset: 0, size: 0 },
    });
  }
}
