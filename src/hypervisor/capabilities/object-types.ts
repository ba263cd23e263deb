// Which class implements which object type. A new object type adds its line here.

import type { ObjectType } from "../../abi/rights.ts";
import type { AddressSpace } from "../memory/addrspace.ts";
import type { Cspace } from "./cspace.ts";
import type { Doorbell } from "../ipc/doorbell.ts";
import type { Hwirq } from "../gic/hwirq.ts";
import type { Memextent } from "../memory/memextent.ts";
import type { Msgqueue } from "../ipc/msgqueue.ts";
import type { HypervisorObject } from "./object.ts";
import type { Partition } from "../memory/partition.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import type { Vic } from "../gic/vic.ts";
import type { VirtioMmio } from "../virtio/virtio-mmio.ts";
import type { VpmGroup } from "../scheduling/vpm-group.ts";

/** Classes by object type. */
export interface ObjectTypes {
  partition: Partition;
  cspace: Cspace;
  addrspace: AddressSpace;
  memextent: Memextent;
  thread: Vcpu;
  doorbell: Doorbell;
  msgqueue: Msgqueue;
  vic: Vic;
  vpm_group: VpmGroup;
  hwirq: Hwirq;
  virtio_mmio: VirtioMmio;
}

/** The class of an object type; a type that is not built has no more than the header. */
export type ObjectOf<T extends ObjectType> = T extends keyof ObjectTypes ? ObjectTypes[T] : HypervisorObject;
