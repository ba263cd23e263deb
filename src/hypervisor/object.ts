// The header that every object of the hypervisor has: type, state, owner, references and the capabilities that hold it
// (spec/hypervisor.md §3.1, §3.4).

import { ErrorCode } from "../abi/errors.ts";
import type { ObjectType } from "../abi/rights.ts";
import type { Capability } from "./capability.ts";
import type { Hypervisor } from "./hypervisor.ts";
import type { Partition } from "./partition.ts";

/** States in the life of an object, in order; `failed` is what a refused activation leaves. */
export type ObjectState = "init" | "active" | "failed" | "destroying";

/** An object that capabilities can name. */
export abstract class HypervisorObject {
  abstract readonly type: ObjectType;
  state: ObjectState = "init";
  /** Number of the object in order of creation: a name for people, traces and snapshots. Guests never see it. */
  readonly serial: number;
  /** Valid capabilities, master first, each copy behind its parent. Together they count as one reference. */
  readonly holders: Capability[] = [];
  #references = 1;

  /**
   * @param partition the partition that owns the object and pays for it; only the two partitions themselves have none
   * @param size bytes of the partition's heap that the object takes
   */
  constructor(readonly hypervisor: Hypervisor, readonly partition: Partition | undefined, readonly size: number) {
    this.serial = hypervisor.nextSerial();
    partition?.retain();
  }

  /** `vic#12`: the object's name for people. */
  get name(): string {
    return `${this.type}#${this.serial}`;
  }

  get references(): number {
    return this.#references;
  }

  /** Leaves `init`: to `active`, or to `failed` with the error that the type's own checks gave. OBJECT_STATE when it has left already. */
  activate(): ErrorCode {
    if (this.state !== "init") return this.refuse(ErrorCode.OBJECT_STATE, "an object is activated once", { state: this.state });
    const error = this.onActivate();
    this.state = error === ErrorCode.OK ? "active" : "failed";
    return error;
  }

  /** An attachment holds the object. */
  retain(): void {
    this.#references++;
  }

  /** An attachment, or the last capability, lets go. With the last reference the object is destroyed. */
  release(): void {
    if (this.#references === 0) throw new Error(`${this.name}: released more often than retained`);
    if (--this.#references > 0) return;
    const wasActive = this.state === "active";
    this.state = "destroying";
    this.onDestroy(wasActive);
    this.partition?.free(this.size);
    this.partition?.release();
  }

  /** Records why a call about this object is refused, and gives back the error. */
  protected refuse<E extends ErrorCode>(error: E, rule: string, values: Readonly<Record<string, unknown>> = {}): E {
    return this.hypervisor.reasons.refuse(error, rule, { object: this.name, ...values });
  }

  /** The type's checks and effects at activation (§3.6). */
  protected abstract onActivate(): ErrorCode;

  /** Undoes what configuration, attachments and activation did. `wasActive`: whether activation had succeeded. */
  protected abstract onDestroy(wasActive: boolean): void;
}
