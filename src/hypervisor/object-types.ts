// Which class implements which object type. A new object type adds its line here.

import type { ObjectType } from "../abi/rights.ts";
import type { AddressSpace } from "./addrspace.ts";
import type { Cspace } from "./cspace.ts";
import type { Doorbell } from "./doorbell.ts";
import type { Hwirq } from "./hwirq.ts";
import type { Memextent } from "./memextent.ts";
import type { Msgqueue } from "./msgqueue.ts";
import type { HypervisorObject } from "./object.ts";
import type { Partition } from "./partition.ts";
import type { Vcpu } from "./vcpu.ts";
import type { Vic } from "./vic.ts";
import type { VirtioMmio } from "./virtio-mmio.ts";
import type { VpmGroup } from "./vpm-group.ts";

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
