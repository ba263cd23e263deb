// The header that every object of the hypervisor has: type, state, owner, references and the
// capabilities that hold it (docs/spec/hypervisor.md §3.1, §3.4).

import { ErrorCode } from "../../abi/errors.ts";
import { INJECTED, INJECTED_SECTION, injectedValues } from "../../abi/faults.ts";
import type { ObjectType } from "../../abi/rights.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import type { Services } from "../services/services.ts";
import type { Capability } from "./capability.ts";

/** States in the life of an object, in order; `failed` is what a refused activation leaves. */
export type ObjectState = "init" | "active" | "failed" | "destroying";

/** States in which an object can be saved: all but the last, which passes inside a call. */
const LASTING_STATES = ["init", "active", "failed"] as const;

/** The partition of an object: its heap pays for the object. */
export interface Heap extends HypervisorObject {
  /** May have vCPUs with the options `critical` and `hlos_vm`. */
  readonly privileged: boolean;
  /** Bytes that are in use. */
  readonly heapUsed: number;
  /** Takes `bytes`; false, with nothing taken, when there are fewer. */
  allocate(bytes: number): boolean;
  /** Gives `bytes` back. */
  free(bytes: number): void;
}

/** An object that capabilities can name. */
export abstract class HypervisorObject {
  abstract readonly type: ObjectType;
  /**
   * A field, not a getter of a private one: each lookup of a capability reads it from objects of
   * many classes, where a getter costs a tenth of a hypercall.
   */
  readonly state: ObjectState = "init";
  /**
   * Number of the object in order of creation: a name for display, traces and snapshots. Guests
   * never see it.
   */
  readonly serial: number;
  /**
   * Valid capabilities, master first, each copy after its parent. Together they count as one
   * reference.
   */
  readonly holders: Capability[] = [];
  #references = 1;
  /** Bytes of the heap that it took in addition to `size`. */
  #charged = 0;

  /**
   * @param partition the partition that owns the object and pays for it; only the two partitions
   * themselves have none
   * @param size bytes of the partition's heap that the object takes
   */
  constructor(readonly services: Services, readonly partition: Heap | undefined, readonly size: number) {
    this.serial = services.nextSerial();
    services.objects.add(this);
    partition?.retain();
    services.checker?.touch(this);
  }

  /** `vic#12`: the object's name for display. */
  get name(): string {
    return `${this.type}#${this.serial}`;
  }

  get references(): number {
    return this.#references;
  }

  /**
   * Leaves `init`: to `active`, or to `failed` with the error that the type's own checks gave.
   * OBJECT_STATE when it has left already.
   */
  activate(): ErrorCode {
    if (this.state !== "init") return this.refuse(ErrorCode.OBJECT_STATE, "an object is activated once", { state: this.state });
    const error = this.onActivate();
    this.#become(error === ErrorCode.OK ? "active" : "failed");
    if (error !== ErrorCode.OK) {
      this.discharge(this.#charged);
      this.services.trace.cite("hypervisor 3.6");
    }
    this.services.checker?.touch(this);
    this.traceState(this.state);
    return error;
  }

  /** It is active from the start, for objects without configuration. */
  protected beginActive(): void {
    this.#become("active");
  }

  #become(state: ObjectState): void {
    (this as { state: ObjectState }).state = state;
  }

  /** An attachment holds the object. */
  retain(): void {
    this.#references++;
    this.services.checker?.touch(this);
  }

  /**
   * An attachment, or the last capability, lets go. With the last reference the object is
   * destroyed.
   */
  release(): void {
    if (this.#references === 0) throw new Error(`${this.name}: released more often than retained`);
    this.services.checker?.touch(this);
    if (--this.#references > 0) return;
    const wasActive = this.state === "active";
    this.#become("destroying");
    this.traceState("destroyed");
    this.onDestroy(wasActive);
    this.services.objects.delete(this);
    this.partition?.free(this.heapBytes);
    this.partition?.release();
  }

  /**
   * The objects that it holds a reference to, each as often as it does. For the invariant checker.
   */
  held(): HypervisorObject[] {
    return this.partition ? [this.partition] : [];
  }

  /** Bytes of its partition's heap that it takes now. */
  get heapBytes(): number {
    return this.size + this.#charged;
  }

  /** Saves its state, or loads it into an object that was just made (`hypervisor-archive.ts`). */
  archive(archive: ObjectArchive): void {
    this.#become(archive.choice("state", this.state as typeof LASTING_STATES[number], LASTING_STATES));
    this.#references = archive.integer("references", this.#references, 1);
    this.#charged = archive.integer("charged", this.#charged);
    this.archiveFields(archive);
  }

  /**
   * It is forgotten, with what it has of the core, as if it had never been made: another state is
   * loaded.
   */
  discard(): void {
    this.services.objects.delete(this);
  }

  /** The type's part of `archive`, without derived fields. */
  protected abstract archiveFields(archive: ObjectArchive): void;

  /**
   * Notes why the call in progress is refused, and gives back the error. `section`: where the rule
   * is specified, if not with the call.
   */
  protected refuse<E extends ErrorCode>(error: E, rule: string, values: Readonly<Record<string, unknown>> = {}, section?: string): E {
    const { trace, names } = this.services;
    return trace.refuse(error, rule, { object: names.object(this), ...values }, section);
  }

  /** Refuses what lacks memory, or what a fault rule let fail as if it did. NOMEM. */
  protected refuseAllocation(rule: string, values: Readonly<Record<string, unknown>> = {}): typeof ErrorCode.NOMEM {
    const hit = this.services.faults.takeFailed();
    return hit
      ? this.refuse(ErrorCode.NOMEM, INJECTED, { ...values, ...injectedValues(hit) }, INJECTED_SECTION)
      : this.refuse(ErrorCode.NOMEM, rule, values);
  }

  protected heap(): Heap {
    if (!this.partition) throw new Error(`${this.name} is in no partition`);
    return this.partition;
  }

  /** Takes more of the partition's heap, until `discharge` or the object's end. NOMEM. */
  protected charge(bytes: number): ErrorCode {
    const heap = this.heap();
    if (!heap.allocate(bytes)) {
      return this.refuseAllocation("the partition's heap is exhausted", { partition: heap.name, bytes });
    }
    this.#charged += bytes;
    return ErrorCode.OK;
  }

  /** Gives a part of that back. */
  protected discharge(bytes: number): void {
    this.#charged -= bytes;
    this.heap().free(bytes);
  }

  /** Traces a change in the object's life. */
  protected traceState(to: string): void {
    const { trace, names } = this.services;
    if (trace.isWanted("state")) trace.event("state", to, { object: names.object(this), type: this.type });
  }

  /** The type's checks and effects at activation (§3.6). */
  protected abstract onActivate(): ErrorCode;

  /**
   * Undoes what configuration, attachments and activation did. `wasActive`: whether activation had
   * succeeded.
   */
  protected abstract onDestroy(wasActive: boolean): void;
}
