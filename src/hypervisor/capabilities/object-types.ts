// Which class implements which object type, and what those classes need of the hypervisor. Each
// class says so beside itself, so that this room knows none of them:
//
//     declare module "../capabilities/object-types.ts" {
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

/** What objects of all types need: who creates objects has it. */
export interface EveryService extends Services {}

/** A class whose objects guests may create. */
export interface ObjectClass<O extends HypervisorObject = HypervisorObject> {
  new (services: EveryService, partition: Heap): O;
  /** Bytes of the partition's heap that an object takes. */
  readonly SIZE: number;
}
