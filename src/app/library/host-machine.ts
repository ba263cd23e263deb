// The host machine of mod.ts: a machine whose primary VM has /dev/gunyah and /dev/gzvm, and a
// process on it that the caller controls. Each call happens inside the machine, at a point of
// virtual time.

import type { PersonaName } from "../../machine/abi/ioctl/personas.ts";
import { hostGuest, type Visit } from "../../machine/host/boot.ts";
import { assemble } from "../../session/assembly/assemble.ts";
import { whyId } from "../../model/queries/ids.ts";
import { rowsOf } from "../../model/queries/query.ts";
import { REASONS } from "../../model/queries/tables.ts";
import type { GuestSystem } from "../../session/assembly/system/guest-system.ts";
import { VisitedHost } from "./visited-host.ts";
import { KiB, MiB } from "../../kit/support/values/sizes.ts";

/**
 * Options of a `HostMachine`.
 *
 * ```ts
 * import { HostMachine, type HostMachineOptions } from "@el2/el2";
 *
 * const options: HostMachineOptions = { device: "v14", memory: 128 << 20, cpus: 1 };
 * console.log(new HostMachine(options).open("/dev/gunyah") >= 0); // true
 * ```
 */
export interface HostMachineOptions {
  /** Generation of /dev/gunyah. Default "union". */
  device?: PersonaName;
  /** RAM in bytes, a multiple of 2 MiB; 32 MiB of it are the host's own. Default 256 MiB. */
  memory?: number;
  /** Physical CPUs, 1 to 8. Default 2. */
  cpus?: number;
  /** RLIMIT_MEMLOCK of the process in bytes; it is root's until `setuid`. Default 64 KiB. */
  memlock?: number;
}

/**
 * Why a call of a `HostMachine` was refused.
 *
 * ```ts
 * import { HostMachine, type HostRefusal } from "@el2/el2";
 *
 * const host = new HostMachine({ device: "v14" });
 * host.ioctl(host.open("/dev/gunyah"), 0xb201);
 * const refusal: HostRefusal | undefined = host.reason;
 * console.log(refusal?.call, refusal?.code, refusal?.text, refusal?.wayOut); // 0xb201 ENOTTY …
 * ```
 */
export interface HostRefusal {
  /** The call that was made: the name of an ioctl. */
  readonly call: string;
  /** Its error: `EINVAL`. */
  readonly code: string;
  /** The section of the specification that has the rule. */
  readonly section: string;
  /** The rule that was broken. */
  readonly text: string;
  /** The values that broke it, by name. */
  readonly values: Readonly<Record<string, unknown>>;
  /** A way to avoid the refusal, where one is known. */
  readonly wayOut: string | undefined;
}

/** Bytes of RAM that are the host's own. */
const RESERVED = 32 * MiB;
/** Virtual time (ns) that an ioctl may take that has to end. */
const PATIENCE = 1e12;

/**
 * A machine whose primary VM has the drivers of Gunyah and GenieZone, and a process on it: its
 * methods are the process's system calls. Results below zero are negative errnos, as the kernel
 * returns them.
 *
 * ```ts
 * import { HostMachine } from "@el2/el2";
 *
 * const GH_CREATE_VM = 0x4700, GH_VM_START = 0x4703;
 * const host = new HostMachine({ device: "v14" });
 * const vm = host.ioctl(host.open("/dev/gunyah"), GH_CREATE_VM);
 * console.log(host.ioctl(vm, GH_VM_START) < 0, host.reason?.text); // the VM has no memory
 * ```
 */
export class HostMachine {
  readonly #system: Pick<GuestSystem, "machine" | "hypervisor" | "inspector">;
  readonly #host = new VisitedHost(() => this.#system.machine);
  readonly #pid: number;
  /** Reasons that there were when an ioctl that has not ended began, by its number. */
  readonly #began = new Map<number, number>();
  /** The ioctl that ended last: its result, and the reasons that there were when it began. */
  #last: { readonly result: number; readonly began: number } | undefined;

  /**
   * Boots the host; the process exists then.
   * @throws Error that names the invalid option.
   */
  constructor(options: HostMachineOptions = {}) {
    const { device = "union", memory = 256 * MiB, cpus = 2, memlock = 64 * KiB } = options;
    const program = hostGuest({
      device,
      memlock,
      vcpus: cpus,
      reserved: RESERVED,
      gzvm: { firmware: undefined },
      program: this.#host.program,
    });
    const host = { memory: RESERVED, vcpus: cpus, vms: [], driver: { device, gzvm: true, memlock } };
    const plan = { cpus, memory, turbo: true, seed: 1, what: { kind: "run", host } } as const;
    this.#system = assemble(plan, program);
    this.#pid = this.#visit(({ kernel }) => kernel.spawn());
  }

  /** Virtual time in ns. */
  get time(): number {
    return this.#system.machine.time;
  }

  /** Why the ioctl that ended last was refused; undefined if it was not, or by no rule of el2's. */
  get reason(): HostRefusal | undefined {
    const last = this.#last;
    if (!last || last.result >= 0) return undefined;
    // Guests and other threads are refused meanwhile, too.
    const own = this.#system.hypervisor.trace.reasons.list().find(({ id, chain: [first] }) =>
      id > last.began && first?.kind === "ioctl" && first.result.code === last.result
    );
    if (!own) return undefined;
    const [row] = rowsOf(REASONS, this.#system.inspector.answer({ table: "why", args: { filter: `id=${whyId(own.id)}` } }));
    return row && {
      call: row.call,
      code: row.err,
      section: row.section,
      text: row.rule,
      values: own.values,
      wayOut: row.way_out ?? undefined,
    };
  }

  /** A descriptor for /dev/gunyah or /dev/gzvm. */
  open(path: string): number {
    return this.#visit(({ kernel }) => kernel.open(this.#pid, path));
  }

  /** Closes a descriptor; a VM's last one ends the VM. */
  close(fd: number): number {
    return this.#visit(({ kernel }) => kernel.close(this.#pid, fd));
  }

  /**
   * An ioctl, and its result.
   * @throws Error when it has none within a long virtual time.
   */
  ioctl(fd: number, code: number, argument: number | bigint = 0): number {
    const task = this.start(fd, code, argument), end = this.wait(task, PATIENCE);
    if (end === undefined) throw new Error(`ioctl 0x${code.toString(16)} does not end`);
    this.#host.program.results.delete(task);
    return end;
  }

  /** Begins an ioctl in its own thread; the number is for `wait` and `signal`. */
  start(fd: number, code: number, argument: number | bigint = 0): number {
    const began = this.#system.hypervisor.trace.reasons.count;
    const { task, result } = this.#visit(({ kernel }) => kernel.ioctl(this.#pid, fd, code, BigInt.asUintN(64, BigInt(argument))));
    this.#began.set(task, began);
    if (result !== undefined) this.#host.program.results.set(task, result);
    return task;
  }

  /**
   * The result of an ioctl that was started, or undefined when it has none within this virtual time
   * (ns).
   */
  wait(task: number, time: number): number | undefined {
    const result = this.#host.await(task, time), began = this.#began.get(task);
    if (result === undefined || began === undefined) return result;
    this.#began.delete(task);
    this.#last = { result, began };
    return result;
  }

  /** A signal for the thread that is in this ioctl. */
  signal(task: number): void {
    this.#visit(({ kernel }) => kernel.signal(task));
  }

  /** Maps anonymous memory, contiguous where `huge`; the address. */
  mapAnonymous(size: number, huge = false): number {
    return this.#visit(({ kernel }) => kernel.mapAnonymous(this.#pid, size, { read: true, write: true, contiguous: huge }));
  }

  /** Maps a descriptor, shared; the address. */
  map(fd: number, size: number): number {
    const options = { read: true, write: true, private: false, offset: 0 };
    return this.#visit(({ kernel }) => kernel.mapFile(this.#pid, fd, size, options));
  }

  /**
   * Bytes of the process's memory.
   * @throws Error if the access raises a signal.
   */
  read(address: number, length: number): Uint8Array {
    const result = this.#visit(({ kernel }) => kernel.load(this.#pid, address, length));
    if (!result.ok) throw new Error(`a load at 0x${address.toString(16)} raises signal ${result.signal}`);
    return result.value;
  }

  /**
   * Stores bytes.
   * @throws Error if the access raises a signal.
   */
  write(address: number, bytes: Uint8Array): void {
    const result = this.#visit(({ kernel }) => kernel.store(this.#pid, address, bytes));
    if (!result.ok) throw new Error(`a store at 0x${address.toString(16)} raises signal ${result.signal}`);
  }

  /** An eventfd that counts from `counter`; signal it by `signalEventfd`. */
  eventfd(counter = 0): number {
    return this.#visit(({ kernel }) => kernel.eventfd(this.#pid, counter));
  }

  /** Adds 1 to an eventfd. */
  signalEventfd(fd: number): number {
    return this.#visit(({ kernel }) => kernel.write(this.#pid, fd, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)));
  }

  /** Lets virtual time (ns) pass. */
  sleep(time: number): void {
    this.#host.pass(time);
  }

  /** @throws Error if the host met what should not happen. */
  #visit<T>(act: Visit<T>): T {
    const value = this.#host.visit(act);
    const [problem] = this.#host.program.problems;
    if (problem !== undefined) throw new Error(problem);
    return value;
  }
}
