// Memory that the Resource Manager of later phones adds below a VM's RAM: the VM reads and writes
// it, and cannot execute it (docs/spec/phones.md §A4). Its pages are the Resource Manager's own.

import { Access, mapAttributes, MapFlags, MemoryType } from "../../abi/words.ts";
import type { CapId } from "../../abi/numbers.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { demand } from "../calls/refusals.ts";
import { type Addresses, allocateRange } from "../state/addresses.ts";
import type { Context } from "../state/context.ts";
import type { ConfiguredVm } from "../state/state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

const DATA = mapAttributes(Access.RW, Access.RW, MemoryType.NormalWB);

/**
 * VM_INIT: adds the memory to a VM that its owner fills on demand, at the lowest free addresses.
 * Each page is recorded at once, so that a reset finds it after a failure.
 * @throws Refusal, HypercallFailure
 */
export function addLowMemory(context: Context, { paging, objects: { lowPages } }: ConfiguredVm, space: Addresses, addrspace: CapId): void {
  if (paging === undefined) return;
  for (let added = 0; added < (context.rules.lowMemory ?? 0); added += PAGE_SIZE) {
    const ipa = allocateRange(space, PAGE_SIZE, PAGE_SIZE);
    demand(ipa !== undefined, RmError.NORESOURCE, "no address is free for the pages below the RAM");
    const extent = context.allOrNothing((onFailure) => {
      const heapOffset = context.allocatePage();
      onFailure(() => context.freePage(heapOffset));
      const page = context.ownPages(heapOffset, PAGE_SIZE);
      lowPages.push({ extent: page, ipa, heapOffset });
      return page;
    });
    context.calls.addrspace_map({
      addrspace,
      memextent: extent,
      vbase: ipa,
      map_attrs: DATA,
      map_flags: MapFlags.NoSync,
      offset: 0,
      size: 0,
    });
  }
}
