// Message queues: whole messages in one direction, with a vIRQ for each side
// (docs/spec/hypervisor.md §4.3, docs/spec/observed.md §5).

import { ErrorCode } from "../../abi/errors.ts";
import { MsgqueueRight, VicRight } from "../../abi/rights.ts";
import { MsgqueueSendFlags, MsgqueueThreshold } from "../../abi/words.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { creation } from "../capabilities/hypercall-create.ts";
import { active, configurable, hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import type { Hypervisor } from "../hypervisor.ts";
import { HypervisorObject } from "../capabilities/object.ts";
import type { Partition } from "../memory/partition.ts";
import type { Fields } from "../check/state-dump.ts";
import { readUser, writeUser } from "../memory/user-access.ts";
import { VirqSource } from "../gic/vic-source.ts";

/** Limits of msgqueue_configure; both are exclusive. */
const DEPTH_END = 256;
const MESSAGE_SIZE_END = 1024;
/** Heap bytes that a message takes beside its content. */
const MESSAGE_HEADER_SIZE = 8;
/** The only hold-off that is accepted: none. */
const NO_HOLDOFF = 0xffff_ffff;

/** A message queue. */
export class Msgqueue extends HypervisorObject {
  static readonly SIZE = 512;
  readonly type = "msgqueue";
  #depth = 0;
  #maximumSize = 0;
  readonly #messages: Uint8Array[] = [];
  /** The sender is told when the count falls to this, the receiver when it rises to that. */
  #notFullThreshold = 0;
  #notEmptyThreshold = 1;
  #sent = 0;
  #received = 0;
  /** The sender's vIRQ ("tx", not full). */
  readonly sendVirq = new VirqSource(this, "not full", () => this.#messages.length <= this.#notFullThreshold);
  /** The receiver's vIRQ ("rx", not empty). */
  readonly receiveVirq = new VirqSource(this, "not empty", () => this.#messages.length >= this.#notEmptyThreshold);

  constructor(hypervisor: Hypervisor, partition: Partition) {
    super(hypervisor, partition, Msgqueue.SIZE);
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
  /** Messages that have come, and that were taken, since the queue was made: for people. */
  get sent(): number {
    return this.#sent;
  }
  get received(): number {
    return this.#received;
  }
  /** The messages, oldest first, for people. */
  get messages(): readonly Uint8Array[] {
    return this.#messages;
  }

  get isFull(): boolean {
    return this.#messages.length === this.#depth;
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
   * Appends a message; the queue is not full and the message not too big. `push` tells the receiver
   * at once.
   */
  append(message: Uint8Array, push: boolean): void {
    this.#tell("send", message, push);
    this.#messages.push(message);
    this.#sent++;
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
    }
    if (this.#messages.length === this.#notFullThreshold) this.sendVirq.assertLevel();
  }

  /** Takes all messages away; the sender is told, if there were any. */
  flush(): void {
    if (this.#messages.length > 0) {
      this.sendVirq.assertLevel();
      this.receiveVirq.clear();
    }
    this.#messages.length = 0;
  }

  /** A message comes or goes. */
  #tell(name: "send" | "receive", bytes: Uint8Array, push?: boolean): void {
    const { trace, names } = this.hypervisor;
    if (trace.wants("msg")) trace.event("msg", name, { queue: names.object(this), size: bytes.length, push, bytes });
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

  override virqSources(): VirqSource[] {
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
    this.sendVirq.archive("sendVirq", archive);
    this.receiveVirq.archive("receiveVirq", archive);
  }

  protected fields(): Fields {
    return {
      depth: this.#depth,
      maximumSize: this.#maximumSize,
      messages: this.#messages.map((message) => message.join()),
      notFullThreshold: this.#notFullThreshold,
      notEmptyThreshold: this.#notEmptyThreshold,
      sendVirq: this.sendVirq.dump(),
      receiveVirq: this.receiveVirq.dump(),
    };
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

export const calls: readonly HypercallDefinition[] = [
  creation("partition_create_msgqueue", Msgqueue),

  hypercall("msgqueue_configure", {
    caps: { msgqueue: configurable("msgqueue") },
    handler: (_call, { msgqueue, create_info }) => msgqueue.configure(Number(create_info & 0xffffn), Number(create_info >> 16n & 0xffffn)),
  }),
  hypercall("msgqueue_bind_send_virq", {
    caps: { msgqueue: active("msgqueue", MsgqueueRight.BindSend), vic: active("vic", VicRight.BindSource) },
    handler: (_call, { msgqueue, vic, virq }) => vic.bindShared(msgqueue.sendVirq, virq),
  }),
  hypercall("msgqueue_bind_receive_virq", {
    caps: { msgqueue: active("msgqueue", MsgqueueRight.BindReceive), vic: active("vic", VicRight.BindSource) },
    handler: (_call, { msgqueue, vic, virq }) => vic.bindShared(msgqueue.receiveVirq, virq),
  }),
  hypercall("msgqueue_unbind_send_virq", {
    caps: { msgqueue: active("msgqueue", MsgqueueRight.BindSend) },
    handler(_call, { msgqueue }) {
      msgqueue.sendVirq.unbind();
      return ErrorCode.OK;
    },
  }),
  hypercall("msgqueue_unbind_receive_virq", {
    caps: { msgqueue: active("msgqueue", MsgqueueRight.BindReceive) },
    handler(_call, { msgqueue }) {
      msgqueue.receiveVirq.unbind();
      return ErrorCode.OK;
    },
  }),
  hypercall("msgqueue_send", {
    caps: { msgqueue: active("msgqueue", MsgqueueRight.Send) },
    handler(call, { msgqueue, size, data, send_flags }) {
      if (msgqueue.isFull) return call.refuse(ErrorCode.MSGQUEUE_FULL, "the queue is full", { depth: msgqueue.depth });
      // The real hypervisor takes a message of no bytes, and queues nothing. It does so with every
      // message that it cannot copy.
      if (size === 0n) return { not_full: true };
      const { hasQuirks } = call.hypervisor;
      if (size > BigInt(msgqueue.maximumSize)) {
        if (hasQuirks) return { not_full: true };
        return call.refuse(ErrorCode.ARGUMENT_SIZE, "the message is too big", { size, limit: msgqueue.maximumSize });
      }
      const message = readUser(call.caller, data, Number(size));
      if (typeof message === "number") return hasQuirks ? { not_full: true } : message;
      msgqueue.append(message, (send_flags & MsgqueueSendFlags.Push) !== 0);
      return { not_full: !msgqueue.isFull };
    },
  }),
  hypercall("msgqueue_receive", {
    caps: { msgqueue: active("msgqueue", MsgqueueRight.Receive) },
    handler(call, args) {
      const { msgqueue } = args;
      const message = msgqueue.head;
      if (!message) return call.refuse(ErrorCode.MSGQUEUE_EMPTY, "the queue is empty");
      const { buffer, buf_size } = args;
      // A buffer that is too small is no error on the real hypervisor: the size of zero tells.
      if (buf_size < BigInt(message.length)) return { size: 0n, not_empty: true };
      const error = writeUser(call.caller, buffer, message);
      if (error !== ErrorCode.OK) return { error: call.hypervisor.hasQuirks ? ErrorCode.OK : error, size: 0n, not_empty: true };
      msgqueue.remove();
      return { size: BigInt(message.length), not_empty: msgqueue.count > 0 };
    },
  }),
  hypercall("msgqueue_flush", {
    caps: { msgqueue: active("msgqueue", MsgqueueRight.Receive) },
    handler(_call, { msgqueue }) {
      msgqueue.flush();
      return ErrorCode.OK;
    },
  }),
  hypercall("msgqueue_configure_send", {
    caps: { msgqueue: active("msgqueue", MsgqueueRight.Send) },
    handler(call, { msgqueue, not_full_thres, not_full_holdoff }) {
      if (not_full_holdoff !== NO_HOLDOFF) return call.refuse(ErrorCode.UNIMPLEMENTED, "there is no hold-off", { not_full_holdoff });
      return msgqueue.configureSend(not_full_thres);
    },
  }),
  hypercall("msgqueue_configure_receive", {
    caps: { msgqueue: active("msgqueue", MsgqueueRight.Receive) },
    handler(call, { msgqueue, not_empty_thres, not_empty_holdoff }) {
      if (not_empty_holdoff !== NO_HOLDOFF) return call.refuse(ErrorCode.UNIMPLEMENTED, "there is no hold-off", { not_empty_holdoff });
      return msgqueue.configureReceive(not_empty_thres);
    },
  }),
];
