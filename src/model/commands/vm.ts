// `el2 vm`: the VMs of a session.

import * as v from "valibot";
import { option, word } from "./argument.ts";
import { act, action, BACK, command, type Group, neededVm } from "./command.ts";
import { anySize, file } from "./kinds.ts";
import { listArguments, listOfTable, VM } from "./lists.ts";
import { hintFor } from "./words.ts";
import { isExactly } from "../queries/filters/filter.ts";
import { count, name } from "../queries/fields.ts";
import { withoutKind } from "../queries/ids.ts";
import { sizeText } from "../../kit/support/text/number-text.ts";

export const VMS_OF_A_SESSION: Group = { name: "vm", doc: "the VMs of a session" };

export const VM_LS = listOfTable("vm.ls", {
  doc: "list the VMs",
  table: "vm.ls",
  examples: ["vm ls", "vm ls --filter state=running --json"],
});

export const VM_DEVICES = command("vm.devices", {
  doc: "list the devices of a VM",
  args: { vm: VM, ...listArguments("vm.devices") },
  right: "looks",
  examples: ["vm devices host"],
  lists: true,
  ask: ({ vm }) => ({ table: "vm.devices", args: { vm } }),
});

export const VM_TIMELINE = command("vm.timeline", {
  ofGunyah: "requests to the Resource Manager",
  doc: "show the requests about a VM and its states, step by step",
  args: { vm: VM, ...listArguments("rpc.ls") },
  right: "looks",
  examples: ["vm timeline ping"],
  lists: true,
  ask: ({ vm }) => ({ table: "rpc.ls", args: { filter: isExactly("about", withoutKind("vm", vm)) } }),
  printed: () => ({ ofVm: "vm" }),
});

export const VM_DTB = command("vm.dtb", {
  doc: "print the devicetree that a VM got, as its memory has it now",
  args: {
    vm: VM,
    output: option(file, "write the flattened tree to a file instead", { value: "file", short: "o", changes: true, lineOnly: true }),
  },
  right: "looks",
  notes: "Linux clears kaslr-seed and rng-seed when it has read them.",
  examples: ["vm dtb ping", "vm dtb host -o host.dtb"],
  ask: ({ vm }) => ({ table: "vm.dtb", args: { vm } }),
});

/** Creates and starts a VM of the configuration that is not there, or that `CREATE` has created. */
export const START = action("vm.start", { vm: name });
export const VM_START = command("vm.start", {
  ofGunyah: "VMs of the configuration",
  doc: 'start a VM of the configuration that is not running, such as one with start = "manual"',
  args: { vm: VM },
  right: "changes",
  examples: ["vm start hello"],
  steps: ({ vm }) => act(START.of({ vm })),
  done: ({ vm }) => `starting ${vm}`,
});

/** Creates a VM of the configuration up to VM_INIT: it is ready, and does not run. */
export const CREATE = action("vm.create", { vm: name });
export const VM_CREATE = command("vm.create", {
  ofGunyah: "VMs of the configuration",
  doc: "create a VM of the configuration up to VM_INIT, for inspection; vm start runs it",
  args: { vm: VM },
  right: "changes",
  examples: ["vm create hello"],
  steps: ({ vm }) => act(CREATE.of({ vm })),
  done: ({ vm }) => `creating ${vm}`,
  next: ({ vm }) => ({ hint: hintFor(VM_TIMELINE, { vm }), does: "follows it" }),
});

/** Ends a VM at once, and creates and starts it anew. */
export const RESET = action("vm.reset", { vm: name });
export const VM_RESET = command("vm.reset", {
  ofGunyah: "VMs of the configuration",
  doc: "end a VM at once, and start it again",
  args: { vm: VM },
  right: "changes",
  examples: ["vm reset hello"],
  steps: ({ vm }) => act(RESET.of({ vm })),
  done: ({ vm }) => `restarting ${vm}`,
  menus: [{
    on: ["vm"],
    key: "r",
    label: "reset: end it at once, and restart it",
    of: (id) => ({ vm: id }),
    asks: (id) => ({
      question: `Reset ${id}?`,
      act: `reset ${id}`,
      effect: "Its VMM closes it and starts it again from its image.",
      lost: "its memory, and what it has not written to its disks",
      stays: BACK,
    }),
    disabled: neededVm,
  }],
});

/** Asks the VM's owner to stop it (VM_STOP); `force` does not wait for the guest. */
export const STOP = action("vm.stop", { vm: name, force: v.boolean() });
export const VM_STOP = command("vm.stop", {
  ofGunyah: "VMs of the configuration",
  doc: "ask a VM to shut down (VM_STOP)",
  args: { vm: VM },
  right: "changes",
  examples: ["vm stop hello"],
  steps: ({ vm }) => act(STOP.of({ vm, force: false })),
  done: ({ vm }) => `${vm} was asked to shut down`,
  menus: [{
    on: ["vm"],
    key: "s",
    label: "stop: ask it to shut down",
    of: (id) => ({ vm: id }),
    asks: (id) => ({
      question: `Stop ${id}?`,
      act: `stop ${id}`,
      effect: "The host asks the Resource Manager to stop it (VM_STOP). The guest shuts down, or ignores it.",
      lost: "its memory and the state of its devices, once it has shut down",
      stays: BACK,
      taken: `asked the Resource Manager to stop ${id}`,
    }),
    disabled: neededVm,
  }],
});

export const VM_KILL = command("vm.kill", {
  ofGunyah: "VMs of the configuration",
  doc: "end a VM at once (VM_STOP with force)",
  args: { vm: VM },
  right: "changes",
  examples: ["vm kill hello"],
  steps: ({ vm }) => act(STOP.of({ vm, force: true })),
  done: ({ vm }) => `ending ${vm}`,
  menus: [{
    on: ["vm"],
    key: "f",
    label: "force stop: end it at once",
    of: (id) => ({ vm: id }),
    asks: (id) => ({
      question: `End ${id} at once?`,
      act: `end ${id}`,
      effect: "Its VMM closes it. The guest gets no time to save anything.",
      lost: "its memory, and what it has not written to its disks",
      stays: BACK,
    }),
    disabled: neededVm,
  }],
});

/** Wants a VM's balloon to have this many bytes. */
export const BALLOON = action("balloon.set", { vm: name, bytes: count() });
export const VM_BALLOON = command("vm.balloon", {
  doc: "set the size of a VM's balloon: memory that the guest gives back",
  args: { vm: VM, size: word(anySize, "size, such as 128MiB, or 0") },
  right: "changes",
  examples: ["vm balloon host 64MiB", "vm balloon host 0"],
  steps: ({ vm, size }) => act(BALLOON.of({ vm, bytes: size })),
  done: ({ vm, size }) => `asked ${vm} for a balloon of ${sizeText(size)}`,
  next: ({ vm }) => ({ hint: hintFor(VM_DEVICES, { vm }), does: "has its size" }),
});

export const VM_COMMANDS = [
  ...[VM_LS, VM_DEVICES, VM_TIMELINE, VM_DTB],
  ...[VM_START, VM_CREATE, VM_STOP, VM_KILL, VM_RESET, VM_BALLOON],
];
