// Capability spaces: two levels of slots that hold a VM's capabilities (docs/spec/hypervisor.md
// §3.3, §3.4, §4.4).

import { ErrorCode } from "../../abi/errors.ts";
import { LOOKUP_SECTION } from "../../abi/hypercall-errors.ts";
import { allRights, type ObjectType, rightNames } from "../../abi/rights.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import type { RandomGenerator } from "../random/random-generator.ts";
import type { Behaviour } from "../services/behaviour.ts";
import type { Services } from "../services/services.ts";
import { Capability } from "./capability.ts";
import { CapabilityIds } from "./capability-ids.ts";
import type { CapRule } from "./capability-rules.ts";
import type { CapabilityUses } from "./capability-uses.ts";
import { type Heap, HypervisorObject } from "./object.ts";
import type { ObjectOf } from "./object-types.ts";

declare module "./object-types.ts" {
  interface ObjectTypes {
    cspace: Cspace;
  }
  interface EveryService extends CspaceServices {}
}

/** Requirements of cspaces on the hypervisor. */
export interface CspaceServices extends Services {
  readonly behaviour: Behaviour;
  readonly random: RandomGenerator;
  readonly capabilityUses: CapabilityUses;
}

/** Slots of one table, and tables of one cspace. */
const SLOTS = 62;
const TABLES = 230;
/** Heap bytes of a table. */
const TABLE_SIZE = 2048;

interface Table {
  readonly slots: (Capability | undefined)[];
  used: number;
}

/** A capability space. Ids at its edge are bigint; inside, slot numbers. */
export class Cspace extends HypervisorObject {
  static readonly SIZE = 2048;
  declare readonly services: CspaceServices;
  readonly type = "cspace";
  readonly #ids: CapabilityIds;
  #maximum = 0;
  #used = 0;
  readonly #tables: (Table | undefined)[] = [];

  constructor(services: CspaceServices, partition: Heap) {
    super(services, partition, Cspace.SIZE);
    this.#ids = new CapabilityIds(services.behaviour.capIds, services.random);
  }

  /** The id of one of its capabilities. */
  idOf(capability: Capability): bigint {
    return this.#ids.encode(capability.slot);
  }

  /** Capabilities that it holds, and how many it can. */
  get used(): number {
    return this.#used;
  }
  get maximum(): number {
    return this.#maximum;
  }

  /**
   * Sets how many capabilities fit, while in state INIT. ARGUMENT_INVALID above what the tables
   * hold.
   */
  configure(maximum: number): ErrorCode {
    if (maximum > SLOTS * TABLES) {
      return this.refuse(ErrorCode.ARGUMENT_INVALID, "max_caps is more than a cspace can hold", {
        max_caps: maximum,
        limit: SLOTS * TABLES,
      });
    }
    this.#maximum = maximum;
    return ErrorCode.OK;
  }

  /**
   * Puts the master capability of a new object into the lowest free slot. CSPACE_FULL or NOMEM; the
   * object is untouched then.
   */
  insertMaster(object: HypervisorObject): bigint | ErrorCode {
    const rights = allRights(object.type, this.services.behaviour.abi === "newer");
    return this.#place((slot) => Capability.master(object, rights, this, slot));
  }

  /**
   * Puts a copy of the capability `id` of `source` into the lowest free slot, with at most the
   * rights in `mask`. A full cspace wins over errors about the source.
   */
  insertCopy(source: Cspace, id: bigint, mask: number): bigint | ErrorCode {
    return this.#place((slot) => {
      const parent = source.#find(id);
      if (typeof parent === "number") return parent;
      if (!parent.object) return source.#revoked(id);
      const rights = (parent.rights & mask) >>> 0;
      if (rights === 0) {
        const had = rightNames(parent.object.type, parent.rights);
        return this.refuse(ErrorCode.CSPACE_INSUFFICIENT_RIGHTS, "a copy needs at least one right that its parent has", { had, mask });
      }
      return parent.copy(rights, this, slot);
    });
  }

  /** Frees the slot of a valid or revoked capability. */
  delete(id: bigint): ErrorCode {
    const capability = this.#find(id);
    if (typeof capability === "number") return capability;
    this.#free(capability);
    return ErrorCode.OK;
  }

  /** Revokes every other capability of the object that `id` is the master of. */
  revokeCopies(id: bigint): ErrorCode {
    const master = this.#find(id);
    if (typeof master === "number") return master;
    const object = master.object;
    if (!object) return this.#revoked(id);
    if (!master.master) return this.refuse(ErrorCode.CSPACE_INSUFFICIENT_RIGHTS, "only a master capability revokes copies", { cap: id });
    for (const holder of object.holders.filter((other) => other !== master)) holder.drop();
    this.services.checker?.touch(object);
    return ErrorCode.OK;
  }

  /**
   * Looks up an object for a call. Order of checks: §3.3. The state INIT is left to the caller, who
   * may have more lookups to make first.
   */
  lookup<T extends ObjectType>(id: bigint, rule: CapRule<T>): ObjectOf<T> | ErrorCode;
  lookup(id: bigint, rule: CapRule): HypervisorObject | ErrorCode;
  lookup(id: bigint, rule: CapRule): HypervisorObject | ErrorCode {
    const capability = this.#find(id);
    if (typeof capability === "number") return capability;
    const object = capability.object;
    if (!object) return this.#revoked(id);
    const wrongType = rule.type !== "any" && object.type !== rule.type;
    if (wrongType && !rule.untyped) return this.#wrongType(id, object, rule.type);
    if ((capability.rights & rule.rights) >>> 0 !== rule.rights) {
      const has = rightNames(object.type, capability.rights), needs = rightNames(object.type, rule.rights);
      const values = { cap: id, target: object.name, has, needs };
      return this.refuse(ErrorCode.CSPACE_INSUFFICIENT_RIGHTS, "the capability lacks a right", values, LOOKUP_SECTION);
    }
    if (wrongType) return this.#wrongType(id, object, rule.type);
    if (rule.state === "active" && object.state !== "active") {
      const values = { cap: id, target: object.name, state: object.state };
      return this.refuse(ErrorCode.OBJECT_STATE, "the object is not active", values, LOOKUP_SECTION);
    }
    return object;
  }

  /**
   * `lookup` of the id with these halves, for plain ids, without making a bigint. Undefined does
   * not mean that the id is invalid: `lookup` decides.
   */
  lookupPlain(high: number, low: number, rule: CapRule): HypervisorObject | undefined {
    if (high !== 0 || low > 0xffff || !this.#ids.plain) return undefined;
    const capability = this.#tables[low >> 8]?.slots[low & 0xff];
    const object = capability?.object;
    if (!object || rule.type !== "any" && object.type !== rule.type) return undefined;
    if ((capability.rights & rule.rights) >>> 0 !== rule.rights || rule.state === "active" && object.state !== "active") return undefined;
    this.services.capabilityUses.use(capability);
    return object;
  }

  /** Occupied slots in order: id and capability. For display and for the invariant checker. */
  *capabilities(): Generator<[id: bigint, capability: Capability]> {
    for (const table of this.#tables) {
      for (const capability of table?.slots ?? []) if (capability) yield [this.idOf(capability), capability];
    }
  }

  /** A capability; undefined for an unused id. For display: this does not count as a use of it. */
  capabilityOf(id: bigint): Capability | undefined {
    const slot = this.#ids.decode(id);
    return slot === undefined ? undefined : this.occupant(slot);
  }

  occupant(slot: number): Capability | undefined {
    return this.#tables[slot >> 8]?.slots[slot & 0xff];
  }

  protected archiveFields(archive: ObjectArchive): void {
    this.#maximum = archive.integer("maximum", this.#maximum, 0, SLOTS * TABLES);
    archive.within("ids", () => this.#ids.archive(archive));
    const occupied = [...this.capabilities()].map(([, capability]) => capability);
    let last = -1;
    archive.list("capabilities", occupied, (capability) => {
      const slot = archive.integer("slot", capability?.slot, 0, 0xffff);
      const result = Capability.archive(archive, this, slot, capability);
      archive.check(slot > last, "slots ascend");
      last = slot;
      if (!capability) this.#adopt(archive, result);
      return result;
    }, SLOTS * TABLES);
    archive.check(this.#used <= this.#maximum || this.state === "failed", "it holds more capabilities than it can");
  }

  /** Puts a capability that was loaded into its slot. */
  #adopt(archive: ObjectArchive, capability: Capability): void {
    const index = capability.slot >> 8, slot = capability.slot & 0xff;
    archive.check(index < TABLES && slot < SLOTS, "a slot exists");
    const table = this.#tables[index] ??= { slots: new Array(SLOTS), used: 0 };
    table.slots[slot] = capability;
    table.used++;
    this.#used++;
  }

  protected onActivate(): ErrorCode {
    return this.#maximum > 0 ? ErrorCode.OK : this.refuse(ErrorCode.OBJECT_CONFIG, "a cspace needs max_caps");
  }

  protected onDestroy(): void {
    for (const [, capability] of [...this.capabilities()]) this.#free(capability);
  }

  #revoked(id: bigint): ErrorCode {
    return this.refuse(ErrorCode.CSPACE_CAP_REVOKED, "the capability is revoked", { cap: id }, LOOKUP_SECTION);
  }

  #wrongType(id: bigint, object: HypervisorObject, wanted: string): ErrorCode {
    const values = { cap: id, target: object.name, wanted };
    return this.refuse(ErrorCode.CSPACE_WRONG_OBJECT_TYPE, "the capability names an object of another type", values, LOOKUP_SECTION);
  }

  #find(id: bigint): Capability | ErrorCode {
    const value = this.#ids.decode(id);
    const slot = value === undefined ? SLOTS : value & 0xff;
    const index = value === undefined ? TABLES : value >> 8;
    if (slot >= SLOTS || index >= TABLES) {
      return this.refuse(ErrorCode.ARGUMENT_INVALID, "not the id of any slot", { cap: id }, LOOKUP_SECTION);
    }
    const capability = this.#tables[index]?.slots[slot];
    if (!capability) return this.refuse(ErrorCode.CSPACE_CAP_NULL, "the slot is empty", { cap: id }, LOOKUP_SECTION);
    this.services.capabilityUses.use(capability);
    return capability;
  }

  /**
   * Finds the lowest free slot and lets `make` fill it; undoes the table's allocation when that is
   * refused.
   */
  #place(make: (slot: number) => Capability | ErrorCode): bigint | ErrorCode {
    if (this.#used >= this.#maximum) {
      return this.refuse(ErrorCode.CSPACE_FULL, "every slot is in use", { max_caps: this.#maximum });
    }
    let index = 0;
    while ((this.#tables[index]?.used ?? 0) === SLOTS) index++;
    const table = this.#tables[index] ?? this.#addTable(index);
    if (!table) return ErrorCode.NOMEM;
    let slot = 0;
    while (table.slots[slot]) slot++;
    const value = index << 8 | slot;
    const capability = make(value);
    if (typeof capability === "number") {
      this.#trim(index);
      return capability;
    }
    table.slots[slot] = capability;
    table.used++;
    this.#used++;
    this.services.checker?.touch(this);
    return this.#ids.encode(value);
  }

  #addTable(index: number): Table | undefined {
    if (this.charge(TABLE_SIZE) !== ErrorCode.OK) return undefined;
    return this.#tables[index] = { slots: new Array(SLOTS), used: 0 };
  }

  #free(capability: Capability): void {
    const index = capability.slot >> 8;
    const table = this.#tables[index];
    if (!table) throw new Error(`${this.name} has no table for slot ${capability.slot}`);
    table.slots[capability.slot & 0xff] = undefined;
    table.used--;
    this.#used--;
    this.#trim(index);
    if (capability.object) this.services.checker?.touch(capability.object);
    this.services.checker?.touch(this);
    capability.drop();
  }

  #trim(index: number): void {
    if (this.#tables[index]?.used !== 0) return;
    this.#tables[index] = undefined;
    this.discharge(TABLE_SIZE);
  }
}
