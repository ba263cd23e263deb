// The hypercalls on message queues (docs/spec/hypervisor.md §4.3).

import { ErrorCode } from "../../abi/errors.ts";
import { MsgqueueRight, VicRight } from "../../abi/rights.ts";
import { MsgqueueSendFlags } from "../../abi/words.ts";
import { active, configurable } from "../capabilities/capability-rules.ts";
import { creation } from "../capabilities/hypercall-create.ts";
import { hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import { readUser, writeUser } from "../memory/user-access.ts";
import { Msgqueue } from "./msgqueue.ts";

/** The only hold-off that is accepted: none. */
const NO_HOLDOFF = 0xffff_ffff;

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
      if (msgqueue.isFull) {
        msgqueue.overflows();
        call.repeats();
        return call.refuse(ErrorCode.MSGQUEUE_FULL, "the queue is full", { depth: msgqueue.depth });
      }
      // The real hypervisor takes a message of no bytes, and queues nothing. It does so with every
      // message that it cannot copy.
      const swallowed = (why: Msgqueue["swallows"]) => {
        msgqueue.swallow(why);
        return { not_full: true };
      };
      if (size === 0n) return swallowed("empty");
      const { hasQuirks } = call.services;
      if (size > BigInt(msgqueue.maximumSize)) {
        if (hasQuirks) return swallowed("too-big");
        return call.refuse(ErrorCode.ARGUMENT_SIZE, "the message is too big", { size, limit: msgqueue.maximumSize });
      }
      const message = readUser(call.caller, data, Number(size));
      if (typeof message === "number") return hasQuirks ? swallowed("unreadable") : message;
      msgqueue.append(message, (send_flags & MsgqueueSendFlags.Push) !== 0);
      return { not_full: !msgqueue.isFull };
    },
  }),
  hypercall("msgqueue_receive", {
    caps: { msgqueue: active("msgqueue", MsgqueueRight.Receive) },
    handler(call, args) {
      const { msgqueue } = args;
      const message = msgqueue.head;
      if (!message) {
        call.repeats();
        return call.refuse(ErrorCode.MSGQUEUE_EMPTY, "the queue is empty");
      }
      const { buffer, buf_size } = args;
      // The real hypervisor does not refuse a buffer that is too small: it returns size 0.
      if (buf_size < BigInt(message.length)) return { size: 0n, not_empty: true };
      const error = writeUser(call.caller, buffer, message);
      if (error !== ErrorCode.OK) return { error: call.services.hasQuirks ? ErrorCode.OK : error, size: 0n, not_empty: true };
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
