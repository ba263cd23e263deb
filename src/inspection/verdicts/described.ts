// Addresses that a VM's devicetree describes, and at which the machine has nothing.

import type { DevicetreeNode } from "../../devicetree/tree.ts";
import type { Vcpu } from "../../hypervisor/inspect.ts";
import type { Evidence } from "../../queries/facts/verdict.ts";
import { hex } from "../../support/number-text.ts";
import type { View } from "../readers/inspected.ts";
import { devicetreeOf } from "../readers/read-devicetree.ts";

const CELL = 4, CELLS_USUAL = 2, CELLS_MAX = 2;

/** Nodes with the addresses of the accesses of a VM's vCPUs that nothing has answered. */
export function misplaced(view: View, vcpus: readonly Vcpu[]): Evidence[] {
  return vcpus.flatMap(({ externalAbort: abort, addressSpace: space }): Evidence[] => {
    const tree = abort && space && devicetreeOf(view, space), found = tree && nodeWith(tree.root, Number(abort.ipa));
    return found ? [{ code: "misplaced", ...found, ipa: hex(abort.ipa) }] : [];
  });
}

interface Placed {
  readonly node: string;
  readonly start: string;
  readonly end: string;
}

/** The node whose `reg` has an address. Nodes below one with `reg` are in another space. */
function nodeWith(root: DevicetreeNode, address: number, path = ""): Placed | undefined {
  const cells = (name: string) => numberIn(root.properties.get(`#${name}-cells`) ?? new Uint8Array(), 0, CELL) ?? CELLS_USUAL;
  const addressCells = cells("address"), sizeCells = cells("size"), entry = CELL * (addressCells + sizeCells);
  if (addressCells > CELLS_MAX || sizeCells > CELLS_MAX || entry === 0) return undefined;
  for (const child of root.children) {
    const reg = child.properties.get("reg"), node = `${path}/${child.name}`;
    for (let at = 0; reg && at + entry <= reg.length; at += entry) {
      const start = numberIn(reg, at, CELL * addressCells) ?? 0, size = numberIn(reg, at + CELL * addressCells, CELL * sizeCells) ?? 0;
      if (address >= start && address < start + size) return { node, start: hex(start), end: hex(start + size - 1) };
    }
    const below = reg ? undefined : nodeWith(child, address, node);
    if (below) return below;
  }
  return undefined;
}

/** Undefined past the end of the bytes. */
function numberIn(bytes: Uint8Array, at: number, size: number): number | undefined {
  return at + size > bytes.length ? undefined : bytes.subarray(at, at + size).reduce((value, byte) => value * 256 + byte, 0);
}
