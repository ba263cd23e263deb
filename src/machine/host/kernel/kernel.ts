// The parts of a host kernel that drivers and VMMs need: processes with descriptor tables and
// address spaces, and ioctls that may wait. An ioctl in progress is a task: plain data that says
// its progress, so that all of this can be saved between two events (docs/architecture/host.md,
// "The kernel").

import { asIpa } from "../../abi/numbers.ts";
import { HypercallCaller } from "../../abi/hypercall-caller.ts";
import type { NativeVcpu } from "../../abi/native-guest.ts";
import { INJECTED, INJECTED_SECTION, injectedValues } from "../../abi/faults.ts";
import type { BrokenRule, RecallOperation, TraceFields, TraceId } from "../../abi/trace.ts";
import { findRequest } from "../../abi/ioctl/decode.ts";
import { GZVM } from "../../abi/ioctl/geniezone.ts";
import { GH } from "../../abi/ioctl/gunyah.ts";
import type { Request } from "../../abi/ioctl/request.ts";
import { Errno, errnoName } from "../../abi/ioctl/errno.ts";
import { type AccessResult, HostMemory, HUGE_PAGE, type MemoryState, type Pinned, Signal, type UserSpace } from "./memory.ts";
import { newPageAllocatorState } from "./page-allocator.ts";
import { Eventfds, type EventfdState, type FileKind, type FileOperations, type OpenFile, Poll } from "./files.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Why a call that opens a file is refused where its process has as many as it may. */
export const NO_DESCRIPTOR = "the process has no free descriptor";

/** A process. Plain data. */
interface Process {
  readonly pid: number;
  /** Id of its address space. */
  readonly space: number;
  /** Open file and close-on-exec flag by descriptor. */
  descriptors: Record<number, { file: number; closeOnExec: boolean }>;
  uid: number;
  /** RLIMIT_MEMLOCK, bytes. */
  memlock: number;
}

/** An ioctl in progress. Plain data. */
interface Task {
  readonly id: number;
  readonly pid: number;
  readonly space: number;
  readonly file: number;
  /** A signal waits for it. */
  signalled: boolean;
  /** A fault rule makes it wait until a signal comes, unknown to any driver. */
  lost?: true;
  /** Its operation in the trace; not kept over a restore. */
  trace: number | undefined;
}

/** Everything that the kernel knows, without its drivers: plain data. */
export interface KernelState {
  nextId: number;
  processes: Record<number, Process>;
  files: Record<number, OpenFile>;
  tasks: Record<number, Task>;
  eventfds: EventfdState;
  memory: MemoryState;
}

/** Golden ratio: neighbors get numbers far apart. */
const SPREAD = 0x9e37_79b1;
/** Linux's allocator has blocks of up to 2 to the power of this pages. */
const MAX_ORDER = 10;

interface KernelOptions {
  /** RAM for processes: IPA and bytes. */
  readonly memory: { readonly base: number; readonly size: number };
  /** RLIMIT_MEMLOCK of new processes, bytes. */
  readonly memlock: number;
  /**
   * Its largest block of contiguous memory is 2 to the power of this pages; undefined is as Linux
   * begins.
   */
  readonly maxOrder?: number;
  /** Percentage of its pages that lie in CMA areas, from where they cannot be moved. */
  readonly unpinnable?: number;
  /** Pages of 2 MiB that it has for blocks of processes; undefined as many as fit. */
  readonly hugePages?: number;
  /** Greatest VMID that the secure world has an id for; none if it is not asked. */
  readonly scmMax?: number;
  /** An ioctl that waited has ended. */
  finished(task: number, pid: number, result: number): void;
  /** An eventfd was written or signaled. */
  signalled(eventfd: number): void;
}

/** open's flags that matter here. */
type OpenMode = "r" | "w" | "rw";

/** Result of an ioctl call: it ended, or its task waits. */
export interface IoctlResult {
  readonly task: number;
  /** Undefined while it waits. */
  readonly result: number | undefined;
}

/** An ioctl that a driver is performing: with its result if it has ended within the call. */
interface Beginning {
  readonly task: number;
  result: number | undefined;
}

/**
 * RUN ends whenever a guest touches a device: it is traced with vCPU activity, not with the VMMs'
 * ioctls.
 */
const RUNS: readonly number[] = [GH.RUN.code, GZVM.RUN.code];
/** Bytes of a process's own program and data. */
const PROGRAM_SIZE = 0x1_0000;
/** Most descriptors of a process. */
const MAX_DESCRIPTORS = 1024;

/** The state of a kernel that runs nothing. */
export function newKernelState({ memory }: KernelOptions): KernelState {
  const pages = newPageAllocatorState(asIpa(memory.base), memory.size);
  return {
    nextId: 1,
    processes: {},
    files: {},
    tasks: {},
    eventfds: {},
    memory: { pages, objects: {}, spaces: {}, nextId: 1, zeroPage: undefined },
  };
}

/** Why pages of a process cannot be a VM's. */
export const UNPINNABLE = "a page of the process lies in a CMA area, from where a long-term pin has to move it, and it cannot be moved";
export const UNPINNABLE_WAY_OUT = "give the VM memory that was allocated as unmovable";

/** Whether a page is one of the percentage, which are spread over all of memory. */
function liesInCma(ipa: number, percentage: number): boolean {
  return (Math.imul(ipa / PAGE_SIZE, SPREAD) >>> 0) % 100 < percentage;
}

/** The kernel. Each event sets `cpu` first: the vCPU on which everything happens until the next. */
export class HostKernel {
  readonly memory: HostMemory;
  readonly eventfds: Eventfds;
  readonly #options: KernelOptions;
  readonly #operations = new Map<FileKind, FileOperations>();
  readonly #devices = new Map<string, FileKind>();
  readonly #absent = new Map<string, BrokenRule>();
  /** Hypercalls on `cpu`. */
  readonly calls: HypercallCaller = new HypercallCaller();
  /** The ioctl that its driver has not answered yet. */
  #beginning: Beginning | undefined;

  constructor(readonly state: KernelState, options: KernelOptions) {
    this.#options = options;
    this.memory = new HostMemory(state.memory, () => this.cpu, (file) => this.dropFile(file));
    this.eventfds = new Eventfds(state.eventfds, options.signalled);
    this.register("eventfd", this.eventfds);
    this.register("memfd", {
      name: () => "memfd:",
      memory: (file) => file.target,
      release: (file) => this.memory.dropObject(file.target),
    });
  }

  /** The vCPU whose event is handled. */
  get cpu(): NativeVcpu {
    return this.calls.vcpu ?? fail("the host's kernel is used outside an event");
  }
  set cpu(cpu: NativeVcpu) {
    this.calls.vcpu = cpu;
  }

  /** Registers the operations of a kind of file, and the path at which it is opened, if any. */
  register(kind: FileKind, operations: FileOperations, path?: string): void {
    this.#operations.set(kind, operations);
    if (path !== undefined) this.#devices.set(path, kind);
  }

  // ---- processes ----

  /** A process of root without descriptors. Returns its pid. */
  spawn(): number {
    const pid = this.state.nextId++;
    const { id: space } = this.memory.createSpace();
    this.state.processes[pid] = { pid, space, descriptors: {}, uid: 0, memlock: this.#options.memlock };
    // The program itself, above all that it will map.
    this.mapAnonymous(pid, PROGRAM_SIZE, { read: true, write: true });
    return pid;
  }

  /** A child with the same open files and a copy of the address space. */
  fork(parent: number): number {
    const { descriptors, uid, memlock } = this.#process(parent);
    const pid = this.state.nextId++;
    const space = this.memory.forkSpace(this.spaceOf(parent));
    for (const { file } of space.mappings) if (file !== undefined) this.#file(file).refs++;
    this.state.processes[pid] = { pid, space: space.id, descriptors: structuredClone(descriptors), uid, memlock };
    for (const { file } of Object.values(descriptors)) this.#file(file).refs++;
    return pid;
  }

  /**
   * Ends a process: its calls, its mappings, then its descriptors, the last first, as Linux's
   * deferred fput has it.
   */
  exit(pid: number): void {
    for (const task of Object.values(this.state.tasks)) if (task.pid === pid) this.signal(task.id);
    const process = this.#process(pid);
    const space = this.spaceOf(pid);
    this.memory.clearSpace(space);
    for (const fd of Object.keys(process.descriptors).map(Number).sort((a, b) => b - a)) this.close(pid, fd);
    this.memory.dropSpace(space);
    delete this.state.processes[pid];
  }

  exists(pid: number): boolean {
    return this.state.processes[pid] !== undefined;
  }

  setuid(pid: number, uid: number): void {
    this.#process(pid).uid = uid;
  }

  /** @param bytes RLIMIT_MEMLOCK. */
  setMemlock(pid: number, bytes: number): void {
    this.#process(pid).memlock = bytes;
  }

  spaceOf(pid: number): UserSpace {
    return this.memory.space(this.#process(pid).space) ?? fail(`process ${pid} has no address space`);
  }

  /**
   * Checks a state from a file: queries count a process's locked memory at any time.
   * @throws Error that names the process
   */
  checkProcesses(): void {
    for (const pid of Object.keys(this.state.processes)) this.spaceOf(Number(pid));
  }

  /** VmLck of a process, bytes. */
  lockedBytes(pid: number): number {
    return this.spaceOf(pid).locked * PAGE_SIZE;
  }

  /** RLIMIT_MEMLOCK of a process, bytes. */
  lockLimit(pid: number): number {
    return this.#process(pid).memlock;
  }

  // ---- files ----

  open(pid: number, path: string, _mode: OpenMode = "rw"): number {
    const kind = this.#devices.get(path);
    if (kind !== undefined) return this.install(pid, kind, 0, true);
    const absent = this.#absent.get(path);
    if (absent !== undefined) this.#refuseCall("open", { path }, -Errno.ENOENT, errnoName(-Errno.ENOENT), absent);
    return -Errno.ENOENT;
  }

  /** Something other than an ioctl fails by this rule. */
  #refuseCall(name: string, fields: TraceFields, code: number, result: string, rule: BrokenRule): void {
    const { trace } = this.cpu;
    const operation = trace.begin("ioctl", name, fields);
    trace.refuse(rule);
    trace.end(operation, { code, name: result, refused: true });
  }

  /**
   * Reclaims a page of a process that nothing pins: its content is copied elsewhere. False if the
   * host cannot read it, as it is lent: the process gets SIGBUS then.
   * @param since when it was lent, virtual ns
   */
  reclaimPage(pid: number, address: number, since: number): boolean {
    if (this.load(pid, address, 1).ok) return true;
    const place = `0x${address.toString(16)}`, seconds = (ns: number) => `${(ns / 1e9).toFixed(6)} s`;
    this.#refuseCall("reclaim", { pid, address }, -Signal.SIGBUS, "SIGBUS", {
      section: "phones B",
      object: "",
      values: { address, lent_since_ns: since },
      rule: `the host reclaimed page ${place} at ${seconds(this.cpu.now)}, which has been lent since ${seconds(since)} and was not pinned`,
      wayOut: "lock the memory (mlock) before it is lent, or use a driver that pins it",
    });
    return false;
  }

  /** A device whose driver is loaded and made no node, as `rule` says. */
  registerAbsent(path: string, rule: BrokenRule): void {
    this.#absent.set(path, rule);
  }

  /**
   * A new open file and a descriptor for it; a negative errno where the table is full:
   * `NO_DESCRIPTOR` is the rule then.
   */
  install(pid: number, kind: FileKind, target: number, closeOnExec: boolean): number {
    const fd = this.#freeDescriptor(pid);
    if (fd < 0) return fd;
    const file: OpenFile = { id: this.state.nextId++, refs: 1, kind, target };
    this.state.files[file.id] = file;
    this.#process(pid).descriptors[fd] = { file: file.id, closeOnExec };
    return fd;
  }

  close(pid: number, fd: number): number {
    const { descriptors } = this.#process(pid);
    const descriptor = descriptors[fd];
    if (descriptor === undefined) return -Errno.EBADF;
    delete descriptors[fd];
    this.dropFile(descriptor.file);
    return 0;
  }

  dup(pid: number, fd: number): number {
    const file = this.fileOf(pid, fd);
    if (file === undefined) return -Errno.EBADF;
    const copy = this.#freeDescriptor(pid);
    if (copy < 0) return copy;
    file.refs++;
    this.#process(pid).descriptors[copy] = { file: file.id, closeOnExec: false };
    return copy;
  }

  closesOnExec(pid: number, fd: number): boolean {
    return this.#process(pid).descriptors[fd]?.closeOnExec === true;
  }

  /** The open file of a descriptor. */
  fileOf(pid: number, fd: number): OpenFile | undefined {
    const descriptor = this.#process(pid).descriptors[fd];
    return descriptor && this.#file(descriptor.file);
  }

  /**
   * The file of a descriptor that is open.
   * @throws Error if it is closed
   */
  knownFile(pid: number, fd: number): OpenFile {
    const file = this.fileOf(pid, fd);
    if (file === undefined) throw new Error(`process ${pid} has no descriptor ${fd}`);
    return file;
  }

  holdFile(file: OpenFile): void {
    file.refs++;
  }

  dropFile(id: number): void {
    const file = this.#file(id);
    if (--file.refs > 0) return;
    delete this.state.files[id];
    this.#operations.get(file.kind)?.release?.(file);
  }

  /** Its name in /proc/self/fd; undefined for a closed descriptor. */
  descriptorName(pid: number, fd: number): string | undefined {
    const file = this.fileOf(pid, fd);
    return file && this.#of(file).name(file);
  }

  eventfd(pid: number, counter: number): number {
    const id = this.state.nextId++;
    const fd = this.install(pid, "eventfd", id, true);
    if (fd >= 0) this.eventfds.create(id, counter);
    return fd;
  }

  /** @param size bytes; the file ends at a whole page here. */
  memfd(pid: number, size: number): number {
    if (!(size >= 0)) return -Errno.EINVAL;
    const object = this.memory.createObject("file", Math.ceil(size / PAGE_SIZE));
    const fd = this.install(pid, "memfd", object.id, true);
    if (fd < 0) this.memory.dropObject(object.id);
    return fd;
  }

  read(pid: number, fd: number, length: number): Uint8Array | number {
    const file = this.fileOf(pid, fd);
    if (file === undefined) return -Errno.EBADF;
    return this.#of(file).read?.(file, length) ?? -Errno.EINVAL;
  }

  write(pid: number, fd: number, bytes: Uint8Array): number {
    const file = this.fileOf(pid, fd);
    if (file === undefined) return -Errno.EBADF;
    return this.#of(file).write?.(file, bytes) ?? -Errno.EINVAL;
  }

  /** Events that are set now. */
  poll(pid: number, fd: number): number {
    const file = this.fileOf(pid, fd);
    if (file === undefined) return -Errno.EBADF;
    return this.#of(file).poll?.(file) ?? (Poll.In | Poll.Out);
  }

  // ---- memory of a process ----

  /**
   * Maps `size` bytes of anonymous memory. `contiguous` allocates it at once as one physical block.
   * Returns the address or a negative errno.
   */
  mapAnonymous(pid: number, size: number, options: { read: boolean; write: boolean; contiguous?: boolean }): number {
    if (!(size > 0)) return -Errno.EINVAL;
    const pages = Math.ceil(size / PAGE_SIZE);
    if (options.contiguous && !this.#reservesHugePages(Math.floor(size / HUGE_PAGE))) return -Errno.ENOMEM;
    const object = options.contiguous ? this.memory.createContiguous(pages) : this.memory.createObject("anonymous", pages);
    if (object === undefined) return -Errno.ENOMEM;
    const { read, write } = options;
    // The object is this mapping's alone, so that writes need no copies.
    const address = this.memory.map(this.spaceOf(pid), object, { pages, offset: 0, read, write, private: false });
    if (address < 0) this.memory.dropObject(object.id);
    return address;
  }

  /** Whether there are so many pages of 2 MiB; if not, the trace has the reason. */
  #reservesHugePages(wanted: number): boolean {
    const { hugePages = Infinity } = this.#options;
    if (hugePages === Infinity) return true;
    const left = hugePages - this.memory.hugePages;
    if (wanted <= left) return true;
    this.#refuseCall("mmap", { huge_pages: wanted }, -Errno.ENOMEM, errnoName(-Errno.ENOMEM), {
      section: "phones B",
      object: "",
      values: { wanted, left, of: hugePages },
      rule: `too few pages of 2 MiB are left, ${left} of ${hugePages}, and the memory needs ${wanted}`,
      wayOut: "reserve them before other programs fragment the host's memory, or give the VM less memory",
    });
    return false;
  }

  /** Maps a file. `offset` and `size` in bytes. */
  mapFile(
    pid: number,
    fd: number,
    size: number,
    options: { read: boolean; write: boolean; private: boolean; offset: number },
  ): number {
    const file = this.fileOf(pid, fd);
    if (file === undefined) return -Errno.EBADF;
    const object = this.#of(file).memory?.(file);
    if (object === undefined) return -Errno.ENODEV;
    if (!(size > 0 && options.offset >= 0 && options.offset % PAGE_SIZE === 0)) return -Errno.EINVAL;
    const pages = Math.ceil(size / PAGE_SIZE);
    if (this.#of(file).mappedWhole && pages !== this.memory.object(object).pages) return -Errno.EINVAL;
    const { read, write } = options;
    const place = { pages, offset: options.offset / PAGE_SIZE, read, write, private: options.private, file: file.id };
    const address = this.memory.map(this.spaceOf(pid), this.memory.object(object), place);
    if (address < 0) return address;
    this.memory.holdObject(object);
    file.refs++;
    return address;
  }

  munmap(pid: number, address: number): number {
    return this.memory.unmap(this.spaceOf(pid), address) ? 0 : -Errno.EINVAL;
  }

  mprotect(pid: number, address: number, access: { read: boolean; write: boolean }): number {
    const mapping = this.memory.mappingAt(this.spaceOf(pid), address);
    if (mapping === undefined) return -Errno.ENOMEM;
    Object.assign(mapping, access);
    return 0;
  }

  load(pid: number, address: number, length: number): AccessResult<Uint8Array> {
    return this.memory.load(this.spaceOf(pid), address, length);
  }

  /** A load into existing bytes; the signal where it cannot be. */
  loadInto(pid: number, address: number, into: Uint8Array): number | undefined {
    return this.memory.loadInto(this.spaceOf(pid), address, into);
  }

  store(pid: number, address: number, bytes: Uint8Array): AccessResult<void> {
    return this.memory.store(this.spaceOf(pid), address, bytes);
  }

  // ---- ioctls ----

  /** ioctl: may wait. `argument` is 64 bits wide. */
  ioctl(pid: number, fd: number, code: number, argument: bigint): IoctlResult {
    const id = this.state.nextId++;
    const file = this.fileOf(pid, fd);
    const { trace } = this.cpu;
    if (file === undefined) return { task: id, result: -Errno.EBADF };
    const request = findRequest(code);
    const name = request?.name ?? `0x${(code >>> 0).toString(16)}`;
    const operation = trace.begin(
      RUNS.includes(code >>> 0) ? "sched" : "ioctl",
      name,
      { fd, ...this.#describe(pid, request, argument) },
      undefined,
      id,
    );
    const task: Task = { id, pid, space: this.spaceOf(pid).id, file: file.id, signalled: false, trace: operation };
    this.state.tasks[id] = task;
    file.refs++;
    const began: Beginning = { task: id, result: undefined };
    this.#beginning = began;
    const result = this.#perform(task, file, name, code >>> 0, argument) ?? began.result;
    this.#beginning = undefined;
    if (result === undefined) trace.suspend(operation);
    else this.#end(task, result);
    return { task: id, result };
  }

  /**
   * Calls the file's driver, unless a fault rule replaces the operation. Undefined while it waits.
   */
  #perform(task: Task, file: OpenFile, name: string, code: number, argument: bigint): number | undefined {
    const { faults } = this.cpu;
    const hit = faults.armed.ioctl ? faults.hit("ioctl", { name, pid: task.pid }) : undefined;
    const effect = hit?.effect;
    if (hit && effect?.kind === "error") return this.refuse(effect.code, INJECTED_SECTION, INJECTED, injectedValues(hit));
    if (effect?.kind === "lose") {
      task.lost = true;
      return undefined;
    }
    if (effect?.kind === "delay") faults.spend(effect.ns);
    const driver = this.#of(file);
    if (driver.ioctl !== undefined) return driver.ioctl(task.id, file, code, argument);
    // An eventfd, or memory: requests are the device's, a VM's and a vCPU's.
    return this.refuse(Errno.ENOTTY, "vm-manager 2", "the file of the descriptor answers no request", { request: name });
  }

  /** The argument for display: the fields of its structure if it points to one. */
  #describe(pid: number, request: Request | undefined, argument: bigint): TraceFields {
    if (request?.struct === undefined) return argument === 0n ? {} : { argument };
    const bytes = this.memory.copyIn(this.spaceOf(pid), argument, request.struct.size);
    return bytes === undefined ? { argument } : request.struct.decode(bytes);
  }

  /** A signal with a handler for the thread that is in this ioctl. False if it has ended. */
  signal(task: number): boolean {
    const waiting = this.state.tasks[task];
    if (waiting === undefined) return false;
    waiting.signalled = true;
    if (waiting.lost) {
      this.finish(task, -Errno.EINTR);
      return true;
    }
    const file = this.#file(waiting.file);
    this.#of(file).interrupt?.(task, file);
    return true;
  }

  /**
   * Operations of the trace that are the ioctls in progress of a process. Readers ask outside
   * events, where no vCPU has a trace: `recall` finds the operation of a task that was loaded.
   */
  operationsOf(pid: number, recall: RecallOperation): readonly TraceId[] {
    const own = Object.values(this.state.tasks).filter((task) => task.pid === pid);
    // A reader changes nothing: what it finds is not kept.
    return own.map((task) => task.trace ?? recall(task.id)).filter((operation) => operation !== undefined);
  }

  /** The task of an ioctl in progress. */
  task(id: number): Readonly<Task> {
    return this.state.tasks[id] ?? fail(`there is no task ${id}`);
  }

  inProgress(id: number): boolean {
    return this.state.tasks[id] !== undefined;
  }

  /** The address space of the caller. */
  callerSpace(task: number): UserSpace {
    return this.memory.space(this.task(task).space) ?? fail(`task ${task} has no address space`);
  }

  /**
   * Whether the caller may lock `pages` more: CAP_IPC_LOCK (root's) or room under RLIMIT_MEMLOCK. A
   * process that ended during its ioctl has no limit any more.
   */
  mayLock(task: number, pages: number, { locked } = this.callerSpace(task)): boolean {
    const process = this.state.processes[this.task(task).pid];
    return process === undefined || process.uid === 0 || (locked + pages) * PAGE_SIZE <= process.memlock;
  }

  /** Bytes of the largest block of contiguous memory for the kernel's own use. */
  get largestBlock(): number {
    return PAGE_SIZE << (this.#options.maxOrder ?? MAX_ORDER);
  }

  /** Greatest VMID that the secure world has an id for. */
  get scmMax(): number {
    return this.#options.scmMax ?? Infinity;
  }

  /** Pins user pages for a VM. A number is the negative errno: ENOMEM for a page in a CMA area. */
  pin(space: UserSpace, address: bigint, pages: number, write: boolean): Pinned | number {
    const pinned = this.memory.pin(space, address, pages, write);
    const { unpinnable = 0 } = this.#options;
    if (typeof pinned === "number" || unpinnable === 0) return pinned;
    const inCma = ({ ipa, count }: Pinned["ranges"][number]) => {
      for (let page = 0; page < count; page++) if (liesInCma(ipa + page * PAGE_SIZE, unpinnable)) return true;
      return false;
    };
    if (!pinned.ranges.some(inCma)) return pinned;
    this.memory.unpin(pinned);
    return -Errno.ENOMEM;
  }

  memlockOf(task: number): number {
    return this.#process(this.task(task).pid).memlock;
  }

  /** Does something that belongs to an ioctl which waited, and waits on. */
  within(task: number | undefined, act: () => void): void {
    const waiting = task === undefined ? undefined : this.state.tasks[task];
    const trace = waiting && this.#operationOf(waiting);
    if (trace !== undefined) this.cpu.trace.resume(trace);
    act();
    // It may have ended meanwhile.
    if (trace !== undefined && waiting && this.state.tasks[waiting.id] !== undefined) this.cpu.trace.suspend(trace);
  }

  /** Ends an ioctl that waited. `rule` is the one that it breaks, for a refusal. */
  finish(task: number, result: number, rule?: BrokenRule): void {
    const waiting = this.state.tasks[task];
    if (waiting === undefined) return;
    const { trace } = this.cpu;
    if (this.#beginning?.task === task) {
      // The operation was over before the ioctl could wait: `ioctl` returns the result.
      if (rule !== undefined) trace.refuse(rule);
      this.#beginning.result = result;
      return;
    }
    const operation = this.#operationOf(waiting);
    if (operation !== undefined) trace.resume(operation);
    if (rule !== undefined) trace.refuse(rule);
    this.#end(waiting, result);
    this.#options.finished(task, waiting.pid, result);
  }

  /** Notes why the call in progress is refused, and gives the negative errno. */
  refuse(errno: number, section: string, rule: string, values: TraceFields = {}, more: Partial<BrokenRule> = {}): number {
    this.cpu.trace.refuse({ section, rule, object: "", values, ...more });
    return -errno;
  }

  #end(task: Task, result: number): void {
    const { trace } = this.cpu;
    const refused = result < 0 && result !== -Errno.EINTR;
    const operation = this.#operationOf(task);
    if (operation !== undefined) trace.end(operation, { code: result, name: result < 0 ? errnoName(result) : "OK", refused });
    // Listeners of the trace still see whose operation ends.
    delete this.state.tasks[task.id];
    this.dropFile(task.file);
  }

  /** The operation of an ioctl, which the trace may know where the kernel was loaded. */
  #operationOf(task: Task): number | undefined {
    return task.trace ??= this.cpu.trace.recall(task.id);
  }

  #process(pid: number): Process {
    return this.state.processes[pid] ?? fail(`there is no process ${pid}`);
  }

  #file(id: number): OpenFile {
    return this.state.files[id] ?? fail(`there is no open file ${id}`);
  }

  #of(file: OpenFile): FileOperations {
    return this.#operations.get(file.kind) ?? fail(`nothing serves files of kind ${file.kind}`);
  }

  #freeDescriptor(pid: number): number {
    const { descriptors } = this.#process(pid);
    // 0 to 2 are the standard streams.
    for (let fd = 3; fd < MAX_DESCRIPTORS; fd++) if (descriptors[fd] === undefined) return fd;
    return -Errno.EMFILE;
  }
}

function fail(message: string): never {
  throw new Error(message);
}
