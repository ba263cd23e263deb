// Message queues: whole messages in one direction, with a vIRQ for each side
// (docs/spec/hypervisor.md §4.3, docs/spec/observed.md §5).

import { ErrorCode } from "../../abi/errors.ts";
import { MsgqueueThreshold } from "../../abi/words.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { type Heap, HypervisorObject } from "../capabilities/object.ts";
import { VirqSource } from "../gic/vic-source.ts";
import type { Services } from "../services/services.ts";

declare module "../capabilities/object-types.ts" {
  interface ObjectTypes {
    msgqueue: Msgqueue;
  }
}

/** Limits of msgqueue_configure; both are exclusive. */
const DEPTH_END = 256;
const MESSAGE_SIZE_END = 1024;
/** Heap bytes of a message in addition to its content. */
const MESSAGE_HEADER_SIZE = 8;

/** Why a send that is OK queues nothing. */
export const SWALLOWS = ["none", "empty", "too-big", "unreadable"] as const;

/** A message queue. */
export class Msgqueue extends HypervisorObject {
  static readonly SIZE = 512;
  readonly type = "msgqueue";
  #depth = 0;
  #maximumSize = 0;
  readonly #messages: Uint8Array[] = [];
  /** The sender is notified when the count falls to this, the receiver when it rises to that. */
  #notFullThreshold = 0;
  #notEmptyThreshold = 1;
  #sent = 0;
  #received = 0;
  #wantsRoom = false;
  #swallows: typeof SWALLOWS[number] = "none";
  /** The sender's vIRQ ("tx", not full). */
  readonly sendVirq = new VirqSource(this, "not full", () => this.#messages.length <= this.#notFullThreshold);
  /** The receiver's vIRQ ("rx", not empty). */
  readonly receiveVirq = new VirqSource(this, "not empty", () => this.#messages.length >= this.#notEmptyThreshold);

  constructor(services: Services, partition: Heap) {
    super(services, partition, Msgqueue.SIZE);
  }

  /** Messages in the queue, and how many and how big they can be. */
  get count(): number {
    return this.#messages.length;
  }
  get depth(): number {
    return this.#depth;
  }
  get maximumSize(): number {
    return this.#maximumSize;
  }
  /** The sender's and the receiver's threshold, in messages. */
  get notFullThreshold(): number {
    return this.#notFullThreshold;
  }
  get notEmptyThreshold(): number {
    return this.#notEmptyThreshold;
  }
  /** Number of messages sent, and received, since the queue was made: for display. */
  get sent(): number {
    return this.#sent;
  }
  get received(): number {
    return this.#received;
  }
  /** The last send was refused, as the queue was full: the sender may wait for room. */
  get wantsRoom(): boolean {
    return this.#wantsRoom;
  }
  /** Why the last send, which was OK, has queued nothing. */
  get swallows(): typeof SWALLOWS[number] {
    return this.#swallows;
  }
  /** The messages, oldest first, for display. */
  get messages(): readonly Uint8Array[] {
    return this.#messages;
  }

  get isFull(): boolean {
    return this.#messages.length === this.#depth;
  }

  /** A send is refused, as the queue is full. */
  overflows(): void {
    this.#wantsRoom = true;
  }

  /** A send is OK, and queues nothing. */
  swallow(why: typeof SWALLOWS[number]): void {
    this.#swallows = why;
  }

  /** Sets the depth and the maximum size in bytes, while in state INIT. */
  configure(depth: number, maximumSize: number): ErrorCode {
    if (depth === 0 || depth >= DEPTH_END || maximumSize === 0 || maximumSize >= MESSAGE_SIZE_END) {
      return this.refuse(ErrorCode.ARGUMENT_INVALID, "1 to 255 messages of 1 to 1023 bytes", { depth, maximumSize });
    }
    this.#depth = depth;
    this.#maximumSize = maximumSize;
    return ErrorCode.OK;
  }

  /**
   * Appends a message; the queue is not full and the message not too big. `push` notifies the
   * receiver at once.
   */
  append(message: Uint8Array, push: boolean): void {
    this.#tell("send", message, push);
    this.#messages.push(message);
    this.#sent++;
    this.#wantsRoom = false;
    this.#swallows = "none";
    this.sendVirq.served(true);
    if (push || this.#messages.length === this.#notEmptyThreshold) this.receiveVirq.assertLevel();
  }

  /** The oldest message; it stays. */
  get head(): Uint8Array | undefined {
    return this.#messages.length > 0 ? this.#messages[0] : undefined;
  }

  /** Takes the oldest message away. */
  remove(): void {
    const message = this.#messages.shift();
    if (message) {
      this.#tell("receive", message);
      this.#received++;
      this.receiveVirq.served(true);
    }
    if (this.#messages.length === this.#notFullThreshold) this.sendVirq.assertLevel();
  }

  /** Removes all messages; the sender is notified if there were any. */
  flush(): void {
    if (this.#messages.length > 0) {
      this.sendVirq.assertLevel();
      this.receiveVirq.clear();
    }
    this.#messages.length = 0;
  }

  /** A message is added or removed. */
  #tell(name: "send" | "receive", bytes: Uint8Array, push?: boolean): void {
    const { trace, names } = this.services;
    if (trace.isWanted("msg")) trace.event("msg", name, { queue: names.object(this), size: bytes.length, push, bytes });
  }

  /** Sets the sender's threshold: 0 to depth - 1. */
  configureSend(threshold: number): ErrorCode {
    if (threshold === MsgqueueThreshold.Unchanged) return ErrorCode.OK;
    if (threshold >= this.#depth) {
      return this.refuse(ErrorCode.ARGUMENT_INVALID, "thresholds of senders are below the depth", { threshold });
    }
    this.#notFullThreshold = threshold;
    if (this.#messages.length <= threshold) this.sendVirq.assertLevel();
    else this.sendVirq.clear();
    return ErrorCode.OK;
  }

  /** Sets the receiver's threshold: 1 to depth. */
  configureReceive(threshold: number): ErrorCode {
    if (threshold === MsgqueueThreshold.Unchanged) return ErrorCode.OK;
    if (threshold === MsgqueueThreshold.Maximum) {
      this.#notEmptyThreshold = this.#depth;
      return ErrorCode.OK;
    }
    if (threshold === 0 || threshold > this.#depth) {
      return this.refuse(ErrorCode.ARGUMENT_INVALID, "thresholds of receivers are 1 to the depth", { threshold });
    }
    this.#notEmptyThreshold = threshold;
    if (this.#messages.length >= threshold) this.receiveVirq.assertLevel();
    else this.receiveVirq.clear();
    return ErrorCode.OK;
  }

  virqSources(): VirqSource[] {
    return [this.sendVirq, this.receiveVirq];
  }

  protected archiveFields(archive: ObjectArchive): void {
    this.#depth = archive.integer("depth", this.#depth, 0, DEPTH_END - 1);
    this.#maximumSize = archive.integer("maximumSize", this.#maximumSize, 0, MESSAGE_SIZE_END - 1);
    this.#notFullThreshold = archive.integer("notFullThreshold", this.#notFullThreshold, 0, DEPTH_END);
    this.#notEmptyThreshold = archive.integer("notEmptyThreshold", this.#notEmptyThreshold, 0, DEPTH_END);
    const messages = archive.list(
      "messages",
      this.#messages,
      (message) => archive.bytes("message", message, this.#maximumSize),
      this.#depth,
    );
    if (archive.loading) this.#messages.push(...messages);
    this.#sent = archive.integer("sent", this.#sent);
    this.#received = archive.integer("received", this.#received);
    this.#wantsRoom = archive.bool("wantsRoom", this.#wantsRoom);
    this.#swallows = SWALLOWS[archive.integer("swallows", SWALLOWS.indexOf(this.#swallows), 0, SWALLOWS.length - 1)];
    this.sendVirq.archive("sendVirq", archive);
    this.receiveVirq.archive("receiveVirq", archive);
  }

  protected onActivate(): ErrorCode {
    if (this.#depth === 0) return this.refuse(ErrorCode.OBJECT_CONFIG, "a queue is configured before it is activated");
    const buffer = this.charge(this.#depth * (this.#maximumSize + MESSAGE_HEADER_SIZE));
    if (buffer !== ErrorCode.OK) return buffer;
    this.#notFullThreshold = this.#depth - 1;
    this.#notEmptyThreshold = 1;
    return ErrorCode.OK;
  }

  protected onDestroy(): void {
    this.sendVirq.unbind();
    this.receiveVirq.unbind();
  }
}
