// Consoles of a system: the receivers of typed input, and the guests' output since it was last
// taken. A guest that floods its console fills a bounded buffer that is emptied after each slice;
// no output is lost, the guest just waits for its next slice.

import { ArchiveError } from "../../../machine/hardware/archive.ts";
import type { UartInput } from "../../../machine/devices/pl011.ts";
import { Bytes, joined } from "../../../kit/support/values/bytes.ts";
import { KiB } from "../../../kit/support/values/sizes.ts";
import { consoleOf, withKind } from "../../../model/queries/ids.ts";
import { asProblem, type Problem, type Said, within } from "../../../kit/support/problem.ts";

/** Bytes of each console's output that a snapshot keeps. */
export const TAIL = 16 * KiB;

/** The instruction by which a guest cleared its receive interrupts while characters were left. */
export interface ClearedInput {
  /** Index of the vCPU. */
  readonly vcpu: number;
  readonly pc: bigint;
}

/** The end of what a console shows. */
interface ConsoleTail {
  readonly console: string;
  readonly bytes: Uint8Array;
  readonly cleared?: ClearedInput;
}

/** Destination of the input at a console. */
interface ConsoleDoor {
  type(bytes: Uint8Array): void;
  /** Sends a break on its line; absent if it is not a serial line. */
  sendBreak?(): void;
  /** Why it takes no input now; undefined if it does. */
  closed?(): Said | undefined;
  /** The input that its serial port holds. */
  input?(): UartInput | undefined;
  /** Takes at most so many typed bytes that its serial port has not got. */
  take?(limit: number): Uint8Array;
}

/** Named consoles in both directions. */
export class Consoles {
  readonly #doors = new Map<string, ConsoleDoor>();
  /** The end of what each has shown. */
  readonly #shown = new Map<string, Uint8Array>();
  readonly #cleared = new Map<string, ClearedInput>();
  /** Something has been typed at a console; its VM's host may still have it. */
  onTyped: (name: string) => void = () => {};
  #output: { readonly console: string; readonly bytes: Bytes }[] = [];
  #waiting = 0;
  /** Consoles that have shown something since `takeSpeakers`. */
  #speakers = new Set<string>();

  add(name: string, door: ConsoleDoor): void {
    if (this.#doors.has(name)) throw new Error(`there is a console ${name} already`);
    this.#doors.set(name, door);
  }

  /** Names of all consoles. */
  get names(): readonly string[] {
    return [...this.#doors.keys()];
  }

  has(name: string): boolean {
    return this.#doors.has(name);
  }

  /** The console of a VM: its serial line, else the first port of its virtio consoles. */
  of(vm: string): string | undefined {
    return consoleOf(vm, this.names);
  }

  /** Why a console takes no input now; undefined if it does. */
  closed(name: string): Problem | undefined {
    const door = this.#doors.get(name);
    if (!door) return { what: `no console ${name}`, wayOut: `there are ${this.names.join(", ") || "none"}` };
    const reason = asProblem(door.closed?.());
    return reason && within(withKind("con", name), reason);
  }

  /** The input that the serial port of a console holds; undefined if it is not known. */
  input(name: string): UartInput | undefined {
    return this.#doors.get(name)?.input?.();
  }

  /**
   * Takes at most so many bytes that were typed at a console and that its serial port has not got;
   * undefined if it has none.
   */
  take(name: string, limit: number): Uint8Array | undefined {
    return this.#doors.get(name)?.take?.(limit);
  }

  /** Evidence, which changes nothing for the guest. */
  noteCleared(name: string, by: ClearedInput): void {
    this.#cleared.set(name, by);
  }

  /** The last time that a guest cleared its receive interrupts while characters were left. */
  cleared(name: string): ClearedInput | undefined {
    return this.#cleared.get(name);
  }

  /** Enters typed bytes. False if the console does not exist. */
  type(name: string, bytes: Uint8Array): boolean {
    const door = this.#doors.get(name);
    door?.type(bytes);
    if (door) this.onTyped(name);
    return door !== undefined;
  }

  /**
   * Sends a break on a console's line. False if it has no line; undefined if it does not
   * exist.
   */
  sendBreak(name: string): boolean | undefined {
    const door = this.#doors.get(name);
    if (!door) return undefined;
    door.sendBreak?.();
    return door.sendBreak !== undefined;
  }

  /** Bytes of output that `drain` would give. */
  get waiting(): number {
    return this.#waiting;
  }

  /** A byte that a guest wrote. */
  transmit(name: string, byte: number): void {
    this.#waiting++;
    this.#outputOf(name).push(byte);
  }

  /** Bytes that a guest wrote. */
  transmitAll(name: string, bytes: Uint8Array): void {
    this.#waiting += bytes.length;
    this.#outputOf(name).pushAll(bytes);
  }

  #outputOf(name: string): Bytes {
    const last = this.#output.at(-1);
    if (last?.console === name) return last.bytes;
    const bytes = new Bytes();
    this.#output.push({ console: name, bytes });
    return bytes;
  }

  /** The guests' output since the last call, in order. */
  drain(): { console: string; bytes: Uint8Array }[] {
    const taken = this.#output.map(({ console, bytes }) => ({ console, bytes: bytes.view.slice() }));
    this.#output = [];
    this.#waiting = 0;
    for (const { console, bytes } of taken) {
      this.#speakers.add(console);
      this.#shown.set(console, this.#tail(console, bytes));
    }
    return taken;
  }

  /** Consoles from which output was taken since the last call. */
  takeSpeakers(): ReadonlySet<string> {
    const speakers = this.#speakers;
    this.#speakers = new Set();
    return speakers;
  }

  /** The end of what a console has shown, as text. */
  tail(console: string): string {
    return new TextDecoder().decode(this.#end(console));
  }

  /** The end of what each console shows, for a snapshot. */
  save(): readonly ConsoleTail[] {
    const names = [...new Set([...this.#shown.keys(), ...this.#output.map(({ console }) => console), ...this.#cleared.keys()])].sort();
    return names.map((name) => {
      const cleared = this.#cleared.get(name);
      return { console: name, bytes: this.#end(name), ...cleared && { cleared } };
    });
  }

  /**
   * Shows saved output again, before any other.
   * @throws ArchiveError if `save` cannot have given it.
   */
  restore(tails: readonly ConsoleTail[]): void {
    const saved = tails.every(({ console, bytes }, index) => bytes.length <= TAIL && (index === 0 || console > tails[index - 1].console));
    if (!saved) throw new ArchiveError("the ends of consoles are in the order of their names, each once and as long as one can be");
    this.#shown.clear();
    this.#output = [];
    this.#waiting = 0;
    this.#cleared.clear();
    for (const { console, bytes, cleared } of tails) {
      this.transmitAll(console, bytes);
      if (cleared) this.#cleared.set(console, cleared);
    }
  }

  /** The end of what a console has written, whether taken or not. */
  #end(name: string): Uint8Array {
    const waiting = this.#output.filter(({ console }) => console === name).map(({ bytes }) => bytes.view);
    return this.#tail(name, joined(waiting));
  }

  #tail(console: string, bytes: Uint8Array): Uint8Array {
    if (bytes.length >= TAIL) return bytes.slice(-TAIL);
    const before = this.#shown.get(console) ?? new Uint8Array(0);
    const tail = new Uint8Array(Math.min(TAIL, before.length + bytes.length));
    const kept = before.subarray(before.length - (tail.length - bytes.length));
    tail.set(kept);
    tail.set(bytes, kept.length);
    return tail;
  }
}
