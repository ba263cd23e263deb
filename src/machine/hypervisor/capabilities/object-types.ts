// The classes of object types, and their requirements on the hypervisor. Each class declares both
// in its own file, so that this folder imports none of them:
//
//     declare module "./object-types.ts" {
//       interface ObjectTypes {
//         doorbell: Doorbell;
//       }
//     }

import type { ObjectType } from "../../abi/rights.ts";
import type { Services } from "../services/services.ts";
import type { Heap, HypervisorObject } from "./object.ts";

/** Classes by object type. */
// deno-lint-ignore no-empty-interface
export interface ObjectTypes {}

/** The class of an object type; a type that is not built has no more than the header. */
export type ObjectOf<T extends ObjectType> = T extends keyof ObjectTypes ? ObjectTypes[T] : HypervisorObject;

/** Requirements of all object types together, which the creator of objects provides. */
export interface EveryService extends Services {}

/** A class whose objects guests may create. */
export interface ObjectClass<O extends HypervisorObject = HypervisorObject> {
  new (services: EveryService, partition: Heap): O;
  /** Bytes of the partition's heap that an object takes. */
  readonly SIZE: number;
}
