// The hypervisor's state in an archive (src/machine/archive.ts): fields that name other objects, by
// serial number.

import type { ObjectType } from "../../abi/rights.ts";
import { Archive } from "../../machine/archive.ts";
import type { HypervisorObject } from "../capabilities/object.ts";
import type { ObjectOf } from "../capabilities/object-types.ts";

/** An archive whose fields can be objects. */
export class ObjectArchive extends Archive {
  /** By serial number, ascending; while loading, those that have been made so far. */
  readonly objects = new Map<number, HypervisorObject>();

  /** An object of a type. */
  object<T extends ObjectType>(name: string, value: ObjectOf<T> | undefined, type: T): ObjectOf<T> {
    const serial = this.integer(name, value?.serial);
    const object = this.objects.get(serial);
    if (object?.type !== type) this.within(name, () => this.fail(`there is no ${type} number ${serial}`));
    return object as ObjectOf<T>;
  }

  /** An object of whatever type. */
  any(name: string, value: HypervisorObject | undefined): HypervisorObject {
    const serial = this.integer(name, value?.serial);
    return this.objects.get(serial) ?? this.within(name, () => this.fail(`there is no object number ${serial}`));
  }

  /** An object of a type, or none. */
  objectOrNone<T extends ObjectType>(name: string, value: ObjectOf<T> | undefined, type: T): ObjectOf<T> | undefined {
    return this.maybe(name, value, (object) => this.object("object", object, type));
  }
}
