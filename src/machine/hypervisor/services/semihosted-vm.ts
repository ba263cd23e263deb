// The debugger's side of a VM whose programs make semihosting calls: its console, its command line,
// and the handles that it has opened.

import { CONSOLE_PATH, FEATURES, FEATURES_PATH, type SemihostingExit } from "../../abi/semihosting.ts";

/** Values of SYS_ERRNO, as C libraries for bare metal have them. */
export const Errno = { None: 0, NoEntry: 2, BadHandle: 9, Fault: 14, Invalid: 22, TooMany: 24, NoSeek: 29, NoCall: 88 } as const;

/** Where calls of a VM go. */
export interface SemihostingDoor {
  readonly commandLine: string;
  /** Shows bytes at the VM's console. */
  write(bytes: Uint8Array): void;
  /** Takes at most so many typed bytes; undefined if the VM has no console for input. */
  read(limit: number): Uint8Array | undefined;
  /** The VM is about to end like this. */
  exit(exit: SemihostingExit): void;
}

export const HANDLE_KINDS = ["input", "output", "features"] as const;

/** The target of a handle, and its position. */
export interface SemihostingHandle {
  readonly kind: typeof HANDLE_KINDS[number];
  readonly at: number;
}

/** State of a `SemihostedVm`: plain data. */
export interface SemihostedState {
  readonly handles: readonly (readonly [number: number, handle: SemihostingHandle])[];
  readonly errno: number;
}

export const HANDLES_MAX = 64;
/** SYS_OPEN's modes: the number of fopen's strings, of which each kind of access has four. */
const MODES = 12, MODES_OF_KIND = 4;
/** "r" and "rb". */
const READ_ONLY_MODES = 2;

/** A VM with its open handles. */
export class SemihostedVm {
  readonly #handles = new Map<number, SemihostingHandle>();
  #errno: number = Errno.None;

  constructor(readonly door: SemihostingDoor) {}

  get errno(): number {
    return this.#errno;
  }

  /** Notes why a call fails. Gives its result, -1. */
  fail(errno: number): bigint {
    this.#errno = errno;
    return -1n;
  }

  /** A new handle; undefined, with `errno`, if there is none. */
  open(path: string, mode: bigint): number | undefined {
    const kind = mode < MODES ? kindOf(path, Number(mode)) : undefined;
    if (kind === undefined) this.fail(mode < MODES ? Errno.NoEntry : Errno.Invalid);
    else if (this.#handles.size >= HANDLES_MAX) this.fail(Errno.TooMany);
    else {
      let number = 1;
      while (this.#handles.has(number)) number++;
      this.#handles.set(number, { kind, at: 0 });
      return number;
    }
  }

  handle(number: bigint): SemihostingHandle | undefined {
    return this.#handles.get(Number(number));
  }

  /** Closes a handle; whether there was one. */
  close(number: bigint): boolean {
    return this.#handles.delete(Number(number));
  }

  /** Moves an open handle. */
  seek(number: bigint, at: number): void {
    const handle = this.handle(number);
    if (handle) this.#handles.set(Number(number), { ...handle, at });
  }

  /** A new life of the VM. */
  reset(): void {
    this.#handles.clear();
    this.#errno = Errno.None;
  }

  save(): SemihostedState {
    return { handles: [...this.#handles], errno: this.#errno };
  }

  restore({ handles, errno }: SemihostedState): void {
    this.reset();
    for (const [number, handle] of handles) this.#handles.set(number, handle);
    this.#errno = errno;
  }
}

function kindOf(path: string, mode: number): SemihostingHandle["kind"] | undefined {
  if (path === CONSOLE_PATH) return mode < MODES_OF_KIND ? "input" : "output";
  return path === FEATURES_PATH && mode < READ_ONLY_MODES ? "features" : undefined;
}

/** Bytes that a handle has, where it has a length. */
export function lengthOf({ kind }: SemihostingHandle): number | undefined {
  return kind === "features" ? FEATURES.length : undefined;
}
