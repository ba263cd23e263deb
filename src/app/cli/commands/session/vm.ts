// `el2 vm`: the VMs of a session.

import type { Command } from "@commander-js/extra-typings";
import { addConsole } from "./console.ts";
import { addDtb } from "./vm-dtb.ts";
import { addLint } from "./vm-lint.ts";
import type { CommandContext } from "../../common/command.ts";
import { BY_ID, type Group, registerGroup, VM_ARGUMENT } from "../../common/group.ts";
import { parseSize } from "../../common/values.ts";
import { withKind, withoutKind } from "../../../../model/queries/ids.ts";
import { isExactly } from "../../../../model/queries/filters/filter.ts";

export const VM: Group = {
  name: "vm",
  help: "the VMs of a session",
  queries: [
    { name: "ls", help: "list the VMs", table: "vm.ls", examples: ["vm ls", "vm ls --filter state=running --json"] },
    {
      ...BY_ID,
      name: "show",
      help: "show everything about a VM",
      table: "vm.ls",
      argument: VM_ARGUMENT,
      query: (vm) => ({ filter: isExactly("id", withKind("vm", vm!)) }),
      examples: ["vm show hello"],
    },
    {
      name: "devices",
      help: "list the devices of a VM",
      table: "vm.devices",
      argument: VM_ARGUMENT,
      query: (vm) => ({ vm: vm! }),
      examples: ["vm devices host"],
    },
    {
      name: "timeline",
      help: "show the requests about a VM and its states, step by step",
      table: "rpc.ls",
      argument: VM_ARGUMENT,
      query: (vm) => ({ filter: isExactly("about", withoutKind("vm", vm!)) }),
      ofVm: true,
      examples: ["vm timeline ping"],
    },
  ],
  actions: [
    {
      name: "start",
      help: 'start a VM of the configuration that is not running, such as one with start = "manual"',
      arguments: [VM_ARGUMENT],
      action: (vm) => ({ kind: "vm.start", vm }),
      done: (vm) => `starting ${vm}`,
      examples: ["vm start hello"],
    },
    {
      name: "create",
      help: "create a VM of the configuration up to VM_INIT, for inspection; vm start runs it",
      arguments: [VM_ARGUMENT],
      action: (vm) => ({ kind: "vm.create", vm }),
      done: (vm) => `creating ${vm}; follow it with el2 vm timeline ${vm}`,
      examples: ["vm create hello"],
    },
    {
      name: "reset",
      help: "end a VM at once, and start it again",
      arguments: [VM_ARGUMENT],
      action: (vm) => ({ kind: "vm.reset", vm }),
      done: (vm) => `restarting ${vm}`,
      examples: ["vm reset hello"],
    },
    {
      name: "stop",
      help: "ask a VM to shut down (VM_STOP)",
      arguments: [VM_ARGUMENT],
      action: (vm) => ({ kind: "vm.stop", vm, force: false }),
      done: (vm) => `${vm} was asked to shut down`,
      examples: ["vm stop hello"],
    },
    {
      name: "kill",
      help: "end a VM at once (VM_STOP with force)",
      arguments: [VM_ARGUMENT],
      action: (vm) => ({ kind: "vm.stop", vm, force: true }),
      done: (vm) => `ending ${vm}`,
      examples: ["vm kill hello"],
    },
    {
      name: "balloon",
      help: "set the size of a VM's balloon: memory that the guest gives back",
      arguments: [VM_ARGUMENT, { name: "size", help: "size, such as 128MiB, or 0" }],
      action: (vm, size) => ({ kind: "balloon.set", vm, bytes: parseSize(size) }),
      done: (vm, size) => `asked ${vm} for a balloon of ${size}; see its actual size with el2 vm devices ${vm} --json`,
      examples: ["vm balloon host 64MiB", "vm balloon host 0"],
    },
  ],
  more(group, context) {
    addDtb(group, context);
    addLint(group, context);
    addConsole(group, context);
  },
};

export function registerVm(program: Command, context: CommandContext): void {
  registerGroup(program, context, VM);
}
