// The devicetree of a VM, as its memory has it.

import { blobFrom, readDevicetree } from "../../../../machine/devicetree/reader.ts";
import type { Devicetree } from "../../../../machine/devicetree/tree.ts";
import type { AddressSpace } from "../../../../machine/hypervisor/inspect.ts";
import { ipaId, vmId } from "../../../../model/queries/ids.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { DEVICETREES } from "../../../../model/queries/tables.ts";
import { findVm } from "../../../../machine/resource-manager/interface.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";
import { MiB } from "../../../../kit/support/values/sizes.ts";
import { QueryError, type View } from "../inspected.ts";
import { readSpace } from "../objects/read-memory.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";

/** The Resource Manager's window for the largest one. */
const LARGEST = 2 * MiB;

/** Where a VM was given its tree; undefined: nowhere that is known. */
function addressOf(view: View, space: AddressSpace): number | undefined {
  const { config, image } = findVm(view.system.manager.state, space.vmid) ?? {};
  return config && image ? config.baseAddress + image.dtOffset : view.system.devicetrees.get(view.vmNameOf(space));
}

/** The bytes of a tree; undefined where none is. */
function blobAt(view: View, space: AddressSpace, address: number): Uint8Array | undefined {
  return blobFrom((size) => readSpace(view, space, address, size), LARGEST);
}

/** A VM's tree as its memory has it now; undefined if there is none, or it cannot be read. */
export function devicetreeOf(view: View, space: AddressSpace): Devicetree | undefined {
  const address = addressOf(view, space), blob = address === undefined ? undefined : blobAt(view, space, address);
  const read = blob && readDevicetree(blob);
  return read?.ok ? read.tree : undefined;
}

/** The one row of a VM's tree. */
export function readDevicetreeOf(view: View, vm: string): RowOf<typeof DEVICETREES>[] {
  const space = view.findSpace(vm), name = view.vmNameOf(space), address = addressOf(view, space);
  if (address === undefined) throw new QueryError(`${vmId(name)} was given no devicetree that el2 knows of`);
  const bytes = blobAt(view, space, address);
  if (!bytes) {
    throw new QueryError(
      `there is no devicetree at ${ipaId(name, address)} now: the VM has not started, or has written over it`,
      way`${hint("back", { to: 1 })} shows the machine before its guests ran`,
    );
  }
  return [{ id: vmId(name), address: hex(address), size: bytes.length, blob: bytes.toHex() }];
}
