// Maps a part of a parcel into the Resource Manager's own address space for as long as a step
// takes: to read and write a VM's devicetree (docs/spec/resource-manager.md §8.2, row 1).

import { asIpa, asPa, type Ipa, type Pa } from "../../abi/numbers.ts";
import type { Context } from "../state/context.ts";
import { PARTIAL, READ_WRITE } from "../state/mapping.ts";
import { DEVICETREE_WINDOW, DEVICETREE_WINDOW_SIZE } from "../state/memory-layout.ts";
import type { Parcel } from "../state/state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Pages of a parcel that are mapped: where, and which part of its extent. */
interface MappedPiece {
  readonly ipa: Ipa;
  readonly offset: Pa;
  readonly size: number;
}

/**
 * The pieces of a parcel that contain `[start, start + size)`, in whole pages, contiguous from the
 * window's base on.
 */
function pieces(parcel: Parcel, start: number, size: number): MappedPiece[] {
  const first = Math.floor(start / PAGE_SIZE) * PAGE_SIZE;
  const end = Math.ceil((start + size) / PAGE_SIZE) * PAGE_SIZE;
  const found: MappedPiece[] = [];
  let position = 0;
  for (const region of parcel.regions) {
    const from = Math.max(first, position);
    const to = Math.min(end, position + region.size);
    if (from < to) {
      const ipa = asIpa(DEVICETREE_WINDOW + from - first), offset = asPa(region.offset + from - position);
      found.push({ ipa, offset, size: to - from });
    }
    position += region.size;
  }
  return found;
}

/**
 * Runs `step` with bytes `[start, start + size)` of the parcel mapped; it gets the address of the
 * first.
 * @throws HypercallFailure
 */
export function withParcel<T>(context: Context, parcel: Parcel, start: number, size: number, step: (ipa: Ipa) => T): T {
  // The Resource Manager's own memory comes after the window.
  if (size > DEVICETREE_WINDOW_SIZE - PAGE_SIZE) throw new RangeError(`${size} bytes do not fit into the window`);
  const { calls, resources } = context;
  const mapped: MappedPiece[] = [];
  try {
    for (const piece of pieces(parcel, start, size)) {
      calls.addrspace_map({
        addrspace: resources.addrspace_capid,
        memextent: parcel.extent,
        vbase: piece.ipa,
        map_attrs: READ_WRITE,
        map_flags: PARTIAL,
        offset: piece.offset,
        size: piece.size,
      });
      mapped.push(piece);
    }
    return step(asIpa(DEVICETREE_WINDOW + start % PAGE_SIZE));
  } finally {
    for (const { ipa, offset, size } of mapped) {
      calls.addrspace_unmap({
        addrspace: resources.addrspace_capid,
        memextent: parcel.extent,
        vbase: ipa,
        map_flags: PARTIAL,
        offset,
        size,
      });
    }
  }
}
