// The Resource Manager's addition to the primary VM's devicetree: the node /hypervisor
// (docs/spec/resource-manager.md §7.5, docs/spec/observed.md §3).

import type { CapId } from "../../abi/numbers.ts";
import { devicetreeSize, readDevicetree } from "../../devicetree/reader.ts";
import { applyOverlay, OverlayBuilder } from "../../devicetree/overlay.ts";
import { cells64, type DevicetreeNode, node } from "../../devicetree/tree.ts";
import { writeDevicetree } from "../../devicetree/writer.ts";
import type { HypervisorNode } from "../../abi/hypervisor-node.ts";
import { Vmid } from "../../abi/rpc/messages/vm.ts";
import type { Context } from "../state/context.ts";
import type { NewLink } from "../rpc/link.ts";
import { PARTIAL, READ_WRITE } from "../state/mapping.ts";
import { VM_FIRST_VIRQ } from "../state/numbers.ts";
import type { VmObjects } from "../state/state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/**
 * The part of the devicetree that is mapped at first, and the maximum: the platform's window.
 * Bytes.
 */
const MAPPED_SIZE = 0x4000;
const WINDOW_SIZE = 0x10_0000;
/** Maximum size of the overlay, bytes. */
const OVERLAY_SIZE = 0x400;

/** An edge-triggered interrupt as a GIC specifier of three cells. */
function edgeInterrupt(intid: number): number[] {
  return intid < 32 ? [1, intid - 16, 1] : [0, intid - 32, 1];
}

/** The primary's link to the Resource Manager: capabilities of its message queues, and INTIDs. */
interface PrimaryLink {
  readonly txCap: CapId;
  readonly rxCap: CapId;
  readonly txVirq: number;
  readonly rxVirq: number;
}

/**
 * The overlay of the primary VM: its link to the Resource Manager and, as recorded, its identity.
 */
function primaryOverlay(link: PrimaryLink, form: HypervisorNode): DevicetreeNode {
  const overlay = new OverlayBuilder();
  overlay.fragment("/").children.push(form === "platform" ? platformNode(link) : bindingNode(link, form === "binding-v6"));
  return overlay.root;
}

/** Only the properties that the binding of the Linux series describes. */
function bindingNode(link: PrimaryLink, versions: boolean): DevicetreeNode {
  return node("hypervisor", {
    compatible: versions ? ["gunyah-hypervisor-1.0", "gunyah-hypervisor"] : ["gunyah-hypervisor"],
    "#address-cells": 2,
    "#size-cells": 0,
  }, [
    node(`gunyah-resource-mgr@${link.txCap.toString(16)}`, {
      compatible: versions ? ["gunyah-resource-manager-1-0", "gunyah-resource-manager"] : ["gunyah-resource-manager"],
      ...linkProperties(link),
    }),
  ]);
}

/** Both queues, transmission first. */
function linkProperties({ txCap, rxCap, txVirq, rxVirq }: PrimaryLink) {
  return { interrupts: [...edgeInterrupt(txVirq), ...edgeInterrupt(rxVirq)], reg: cells64(txCap, rxCap) };
}

function platformNode(link: PrimaryLink): DevicetreeNode {
  return node("hypervisor", {
    "#address-cells": 2,
    "#size-cells": 0,
    compatible: ["qcom,gunyah-hypervisor-1.0", "qcom,gunyah-hypervisor", "simple-bus"],
  }, [
    node("qcom,gunyah-vm", {
      compatible: ["qcom,gunyah-vm-id-1.0", "qcom,gunyah-vm-id"],
      "qcom,vendor": "Qualcomm",
      "qcom,vmid": Vmid.Hlos,
    }),
    node(`qcom,resource-manager-rpc@${link.txCap.toString(16).padStart(16, "0")}`, {
      compatible: ["gunyah-resource-manager", "qcom,resource-manager-1-0", "qcom,resource-manager"],
      ...linkProperties(link),
      "qcom,is-full-duplex": true,
      "qcom,free-irq-start": VM_FIRST_VIRQ,
      "qcom,tx-message-size": 240,
      "qcom,rx-message-size": 240,
      "qcom,tx-queue-depth": 8,
      "qcom,rx-queue-depth": 8,
    }),
  ]);
}

/**
 * Patches the tree in the primary's memory, at most once. A primary without a readable tree starts
 * without the node.
 */
export function patchPrimaryDevicetree(
  context: Context,
  objects: VmObjects,
  link: NewLink & { txVirq: number; rxVirq: number },
): void {
  const { calls, resources, hypervisorNode } = context;
  if (hypervisorNode === "none") return;
  const base = resources.hlos_dt_base;
  const room = Math.min(WINDOW_SIZE, resources.hlos_vm_base + resources.hlos_vm_size - base);
  const withTree = <T>(size: number, step: () => T): T => {
    calls.addrspace_map({
      addrspace: resources.addrspace_capid,
      memextent: objects.memory,
      vbase: base,
      map_attrs: READ_WRITE,
      map_flags: PARTIAL,
      offset: base,
      size,
    });
    const result = step();
    calls.addrspace_unmap({
      addrspace: resources.addrspace_capid,
      memextent: objects.memory,
      vbase: base,
      map_flags: PARTIAL,
      offset: base,
      size,
    });
    return result;
  };
  const patch = (size: number): number | undefined => {
    const bytes = calls.vcpu.read(base, size);
    if (bytes === undefined) throw new Error("the primary's devicetree is not readable");
    const needed = (devicetreeSize(bytes) ?? 0) + OVERLAY_SIZE;
    if (needed > size && needed <= room) return needed;
    const problem = patchTree(bytes, primaryOverlay(link, hypervisorNode), size);
    if (typeof problem === "string") context.log(`the primary's devicetree is left as it is: ${problem}`);
    else calls.vcpu.write(base, problem);
    return undefined;
  };
  const more = withTree(Math.min(MAPPED_SIZE, room), () => patch(Math.min(MAPPED_SIZE, room)));
  if (more === undefined) return;
  const size = Math.ceil(more / PAGE_SIZE) * PAGE_SIZE;
  withTree(size, () => patch(size));
}

/** The patched tree, or why there is none. */
function patchTree(bytes: Uint8Array, overlay: DevicetreeNode, room: number): Uint8Array | string {
  const read = readDevicetree(bytes);
  if (!read.ok) return `${read.problem} (offset ${read.offset})`;
  const applied = applyOverlay(read.tree.root, overlay);
  if (!applied.ok) return applied.problem;
  const patched = writeDevicetree(read.tree);
  return patched.length <= room ? patched : `${patched.length} bytes do not fit into ${room}`;
}
