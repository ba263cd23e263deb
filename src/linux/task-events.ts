// Events of a kernel's tasks: system calls, switches, new tasks, ends, signals. A CPU is observed
// at the functions of the kernel in which they happen: its registers and memory at that instant
// show the event. Nothing is changed.

import { UPPER_HALF } from "../formats/page-tables.ts";
import { PAGE_SIZE } from "../support/sizes.ts";
import { argumentTexts, lacksText, quoted, textsOf } from "./call-arguments.ts";
import { programRegisters } from "./frames.ts";
import { textOf, type VirtualMemory } from "./memory.ts";
import type { KernelRegisters, Reading } from "./reading.ts";
import { errorName, MAX_ERRNO, returns, returnsAddress, signalName, type SystemCall, systemCall } from "./system-calls.ts";
import { stateOf, userMemory } from "./tasks.ts";

export type TaskEventKind = "syscall" | "task";

/** Registers of a CPU at the first instruction of a function, or where it returns to. */
type CodeRegisters = Omit<KernelRegisters, "pc">;

/** Something that happened. */
export interface TaskEvent {
  readonly kind: TaskEventKind;
  /** Virtual time (ns) at which it began. */
  readonly time: number;
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly result?: { readonly code: number; readonly name: string; readonly refused: boolean };
}

/** A place in the kernel's code, and what happens there. */
export interface TaskPlace {
  /** Kinds of events for which it is looked at. */
  readonly kinds: readonly TaskEventKind[];
  /** The kind of event that is seen there, for gaps. */
  readonly of: string;
  /** @throws BadMemory, NoType, TooMuch */
  readonly seen: (registers: CodeRegisters, time: number) => TaskEvent | undefined;
}

/** A task that does something. */
interface Doer {
  readonly pid: number;
  readonly tgid: number;
  readonly comm: string;
}

/** A system call in progress. */
interface Entered {
  readonly time: number;
  readonly call: SystemCall;
  readonly values: readonly bigint[];
  texts: (string | undefined)[];
  /** The program's saved x0, which becomes the result. */
  readonly result: Word;
}

/** The number of a system call is in x8; arguments are in x0 to x5. */
const NUMBER_REGISTER = 8, SAVED_BYTES = 8 * (NUMBER_REGISTER + 1);
/** Calls in progress, and tasks, that are kept: a kernel has fewer. */
const KEPT_MAX = 65_536;
const FILE_MAX = 4096;

/** Functions that perform a program's system call, and those that may call them with BL. */
const CALLED = ["do_el0_svc", "do_el0_svc_compat"];
const CALLERS = [
  "el0_svc",
  "el0t_64_sync_handler",
  "el0_sync_handler",
  "el0_svc_compat",
  "el0t_32_sync_handler",
  "el0_sync_compat_handler",
];
/** BL, and its offset in instructions. Arm ARM C6.2.36. */
const BL = { mask: 0xfc00_0000, value: 0x9400_0000 }, OFFSET_BITS = 26;
/** Calls after which the program has other memory. */
const EXECUTES: ReadonlySet<string> = new Set(["execve", "execveat"]);
/** Names of the function that sends a signal, those of newer kernels first. */
const SENDERS = ["__send_signal_locked", "send_signal_locked", "__send_signal", "send_signal"];

/** The events of one kernel. */
export class TaskEvents {
  readonly #entered = new Map<bigint, Entered>();
  readonly #tasks: Tasks;

  /** @param reading of the memory at the instant at which a place is seen */
  constructor(readonly reading: Reading) {
    this.#tasks = new Tasks(reading);
  }

  /**
   * Places by address.
   * @param reading of the memory now
   */
  places(reading: Reading): Map<bigint, TaskPlace> {
    const places = new Map<bigint, TaskPlace>(), { kernel, memory } = reading;
    const put = (names: readonly string[], kinds: readonly TaskEventKind[], of: string, seen: TaskPlace["seen"]) => {
      const address = names.map((name) => kernel.find(memory, name)).find((found) => found !== undefined);
      if (address !== undefined) places.set(address, { kinds, of, seen });
      return address;
    };
    const call = ["syscall"] as const, task = ["task"] as const;
    for (const name of CALLED) {
      const called = put([name], call, "system call", (registers, time) => this.#enters(registers, time));
      if (called === undefined) continue;
      for (const address of returnsOf(reading, called)) {
        places.set(address, { kinds: call, of: "system call", seen: (registers, time) => this.#returns(registers, time) });
      }
    }
    put(["__switch_to"], task, "switch", (...at) => this.#switches(...at));
    put(["wake_up_new_task"], task, "new task", (...at) => this.#forks(...at));
    put(["setup_new_exec"], ["syscall", "task"], "exec", (...at) => this.#execs(...at));
    put(["do_exit"], task, "exit", (...at) => this.#exits(...at));
    put(SENDERS, task, "signal", (...at) => this.#signals(...at));
    return places;
  }

  /** Forgets the calls in progress, of which some return unobserved, and the tasks. */
  forget(): void {
    this.#entered.clear();
    this.#tasks.forget();
  }

  #enters(registers: CodeRegisters, time: number): TaskEvent | undefined {
    const at = registers.getX(0) + this.#tasks.saved, { memory } = this.reading, saved = memory.view(at, SAVED_BYTES);
    const { view, offset } = saved, call = systemCall(view.getUint32(offset + 8 * NUMBER_REGISTER, true));
    const values = call.kinds.map((_, index) => view.getBigUint64(offset + 8 * index, true));
    const result = isInPage(saved) ? saved : memory.view(at, 8);
    const task = registers.getRegister("SP_EL0"), texts = call.hasTexts ? textsOf(call, values, this.#programOf(task)) : NO_TEXTS;
    const entered: Entered = { time, call, values, texts, result };
    if (!returns(call)) return this.#called(task, entered, undefined);
    if (this.#entered.size >= KEPT_MAX) this.#entered.clear();
    this.#entered.set(task, entered);
    return undefined;
  }

  #returns(registers: CodeRegisters, time: number): TaskEvent | undefined {
    const task = registers.getRegister("SP_EL0"), entered = this.#entered.get(task) ?? this.#unseen(task, time);
    if (!entered) return undefined;
    this.#entered.delete(task);
    const { call, values, texts, result: { view, offset } } = entered, result = view.getBigUint64(offset, true);
    // The kernel may have read a page that was not in memory when the call began.
    if (call.hasTexts && lacksText(call, values, texts) && !(result === 0n && EXECUTES.has(call.name))) {
      const now = textsOf(call, values, this.#programOf(task));
      for (const [index, text] of now.entries()) texts[index] ??= text;
    }
    return this.#called(task, entered, result);
  }

  /** The event of a call. @param result undefined: it does not return */
  #called(task: bigint, { time, call, values, texts }: Entered, result: bigint | undefined): TaskEvent {
    const { pid, tgid, comm } = this.#tasks.at(task), fields = { pid, tgid, comm, args: argumentTexts(call, values, texts) };
    return { kind: "syscall", time, name: call.name, fields, result: result === undefined ? undefined : resultOf(call, result) };
  }

  /** A call that began before the observation, from the registers that the kernel has saved. */
  #unseen(task: bigint, time: number): Entered | undefined {
    const saved = programRegisters(this.reading, this.reading.struct("task_struct", task)), number = saved.signed("syscallno");
    // A call that has replaced the registers has cleared its number.
    if (number < 0) return undefined;
    const call = systemCall(number);
    const values = call.kinds.map((_, index) => index === 0 ? saved.big("orig_x0") : saved.big(`regs[${index}]`));
    return { time, call, values, texts: [], result: this.reading.memory.view(saved.address + this.#tasks.saved, 8) };
  }

  /**
   * The memory of a program: as its CPU translates it, or where the kernel hides it from itself
   * (without PAN in hardware), by the program's tables, which are looked for at most once.
   */
  #programOf(task: bigint): (address: bigint) => DataView | undefined {
    const { reading } = this;
    let memory: VirtualMemory | undefined, tried = false;
    return (address) => {
      // A program that names the kernel's memory does not get it.
      if (address >= UPPER_HALF) return undefined;
      const seen = reading.memory.page(address);
      if (seen) return seen;
      if (!tried) {
        tried = true;
        const mm = reading.struct("task_struct", task).at("mm", "mm_struct");
        memory = mm && userMemory(reading, mm);
      }
      return memory?.page(address);
    };
  }

  #current(registers: CodeRegisters): Doer {
    return this.#tasks.at(registers.getRegister("SP_EL0"));
  }

  #switches(registers: CodeRegisters, time: number): TaskEvent {
    const from = registers.getX(0), { pid, tgid, comm } = this.#tasks.at(from), next = this.#tasks.at(registers.getX(1));
    const state = stateOf(this.reading.struct("task_struct", from));
    const fields = { pid, tgid, comm, state, next: next.pid, next_tgid: next.tgid, next_comm: next.comm };
    return { kind: "task", time, name: "switch", fields };
  }

  #forks(registers: CodeRegisters, time: number): TaskEvent {
    const parent = this.#current(registers), child = this.#tasks.at(registers.getX(0));
    const name = child.tgid === parent.tgid ? "thread" : "fork";
    return { kind: "task", time, name, fields: { ...parent, child: child.pid } };
  }

  #execs(registers: CodeRegisters, time: number): TaskEvent {
    const program = this.reading.struct("linux_binprm", registers.getX(0));
    const file = program.textAt("filename", FILE_MAX), interpreter = program.textAt("interp", FILE_MAX);
    // From here on the task has the memory of its new program, without the path.
    const entered = this.#entered.get(registers.getRegister("SP_EL0")), path = entered?.call.kinds.indexOf("p") ?? -1;
    if (entered && path >= 0 && file !== undefined) entered.texts[path] ??= quoted(file);
    const fields = { ...this.#current(registers), file: file ?? "", ...interpreter !== file && { interpreter } };
    return { kind: "task", time, name: "exec", fields };
  }

  /** The code is that of wait(2). */
  #exits(registers: CodeRegisters, time: number): TaskEvent {
    const code = Number(registers.getX(0) & 0xffffn), signal = code & 0x7f;
    const fields = { ...this.#current(registers), ...signal ? { signal: signalName(signal) } : { code: code >> 8 } };
    return { kind: "task", time, name: "exit", fields };
  }

  #signals(registers: CodeRegisters, time: number): TaskEvent {
    const to = this.#tasks.at(registers.getX(2)), signal = signalName(Number(registers.getX(0) & 0xffn));
    return { kind: "task", time, name: "signal", fields: { ...this.#current(registers), signal, to: to.pid, to_comm: to.comm } };
  }
}

const NO_TEXTS: (string | undefined)[] = [];

function resultOf(call: SystemCall, value: bigint): NonNullable<TaskEvent["result"]> {
  const signed = BigInt.asIntN(64, value), code = Number(signed);
  if (code < 0 && code >= -MAX_ERRNO) return { code, name: errorName(-code), refused: false };
  return { code, name: returnsAddress(call) ? `0x${value.toString(16)}` : String(signed), refused: false };
}

/** A place in memory. */
type Word = ReturnType<VirtualMemory["view"]>;

/** Whether it is in a page of the memory, and not a copy. */
const isInPage = ({ view }: Word) => view.byteLength === PAGE_SIZE;

/** A task that was seen: its numbers and its name, and where they are. */
interface KnownTask {
  readonly doer: Doer;
  readonly pid: Word;
  readonly tgid: Word;
  readonly comm: Word;
  /** The name. */
  readonly words: readonly [bigint, bigint];
}

/**
 * Numbers and names of tasks. They are kept with their places, as they seldom change, and a
 * kernel's structures do not move.
 */
class Tasks {
  readonly #known = new Map<bigint, KnownTask>();
  readonly #pid: bigint;
  readonly #tgid: bigint;
  readonly #comm: bigint;
  /** Offset of the program's x0 in `pt_regs`. */
  readonly saved: bigint;

  /** @throws NoType */
  constructor(readonly reading: Reading) {
    const task = reading.struct("task_struct", 0n);
    this.#pid = task.addressOf("pid");
    this.#tgid = task.addressOf("tgid");
    this.#comm = task.addressOf("comm");
    this.saved = reading.struct("pt_regs", 0n).addressOf("regs[0]");
  }

  at(address: bigint): Doer {
    const known = this.#known.get(address);
    if (known && isSame(known)) return known.doer;
    const { memory } = this.reading, pid = memory.view(address + this.#pid, 4), tgid = memory.view(address + this.#tgid, 4);
    const comm = memory.view(address + this.#comm, COMM_SIZE), { view, offset } = comm;
    const name = textOf(new Uint8Array(view.buffer, view.byteOffset + offset, COMM_SIZE));
    const doer = { pid: numberAt(pid), tgid: numberAt(tgid), comm: name };
    if (!isInPage(comm)) return doer;
    if (this.#known.size >= KEPT_MAX) this.#known.clear();
    this.#known.set(address, { doer, pid, tgid, comm, words: [view.getBigUint64(offset, true), view.getBigUint64(offset + 8, true)] });
    return doer;
  }

  /** Forgets the places. */
  forget(): void {
    this.#known.clear();
  }
}

/** Bytes of `task_struct.comm`. */
const COMM_SIZE = 16;

const numberAt = ({ view, offset }: Word) => view.getUint32(offset, true);

function isSame({ doer, pid, tgid, comm: { view, offset }, words: [low, high] }: KnownTask): boolean {
  return numberAt(pid) === doer.pid && numberAt(tgid) === doer.tgid && view.getBigUint64(offset, true) === low &&
    view.getBigUint64(offset + 8, true) === high;
}

/** Where calls of a function return to. */
function* returnsOf({ kernel, memory }: Reading, called: bigint): Generator<bigint> {
  for (const name of CALLERS) {
    for (const table of kernel.symbols) {
      const start = table.find(name)?.address, end = start === undefined ? undefined : table.next(start);
      if (start === undefined || end === undefined) continue;
      for (let at = start; at < end; at += 4n) if (targetOf(memory, at) === called) yield at + 4n;
    }
  }
}

function targetOf(memory: VirtualMemory, address: bigint): bigint | undefined {
  const word = memory.u32(address);
  if ((word & BL.mask) >>> 0 !== BL.value) return undefined;
  return BigInt.asUintN(64, address + 4n * BigInt.asIntN(OFFSET_BITS, BigInt(word)));
}
