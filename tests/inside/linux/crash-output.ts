// The words of crash about a core file, compared with those of el2 about the same machine.

import assert from "node:assert/strict";
import { dmesgOf, functionOf, isWithin, linesOf } from "./core-tools.ts";
import type { Debian } from "./debian.ts";

/** Commands of crash that need no task but those that CPUs run. */
const OF_CPUS = {
  log: "log",
  cpus: "bt -a",
  ps: "ps",
  list: "list task_struct.tasks -s task_struct.pid,comm -h init_task",
} as const;
/** Those that need all tasks: `mount` would look for one of them without end. */
const OF_TASKS = {
  modules: "mod",
  mounts: "mount",
  files: "foreach user files",
  maps: "foreach user vm",
  irqs: "irq",
  net: "net",
  stacks: "foreach bt",
} as const;
type OfCpus = Readonly<Record<keyof typeof OF_CPUS, string>>;
type OfTasks = Readonly<Record<keyof typeof OF_TASKS, string>>;

/** Parts of a kernel that a crash does not know: tasks are those that sleep. */
export type Unknown = "tasks" | "modules" | "interrupts" | "callers of exceptions";

/** No symbol of the kernel: crash says so, which ends what a command prints. */
const END = "EL2-END";

/**
 * All commands, as crash reads them. Where `struct pid` ends in an array of no length, bookworm's
 * crash knows only the tasks that CPUs run, whatever wrote the file; the kernel's own list has all.
 */
export function crashInput(unknown: readonly Unknown[]): string {
  const commands = Object.values({ ...OF_CPUS, ...!unknown.includes("tasks") && OF_TASKS });
  return [...commands.flatMap((command) => [command, `p ${END}`]), "quit", ""].join("\n");
}

/** The output of each command. */
function printedIn<Name extends string>(output: string, commands: Readonly<Record<Name, string>>): Readonly<Record<Name, string>> {
  const parts = output.split(new RegExp(`^.*\\b${END}\n+`, "m")), names = Object.keys(commands);
  assert.equal(parts.length, names.length + 1, output);
  return Object.fromEntries(names.map((name, index) => [name, parts[index]])) as Readonly<Record<Name, string>>;
}

/** States of tasks as crash names them. */
const STATES: Readonly<Record<string, string>> = { RU: "R", IN: "S", UN: "D", ST: "T", TR: "t", ZO: "Z", DE: "X", PA: "P", ID: "I" };
const KIB = 1024;
/** Bytes of an instruction: crash shows the BL, el2 the address behind it. */
const INSTRUCTION = 4n;

interface Part {
  readonly pid: number;
  readonly text: string;
}

/** Parts of an output by process. */
const partsOf = (text: string): Part[] =>
  text.split(/^(?=PID: )/m).filter((part) => part.startsWith("PID: ")).map((text) => ({
    pid: Number(/^PID: (\d+)/.exec(text)?.[1]),
    text,
  }));

/** Frames of a stack. */
const framesIn = (text: string) =>
  [...text.matchAll(/^ *#\d+ \[[0-9a-f]+\] (\S+) at ([0-9a-f]+)/gm)].map(([, name, address]) => ({
    name: functionOf(name),
    address: BigInt(`0x${address}`),
  }));

/** The frames of a stack that crash knows, each a function or more. */
function known(frames: readonly string[], unknown: readonly Unknown[]): readonly string[] {
  const entry = unknown.includes("callers of exceptions") ? frames.findIndex((frame) => /^el1h_64_[a-z]+( |$)/.test(frame)) : -1;
  return entry < 0 ? frames : frames.slice(0, entry + 1);
}

/**
 * Compares all of it.
 * @param output what it printed to its input
 * @param unknown as for its input
 */
export function compareWithCrash(debian: Debian, output: string, unknown: readonly Unknown[]): void {
  if (unknown.includes("tasks")) return compareRunning(debian, printedIn(output, OF_CPUS), unknown);
  const printed = printedIn(output, { ...OF_CPUS, ...OF_TASKS });
  compareRunning(debian, printed, unknown);
  compareAll(debian, printed, unknown);
}

/** Log, CPUs, and the kernel's list. */
function compareRunning(debian: Debian, printed: OfCpus, unknown: readonly Unknown[]): void {
  // Warnings about the file come first.
  assert.deepEqual(linesOf(printed.log.slice(printed.log.search(/^\[ *\d/m))), dmesgOf(debian).filter((line) => line !== ""));
  compareCpus(debian, printed, unknown);
  compareList(debian, printed.list);
}

/** All that it shows of the kernel and its tasks. */
function compareAll(debian: Debian, printed: OfCpus & OfTasks, unknown: readonly Unknown[]): void {
  if (!unknown.includes("modules")) compareModules(debian, printed.modules);
  if (!unknown.includes("interrupts")) compareInterrupts(debian, printed.irqs);
  compareMounts(debian, printed.mounts);
  assert.deepEqual(
    [...printed.net.matchAll(/^[0-9a-f]{16} +(\S+)/gm)].map(([, name]) => name),
    debian.rows("linux.net").map(({ name }) => name),
  );
  compareTasks(debian, printed.ps);
  compareFiles(debian, printed.files);
  compareMappings(debian, printed.maps);
  compareStacks(debian, printed.stacks, unknown);
}

/** The task that each CPU runs, and its stack. */
function compareCpus(debian: Debian, { cpus: text, ps }: OfCpus, unknown: readonly Unknown[]): void {
  const cpus = partsOf(text);
  assert.equal(cpus.length, debian.plan.cpus);
  for (const [cpu, { pid, text: stack }] of cpus.entries()) {
    const rows = [...debian.system.inspector.answer({ table: "vcpu.stack", args: { vcpu: `vcpu:host/${cpu}` } }).rows];
    const shown = known(rows.map(({ symbol }) => functionOf(String(symbol))), unknown), functions = framesIn(stack).map(({ name }) => name);
    // crash leaves out the caller of a function without a frame, and the kernel's first one.
    assert.ok(functions.length >= shown.length - 2 && functions[0] === shown[0], `${stack} el2: ${shown.join(" ")}`);
    assert.ok(isWithin(functions, shown), `CPU ${cpu}: ${functions.join(" ")}; el2: ${shown.join(" ")}`);
    // The parent is -1 where crash does not know it, as it sleeps; compareTasks() has parents.
    assert.match(ps, new RegExp(`^> +${pid} +(\\d+|-1) +${cpu} `, "m"));
  }
}

/** The kernel's list of processes. */
function compareList(debian: Debian, text: string): void {
  const processes = [...text.matchAll(/^ +pid = (\d+),?\n +comm = "(.*?)(?:\\000.*)?",?$/gm)];
  const tasks = debian.rows("linux.ps");
  assert.deepEqual(processes.map(([, pid]) => Number(pid)), [0, ...tasks.map(({ pid }) => pid)]);
  for (const [index, [, , comm]] of processes.slice(1).entries()) {
    const { name, kernel } = tasks[index];
    // el2 shows a kernel thread's whole name, and what a worker does.
    assert.ok(kernel ? name.startsWith(comm) : name === comm, `${name}, ${comm}`);
  }
}

/** Processes: numbers, CPU, state, and memory in KiB. */
function compareTasks(debian: Debian, text: string): void {
  const printed = [...text.matchAll(/^[> ] +(\d+) +(\d+) +(\d+) +[0-9a-f]{16} +(\w\w) +[\d.]+ +(\d+) +(\d+) /gm)].map(([, ...words]) => {
    const [pid, ppid, cpu, state, virtual, resident] = words;
    return [Number(pid), Number(ppid), Number(cpu), STATES[state], Number(virtual), Number(resident)];
  }).filter(([pid]) => pid !== 0);
  const kib = (bytes: number | bigint | null) => Number(bytes ?? 0) / KIB;
  const shown = debian.rows("linux.ps", { threads: true }).map(({ pid, ppid, cpu, state, virtual, resident }) => {
    return [pid, ppid, cpu, state, kib(virtual), kib(resident)];
  });
  assert.deepEqual(printed, shown);
}

function compareModules(debian: Debian, text: string): void {
  const printed = [...text.matchAll(/^[0-9a-f]{16} +(\S+) +([0-9a-f]{16}) +(\d+) /gm)].map(([, name, address, size]) =>
    `${name} 0x${address} ${size}`
  );
  const shown = debian.rows("linux.modules").map(({ name, address, size }) => `${name} ${address} ${size}`);
  assert.deepEqual(printed.sort(), shown.sort());
}

/** crash has what newer kernels have below the root, too, which no process sees. */
function compareMounts(debian: Debian, text: string): void {
  const printed = [...text.matchAll(/^[0-9a-f]{16} [0-9a-f]{16} (\S+) +(\S+) +(\/\S*)/gm)].map(([, ...words]) => words.join(" "))
    .filter((mount) => mount !== "nullfs nullfs /");
  assert.deepEqual(printed, debian.rows("linux.mounts").map(({ type, device, path }) => `${type} ${device} ${path}`));
}

/** crash has those between CPUs too. */
function compareInterrupts(debian: Debian, text: string): void {
  const printed = [...text.matchAll(/^ *(\d+) +[0-9a-f]{16} +[0-9a-f]{16} +"(.*)"$/gm)].filter(([, , name]) => name !== "IPI");
  const shown = debian.rows("linux.irqs").map(({ irq, handlers }) => `${irq} ${handlers[0]}`);
  assert.deepEqual(printed.map(([, irq, name]) => `${irq} ${name}`), shown);
}

/** Open files of programs; crash has no name for pipes and sockets. */
function compareFiles(debian: Debian, text: string): void {
  const programs = partsOf(text);
  assert.deepEqual(programs.map(({ pid }) => pid), debian.rows("linux.ps").filter(({ kernel }) => !kernel).map(({ pid }) => pid));
  for (const { pid, text } of programs) {
    const printed = [...text.matchAll(/^ *(\d+) [0-9a-f]{16} [0-9a-f]{16} [0-9a-f]{16} \w+ +(\S*)/gm)];
    const shown = debian.rows("linux.files", { pid });
    assert.deepEqual(
      printed.map(([, fd, path]) => `${fd} ${path}`),
      shown.map(({ fd, file }) => `${fd} ${file.startsWith("/") ? file : ""}`),
    );
  }
}

/** Mappings of programs, and the files of those that have one. */
function compareMappings(debian: Debian, text: string): void {
  for (const { pid, text: part } of partsOf(text)) {
    const printed = [...part.matchAll(/^[0-9a-f]{16} +([0-9a-f]+) +([0-9a-f]+) +[0-9a-f]+ (\S*)/gm)];
    const shown = debian.rows("linux.maps", { pid });
    assert.deepEqual(
      printed.map(([, start, end, file]) => `${BigInt(`0x${start}`)} ${BigInt(`0x${end}`)} ${file}`),
      shown.map(({ start, end, file }) => `${BigInt(start)} ${BigInt(end)} ${file?.startsWith("/") ? file : ""}`),
      `mappings of ${pid}`,
    );
  }
}

/** Stacks of tasks that no CPU runs, address by address. */
function compareStacks(debian: Debian, text: string, unknown: readonly Unknown[]): void {
  let compared = 0;
  for (const { pid, text: part } of partsOf(text)) {
    const answer = debian.ask("linux.stack", { pid });
    if (pid === 0 || answer.gaps?.some(({ code }) => code === "running")) continue;
    const frames = [...answer.rows].filter(({ mode }) => mode === "kernel").map(({ pc, symbol }) => {
      return `${functionOf(String(symbol))} ${(BigInt(String(pc)) - INSTRUCTION).toString(16)}`;
    });
    const shown = known(frames, unknown);
    const printed = framesIn(part).map(({ name, address }) => `${name} ${address.toString(16)}`);
    // crash leaves out the first function of a kernel thread.
    assert.ok(printed.length >= shown.length - 1, `${pid}: ${part}; el2: ${shown.join(", ")}`);
    assert.deepEqual(printed, shown.slice(0, printed.length), `${pid}`);
    compared++;
  }
  assert.ok(compared >= debian.rows("linux.ps").length - debian.plan.cpus, `${compared} stacks`);
}
