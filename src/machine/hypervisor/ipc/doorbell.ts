// Doorbells: 64 flags that one side sets and the other takes, with one vIRQ
// (docs/spec/hypervisor.md §4.2).

import { ErrorCode } from "../../abi/errors.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { type Heap, HypervisorObject } from "../capabilities/object.ts";
import { MsiSource } from "../gic/msi-source.ts";
import { VirqSource } from "../gic/vic-source.ts";
import type { Services } from "../services/services.ts";

declare module "../capabilities/object-types.ts" {
  interface ObjectTypes {
    doorbell: Doorbell;
  }
}

const ALL_FLAGS = 0xffff_ffff_ffff_ffffn;

/** Why a ring changes nothing: it names no flag, or its flags are set already. */
const RING_SWALLOWS = ["none", "no-flag", "merged"] as const;

export class Doorbell extends HypervisorObject {
  static readonly SIZE = 512;
  readonly type = "doorbell";
  #flags = 0n;
  /** Flags that raise the vIRQ. */
  #enabled = ALL_FLAGS;
  /** Flags that clear themselves when they have raised it. */
  #autoAck = 0n;
  #sent = 0;
  #received = 0;
  #swallows: typeof RING_SWALLOWS[number] = "none";
  /** Bound to an ITS, each send is a message of a device. */
  readonly messages = new MsiSource(this);
  readonly virq = new VirqSource(this, "flags", () => (this.#flags & this.#enabled) !== 0n);

  constructor(services: Services, partition: Heap) {
    super(services, partition, Doorbell.SIZE);
  }

  /** The flags that are set, for display. */
  get flags(): bigint {
    return this.#flags;
  }

  /** Number of sends, and of receives, since it was made: for display. */
  get sent(): number {
    return this.#sent;
  }
  get received(): number {
    return this.#received;
  }

  /** Why the last send has not changed anything. */
  get swallows(): typeof RING_SWALLOWS[number] {
    return this.#swallows;
  }

  /** The masks: flags that raise the vIRQ, flags that clear themselves then. */
  get enabled(): bigint {
    return this.#enabled;
  }
  get autoAck(): bigint {
    return this.#autoAck;
  }

  /** Sets flags, or sends a message; gives all flags that were set before. */
  send(flags: bigint): bigint {
    const old = this.#flags;
    this.#swallows = flags === 0n ? "no-flag" : (old & flags) === flags ? "merged" : "none";
    if (this.messages.send(flags)) {
      this.#sent++;
      return old;
    }
    this.#flags |= flags;
    this.#sent++;
    if (this.#flags & this.#enabled) this.#raise();
    // An edge-triggered vIRQ sees every send, enabled or not.
    else this.virq.assertEdge();
    return old;
  }

  /** Clears flags; gives all that were set before. A level vIRQ drops at its next check. */
  receive(clear: bigint): bigint {
    const old = this.#flags;
    this.#flags &= ~clear;
    if (old & clear) {
      this.#received++;
      this.virq.served(!this.virq.stillPending());
    }
    return old;
  }

  /** Clears the flags and both masks. */
  reset(): void {
    this.virq.clear();
    this.#flags = 0n;
    this.#autoAck = 0n;
    this.#enabled = ALL_FLAGS;
  }

  /** Sets both masks; the vIRQ follows the flags that are enabled now. */
  setMasks(enabled: bigint, autoAck: bigint): void {
    const was = (this.#flags & this.#enabled) !== 0n;
    const is = (this.#flags & enabled) !== 0n;
    this.#enabled = enabled;
    this.#autoAck = autoAck;
    if (was && !is) this.virq.clear();
    else if (!was && is) this.#raise();
    else if (is) this.#flags &= ~autoAck;
  }

  virqSources(): VirqSource[] {
    return [this.virq];
  }

  protected archiveFields(archive: ObjectArchive): void {
    this.#flags = archive.word("flags", this.#flags);
    this.#enabled = archive.word("enabled", this.#enabled);
    this.#autoAck = archive.word("autoAck", this.#autoAck);
    this.#sent = archive.integer("sent", this.#sent);
    this.#received = archive.integer("received", this.#received);
    this.#swallows = RING_SWALLOWS[archive.integer("swallows", RING_SWALLOWS.indexOf(this.#swallows), 0, RING_SWALLOWS.length - 1)];
    this.virq.archive("virq", archive);
    this.messages.archive("messages", archive);
  }

  protected onActivate(): ErrorCode {
    return ErrorCode.OK;
  }

  protected onDestroy(): void {
    this.virq.unbind();
    this.messages.unbind();
  }

  #raise(): void {
    this.virq.assertLevel();
    this.#flags &= ~this.#autoAck;
  }
}
