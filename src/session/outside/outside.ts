// The input port of the machine for outside events: sockets, timers. They enter between slices, as
// plain data that names its source, so that a recording of them can replace the sources
// (`recordings/`).

import { ArchiveError } from "../../machine/hardware/archive.ts";
import { UnsavableError } from "../state/parts.ts";

/**
 * Something that brings things in. Sources are numbered in the order of their making, which is the
 * machine's doing.
 */
export interface OutsideSource {
  /** Something has happened: the handler gets `data` when it enters. */
  emit(data: unknown): void;
  /** The user needs no more data; pending data is dropped. */
  close(): void;
}

/** A user of sources, for the loop's decisions. */
export interface OutsideUser {
  /** Whether something may begin by itself. */
  readonly listens: boolean;
  /** Whether it is in the middle of something. */
  readonly busy: boolean;
  close(): void;
}

/** The interface of code that makes sources and receives their events. */
export interface OutsideDoor {
  /** Whether the sources are those of a recording, without sockets. */
  readonly replayed: boolean;
  /** A source, and what handles what it emits. */
  open(handle: (data: unknown) => void): OutsideSource;
  /**
   * Returns a function that passes data, which has entered already, to `handle`, where devices do
   * their work.
   */
  taker(handle: (data: unknown) => void): (data: unknown) => void;
  /** Adds who may bring something in. */
  add(user: OutsideUser): void;
  /**
   * Brings something in at the next place between two turns: what the guest has asked for, which
   * cannot enter in the middle of the access that asks.
   */
  soon(enter: () => void): void;
  /** How many inputs of all kinds have entered. */
  readonly arrivals: number;
}

/** Lets in data of a source, which comes back by `Outside.deliver`. */
type Enter = (source: number, data: unknown) => void;

/** One door per machine. An engine takes it over; until then things enter at once. */
export class Outside implements OutsideDoor {
  #enter: Enter = (source, data) => this.deliver(source, data);
  /** Whether the sources are those of a recording, without sockets. */
  readonly replayed: boolean;
  readonly #handlers = new Map<number, (data: unknown) => void>();
  readonly #users: OutsideUser[] = [];
  #soon: (() => void)[] = [];
  arrivals = 0;
  #made = 0;
  /** Number of the first source that was not there from the start. */
  #first = 0;

  constructor(replayed = false) {
    this.replayed = replayed;
  }

  /** From now on this lets in the sources' data, each at a place of the run. */
  takeOver(enter: Enter): void {
    this.#enter = enter;
  }

  /** A source, and what handles what it emits. */
  open(handle: (data: unknown) => void): OutsideSource {
    const number = this.#made++;
    this.#handlers.set(number, handle);
    return {
      emit: (data) => {
        if (this.#handlers.has(number)) this.#enter(number, data);
      },
      close: () => this.#handlers.delete(number),
    };
  }

  taker(handle: (data: unknown) => void): (data: unknown) => void {
    return handle;
  }

  /**
   * The same port for devices that do their work elsewhere: a receiver passes data to `pass` with
   * its number, and gets it by `take`.
   */
  through(pass: (taker: number, data: unknown) => void): OutsideDoor & { take(taker: number, data: unknown): void } {
    const takers = new Map<number, (data: unknown) => void>();
    const arrivals = () => this.arrivals;
    const add = (handle: (data: unknown) => void) => {
      const number = this.#made++;
      takers.set(number, handle);
      return number;
    };
    return {
      replayed: this.replayed,
      open: (handle) => {
        const number = add(handle);
        const source = this.open((data) => pass(number, data));
        return {
          emit: (data) => source.emit(data),
          close() {
            takers.delete(number);
            source.close();
          },
        };
      },
      taker: (handle) => {
        const number = add(handle);
        return (data) => pass(number, data);
      },
      take: (number, data) => takers.get(number)?.(data),
      add: (user) => this.add(user),
      soon: (enter) => this.soon(enter),
      get arrivals() {
        return arrivals();
      },
    };
  }

  soon(enter: () => void): void {
    // The engine takes it after the turn; a machine without one gets it here.
    if (this.#soon.push(enter) === 1) queueMicrotask(() => this.enterSoon());
  }

  /** Between two turns: brings in what was kept for such a place. Returns whether there was any. */
  enterSoon(): boolean {
    if (!this.#soon.length) return false;
    const entering = this.#soon;
    this.#soon = [];
    for (const enter of entering) enter();
    return true;
  }

  /** Hands what a source has emitted to its handler, if that still wants it. */
  deliver(source: number, data: unknown): void {
    this.#handlers.get(source)?.(data);
  }

  /** The sources open now, which listen, exist in every machine of the plan. */
  begin(): void {
    this.#first = this.#made;
  }

  /**
   * For a snapshot.
   * @throws UnsavableError while anything is connected.
   */
  save(): unknown {
    const users = this.#users.filter((user) => user.busy);
    const open = [...this.#handlers.keys()].filter((number) => number >= this.#first);
    if (users.length || open.length) {
      throw new UnsavableError(
        "a guest has an open network connection, which cannot be saved",
        "close it (DNS and DHCP end within seconds)",
      );
    }
    return this.#made;
  }

  restore(made: unknown): void {
    if (typeof made !== "number" || !(made >= this.#first)) throw new ArchiveError(`${made} is not a number of sources`);
    this.#made = made;
  }

  /** Adds who may bring something in. */
  add(user: OutsideUser): void {
    this.#users.push(user);
  }

  /** Whether more input may come: a machine whose vCPUs all wait has then not ended. */
  get expects(): boolean {
    return this.#users.some((user) => user.listens || user.busy);
  }

  /**
   * Whether an answer from outside is due soon: time must not be skipped, or a guest would time out
   * before any answer can come.
   */
  get busy(): boolean {
    return this.#users.some((user) => user.busy);
  }

  /** The machine is over: closes all sockets and disks. */
  close(): void {
    for (const user of this.#users.splice(0)) user.close();
  }
}
