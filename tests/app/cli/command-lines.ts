// Random command lines over the whole tree of commands: with what they take, with what others take,
// and with what nobody does. Ids that commands have printed are used by later ones.

import { noArguments, noCommands, noOptions } from "./command-names.ts";
import { type ArgumentNode, type CommandNode, commandTree, isRunnable, type OptionNode } from "../../../src/app/cli/common/command-tree.ts";
import { makeProgram } from "../../../src/app/cli/main.ts";
import { FAULT_KINDS } from "../../../src/machine/abi/faults.ts";
import { Random } from "../../support/random.ts";

/** A command with the words that name it. */
interface Runnable {
  readonly path: readonly string[];
  readonly command: CommandNode;
}

/**
 * Effect of a command beyond a query: it starts a machine that ends soon, or serves, follows,
 * measures or fetches until it is interrupted.
 */
type Effect = "asks" | "starts" | "stays";

/** Commands that start a machine, with the options that end it soon. */
const STARTING: ReadonlyMap<string, readonly string[]> = new Map([
  ["boot", ["--timeout", "200ms"]],
  ["run", ["--headless", "--for", "2ms", "--timeout", "2s"]],
  ["test", ["--timeout", "1s"]],
  ["replay", ["--timeout", "1s"]],
  ["snapshot load", ["--headless", "--for", "1ms", "--timeout", "2s"]],
  ["trace calls", ["--for", "1ms"]],
  ["trace export", ["--to", "1ms"]],
  ["diff", []],
  ["up", []],
  ["open", []],
  ["screenshot", []],
]);
const STAYING: ReadonlySet<string> = new Set(["attach", "bench", "dap", "doctor", "gdb", "guests fetch", "mcp", "serve"]);
/** With these a command of a session stays. */
const STAYING_OPTIONS: ReadonlySet<string> = new Set(["--watch", "--follow", "--stdio", "--tui", "--wait", "--gdb", "--expect"]);

/** Options that name a file or a folder that is written. */
const WRITING_OPTIONS: ReadonlySet<string> = new Set([
  "junit",
  "results",
  "record",
  "recordings",
  "log",
  "output",
]);

/** Places for a hostile or wrong word. */
const WRONG = [
  ..."0 -1 1 00 0x 0xffffffffffffffff 1e999 NaN 18446744073709551616 9007199254740993 4Q 5x -- - = , / : . .. ~ * % $x".split(" "),
  ...["", " ", "\n", "\u0000x".slice(1), "\u202e", "\u{1f600}", "a".repeat(5000), "__proto__", "constructor", "toString", "null", "[]"],
  ...["{}", "[[[[", '"', "\\", "vm:", "vcpu:/", "vm:nobody", "ping/99", "ping/-1", "irq:ping/99999", "mq:99999", "cap:ping/0xffffffff"],
  ...["/dev/null", "/", "none/none", "ipa:ping/", "pa:0x", "pa:0xffffffffffffffff", "ipa:nobody/0", "why:0", "ev:0", "a=b=c", "--json"],
];

const FILTERS = [
  ...[
    "state=running",
    "vm=ping",
    "kind=rpc res!=ok",
    "vm=ping | vm=host",
    "!(vm=rm)",
    "id~ping",
    "t>1ms",
    "share>0.5",
    "name~^V",
    "why!=-",
  ],
  ...["=", "a=", "state~[", "(", "(((", "state=running |", "nope=1", "ping", "t>", "size>4K", "x".repeat(300)],
];
const VMS = ["ping", "pong", "hello", "host", "rm", "vm:ping", "dead", "idle", "nobody"];
const RULES = FAULT_KINDS.flatMap((kind) => [`${kind} -> BUSY`, `${kind} nth=3 -> NOMEM`, `${kind} vm=ping every=9 -> lose`]);

/** Values of arguments and options by name. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  vm: VMS,
  vcpu: ["ping/0", "vcpu:ping/0", "pong/0", "host/0", "rm/0", "dead/0", "idle/0", "ping"],
  irq: ["irq:ping/27", "irq:ping/961", "irq:host/30", "irq:dead/27"],
  address: ["pa:0x40000000", "ipa:ping/0x80000000", "ipa:host/0x80000000", "ping:0x80000000", "0x80000000"],
  size: ["1", "64", "0x140", "4K", "0", "64MiB"],
  queue: ["mq:289", "mq:290", "db:288"],
  doorbell: ["db:288", "db:291"],
  flags: ["0x1", "1"],
  bytes: ["00112233", "text:hello", "00"],
  object: ["obj:1", "obj:7", "vm:ping"],
  id: ["vm:ping", "vcpu:ping/0", "irq:ping/27", "mq:289", "db:288", "cap:rm/0x1", "rpc:1", "ping"],
  target: ["ipa:ping/0x80000000", "pa:0x40000000", "reg:ping/0/x0", "mq:289", "ping:0x80000000"],
  message: ["VM_GET_STATE", "VM_ALLOCATE", "VM_RESET", "MEM_LEND", "VM_GET_OWNER", "VM_START", "0x56000001", "VM_SET_NAME"],
  fields: ["vmid=0x80", "vmid=0", "vmid=99", "handle=0x3", "flags=0", "label=7", "acl=[]", "name=text:a", "vmid="],
  hex: ["21010f00", "00", "zz"],
  payload: ["80000000", "00", ""],
  reason: ["why:0", "why:1", "last", "w"],
  what: ["demo", "hello.bin", "good.toml", "wrong.toml", "good.rec", "ping/0:pc", "ping:0x80000000", "d503201f,d65f03c0", "missing.toml"],
  image: ["hello.bin", "good.toml", "missing.bin"],
  filter: FILTERS,
  about: ["vm:ping", "vm:dead", "ping", "vcpu:ping/0", "irq:ping/27"],
  rule: [...RULES, ...FILTERS],
  keys: ["a", "a,b", "ctrl+alt+del", "F1"],
  session: ["a", "b", "nobody"],
  guest: ["debian", "nobody"],
  name: ["plain", "dark", "vm.ls", "el2.toml", "sm8650", "observed", "why", "hvc", "mine"],
  section: ["1", "4", "4.1", "nope"],
  code: ["0xB201", "0x1", "4"],
  shell: ["bash", "zsh", "fish", "sh"],
  command: ["vm", "run", "nope"],
  dtb: ["good.dtb", "hello.bin"],
  folder: ["parts", "missing"],
  a: ["good.rec", "good.snap", "hello.bin"],
  b: ["good.rec", "good.snap", "missing"],
  kinds: ["rpc", "hvc,virq", "all", "sched,rpc", "none", "rpc,nope"],
  count: ["1", "3", "0", "100"],
  limit: ["1", "5", "0", "100000"],
  tail: ["1", "0", "100"],
  columns: ["id", "id,state", "nope", "id,,id"],
  output: ["wide", "tsv", "json"],
  timeout: ["1ms", "20ms", "0s"],
  for: ["1ms", "0s"],
  to: ["0", "1", "1000", "1ms"],
  by: ["1", "1000", "100000"],
  at: ["ping:0x80000000", "ping:main", "nobody:0"],
  remove: ["all", "stop:1", "inject:1", "1"],
  send: ["x", "hello\\n", ""],
  config: ["good.toml", "wrong.toml", "missing.toml"],
  set: ["machine.cpus=2", "vm.x=1", "="],
  inject: RULES,
  event: FILTERS,
  until: FILTERS,
  port: ["0", "1", "65536"],
  seed: ["1", "-1"],
  memory: ["64MiB", "3", "1"],
};

/** Files that commands read; tests bring them. */
const READ_FILES = ["good.toml", "wrong.toml", "good.test.toml", "good.rec", "good.snap", "hello.bin", "good.dtb", "missing"];

/** An id of something in a session. */
const ID = /\b(?:vm|vcpu|irq|mq|db|cap|parcel|rpc|ev|why|pa|ipa|obj|as|ko|stop|inject|limit|dev|con):[A-Za-z0-9_./@-]+/g;
const IDS_KEPT = 400;

/** Names in the lists above that the program does not have. */
export function unneededNames(): string[] {
  return [
    ...noCommands([...STARTING.keys(), ...STAYING]),
    ...noOptions(STAYING_OPTIONS),
    ...noArguments([...WRITING_OPTIONS, ...Object.keys(VALUES)]),
  ];
}

/** A source of random command lines. */
export class CommandLines {
  readonly #commands: readonly Runnable[];
  /** Ids that commands have shown, by kind. */
  readonly #ids = new Map<string, string[]>();
  #files = 0;

  /**
   * @param starting one line in this many may start a machine
   * @param stays whether lines may be of a kind that has to be ended from outside
   */
  constructor(readonly random: Random, readonly starting: number, readonly stays: boolean) {
    const found: Runnable[] = [];
    const walk = (command: CommandNode, path: readonly string[]) => {
      if (path.length && isRunnable(command)) found.push({ path, command });
      for (const child of command.commands) walk(child, [...path, child.name]);
    };
    walk(commandTree(makeProgram(new URL(import.meta.url), () => {})), []);
    this.#commands = found;
  }

  /** Takes the ids that a command has shown. */
  learn(text: string): void {
    for (const [id] of text.slice(0, 20_000).matchAll(ID)) {
      const kind = id.slice(0, id.indexOf(":")), known = this.#ids.get(kind) ?? [];
      if (known.length < IDS_KEPT) known.push(id);
      else known[this.random.below(IDS_KEPT)] = id;
      this.#ids.set(kind, known);
    }
  }

  /** The next line. Files that it may write are named `out/NUMBER…`. */
  next(): readonly string[] {
    const { random } = this;
    for (;;) {
      const { path, command } = random.pick(this.#commands), effect = effectOf(path);
      if (effect === "starts" && random.below(this.starting) > 0) continue;
      if (effect === "stays" && !this.stays) {
        // As it is refused it does not stay.
        if (random.below(4) === 0) return random.below(2) ? [...path, ...this.#spoiled(command)] : [...path, "--help"];
        continue;
      }
      return this.#line(path, command, effect);
    }
  }

  #line(path: readonly string[], command: CommandNode, effect: Effect): string[] {
    const { random } = this;
    if (random.below(60) === 0) return [...path.with(-1, path.at(-1)!.slice(1)), ...this.#spoiled(command)];
    if (random.below(60) === 0) return [...path, "--help"];
    if (random.below(40) === 0) return [...path, ...this.#spoiled(command)];
    const words = command.arguments.flatMap((argument) => this.#argument(path, argument));
    for (let more = random.below(4); more > 0 && command.options.length; more--) words.push(...this.#option(random.pick(command.options)));
    const has = (long: string) => command.options.some((option) => option.long === long);
    if (has("--session") && !words.includes("--session") && random.below(20) > 0) words.push("--session", random.pick(["a", "a", "b"]));
    if (has("--timeout") && !words.includes("--timeout")) words.push("--timeout", "20ms");
    if (path.join(" ") === "irq top") words.push("--for", "1ms");
    if (path.join(" ") === "up" && !words.includes("--name")) words.push("--name", random.pick(["a", "b", "c"]));
    return [...path, ...words, ...effect === "starts" ? STARTING.get(path.join(" ")) ?? [] : []];
  }

  #argument(path: readonly string[], { name, required }: ArgumentNode): string[] {
    const { random } = this;
    if (random.below(required ? 40 : 3) === 0) return [];
    if (random.below(12) === 0 && !writesFile(path)) return [random.pick(WRONG)];
    return [name.startsWith("file") ? this.#file(path) : this.#value(name.replace(/\.+$/, ""))];
  }

  #file(path: readonly string[]): string {
    return writesFile(path) ? `out/${++this.#files}` : this.random.pick(READ_FILES);
  }

  #option({ long, value, choices }: OptionNode): string[] {
    const { random } = this;
    if (long === undefined || STAYING_OPTIONS.has(long) && !this.stays) return [];
    if (!value) return [long];
    const name = long.slice(2);
    if (WRITING_OPTIONS.has(name) && !choices.length) return [long, `out/${++this.#files}`];
    if (random.below(12) === 0) return [long, random.pick(WRONG)];
    if (choices.length) return [long, random.pick(choices)];
    return [long, this.#value(name)];
  }

  #value(name: string): string {
    const { random } = this;
    const kind = { queue: "mq", doorbell: "db", reason: "why", address: "ipa", object: "obj" }[name] ?? name;
    const ids = this.#ids.get(kind);
    if (ids && random.below(2)) return random.pick(ids);
    const values = VALUES[name];
    if (values && random.below(20) > 0) return random.pick(values);
    return random.pick([...READ_FILES, ...WRONG, ...VMS]);
  }

  /** Words that no command takes. */
  #spoiled({ options, arguments: args }: CommandNode): string[] {
    const { random } = this;
    const words = args.map(() => random.pick(WRONG)).filter((word) => !word.startsWith("-"));
    const choice = options.find(({ choices }) => choices.length);
    return [...words, ...choice?.long && random.below(2) ? [choice.long, "nope"] : [`--${random.pick(["nope", "jsn", "x=1"])}`]];
  }
}

/** Effect of a command beyond a query. */
function effectOf(path: readonly string[]): Effect {
  const words = path.join(" ");
  return STARTING.has(words) ? "starts" : STAYING.has(words) ? "stays" : "asks";
}

/** Whether a line may be of a command that runs until it is ended. */
export function mayStay(line: readonly string[]): boolean {
  return STAYING.has(line[0]) || STAYING.has(line.slice(0, 2).join(" ")) || line.includes("-f") ||
    line.some((word) => STAYING_OPTIONS.has(word));
}

/** Whether the first argument is a file that the command writes. */
function writesFile(path: readonly string[]): boolean {
  return ["snapshot save", "trace export", "record"].includes(path.join(" "));
}
