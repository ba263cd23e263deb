// The door through which things enter the machine that happen outside of it: sockets, timers. They
// come between slices, as plain data that names its source, so that a recording of them can take
// the place of the sources (`record/`).

import { ArchiveError } from "../machine/archive.ts";
import { UnsavableError } from "../state/parts.ts";

/**
 * Something that brings things in. Sources are numbered in the order of their making, which is the
 * machine's doing.
 */
export interface OutsideSource {
  /** Something has happened: the handler gets `data` when it enters. */
  emit(data: unknown): void;
  /** Nothing more is wanted; what is under way is dropped. */
  close(): void;
}

/** Who has sources, for the loop's decisions. */
export interface OutsideUser {
  /** Whether something may begin by itself. */
  readonly listens: boolean;
  /** Whether it is in the middle of something. */
  readonly busy: boolean;
  close(): void;
}

/** What makes sources, and hears what they say. */
export interface OutsideDoor {
  /** Whether the sources are those of a recording: then there are no sockets. */
  readonly replayed: boolean;
  /** A source, and what handles what it emits. */
  open(handle: (data: unknown) => void): OutsideSource;
  /** What takes data that has entered already to `handle`, where devices do their work. */
  taker(handle: (data: unknown) => void): (data: unknown) => void;
  /** Adds who may bring something in. */
  add(user: OutsideUser): void;
}

/** One door per machine. The engine takes it over (`enter`); until then things enter at once. */
export class Outside implements OutsideDoor {
  /** What sources emit goes here; it comes back by `deliver`. */
  enter: (source: number, data: unknown) => void = (source, data) => this.deliver(source, data);
  /** Whether the sources are those of a recording: then there are no sockets. */
  readonly replayed: boolean;
  readonly #handlers = new Map<number, (data: unknown) => void>();
  readonly #users: OutsideUser[] = [];
  #made = 0;
  /** Number of the first source that was not there from the start. */
  #first = 0;

  constructor(replayed = false) {
    this.replayed = replayed;
  }

  /** A source, and what handles what it emits. */
  open(handle: (data: unknown) => void): OutsideSource {
    const number = this.#made++;
    this.#handlers.set(number, handle);
    return {
      emit: (data) => {
        if (this.#handlers.has(number)) this.enter(number, data);
      },
      close: () => this.#handlers.delete(number),
    };
  }

  taker(handle: (data: unknown) => void): (data: unknown) => void {
    return handle;
  }

  /**
   * The same door for devices that do their work elsewhere: what takes data gives it to `pass` with
   * its number, and gets it by `take`.
   */
  through(pass: (taker: number, data: unknown) => void): OutsideDoor & { take(taker: number, data: unknown): void } {
    const takers = new Map<number, (data: unknown) => void>();
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
    };
  }

  /** Hands what a source has emitted to its handler, if that still wants it. */
  deliver(source: number, data: unknown): void {
    this.#handlers.get(source)?.(data);
  }

  /** What is open now is there in every machine of the plan: what listens. */
  begin(): void {
    this.#first = this.#made;
  }

  /** For a snapshot. @throws UnsavableError while anything is connected. */
  save(): unknown {
    const users = this.#users.filter((user) => user.busy);
    const open = [...this.#handlers.keys()].filter((number) => number >= this.#first);
    if (users.length || open.length) {
      throw new UnsavableError(
        "a guest has an open network connection, which cannot be saved; close it (DNS and DHCP end within seconds)",
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

  /** Whether something may still come: a machine in which all wait is then not at its end. */
  get expects(): boolean {
    return this.#users.some((user) => user.listens || user.busy);
  }

  /**
   * Whether somebody outside is about to answer: time must not be skipped, or a guest's patience
   * ends before any answer can come.
   */
  get busy(): boolean {
    return this.#users.some((user) => user.busy);
  }

  /** The session is over: what holds sockets lets go. */
  close(): void {
    for (const user of this.#users.splice(0)) user.close();
  }
}
