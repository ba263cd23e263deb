// `el2 vcpu`: the vCPUs of a session.

import type { Command } from "@commander-js/extra-typings";
import { answer } from "../../common/answer.ts";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode, failed } from "../../common/failure.ts";
import { BY_ID, type Group, registerGroup, VM_FILTER } from "../../common/group.ts";
import { withListOptions } from "../../common/list-options.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { changeStops, firstStop, within } from "../../common/stops.ts";
import { parseDuration, parseMask, parseWhole } from "../../common/values.ts";

/** Wall time (ns) that a vCPU has for its instructions. */
const STEP_TIMEOUT = 30e9;

const VCPU_ARGUMENT = { name: "vcpu", help: "vcpu:VM/INDEX or VM/INDEX" } as const;

export const VCPU: Group = {
  name: "vcpu",
  help: "the vCPUs of a session",
  queries: [
    {
      ...VM_FILTER,
      name: "ls",
      help: "list the vCPUs, with their states and waits",
      table: "vcpu.ls",
      examples: ["vcpu ls", "vcpu ls ping", "vcpu ls --filter state=wfi"],
    },
    {
      ...BY_ID,
      name: "show",
      help: "show everything about a vCPU",
      table: "vcpu.ls",
      argument: VCPU_ARGUMENT,
      examples: ["vcpu show ping/0"],
    },
    {
      name: "regs",
      help: "print the registers of a vCPU",
      table: "vcpu.regs",
      argument: VCPU_ARGUMENT,
      query: (id) => ({ vcpu: id! }),
      examples: ["vcpu regs ping/0", "vcpu regs ping/0 --filter group=system"],
    },
    {
      name: "stack",
      help: "print the call frames of a vCPU, by call frame information or frame pointers",
      table: "vcpu.stack",
      argument: VCPU_ARGUMENT,
      query: (id) => ({ vcpu: id! }),
      examples: ["vcpu stack ping/0"],
    },
    {
      name: "timers",
      help: "print the timers of a vCPU, and when they are due",
      table: "vcpu.timers",
      argument: VCPU_ARGUMENT,
      query: (id) => ({ vcpu: id! }),
      examples: ["vcpu timers ping/0"],
    },
    { ...VM_FILTER, name: "exits", help: "count exits to the hypervisor by vCPU", table: "vcpu.ls", examples: ["vcpu exits"] },
  ],
  actions: [
    {
      name: "set",
      help: "write a register of a vCPU, as a debugger does",
      arguments: [VCPU_ARGUMENT, { name: "register", help: "x0 to x30, sp, pc, cpsr, v0 to v31, fpsr, fpcr" }, {
        name: "value",
        help: "a number, such as 0x80000000",
      }],
      action: (vcpu, register, value) => ({ kind: "vcpu.set", vcpu, register, value: parseMask(value) }),
      done: (vcpu, register, value) => `${register} of ${vcpu} is ${value}`,
      examples: ["vcpu set ping/0 x0 0x1"],
    },
    {
      name: "kill",
      help: "kill a vCPU (vcpu_kill)",
      arguments: [{ name: "vcpu", help: "vcpu:VM/INDEX" }],
      action: (vcpu) => ({ kind: "vcpu.kill", vcpu }),
      done: (vcpu) => `${vcpu} is killed`,
      examples: ["vcpu kill hello/0"],
    },
  ],
  more: (group, context) => {
    addTables(group, context);
    addVars(group, context);
    addStep(group, context);
  },
};

export function registerVcpu(program: Command, context: CommandContext): void {
  registerGroup(program, context, VCPU);
}

/** Adds `vcpu tables`. */
function addTables(group: Command, { exit }: CommandContext): void {
  withListOptions(withSessionOptions(
    group.command("tables").description("list what a vCPU's translation tables map, or the walk for one address"),
  ))
    .argument("<vcpu>", VCPU_ARGUMENT.help)
    .argument("[address]", "an address, a symbol, or pc: print each descriptor of its walk")
    .option("--filter <filter>", "only matching rows, such as el1=rwx")
    .addHelpText(
      "after",
      "\nExamples:\n  el2 vcpu tables debian/0 pc\n  el2 vcpu tables debian/0 0xffff800080000000\n  el2 vcpu tables debian/0 --filter el1=rwx",
    )
    .action(async (id, address, options) => {
      using open = await openSession(options);
      await answer(open, { table: "vcpu.tables", args: { vcpu: id, at: address, filter: options.filter } }, options.json ?? false, {
        list: options,
      });
      exit(ExitCode.Done);
    });
}

/** Adds `vcpu vars`. */
function addVars(group: Command, { exit }: CommandContext): void {
  withListOptions(withSessionOptions(
    group.command("vars").description("print the variables of a call frame, or the value of an expression, by debug information"),
  ))
    .argument("<vcpu>", VCPU_ARGUMENT.help)
    .argument("[expression]", "in C's syntax, of variables, $registers and symbols")
    .option("--frame <n>", "the call frame, as el2 vcpu stack numbers them", parseWhole(0, 1000), 0)
    .addHelpText(
      "after",
      `
The debug information is that of the VM's ELF files: its image, symbols in the configuration, --symbols, el2 symbols VM --add FILE.

Examples:
  el2 vcpu vars rt/0 --frame 1
  el2 vcpu vars rt/0 'shape->corners[1]'
  el2 vcpu vars debian/0 '*$sp'`,
    )
    .action(async (id, expression, options) => {
      using open = await openSession(options);
      const args = { vcpu: id, frame: options.frame, at: expression };
      await answer(open, { table: "vcpu.vars", args }, options.json ?? false, { list: options });
      exit(ExitCode.Done);
    });
}

/** Adds `vcpu step`. */
function addStep(group: Command, { exit }: CommandContext): void {
  withSessionOptions(
    group.command("step").description(
      "step a vCPU: run until it has executed this many instructions, then pause; changes the machine",
    ),
  )
    .argument("<vcpu>", VCPU_ARGUMENT.help)
    .option("--count <n>", "instructions", parseWhole(1, 1_000_000), 1)
    .option(
      "--timeout <time>",
      `wall time, as the vCPU may be waiting; exits with 4 after it (default: ${STEP_TIMEOUT / 1e9}s)`,
      parseDuration,
    )
    .addHelpText("after", "\nExamples:\n  el2 vcpu step ping/0\n  el2 vcpu step ping/0 --count 100 && el2 vcpu regs ping/0")
    .action(async (id, options) => {
      using open = await openSession(options);
      const stopped = firstStop(open);
      await changeStops(open, { kind: "step", vcpu: id, count: options.count });
      const { rule, text } = await within(stopped, options.timeout ?? STEP_TIMEOUT, `${id} has not executed ${options.count} instructions`);
      if (rule !== "step") throw failed(`${rule} stopped the machine before: ${text}`);
      await answer(open, { table: "vcpu.ls", args: { filter: `id=${id}` } }, options.json ?? false);
      exit(ExitCode.Done);
    });
}
