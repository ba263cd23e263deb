// The hypervisor's state in an archive (src/machine/hardware/archive.ts): fields that name other
// objects, by serial number.

import type { ObjectType } from "../../abi/rights.ts";
import { Archive } from "../../hardware/archive.ts";

/** An object as others name it in an archive. */
interface ArchivedObject {
  readonly type: ObjectType;
  readonly serial: number;
}

/** An archive whose fields can be objects. */
export class ObjectArchive extends Archive {
  /** By serial number, ascending; during a load, those made already. */
  readonly objects = new Map<number, ArchivedObject>();

  object<O extends ArchivedObject>(name: string, value: O | undefined, type: O["type"]): O {
    const serial = this.integer(name, value?.serial);
    const object = this.objects.get(serial);
    if (object?.type !== type) this.within(name, () => this.fail(`there is no ${type} number ${serial}`));
    return object as O;
  }

  /** An object of whatever type. */
  any<O extends ArchivedObject>(name: string, value: O | undefined): O {
    const serial = this.integer(name, value?.serial);
    return (this.objects.get(serial) ?? this.within(name, () => this.fail(`there is no object number ${serial}`))) as O;
  }

  /** An object of a type, or none. */
  objectOrNone<O extends ArchivedObject>(name: string, value: O | undefined, type: O["type"]): O | undefined {
    return this.maybe(name, value, (object) => this.object("object", object, type));
  }
}
