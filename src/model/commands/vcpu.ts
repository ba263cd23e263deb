// `el2 vcpu`: the vCPUs of a session.

import { maybe, option, optionOr, word } from "./argument.ts";
import { act, action, BACK, command, type Group, neededVm } from "./command.ts";
import { duration, filterOf, idOf, mask, text, whole } from "./kinds.ts";
import { listArguments, listOfVm, VCPU } from "./lists.ts";
import { name, unsigned } from "../queries/fields.ts";
import { PAGE_TABLES } from "../queries/tables.ts";
import { VARIABLES } from "../queries/tables.ts";

/** Wall time (ns) that a vCPU has for its instructions. */
export const STEP_TIMEOUT = 30e9;

export const VCPUS_OF_A_SESSION: Group = { name: "vcpu", doc: "the vCPUs of a session" };

export const VCPU_LS = listOfVm("vcpu.ls", {
  doc: "list the vCPUs, with their states, waits and exits",
  table: "vcpu.ls",
  examples: ["vcpu ls", "vcpu ls ping", "vcpu ls --filter state=wfi"],
});

/** A list about one vCPU. */
const ofVcpu = (name: "regs" | "stack" | "timers", doc: string, examples: readonly string[]) =>
  command(`vcpu.${name}`, {
    doc,
    args: { vcpu: VCPU, ...listArguments(`vcpu.${name}`) },
    right: "looks",
    examples,
    lists: true,
    ask: ({ vcpu }) => ({ table: `vcpu.${name}`, args: { vcpu } }),
  });

export const VCPU_REGS = ofVcpu("regs", "print the registers of a vCPU", ["vcpu regs ping/0", "vcpu regs ping/0 --filter group=system"]);
export const VCPU_STACK = ofVcpu("stack", "print the call frames of a vCPU, by call frame information or frame pointers", [
  "vcpu stack ping/0",
]);
export const VCPU_TIMERS = ofVcpu("timers", "print the timers of a vCPU, and when they are due", ["vcpu timers ping/0"]);

export const VCPU_TABLES = command("vcpu.tables", {
  doc: "list what a vCPU's translation tables map, or the walk for one address",
  args: {
    vcpu: VCPU,
    address: maybe(text, "an address, a symbol, or pc: print each descriptor of its walk"),
    filter: option(filterOf(PAGE_TABLES), "only matching rows, such as el1=rwx"),
  },
  right: "looks",
  examples: ["vcpu tables debian/0 pc", "vcpu tables debian/0 0xffff800080000000", "vcpu tables debian/0 --filter el1=rwx"],
  lists: true,
  ask: ({ vcpu, address }) => ({ table: "vcpu.tables", args: { vcpu, at: address } }),
});

export const VCPU_VARS = command("vcpu.vars", {
  doc: "print the variables of a call frame, or the value of an expression, by debug information",
  args: {
    vcpu: VCPU,
    expression: maybe(text, "in C's syntax, of variables, $registers and symbols"),
    frame: optionOr(whole(0, 1000), "the call frame, as el2 vcpu stack numbers them", 0, { value: "n" }),
  },
  right: "looks",
  notes:
    "The debug information is that of the VM's ELF files: its image, symbols in the configuration, --symbols, el2 symbols VM --add FILE.",
  examples: ["vcpu vars rt/0 --frame 1", "vcpu vars rt/0 'shape->corners[1]'", "vcpu vars debian/0 '*$sp'"],
  lists: true,
  ask: ({ vcpu, expression, frame }) => ({ table: VARIABLES.name, args: { vcpu, frame, at: expression } }),
});

/** Writes a register of a vCPU, as a debugger does. */
export const SET = action("vcpu.set", { vcpu: name, register: name, value: unsigned(128) });
export const VCPU_SET = command("vcpu.set", {
  doc: "write a register of a vCPU, as a debugger does",
  args: {
    vcpu: VCPU,
    register: word(text, "x0 to x30, sp, pc, cpsr, v0 to v31, fpsr, fpcr"),
    value: word(mask, "a number, such as 0x80000000"),
  },
  right: "changes",
  examples: ["vcpu set ping/0 x0 0x1"],
  steps: ({ vcpu, register, value }) => act(SET.of({ vcpu, register, value })),
  done: ({ vcpu, register, value }) => `${register} of ${vcpu} is ${mask.spell(value)}`,
});

/** Ends the life of a vCPU (vcpu_kill). */
export const KILL = action("vcpu.kill", { vcpu: name });
export const VCPU_KILL = command("vcpu.kill", {
  doc: "kill a vCPU (vcpu_kill)",
  args: { vcpu: word(idOf("vcpu"), "vcpu:VM/INDEX") },
  right: "changes",
  examples: ["vcpu kill hello/0"],
  steps: ({ vcpu }) => act(KILL.of({ vcpu })),
  done: ({ vcpu }) => `${vcpu} is killed`,
  menus: [{
    on: ["vcpu"],
    key: "k",
    label: "kill: stop it for good",
    of: (id) => ({ vcpu: id }),
    asks: (id) => ({
      question: `Kill ${id}?`,
      act: `kill ${id}`,
      effect: "The vCPU never runs again. The other vCPUs of its VM continue.",
      lost: "its registers; only a reset of the VM brings it back",
      stays: BACK,
    }),
    disabled: neededVm,
  }],
});

export const VCPU_STEP = command("vcpu.step", {
  doc: "step a vCPU: run until it has executed this many instructions, then pause",
  args: {
    vcpu: VCPU,
    count: optionOr(whole(1, 1_000_000), "instructions", 1, { value: "n" }),
    timeout: option(duration, `wall time, as the vCPU may be waiting; exits with 4 after it (default: ${STEP_TIMEOUT / 1e9}s)`, {
      value: "time",
      lineOnly: true,
    }),
  },
  right: "changes",
  examples: ["vcpu step ping/0", "vcpu step ping/0 --count 100 && el2 vcpu regs ping/0"],
  steps: ({ vcpu, count }) => [{ kind: "stop-rule", change: { kind: "step", vcpu, count } }],
  ask: ({ vcpu }) => ({ table: "vcpu.ls", args: { filter: `id=${vcpu}` } }),
});

export const VCPU_COMMANDS = [
  ...[VCPU_LS, VCPU_REGS, VCPU_STACK, VCPU_TIMERS, VCPU_TABLES, VCPU_VARS],
  ...[VCPU_SET, VCPU_KILL, VCPU_STEP],
];
