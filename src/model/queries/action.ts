// Actions of users on a machine other than typing: plain data, the same in process and over a
// socket.

import * as v from "valibot";
import { bytes, count, listOf, name, text, unsigned, whole } from "./fields.ts";

/** Bytes of a message: more than any queue or request to the Resource Manager takes. */
const MESSAGE_MAX = 1 << 16;
/** Events of a keyboard or tablet in one action, and those that happen at once. */
const EVENTS_MAX = 1 << 16;
const AT_ONCE = 64;

/** An event of Linux's input layer; the value is 32 bits. */
const inputEvent = v.strictObject({ type: count(0xffff), code: count(0xffff), value: whole });

/** An action on an object. */
export const action = v.variant("kind", [
  /** Asks the VM's owner to stop it (VM_STOP); `force` does not wait for the guest. */
  v.strictObject({ kind: v.literal("vm.stop"), vm: name, force: v.boolean() }),
  /** Makes and starts a VM of the configuration that is not there, or that `create` has made. */
  v.strictObject({ kind: v.literal("vm.start"), vm: name }),
  /** Creates a VM of the configuration up to VM_INIT: it is ready, and does not run. */
  v.strictObject({ kind: v.literal("vm.create"), vm: name }),
  /** Ends a VM at once, and makes and starts it anew. */
  v.strictObject({ kind: v.literal("vm.reset"), vm: name }),
  /** A break on the line of a console. */
  v.strictObject({ kind: v.literal("console.break"), console: name }),
  /**
   * Sends a request to the Resource Manager in the host's name: a message by its id, with its
   * payload.
   */
  v.strictObject({ kind: v.literal("rpc.send"), id: count(0xffff_ffff), payload: bytes(MESSAGE_MAX) }),
  /** Puts a message into a queue, as its sender would. */
  v.strictObject({ kind: v.literal("queue.send"), queue: name, bytes: bytes(MESSAGE_MAX) }),
  /** Takes all messages out of a queue. */
  v.strictObject({ kind: v.literal("queue.flush"), queue: name }),
  /** Sets flags of a doorbell, as its sender would. */
  v.strictObject({ kind: v.literal("doorbell.ring"), doorbell: name, flags: unsigned(64) }),
  /** Gives an interrupt a pulse (GICD_ISPENDR). */
  v.strictObject({ kind: v.literal("irq.raise"), irq: name }),
  /** Makes an interrupt no longer pending (GICD_ICPENDR); a line that is high keeps it pending. */
  v.strictObject({ kind: v.literal("irq.clear"), irq: name }),
  /** Writes RAM, as a debugger does: at `pa:ADDRESS` or `ipa:VM/ADDRESS`. */
  v.strictObject({ kind: v.literal("mem.write"), at: name, bytes: bytes(MESSAGE_MAX) }),
  /** Writes a register of a vCPU, as a debugger does. */
  v.strictObject({ kind: v.literal("vcpu.set"), vcpu: name, register: name, value: unsigned(128) }),
  /** Wants a VM's balloon to have this many bytes. */
  v.strictObject({ kind: v.literal("balloon.set"), vm: name, bytes: count() }),
  /** Events of a VM's keyboard or tablet: those in one list happen at once. */
  v.strictObject({ kind: v.literal("input.send"), vm: name, events: listOf(listOf(inputEvent, AT_ONCE), EVENTS_MAX) }),
  /** A rule of injected faults holds from now on (`fault-rule.ts`). */
  v.strictObject({ kind: v.literal("inject.add"), rule: text() }),
  /** It holds no more: `inject:N`, or `all`. */
  v.strictObject({ kind: v.literal("inject.remove"), rule: name }),
  /** Ends the life of a vCPU (vcpu_kill). */
  v.strictObject({ kind: v.literal("vcpu.kill"), vcpu: name }),
]);
export type Action = Readonly<v.InferOutput<typeof action>>;
