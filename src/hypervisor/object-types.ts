// Which class implements which object type. A new object type adds its line here.

import type { ObjectType } from "../abi/rights.ts";
import type { AddressSpace } from "./addrspace.ts";
import type { Cspace } from "./cspace.ts";
import type { Memextent } from "./memextent.ts";
import type { HypervisorObject } from "./object.ts";
import type { Partition } from "./partition.ts";
import type { Thread } from "./thread.ts";

/** Classes by object type. */
export interface ObjectTypes {
  partition: Partition;
  cspace: Cspace;
  addrspace: AddressSpace;
  memextent: Memextent;
  thread: Thread;
}

/** The class of an object type. */
export type ObjectOf<T extends ObjectType> = T extends keyof ObjectTypes ? ObjectTypes[T] : HypervisorObject;
