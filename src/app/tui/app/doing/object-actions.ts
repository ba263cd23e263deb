// Actions on an object: one table for the menus `a` and `!`. Unavailable ones give the reason.

import type { Danger } from "../overlays/danger.ts";
import { encodeRequest } from "../../../../machine/abi/rpc/message.ts";
import { MEM_RECLAIM } from "../../../../machine/abi/rpc/messages/memory.ts";
import { type IdKind, isOf, kindOf, nameOf, parseAs, vmId, vmIn } from "../../../../model/queries/ids.ts";
import { bytesOf } from "../../../../kit/support/text/byte-text.ts";
import type { Action } from "../../../../model/queries/action.ts";
import type { Query } from "../../../../model/queries/query.ts";
import { rowIn } from "../../../../model/queries/rows.ts";
import type { Selected } from "../../../../model/queries/table.ts";
import { CAPS, EVENTS, REASONS, RPCS, SLICES } from "../../../../model/queries/tables.ts";
import type { Move } from "../../../../model/protocol/protocol.ts";

/** Conditions for an action to be available. */
export interface Circumstances {
  readonly readOnly: boolean;
  /** The machine has ended. */
  readonly ended: boolean;
  /** An earlier place of the run is shown. */
  readonly past: boolean;
  readonly hasConsole: (vm: string) => boolean;
}

/** The words of an action on an object. */
interface ObjectActionRow {
  /** Its stable name. */
  readonly name: string;
  /** Kinds of ids that it is for. */
  readonly on: readonly IdKind[];
  /** Its letter in the menus. */
  readonly key: string;
  readonly label: string;
  /** The command that does the same. */
  readonly command: (id: string) => string;
  /** Why it cannot be done; undefined if it can. */
  readonly disabled?: (id: string, circumstances: Circumstances) => string | undefined;
}

/** An action that changes nothing: its effect, in one of four ways. */
type Harmless =
  /** Asks the machine, and shows the answer. */
  | { readonly query: (id: string, selected: Selected) => Query }
  /** Says how it is done elsewhere. */
  | { readonly say: (id: string) => string }
  /** Goes to a place of the run. */
  | { readonly place: (selected: Selected) => Move }
  /** Types into the console of a VM. */
  | { readonly console: (id: string) => string };

/** An action that changes the machine: it is in the menu of `!`, and asks first. */
interface Dangerous {
  /** The text that has to be typed first, and the message if `act` does not take it. */
  readonly prompt?: { readonly sign: (id: string) => string; readonly wrong: string };
  /** The question, with its explanation. */
  readonly asks: (id: string, text: string) => Omit<Danger, "command">;
  /** The action of the machine, with what was typed; undefined if that is wrong. */
  readonly act: (id: string, text: string) => Action | undefined;
  /** The message once the machine has taken it; by default that it is done. */
  readonly taken?: (id: string) => string;
}

/** An action on an object. One that does nothing does not compile. */
export type ObjectAction = ObjectActionRow & (({ readonly danger: false } & Harmless) | ({ readonly danger: true } & Dangerous));

const PLATFORM: ReadonlySet<string> = new Set(["host", "rm"]);
const neededVm = (id: string) => PLATFORM.has(vmIn(id) ?? "") ? `other VMs need ${id}` : undefined;

const handleOf = (id: string) => Number(nameOf(id));

/** Parts that no action removes. */
const BACK = { stays: "consoles and events; t goes back to before it" } as const;

/** Bytes of a page that are read. */
const READ = 256;
/** The object of a capability's row, or an object itself. */
const objectOf = (id: string, selected: Selected) => rowIn(CAPS, selected)?.obj ?? id;
/**
 * The event of a row, by what is the same whenever the run is gone through again: numbers of events
 * are not.
 */
function eventFilter(selected: Selected): string {
  const event = rowIn(EVENTS, selected),
    request = rowIn(RPCS, selected),
    reason = rowIn(REASONS, selected),
    slice = rowIn(SLICES, selected);
  if (event) return `kind=${event.kind} name=${event.name} t=${event.t}ns`;
  if (request) return `kind=rpc name=${request.msg} t=${request.t}ns`;
  if (reason) return `refused=yes t=${reason.t}ns`;
  if (slice) return `kind=sched t=${slice.t}ns`;
  throw new Error(`a row of ${selected.table.name} is not an event`);
}

/** The action that a key does without the menu. */
export const WHO_WROTE = "who.wrote";

const TASK_LABELS = { stack: "call frames in the kernel and its program", files: "open files", maps: "mappings" } as const;

/** A question about a process or thread of Linux. */
function ofTask(what: keyof typeof TASK_LABELS): ObjectAction {
  return {
    name: `linux.${what}`,
    on: ["task"],
    key: what[0],
    label: TASK_LABELS[what],
    danger: false,
    query: (id) => {
      const { vm = "", pid = 0 } = parseAs("task", id) ?? {};
      return { table: `linux.${what}`, args: { vm: vmId(vm), pid } };
    },
    command: (id) => `el2 linux ${what} ${nameOf(id)}`,
  };
}

/** The table. */
export const OBJECT_ACTIONS: readonly ObjectAction[] = [
  {
    name: "console.enter",
    on: ["vm", "vcpu", "con"],
    key: "c",
    label: "type into its console",
    danger: false,
    console: (id) => vmIn(id) ?? "",
    command: (id) => `el2 console ${vmIn(id)}`,
    disabled: (id, { hasConsole }) => hasConsole(vmIn(id) ?? "") ? undefined : `${id} has no console`,
  },
  {
    name: "gdb.attach",
    on: ["vm", "vcpu"],
    key: "g",
    label: "gdb: how to debug it",
    danger: false,
    say: (id) => `in another terminal: el2 gdb ${vmIn(id)} prints the command for gdb`,
    command: (id) => `el2 gdb ${vmIn(id)}`,
    disabled: (id) => PLATFORM.has(vmIn(id) ?? "") ? `${id} executes no instructions: el2's own code runs there` : undefined,
  },
  {
    name: "mem.owner",
    on: ["pa"],
    key: "o",
    label: "owner, extents and mappings",
    danger: false,
    query: (id) => ({ table: "mem.owner", args: { at: id } }),
    command: (id) => `el2 mem owner ${id}`,
  },
  {
    name: "mem.read",
    on: ["pa"],
    key: "b",
    label: "read its first bytes",
    danger: false,
    query: (id) => ({ table: "mem.read", args: { at: id, size: READ } }),
    command: (id) => `el2 mem read ${id} ${READ}`,
  },
  {
    name: WHO_WROTE,
    on: ["pa", "ipa", "va", "reg", "irq", "cap", "mq", "db", "parcel"],
    key: "W",
    label: "who wrote or changed it last",
    danger: false,
    query: (id) => ({ table: "who", args: { at: id } }),
    command: (id) => `el2 who ${id}`,
  },
  ...(["stack", "files", "maps"] as const).map(ofTask),
  {
    name: "mem.check",
    on: ["pa", "parcel"],
    key: "k",
    label: "check the ownership invariants",
    danger: false,
    query: () => ({ table: "mem.check", args: {} }),
    command: () => "el2 mem check",
  },
  {
    name: "caps.graph",
    on: ["cap", "obj"],
    key: "g",
    label: "graph: its object and who holds it",
    danger: false,
    query: (id, selected) => ({ table: "obj.ls", args: { filter: `id=${objectOf(id, selected)} | name=${objectOf(id, selected)}` } }),
    command: (id) => `el2 caps graph ${isOf("cap", id) ? "OBJECT" : id}`,
  },
  {
    name: "caps.holders",
    on: ["cap", "obj"],
    key: "h",
    label: "holders: all capabilities to its object",
    danger: false,
    query: (id, selected) => ({ table: "caps.ls", args: { filter: `obj=${objectOf(id, selected)}` } }),
    command: (id) => `el2 caps ls --filter obj=${isOf("cap", id) ? "OBJECT" : id}`,
  },
  {
    name: "caps.refused",
    on: ["cap"],
    key: "r",
    label: "refusals: capabilities whose last use was refused",
    danger: false,
    query: () => ({ table: "caps.ls", args: { filter: "err=yes" } }),
    command: () => "el2 caps ls --filter err=yes",
  },
  {
    name: "time.event",
    on: ["ev", "rpc", "why"],
    key: "t",
    label: "go back to that time",
    danger: false,
    place: (selected) => ({ kind: "event", filter: eventFilter(selected) }),
    command: () => "el2 back --event FILTER",
    disabled: (_id, { readOnly }) => readOnly ? "off: read-only" : undefined,
  },
  {
    name: "vm.stop",
    on: ["vm"],
    key: "s",
    label: "stop: ask it to shut down",
    danger: true,
    asks: (id) => ({
      question: `Stop ${id}?`,
      act: `stop ${id}`,
      effect: "The host asks the Resource Manager to stop it (VM_STOP). The guest shuts down, or ignores it.",
      lost: "its memory and the state of its devices, once it has shut down",
      ...BACK,
    }),
    act: (id) => ({ kind: "vm.stop", vm: id, force: false }),
    taken: (id) => `asked the Resource Manager to stop ${id}`,
    command: (id) => `el2 vm stop ${id}`,
    disabled: neededVm,
  },
  {
    name: "vm.kill",
    on: ["vm"],
    key: "f",
    label: "force stop: end it at once",
    danger: true,
    asks: (id) => ({
      question: `End ${id} at once?`,
      act: `end ${id}`,
      effect: "Its VMM closes it. The guest gets no time to save anything.",
      lost: "its memory, and what it has not written to its disks",
      ...BACK,
    }),
    act: (id) => ({ kind: "vm.stop", vm: id, force: true }),
    command: (id) => `el2 vm kill ${id}`,
    disabled: neededVm,
  },
  {
    name: "vm.reset",
    on: ["vm"],
    key: "r",
    label: "reset: end it at once, and restart it",
    danger: true,
    asks: (id) => ({
      question: `Reset ${id}?`,
      act: `reset ${id}`,
      effect: "Its VMM closes it and starts it again from its image.",
      lost: "its memory, and what it has not written to its disks",
      ...BACK,
    }),
    act: (id) => ({ kind: "vm.reset", vm: id }),
    command: (id) => `el2 vm reset ${id}`,
    disabled: neededVm,
  },
  {
    name: "vcpu.kill",
    on: ["vcpu"],
    key: "k",
    label: "kill: stop it for good",
    danger: true,
    asks: (id) => ({
      question: `Kill ${id}?`,
      act: `kill ${id}`,
      effect: "The vCPU never runs again. The other vCPUs of its VM continue.",
      lost: "its registers; only a reset of the VM brings it back",
      ...BACK,
    }),
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
    asks: (id) => ({
      question: `Make ${id} pending?`,
      act: `raise ${id}`,
      effect: "The VM gets the interrupt as if its source had raised it.",
      lost: "nothing; a guest that does not expect it may misbehave",
      ...BACK,
    }),
    act: (id) => ({ kind: "irq.raise", irq: id }),
    command: (id) => `el2 irq raise ${id}`,
  },
  {
    name: "queue.send",
    on: ["mq"],
    key: "w",
    label: "send: queue a message",
    danger: true,
    prompt: {
      sign: (id) => `message for ${id}, hexadecimal or text:TEXT`,
      wrong: "is not a list of bytes; use for example 21010f00 or text:hello",
    },
    asks: (id, text) => ({
      question: `Send ${text} into ${id}?`,
      act: `send into ${id}`,
      effect: "The receiver gets a message that its peer has not sent.",
      lost: "nothing; a receiver that does not expect it may misbehave",
      ...BACK,
    }),
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
    label: "flush: remove all messages",
    danger: true,
    asks: (id) => ({
      question: `Remove all messages of ${id}?`,
      act: `flush ${id}`,
      effect: "The queue is empty after it, as with msgqueue_flush.",
      lost: "all messages in it; the receiver never sees them",
      ...BACK,
    }),
    act: (id) => ({ kind: "queue.flush", queue: id }),
    command: (id) => `el2 queue flush ${id}`,
  },
  {
    name: "doorbell.ring",
    on: ["db"],
    key: "w",
    label: "ring: set flag 0",
    danger: true,
    asks: (id) => ({
      question: `Ring ${id}?`,
      act: `ring ${id}`,
      effect: "Flag 0 is set as with doorbell_send; the receiver gets its interrupt if it waits for that flag.",
      lost: "nothing; a receiver that does not expect it may misbehave",
      ...BACK,
    }),
    act: (id) => ({ kind: "doorbell.ring", doorbell: id, flags: 1n }),
    command: (id) => `el2 queue ring-bell ${id} 0x1`,
  },
  {
    name: "mem.reclaim",
    on: ["parcel"],
    key: "r",
    label: "reclaim it",
    danger: true,
    asks: (id) => ({
      question: `Ask the Resource Manager, as the host, to reclaim ${id}?`,
      act: `reclaim ${id}`,
      effect: "The host gets the memory back. The Resource Manager refuses while a VM still has it mapped.",
      lost: "the parcel and its handle; its contents stay unless you request sanitizing",
      ...BACK,
    }),
    act: (id) => ({ kind: "rpc.send", id: MEM_RECLAIM.id, payload: encodeRequest(MEM_RECLAIM, { handle: handleOf(id), flags: 0 }) }),
    taken: (id) => `asked the Resource Manager to reclaim ${id}`,
    command: (id) => `el2 rpc send MEM_RECLAIM handle=${nameOf(id)} flags=0`,
  },
];

/** The actions for an object, each with the reason why it cannot be done now. */
export function actionsFor(id: string, circumstances: Circumstances): { action: ObjectAction; reason: string | undefined }[] {
  const kind = kindOf(id);
  return OBJECT_ACTIONS.filter(({ on }) => kind && on.includes(kind)).map((action) => ({
    action,
    reason: reasonOff(action, id, circumstances),
  }));
}

function reasonOff(action: ObjectAction, id: string, circumstances: Circumstances): string | undefined {
  if (action.danger && circumstances.readOnly) return "off: read-only";
  if (action.danger && circumstances.ended) return "off: the machine has ended";
  if (action.danger && circumstances.past) return "off: the past is read-only; t n returns to now";
  return action.disabled?.(id, circumstances);
}
