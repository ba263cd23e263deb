// What can be done with an object: one table for the menus `a` and `!`. What cannot be done now says why.

import { kindOf, vmOf } from "./links.ts";
import { encodeRequest } from "../abi/rpc/message.ts";
import { MEM_RECLAIM } from "../abi/rpc/messages/memory.ts";
import { bytesOf } from "../workstation/inspect/bytes.ts";
import type { Action } from "../workstation/inspect/action.ts";

/** What an action's availability depends on. */
export interface Circumstances {
  readonly readOnly: boolean;
  /** The machine has ended. */
  readonly ended: boolean;
  readonly hasConsole: (vm: string) => boolean;
}

/** An action on an object. */
export interface ObjectAction {
  /** Its stable name. */
  readonly name: string;
  /** Kinds of ids that it is for. */
  readonly on: readonly string[];
  /** Its letter in the menus. */
  readonly key: string;
  readonly label: string;
  /** It changes the machine: it stands in the menu of `!`, and asks. */
  readonly danger: boolean;
  /** What has to be typed first: what stands before it, and what is right where it cannot be taken. */
  readonly prompt?: { readonly sign: (id: string) => string; readonly wrong: string };
  /** The question that it asks. */
  readonly question?: (id: string, text: string) => string;
  /** What it does to the machine, with what was typed; undefined where that is wrong. What it does to the screen is the application's. */
  readonly act?: (id: string, text: string) => Action | undefined;
  /** The command that does the same. */
  readonly command: (id: string) => string;
  /** Why it cannot be done; undefined where it can. */
  readonly disabled?: (id: string, circumstances: Circumstances) => string | undefined;
}

const PLATFORM: ReadonlySet<string> = new Set(["host", "rm"]);
const neededVm = (id: string) => PLATFORM.has(vmOf(id) ?? "") ? `${id} is what the others need` : undefined;

const handleOf = (id: string) => Number(id.slice("parcel:".length));

/** The table. */
export const OBJECT_ACTIONS: readonly ObjectAction[] = [
  {
    name: "console.enter",
    on: ["vm", "vcpu", "con"],
    key: "c",
    label: "type into its console",
    danger: false,
    command: (id) => `el2 console ${vmOf(id)}`,
    disabled: (id, { hasConsole }) => hasConsole(vmOf(id) ?? "") ? undefined : `${id} has no console`,
  },
  {
    name: "vm.stop",
    on: ["vm"],
    key: "s",
    label: "stop: ask it to shut down",
    danger: true,
    question: (id) => `Stop ${id}?`,
    act: (id) => ({ kind: "vm.stop", vm: id, force: false }),
    command: (id) => `el2 vm stop ${id}`,
    disabled: neededVm,
  },
  {
    name: "vm.kill",
    on: ["vm"],
    key: "f",
    label: "force stop: end it at once",
    danger: true,
    question: (id) => `End ${id} at once?`,
    act: (id) => ({ kind: "vm.stop", vm: id, force: true }),
    command: (id) => `el2 vm kill ${id}`,
    disabled: neededVm,
  },
  {
    name: "vm.reset",
    on: ["vm"],
    key: "r",
    label: "reset: end it at once, start anew",
    danger: true,
    question: (id) => `Reset ${id}?`,
    act: (id) => ({ kind: "vm.reset", vm: id }),
    command: (id) => `el2 vm reset ${id}`,
    disabled: neededVm,
  },
  {
    name: "vcpu.kill",
    on: ["vcpu"],
    key: "k",
    label: "kill: end its life",
    danger: true,
    question: (id) => `Kill ${id}?`,
    act: (id) => ({ kind: "vcpu.kill", vcpu: id }),
    command: (id) => `el2 vcpu kill ${id}`,
    disabled: neededVm,
  },
  {
    name: "irq.raise",
    on: ["irq"],
    key: "i",
    label: "make it pending",
    danger: true,
    question: (id) => `Make ${id} pending?`,
    act: (id) => ({ kind: "irq.raise", irq: id }),
    command: (id) => `el2 irq raise ${id}`,
  },
  {
    name: "queue.send",
    on: ["mq"],
    key: "w",
    label: "send: put a message in",
    danger: true,
    prompt: { sign: (id) => `message for ${id}, hexadecimal or text:TEXT`, wrong: "no bytes; write them like 21010f00 or text:hello" },
    question: (id, text) => `Send ${text} into ${id}?`,
    act: (id, text) => {
      const bytes = bytesOf(text);
      return bytes && { kind: "queue.send", queue: id, bytes };
    },
    command: (id) => `el2 queue send ${id} BYTES`,
  },
  {
    name: "queue.flush",
    on: ["mq"],
    key: "f",
    label: "flush: take all messages out",
    danger: true,
    question: (id) => `Take all messages out of ${id}?`,
    act: (id) => ({ kind: "queue.flush", queue: id }),
    command: (id) => `el2 queue flush ${id}`,
  },
  {
    name: "doorbell.ring",
    on: ["db"],
    key: "w",
    label: "ring: set flag 0",
    danger: true,
    question: (id) => `Ring ${id}?`,
    act: (id) => ({ kind: "doorbell.ring", doorbell: id, flags: 1n }),
    command: (id) => `el2 queue ring-bell ${id} 0x1`,
  },
  {
    name: "mem.reclaim",
    on: ["parcel"],
    key: "r",
    label: "reclaim it",
    danger: true,
    question: (id) => `Ask the resource manager, as the host, to reclaim ${id}?`,
    act: (id) => ({ kind: "rpc.send", id: MEM_RECLAIM.id, payload: encodeRequest(MEM_RECLAIM, { handle: handleOf(id), flags: 0 }) }),
    command: (id) => `el2 rpc send MEM_RECLAIM handle=${id.slice("parcel:".length)} flags=0`,
  },
];

/** The actions for an object, each with the reason why it cannot be done now. */
export function actionsFor(id: string, circumstances: Circumstances): { action: ObjectAction; reason: string | undefined }[] {
  return OBJECT_ACTIONS.filter(({ on }) => on.includes(kindOf(id))).map((action) => ({
    action,
    reason: reasonOff(action, id, circumstances),
  }));
}

function reasonOff(action: ObjectAction, id: string, circumstances: Circumstances): string | undefined {
  if (action.danger && circumstances.readOnly) return "off: --read-only";
  if (circumstances.ended) return "the machine has ended";
  return action.disabled?.(id, circumstances);
}
