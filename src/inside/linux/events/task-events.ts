// Events of a kernel's tasks: system calls, switches, new tasks, ends, signals. A CPU is observed
// at the functions of the kernel in which they happen: its registers and memory at that instant
// show the event. Nothing is changed.

import { addressKey } from "../../../kit/support/values/address-key.ts";
import { argumentTexts, lacksText, type ProgramTexts, textsOf } from "./call-arguments.ts";
import { programRegisters } from "../structures/frames.ts";
import type { LinuxKernel } from "../kernel/kernel.ts";
import { isInPage, type MemoryPlace, type SeenMemory, textOf, type VirtualMemory } from "../kernel/memory.ts";
import { ProgramTables } from "../structures/program-tables.ts";
import { type KernelRegisters, Reading } from "../kernel/reading.ts";
import { errorName, hasResult, MAX_ERRNO, returns, returnsAddress, signalName, type SystemCall, systemCall } from "./system-calls.ts";
import { stateOf } from "../structures/tasks.ts";
import { programAddress } from "../kernel/types.ts";

export type TaskEventKind = "syscall" | "task";

/** Registers of a CPU before, in or after the call of a function. */
interface CodeRegisters extends Omit<KernelRegisters, "pc"> {
  /** `addressKey` of the current task. */
  keyOf(name: "SP_EL0"): number;
}

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

/**
 * A system call: in progress, then as an event. It keeps words and bytes; texts are made when
 * somebody reads them.
 */
class CallEvent implements TaskEvent {
  readonly kind = "syscall";
  /** Undefined while it is in progress. */
  doer: Doer | undefined;
  /** Undefined if it does not return, or has no result. */
  value: bigint | undefined;
  #fields: TaskEvent["fields"] | undefined;
  #result: TaskEvent["result"];

  /**
   * @param texts the texts that arguments lead to, as far as they were in memory
   * @param saved the program's saved x0, which becomes the result
   */
  constructor(
    readonly time: number,
    readonly call: SystemCall,
    readonly values: readonly bigint[],
    public texts: ProgramTexts,
    readonly saved: MemoryPlace,
  ) {}

  get name(): string {
    return this.call.name;
  }

  get fields(): TaskEvent["fields"] {
    return this.#fields ??= { ...this.doer, args: argumentTexts(this.call, this.values, this.texts) };
  }

  get result(): TaskEvent["result"] {
    return this.#result ??= this.value === undefined ? undefined : resultOf(this.call, this.value);
  }
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
const BL = { mask: 0xfc00_0000, value: 0x9400_0000 }, OFFSET_BITS = 26, INSTRUCTION = 4n;
/** Calls after which the program has other memory. */
const EXECUTES: ReadonlySet<string> = new Set(["execve", "execveat"]);
/** Names of the function that sends a signal, those of newer kernels first. */
const SENDERS = ["__send_signal_locked", "send_signal_locked", "__send_signal", "send_signal"];

/** The events of one kernel. */
export class TaskEvents {
  /** By `addressKey` of the task. */
  readonly #entered = new Map<number, CallEvent>();
  readonly #tasks: Tasks;
  readonly #programs: ProgramTables;
  /** While a CPU is in the kernel, it does not translate addresses of the program. */
  #hidesPrograms = false;
  readonly reading: Reading;

  /**
   * @param vm its name
   * @param memory as it is seen at the instant at which a place is passed
   */
  constructor(vm: string, kernel: LinuxKernel, readonly memory: SeenMemory) {
    this.reading = new Reading(vm, kernel, memory);
    this.#tasks = new Tasks(this.reading);
    this.#programs = new ProgramTables(this.reading);
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
    };
    const call = ["syscall"] as const, task = ["task"] as const;
    for (const name of CALLED) {
      const called = kernel.find(memory, name);
      if (called === undefined) continue;
      const place = (seen: TaskPlace["seen"]) => ({ kinds: call, of: "system call", seen });
      const enters = place((...at) => this.#enters(...at)), returns = place((...at) => this.#returns(...at));
      const calls = [...callsOf(reading, called)];
      // The call instead of the function: what it executes stays in one region.
      for (const address of calls.length ? calls : [called]) places.set(address, enters);
      for (const address of calls) places.set(address + INSTRUCTION, returns);
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
    this.#programs.forget();
  }

  #enters(registers: CodeRegisters, time: number): TaskEvent | undefined {
    const at = registers.getX(0) + this.#tasks.saved, { memory } = this.reading, saved = memory.view(at, SAVED_BYTES);
    const { view, offset } = saved, call = systemCall(view.getUint32(offset + 8 * NUMBER_REGISTER, true));
    const values: bigint[] = [];
    for (let index = 0; index < call.kinds.length; index++) values.push(view.getBigUint64(offset + 8 * index, true));
    const result = isInPage(saved) ? saved : memory.view(at, 8);
    const texts = call.hasTexts ? textsOf(call, values, this.#programOf(registers)) : NO_TEXTS;
    const entered = new CallEvent(time, call, values, texts, result);
    if (!returns(call)) return this.#called(registers, entered);
    if (this.#entered.size >= KEPT_MAX) this.#entered.clear();
    this.#entered.set(registers.keyOf("SP_EL0"), entered);
    return undefined;
  }

  #returns(registers: CodeRegisters, time: number): TaskEvent | undefined {
    const key = registers.keyOf("SP_EL0"), entered = this.#entered.get(key) ?? this.#unseen(registers, time);
    if (!entered) return undefined;
    this.#entered.delete(key);
    const { call, values, texts, saved: { view, offset } } = entered, result = view.getBigUint64(offset, true);
    // The kernel may have read a page that was not in memory when the call began.
    if (call.hasTexts && lacksText(call, values, texts) && !(result === 0n && EXECUTES.has(call.name))) {
      const now = textsOf(call, values, this.#programOf(registers));
      entered.texts = call.kinds.map((_, index) => texts[index] ?? now[index]);
    }
    if (hasResult(call)) entered.value = result;
    return this.#called(registers, entered);
  }

  #called(registers: CodeRegisters, entered: CallEvent): CallEvent {
    entered.doer = this.#current(registers);
    return entered;
  }

  /** A call that began before the observation, from the registers that the kernel has saved. */
  #unseen(registers: CodeRegisters, time: number): CallEvent | undefined {
    const { reading } = this, saved = programRegisters(reading, reading.struct("task_struct", registers.getRegister("SP_EL0")));
    const number = saved.signed("syscallno");
    // A call that has replaced the registers has cleared its number.
    if (number < 0) return undefined;
    const call = systemCall(number);
    const values = call.kinds.map((_, index) => index === 0 ? saved.big("orig_x0") : saved.big(`regs[${index}]`));
    return new CallEvent(time, call, values, NO_TEXTS, reading.memory.view(saved.address + this.#tasks.saved, 8));
  }

  /**
   * The memory of a program: as its CPU translates it, or where the kernel hides it from itself
   * (without PAN in hardware), by the program's tables.
   */
  #programOf(registers: CodeRegisters): (address: bigint) => DataView | undefined {
    const { memory, reading: { kernel } } = this;
    return (pointer) => {
      const address = programAddress(pointer, kernel.tcr);
      // A program that names the kernel's memory does not get it.
      if (address === undefined) return undefined;
      const seen = this.#hidesPrograms ? undefined : memory.page(address);
      if (seen) return seen;
      const tables = this.#programs.of(registers.keyOf("SP_EL0"), registers.getRegister("SP_EL0"));
      const page = tables && memory.pageBy(tables, address);
      if (page) this.#hidesPrograms = true;
      return page;
    };
  }

  #current(registers: CodeRegisters): Doer {
    return this.#tasks.current(registers);
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
    const entered = this.#entered.get(registers.keyOf("SP_EL0")), path = entered?.call.kinds.indexOf("p") ?? -1;
    if (entered && path >= 0 && file !== undefined) entered.texts = entered.texts.with(path, entered.texts[path] ?? file);
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

const NO_TEXTS: ProgramTexts = [];

function resultOf(call: SystemCall, value: bigint): NonNullable<TaskEvent["result"]> {
  const signed = BigInt.asIntN(64, value), code = Number(signed);
  if (code < 0 && code >= -MAX_ERRNO) return { code, name: errorName(-code), refused: false };
  return { code, name: returnsAddress(call) ? `0x${value.toString(16)}` : String(signed), refused: false };
}

/** A task that was seen: its numbers and its name, and where they are. */
interface KnownTask {
  readonly doer: Doer;
  readonly pid: MemoryPlace;
  readonly tgid: MemoryPlace;
  readonly comm: MemoryPlace;
  /** The name. */
  readonly words: readonly number[];
}

/**
 * Numbers and names of tasks. They are kept with their places, as they seldom change, and a
 * kernel's structures do not move.
 */
class Tasks {
  /** By `addressKey`. */
  readonly #known = new Map<number, KnownTask>();
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

  /** Of a CPU, in the kernel. */
  current(registers: CodeRegisters): Doer {
    const key = registers.keyOf("SP_EL0"), known = this.#known.get(key);
    return known && isSame(known) ? known.doer : this.#read(registers.getRegister("SP_EL0"), key);
  }

  at(address: bigint): Doer {
    const key = addressKey(address), known = this.#known.get(key);
    return known && isSame(known) ? known.doer : this.#read(address, key);
  }

  #read(address: bigint, key: number): Doer {
    const { memory } = this.reading, pid = memory.view(address + this.#pid, 4), tgid = memory.view(address + this.#tgid, 4);
    const comm = memory.view(address + this.#comm, COMM_SIZE), { view, offset } = comm;
    const name = textOf(new Uint8Array(view.buffer, view.byteOffset + offset, COMM_SIZE));
    const doer = { pid: numberAt(pid), tgid: numberAt(tgid), comm: name };
    if (!isInPage(comm)) return doer;
    if (this.#known.size >= KEPT_MAX) this.#known.clear();
    const words = COMM_WORDS.map((at) => view.getUint32(offset + at, true));
    this.#known.set(key, { doer, pid, tgid, comm, words });
    return doer;
  }

  /** Forgets the places. */
  forget(): void {
    this.#known.clear();
  }
}

/** Bytes of `task_struct.comm`, and where its words begin. */
const COMM_SIZE = 16, COMM_WORDS = [0, 4, 8, 12];

const numberAt = ({ view, offset }: MemoryPlace) => view.getUint32(offset, true);

function isSame({ doer, pid, tgid, comm: { view, offset }, words }: KnownTask): boolean {
  if (numberAt(pid) !== doer.pid || numberAt(tgid) !== doer.tgid) return false;
  for (let index = 0; index < words.length; index++) if (view.getUint32(offset + 4 * index, true) !== words[index]) return false;
  return true;
}

/** The calls of a function. */
function* callsOf({ kernel, memory }: Reading, called: bigint): Generator<bigint> {
  for (const name of CALLERS) {
    for (const table of kernel.symbols) {
      const start = table.find(name)?.address, end = start === undefined ? undefined : table.next(start);
      if (start === undefined || end === undefined) continue;
      for (let at = start; at < end; at += INSTRUCTION) if (targetOf(memory, at) === called) yield at;
    }
  }
}

function targetOf(memory: VirtualMemory, address: bigint): bigint | undefined {
  const word = memory.u32(address);
  if ((word & BL.mask) >>> 0 !== BL.value) return undefined;
  return BigInt.asUintN(64, address + INSTRUCTION * BigInt.asIntN(OFFSET_BITS, BigInt(word)));
}
