// Open files of the host's processes: the operations of drivers, and the kernel's own files:
// eventfds and files in memory (eventfd(2), memfd_create(2)).

import { Errno } from "../../abi/ioctl/errno.ts";

/** The kind of an open file. */
export type FileKind =
  | "gunyah"
  | "gunyah-vm"
  | "gunyah-vcpu"
  | "gunyah-mem"
  | "guest-memfd"
  | "gzvm"
  | "gzvm-vm"
  | "gzvm-vcpu"
  | "eventfd"
  | "memfd";

/** An open file description. Plain data. */
export interface OpenFile {
  readonly id: number;
  /** Descriptors and mappings that refer to it, and calls in progress. */
  refs: number;
  readonly kind: FileKind;
  /** Id of what it stands for, in the tables of its driver. */
  readonly target: number;
}

/** poll's events. */
export const Poll = { In: 1, Out: 4 } as const;

/**
 * Operations of a kind of file. Numbers below zero are negative errnos; a missing operation answers
 * as Linux does for such files.
 */
export interface FileOperations {
  /** Its name in /proc/self/fd. */
  name(file: OpenFile): string;
  /**
   * The result, or undefined when the task waits: the driver finishes it later. `argument` is 64
   * bits wide.
   */
  ioctl?(task: number, file: OpenFile, code: number, argument: bigint): number | undefined;
  /**
   * A signal for a task that waits in this file's ioctl. The driver finishes it when it stops
   * waiting.
   */
  interrupt?(task: number, file: OpenFile): void;
  read?(file: OpenFile, length: number): Uint8Array | number;
  write?(file: OpenFile, bytes: Uint8Array): number;
  poll?(file: OpenFile): number;
  /** The memory object that mappings of the file show. */
  memory?(file: OpenFile): number;
  /** Mappings show all of it, or are refused with EINVAL. */
  readonly mappedWhole?: boolean;
  /** The last reference is gone. */
  release?(file: OpenFile): void;
}

/** Counters of eventfds by id. Plain data. */
export type EventfdState = Record<number, { counter: bigint }>;

/** Most that an eventfd counts to. */
const EVENTFD_MAX = 0xffff_ffff_ffff_fffen;

/** eventfds, all non-blocking. */
export class Eventfds implements FileOperations {
  readonly #state: EventfdState;
  readonly #signalled: (id: number) => void;

  /** @param signalled is called after each write. */
  constructor(state: EventfdState, signalled: (id: number) => void) {
    this.#state = state;
    this.#signalled = signalled;
  }

  /** A new counter under this id. */
  create(id: number, counter: number): void {
    this.#state[id] = { counter: BigInt(counter) };
  }

  /** Whether it is signaled. */
  pending(id: number): boolean {
    return (this.#state[id]?.counter ?? 0n) > 0n;
  }

  /** A driver signals an eventfd. */
  signal(id: number): void {
    const eventfd = this.#state[id];
    if (eventfd === undefined) return;
    if (eventfd.counter < EVENTFD_MAX) eventfd.counter++;
    this.#signalled(id);
  }

  name(): string {
    return "anon_inode:[eventfd]";
  }

  read(file: OpenFile, length: number): Uint8Array | number {
    const eventfd = this.#state[file.target];
    if (length < 8) return -Errno.EINVAL;
    if (eventfd.counter === 0n) return -Errno.EAGAIN;
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, eventfd.counter, true);
    eventfd.counter = 0n;
    return bytes;
  }

  write(file: OpenFile, bytes: Uint8Array): number {
    if (bytes.length < 8) return -Errno.EINVAL;
    const value = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
    const eventfd = this.#state[file.target];
    if (value > EVENTFD_MAX) return -Errno.EINVAL;
    if (eventfd.counter + value > EVENTFD_MAX) return -Errno.EAGAIN;
    eventfd.counter += value;
    this.#signalled(file.target);
    return 8;
  }

  poll(file: OpenFile): number {
    const { counter } = this.#state[file.target];
    return (counter > 0n ? Poll.In : 0) | (counter < EVENTFD_MAX ? Poll.Out : 0);
  }

  release(file: OpenFile): void {
    delete this.#state[file.target];
  }
}
