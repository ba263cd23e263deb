// A capability: the occupant of a cspace slot, which names an object with a set of rights
// (docs/spec/hypervisor.md §3.2, §3.4).

import type { ObjectArchive } from "../archive/archive.ts";
import type { HypervisorObject } from "./object.ts";
import type { ObjectOf } from "./object-types.ts";

/** One occupied slot. A revoked capability keeps its slot until it is deleted. */
export class Capability {
  #object: HypervisorObject | undefined;
  #lastCall = 0;

  private constructor(
    object: HypervisorObject,
    readonly cspace: ObjectOf<"cspace">,
    /** Slot number in the cspace: table index in bits 15:8, slot in 7:0. */
    readonly slot: number,
    readonly rights: number,
    /** The master is the object's first capability; only it can revoke the others. */
    readonly master: boolean,
  ) {
    this.#object = object;
  }

  /** Number of the last call that looked it up (`CapabilityUses`); 0 before the first. */
  get lastCall(): number {
    return this.#lastCall;
  }

  /** A call looks it up: its number. */
  use(call: number): void {
    this.#lastCall = call;
  }

  /** The object, or undefined once revoked. */
  get object(): HypervisorObject | undefined {
    return this.#object;
  }

  /** The master capability of an object that has none yet. */
  static master(object: HypervisorObject, rights: number, cspace: ObjectOf<"cspace">, slot: number): Capability {
    if (object.holders.length > 0) throw new Error(`${object.name} has a master capability already`);
    const capability = new Capability(object, cspace, slot, rights, true);
    object.holders.push(capability);
    return capability;
  }

  /** A copy with `rights`, held right after this one. */
  copy(rights: number, cspace: ObjectOf<"cspace">, slot: number): Capability {
    const object = this.#object;
    if (!object) throw new Error("a revoked capability has no copies");
    const capability = new Capability(object, cspace, slot, rights, false);
    object.holders.splice(object.holders.indexOf(this) + 1, 0, capability);
    return capability;
  }

  /**
   * One of a cspace, saved or loaded. Its place among the holders of its object is a field of it.
   */
  static archive(archive: ObjectArchive, cspace: ObjectOf<"cspace">, slot: number, value: Capability | undefined): Capability {
    const held = archive.maybe("object", value?.object, (object) => archive.any("object", object));
    const rights = archive.integer("rights", value?.rights, 0, 0xffff_ffff);
    const master = archive.bool("master", value?.master);
    const rank = archive.maybe("rank", held && value ? held.holders.indexOf(value) : held && 0, (at) => archive.integer("rank", at));
    if (value) return value;
    const capability = new Capability(held as HypervisorObject, cspace, slot, rights, master);
    archive.check((held !== undefined) === (rank !== undefined), "a capability of no object has no place among holders");
    if (held && rank !== undefined) {
      archive.check(
        held.holders[rank] === undefined && !(master && rank > 0),
        "each capability has a place among holders, the master the first",
      );
      held.holders[rank] = capability;
    }
    return capability;
  }

  /**
   * Takes the object away, at revocation (uses answer CSPACE_CAP_REVOKED from now on) or because
   * the slot is being freed. The capabilities' reference to the object goes with the last of them.
   */
  drop(): void {
    const object = this.#object;
    if (!object) return;
    this.#object = undefined;
    object.holders.splice(object.holders.indexOf(this), 1);
    if (object.holders.length === 0) object.release();
  }
}
