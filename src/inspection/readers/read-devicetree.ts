// The devicetree of a VM, as its memory has it.

import { FDT_HEADER_SIZE } from "../../devicetree/format.ts";
import { devicetreeSize } from "../../devicetree/reader.ts";
import { ipaId, vmId } from "../../queries/ids.ts";
import type { RowOf } from "../../queries/table.ts";
import type { DEVICETREES } from "../../queries/tables.ts";
import { findVm } from "../../resource-manager/interface.ts";
import { hex } from "../../support/number-text.ts";
import { MiB } from "../../support/sizes.ts";
import { QueryError, type View } from "./inspected.ts";
import { readSpace } from "./read-memory.ts";

/** The Resource Manager's window for the largest one. */
const LARGEST = 2 * MiB;

/** The one row of a VM's tree. */
export function readDevicetreeOf(view: View, vm: string): RowOf<typeof DEVICETREES>[] {
  const space = view.findSpace(vm), name = view.vmNameOf(space);
  const { config, image } = findVm(view.system.manager.state, space.vmid) ?? {};
  const address = config && image ? config.baseAddress + image.dtOffset : view.system.devicetrees.get(name);
  if (address === undefined) throw new QueryError(`${vmId(name)} was given no devicetree that el2 knows of`);
  const header = readSpace(view, space, address, FDT_HEADER_SIZE), size = header && devicetreeSize(header);
  const bytes = size !== undefined && size <= LARGEST ? readSpace(view, space, address, size) : undefined;
  if (!bytes) {
    throw new QueryError(
      `there is no devicetree at ${ipaId(name, address)} now: the VM has not started, or has written over it`,
      `el2 back --to 1 shows the machine before its guests ran`,
    );
  }
  return [{ id: vmId(name), address: hex(address), size: bytes.length, blob: bytes.toHex() }];
}
