// The invariant checker (`machine.check`; docs/design/decisions.md §7): checks the objects that an
// operation has touched after it, and all objects on demand. Objects, memory and page tables report
// changes (`touch`, `touchPages`, `touchRange`); nothing is recorded without a checker. The rules
// are in check-objects.ts and check-memory.ts; references and heaps, which need sums over all
// objects, are here.

import { type Heap, HypervisorObject } from "../capabilities/object.ts";
import type { AddressSpace } from "../memory/addrspace.ts";
import type { MemoryOwner } from "../memory/memdb.ts";
import type { ChangeChecker } from "../services/services.ts";
import { checkCachedPages, checkConservation, checkGiver, checkOwners, checkTables } from "./check-memory.ts";
import { checkObject, checkRegistries } from "./check-objects.ts";
import { type CheckedServices, describeViolation, type Violation } from "./violation.ts";

/**
 * Knowledge of an object: its holders and its heap use, as of the last operation that touched it.
 */
interface Known {
  readonly held: readonly HypervisorObject[];
  readonly heapBytes: number;
}

const NOTHING: Known = { held: [], heapBytes: 0 };

/**
 * The checker of one hypervisor. It takes the initial state as correct, except where a rule says
 * otherwise.
 */
export class Checker implements ChangeChecker {
  readonly #known = new Map<HypervisorObject, Known>();
  /** How often each object is held by others, or by itself. */
  readonly #holds = new Map<HypervisorObject, number>();
  readonly #heaps = new Map<Heap, number>();
  /**
   * The hypervisor's own objects, which no capability names: it keeps the reference that made
   * them.
   */
  readonly #own = new Set<HypervisorObject>();
  readonly #touched = new Set<HypervisorObject>();
  readonly #pages: { readonly giver: MemoryOwner; readonly pa: number; readonly size: number }[] = [];
  readonly #ranges: { readonly space: AddressSpace; readonly ipa: number; readonly size: number }[] = [];

  constructor(readonly services: CheckedServices) {
    this.#learnAll();
    for (const object of services.objects) {
      if (object.holders.length === 0 && object.references === this.#heldTimes(object) + 1) this.#own.add(object);
    }
  }

  /** The object was made, changed, or is going. */
  touch(object: HypervisorObject): void {
    this.#touched.add(object);
  }

  /** Pages were taken from an owner. */
  touchPages(giver: MemoryOwner, pa: number, size: number): void {
    this.#pages.push({ giver, pa, size });
  }

  /** The tables of an address space have changed. */
  touchRange(space: AddressSpace, ipa: number, size: number): void {
    this.#ranges.push({ space, ipa, size });
    this.touch(space);
  }

  /** Checks what was touched since the last call. */
  verify(): Violation | undefined {
    for (const violation of this.#verify()) return violation;
    return undefined;
  }

  /**
   * As `verify`, and stops the machine with what is broken, and by what. `operation` is asked only
   * then.
   */
  verifyAfter(operation: () => string): void {
    const violation = this.verify();
    if (violation) this.services.stop(`after ${operation()}: ${describeViolation(violation)}`);
  }

  /** Checks everything. */
  sweep(): Violation[] {
    this.#touched.clear();
    this.#pages.length = 0;
    this.#ranges.length = 0;
    this.#learnAll();
    return [...this.#sweep()];
  }

  *#sweep(): Generator<Violation> {
    const { services } = this;
    for (const object of services.objects) {
      yield* this.#checkReferences(object);
      yield* checkObject(object, services, "whole");
    }
    yield* this.#checkHeaps();
    yield* checkRegistries(services);
    yield* checkConservation(services);
    for (const space of services.addressSpaces.values()) {
      yield* checkTables(space);
      yield* checkCachedPages(space);
    }
  }

  *#verify(): Generator<Violation> {
    // A hold that came or went touches both sides.
    for (const object of [...this.#touched]) for (const other of this.#learn(object)) this.#touched.add(other);
    const touched = [...this.#touched];
    this.#touched.clear();
    const spaces = new Set<AddressSpace>();
    const pages = this.#pages.splice(0), ranges = this.#ranges.splice(0);
    for (const object of touched) {
      if (!this.services.objects.has(object)) continue;
      yield* this.#checkReferences(object);
      yield* checkObject(object, this.services, "touched");
    }
    yield* this.#checkHeaps();
    for (const { giver, pa, size } of pages) {
      yield* checkOwners(this.services, pa, size);
      if (giver instanceof HypervisorObject && this.services.objects.has(giver)) yield* checkGiver(giver, pa, size);
    }
    for (const { space, ipa, size } of ranges) {
      if (!this.services.objects.has(space)) continue;
      spaces.add(space);
      yield* checkTables(space, ipa, size);
    }
    for (const space of spaces) yield* checkCachedPages(space);
  }

  #learnAll(): void {
    this.#known.clear();
    this.#holds.clear();
    this.#heaps.clear();
    for (const object of this.services.objects) this.#learn(object);
  }

  /**
   * Takes note of what an object holds and takes. Gives the objects that it holds now or held
   * before.
   */
  #learn(object: HypervisorObject): HypervisorObject[] {
    const before = this.#known.get(object) ?? NOTHING;
    const lives = this.services.objects.has(object);
    const after = lives ? { held: object.held(), heapBytes: object.heapBytes } : NOTHING;
    for (const other of before.held) this.#holds.set(other, this.#heldTimes(other) - 1);
    for (const other of after.held) this.#holds.set(other, this.#heldTimes(other) + 1);
    const { partition } = object;
    if (partition) this.#heaps.set(partition, (this.#heaps.get(partition) ?? 0) + after.heapBytes - before.heapBytes);
    if (lives) this.#known.set(object, after);
    else {
      this.#known.delete(object);
      this.#holds.delete(object);
      this.#own.delete(object);
    }
    return [...before.held, ...after.held];
  }

  #heldTimes(object: HypervisorObject): number {
    return this.#holds.get(object) ?? 0;
  }

  *#checkReferences(object: HypervisorObject): Generator<Violation> {
    const { references, holders } = object;
    const held = this.#heldTimes(object);
    const named = holders.length > 0 || this.#own.has(object);
    if (references === held + Number(named)) return;
    const values = { references, held, capabilities: holders.length };
    yield { object: object.name, rule: "references are its holders, and one for its capabilities", values };
  }

  *#checkHeaps(): Generator<Violation> {
    for (const [partition, bytes] of this.#heaps) {
      if (partition.heapUsed === bytes) continue;
      const values = { used: partition.heapUsed, objects: bytes };
      yield { object: partition.name, rule: "the heap in use is the sum of its objects", values };
    }
  }
}

/** Broken rules of a hypervisor whose changes nobody followed, in words. */
export function brokenRules(hypervisor: CheckedServices): string[] {
  const objects = [...hypervisor.objects], spaces = [...hypervisor.addressSpaces.values()];
  const found = [
    ...checkConservation(hypervisor),
    ...checkRegistries(hypervisor),
    ...spaces.flatMap((space) => [...checkTables(space)]),
    ...objects.flatMap((object) => [...checkObject(object, hypervisor, "whole")]),
  ];
  return found.map(describeViolation);
}
