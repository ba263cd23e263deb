// `el2 vm|vcpu|irq|mem|caps|queue|rpc ..`: commands that look into a session, and the few that
// change something there.

import { report } from "./print.ts";
import type { Command } from "@commander-js/extra-typings";
import { answer } from "./answer.ts";
import { ExitCode, Failure } from "./failure.ts";
import { QUERY_COMMANDS, type QueryCommand } from "./queries.ts";
import { openSession, withSessionOptions } from "./session.ts";
import { checkedFilter, parseBytes, parseDuration, parseSize, parseWhole } from "./values.ts";
import type { Action } from "../queries/action.ts";
import type { InputEvent } from "../queries/input-events.ts";
import { allOf } from "../queries/filter.ts";
import type { Query } from "../queries/query.ts";
import { TABLES } from "../queries/tables.ts";
import { clickEvents, keyEvents, placeEvents, textEvents, wheelEvents } from "./input-events.ts";
import { registerBreak } from "./break.ts";
import { registerConsole } from "./console.ts";
import { registerRpcSend } from "./rpc-send.ts";
import { registerRpcDecode } from "./rpc-decode.ts";
import { registerVmLint } from "./vm-lint.ts";

/** What each group of commands is about. */
const GROUPS: Readonly<Record<string, string>> = {
  vm: "the VMs of a session",
  vcpu: "the vCPUs of a session",
  irq: "the interrupts of a session",
  mem: "the memory of a session: owners, parcels, limits",
  caps: "the capabilities of a session",
  queue: "the message queues and doorbells of a session",
  input: "keyboard and tablet of a VM (boot --input)",
  rpc: "requests to the resource manager",
  state: "the state of a session's machine as a whole",
};

/** Commands that change something. */
interface ActionCommand {
  readonly path: string;
  readonly help: string;
  readonly arguments: readonly { readonly name: string; readonly help: string }[];
  readonly action: (...values: string[]) => Action;
  readonly done: (...values: string[]) => string;
}

const VM_ARGUMENT = { name: "vm", help: "vm:NAME or NAME" } as const;

/** A command that makes events of a keyboard or tablet. */
function inputCommand(
  name: string,
  help: string,
  argument: ActionCommand["arguments"][number],
  events: (text: string) => readonly (readonly InputEvent[])[],
): ActionCommand {
  return {
    path: `input ${name}`,
    help,
    arguments: [VM_ARGUMENT, argument],
    action: (vm, text) => ({ kind: "input.send", vm, events: events(text) }),
    done: (vm) => `${vm} has it`,
  };
}

/** The table of commands that change something. */
export const ACTION_COMMANDS: readonly ActionCommand[] = [
  {
    path: "vm start",
    help: 'start a VM of the configuration that is not running, such as one with start = "manual"',
    arguments: [{ name: "vm", help: "vm:NAME or NAME" }],
    action: (vm) => ({ kind: "vm.start", vm }),
    done: (vm) => `${vm} is being started`,
  },
  {
    path: "vm create",
    help: "make a VM of the configuration as far as VM_INIT, ready to look at; vm start lets it run",
    arguments: [VM_ARGUMENT],
    action: (vm) => ({ kind: "vm.create", vm }),
    done: (vm) => `${vm} is being made; el2 vm timeline ${vm} shows how far it is`,
  },
  {
    path: "vm reset",
    help: "end a VM at once, and make and start it anew",
    arguments: [VM_ARGUMENT],
    action: (vm) => ({ kind: "vm.reset", vm }),
    done: (vm) => `${vm} is being ended, and starts anew`,
  },
  {
    path: "vm stop",
    help: "ask a VM to shut down (VM_STOP)",
    arguments: [VM_ARGUMENT],
    action: (vm) => ({ kind: "vm.stop", vm, force: false }),
    done: (vm) => `${vm} was asked to shut down`,
  },
  {
    path: "vm kill",
    help: "end a VM at once (VM_STOP with force)",
    arguments: [VM_ARGUMENT],
    action: (vm) => ({ kind: "vm.stop", vm, force: true }),
    done: (vm) => `${vm} is being ended`,
  },
  {
    path: "vm balloon",
    help: "have the guest give memory back, or take it again: the size of its balloon",
    arguments: [VM_ARGUMENT, { name: "size", help: "bytes that the guest shall give, such as 128MiB; 0: none" }],
    action: (vm, size) => ({ kind: "balloon.set", vm, bytes: parseSize(size) }),
    done: (vm, size) => `${vm} was asked for a balloon of ${size}; el2 vm devices ${vm} --json shows what it has given`,
  },
  inputCommand("key", "press and release keys", { name: "keys", help: "a key, or several joined by +: leftctrl+c" }, keyEvents),
  inputCommand("text", "type text on a keyboard of the US", { name: "text", help: "the text" }, textEvents),
  inputCommand("move", "move to a place of the tablet", { name: "place", help: "X,Y: 0..32767 from the left and from above" }, placeEvents),
  inputCommand("click", "press and release a button of the tablet", { name: "button", help: "left, right, middle or touch" }, clickEvents),
  inputCommand("wheel", "turn the tablet's wheel", { name: "steps", help: "up, or behind -- negative for down" }, wheelEvents),
  {
    path: "vcpu kill",
    help: "end the life of a vCPU (vcpu_kill)",
    arguments: [{ name: "vcpu", help: "vcpu:VM/INDEX" }],
    action: (vcpu) => ({ kind: "vcpu.kill", vcpu }),
    done: (vcpu) => `${vcpu} is killed`,
  },
  {
    path: "irq raise",
    help: "make an interrupt pending",
    arguments: [{ name: "irq", help: "irq:VM/INTID" }],
    action: (irq) => ({ kind: "irq.raise", irq }),
    done: (irq) => `${irq} is pending`,
  },
  {
    path: "queue send",
    help: "put a message into a queue as its sender would",
    arguments: [{ name: "queue", help: "mq:NUMBER" }, { name: "bytes", help: "hexadecimal, or text behind text:" }],
    action: (queue, bytes) => ({ kind: "queue.send", queue, bytes: parseBytes(bytes) }),
    done: (queue, bytes) => `${parseBytes(bytes).length} bytes are in ${queue}`,
  },
  {
    path: "queue flush",
    help: "take all messages out of a queue",
    arguments: [{ name: "queue", help: "mq:NUMBER" }],
    action: (queue) => ({ kind: "queue.flush", queue }),
    done: (queue) => `${queue} is empty`,
  },
  {
    path: "queue ring-bell",
    help: "set flags of a doorbell as its sender would",
    arguments: [{ name: "doorbell", help: "db:NUMBER" }, { name: "flags", help: "0x.." }],
    action: (doorbell, flags) => ({ kind: "doorbell.ring", doorbell, flags: BigInt(flags) }),
    done: (doorbell) => `${doorbell} is rung`,
  },
];

/** Adds the commands. `exit` takes the exit code. */
export function registerInspect(program: Command, exit: (code: number) => void): void {
  const groups = new Map<string, Command>();
  const group = (name: string): Command => {
    let command = groups.get(name);
    if (!command) groups.set(name, command = program.command(name).description(GROUPS[name]) as unknown as Command);
    return command;
  };
  for (const query of QUERY_COMMANDS) {
    const [parent, name] = query.path.split(" ");
    const command = withSessionOptions(group(parent).command(name).description(query.help))
      .option("--filter <filter>", "only rows that it lets through, such as state=blocked or size>1M")
      .option("--limit <rows>", "at most so many rows", parseWhole(1, 1_000_000));
    if (query.argument) {
      command.argument(query.argument.optional ? `[${query.argument.name}]` : `<${query.argument.name}>`, query.argument.help);
    }
    command.action(async (...args: unknown[]) => {
      const argument = query.argument ? args[0] as string | undefined : undefined;
      exit(await runQuery(query, argument, command.opts()));
    });
  }
  for (const one of ACTION_COMMANDS) {
    const [parent, name] = one.path.split(" ");
    const command = withSessionOptions(group(parent).command(name).description(`${one.help}; changes the machine`));
    for (const argument of one.arguments) command.argument(`<${argument.name}>`, argument.help);
    command.action(async (...args: unknown[]) => {
      const values = args.slice(0, one.arguments.length) as string[];
      const action = one.action(...values);
      using open = await openSession(command.opts());
      const error = await open.asker.act(action);
      if (error !== undefined) throw new Failure(error, ExitCode.Failed);
      report(`el2: ${one.done(...values)}`);
    });
  }
  registerRead(group("mem"));
  registerTop(group("irq"));
  registerBreak(program, group("vcpu"), exit);
  registerVmLint(group("vm"), exit);
  registerRpcDecode(group("rpc"));
  registerRpcSend(group("rpc"), exit);
  registerConsole(group("vm"), exit);
}

/** Time (ns) over which `irq top` counts. */
const TOP_TIME = 1e9;
const TOP_ROWS = 10;

function registerTop(irq: Command): void {
  const command = withSessionOptions(irq.command("top").description("the interrupts that come most often, and what is wrong with any"))
    .option("--for <time>", `count over this much wall time (default: ${TOP_TIME / 1e9}s)`, parseDuration)
    .option("--limit <rows>", "at most so many rows", parseWhole(1, 10_000), TOP_ROWS);
  command.action(async () => {
    const options = command.opts();
    using open = await openSession(options);
    // Rates are those since somebody looked before.
    await open.asker.ask({ table: "irq.ls", args: {} });
    await new Promise((resolve) => setTimeout(resolve, (options.for ?? TOP_TIME) / 1e6));
    await answer(open, { table: "irq.ls", args: { filter: "rate>0 | finding!=-", limit: options.limit } }, options.json ?? false);
  });
}

function registerRead(mem: Command): void {
  const command = withSessionOptions(mem.command("read").description("bytes of memory"))
    .argument("<address>", "pa:ADDRESS or ipa:VM/ADDRESS")
    .argument("[size]", "bytes", parseWhole(1, 65536));
  command.action(async (at, size) => {
    using open = await openSession(command.opts());
    await answer(open, { table: "mem.read", args: { at, size } }, command.opts().json ?? false);
  });
}

interface QueryOptions {
  readonly json?: boolean;
  readonly socket?: string;
  readonly readOnly?: boolean;
  readonly filter?: string;
  readonly limit?: number;
}

async function runQuery(command: QueryCommand, argument: string | undefined, options: QueryOptions): Promise<number> {
  const args = command.query?.(argument) ?? {};
  if (options.filter !== undefined) checkedFilter("--filter", options.filter, TABLES[command.table]);
  const filter = allOf([args.filter, options.filter]);
  using open = await openSession(options);
  const query: Query = { table: command.table, args: { ...args, filter: filter || undefined, limit: options.limit } };
  const none = options.filter === undefined ? command.none : undefined;
  const vm = command.ofVm && argument;
  const rows = await answer(open, query, options.json ?? false, { record: command.record, none, vm });
  if (rows === 0 && command.failsOnNone) {
    throw new Failure(`no ${argument}; el2 ${command.path.split(" ")[0]} ls shows what there is`, ExitCode.Failed);
  }
  return rows > 0 && command.failsOnRows ? ExitCode.Failed : ExitCode.Done;
}
