// Nodes that the devicetrees of several boards have: doorbells of irqfds, and objects that VMs
// share.

import { EDGE_RISING, LEVEL_HIGH, SPI } from "../../devicetree/gic.ts";
import { type DevicetreeNode, node } from "../../devicetree/tree.ts";
import type { VirtioDevice } from "../../virtio/device.ts";
import type { BoardLine } from "./layout.ts";
import type { VmLink } from "./vm-plan.ts";

/** The driver's differences in the tree. */
export interface DriverTraits {
  /** It gives the firmware's pages as a separate parcel. */
  readonly firmwareApart?: boolean;
  /** It wakes vCPUs at their timers. */
  readonly wakesAtTimers?: boolean;
}

/** The properties of a virtio device on the hypervisor's registers that the tree needs. */
export type VirtioModel = Pick<VirtioDevice, "id" | "queueCount">;

/** The doorbell of an irqfd as crosvm and QEMU's port name it. */
export function boardBell({ spi, edge }: BoardLine): DevicetreeNode {
  const name = `bell-${spi.toString(16)}`;
  return node(name, {
    "vdevice-type": "doorbell",
    generate: `/hypervisor/${name}`,
    label: spi,
    "peer-default": true,
    "source-can-clear": true,
    interrupts: [SPI, spi, edge ? EDGE_RISING : LEVEL_HIGH],
  });
}

/** The vdevice of an object that a VM shares with another one. */
export function linkNode(link: VmLink): DevicetreeNode {
  const name = `${link.kind}-${link.label.toString(16)}`;
  if (link.kind === "shared-memory") return sharedMemoryNode(name, link.label);
  const common = { generate: `/hypervisor/${name}`, "qcom,label": link.label, peer: `vm-name:${link.peer}` };
  if (link.kind === "message-queue-pair") {
    return node(name, { "vdevice-type": link.kind, ...common, "message-size": link.size, "queue-depth": link.depth });
  }
  return node(name, { "vdevice-type": link.kind, ...common, "source-can-clear": link.sourceCanClear ? true : undefined });
}

/** The Resource Manager puts the buffer where it has room, and says where. */
function sharedMemoryNode(name: string, label: number): DevicetreeNode {
  return node(name, { "vdevice-type": "shm", generate: `/hypervisor/${name}`, "qcom,label": label, "peer-default": true }, [
    node("memory", { label, "allocate-base": true }),
  ]);
}
