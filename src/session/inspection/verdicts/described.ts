// Addresses that a VM's devicetree describes, and at which the machine has nothing.

import { cellSizes, type DevicetreeNode, readRanges } from "../../../machine/devicetree/tree.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { View } from "../readers/inspected.ts";
import { devicetreeOf } from "../readers/guest/read-devicetree.ts";

/** An address or a size has 64 bits at most. */
const CELLS_MAX = 2;

/** Nodes at whose addresses vCPUs of a VM got no answer. */
export function misplaced(view: View, vcpus: readonly Vcpu[]): Evidence[] {
  return vcpus.flatMap(({ externalAbort: abort, addressSpace: space }): Evidence[] => {
    const tree = abort && space && devicetreeOf(view, space), found = tree && nodeWith(tree.root, BigInt(abort.ipa));
    return found ? [{ code: "misplaced", ...found, ipa: hex(abort.ipa) }] : [];
  });
}

interface Placed {
  readonly node: string;
  readonly start: string;
  readonly end: string;
}

/** The node whose `reg` has an address. Nodes below one with `reg` are in another space. */
function nodeWith(parent: DevicetreeNode, address: bigint, path = ""): Placed | undefined {
  const { addressCells, sizeCells } = cellSizes(parent);
  if (addressCells > CELLS_MAX || sizeCells > CELLS_MAX) return undefined;
  for (const child of parent.children) {
    const node = `${path}/${child.name}`, ranges = readRanges(child, "reg", addressCells, sizeCells);
    const found = ranges?.find(({ address: start, size }) => address >= start && address < start + size);
    if (found) return { node, start: hex(found.address), end: hex(found.address + found.size - 1n) };
    const below = child.properties.has("reg") ? undefined : nodeWith(child, address, node);
    if (below) return below;
  }
  return undefined;
}
