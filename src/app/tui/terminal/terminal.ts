// The real terminal: raw mode, alternate screen, size, bytes in and frames out. Whatever happens,
// `close` gives it back as it was.

import { END_CODES, type EndSignal, onSignals } from "../../../kit/support/computer/signals.ts";
import { writeFully } from "../../../kit/support/files/write-all.ts";
import { ENTER, LEAVE, MOUSE_OFF, MOUSE_ON, UNWATCH, WATCH } from "./terminal-modes.ts";

/** Requirements of the program on a terminal; tests supply their own. */
export interface TerminalPort {
  size(): TerminalSize;
  /** Bytes typed, until the terminal goes away. */
  readonly input: AsyncIterable<Uint8Array>;
  /** Writes all bytes; resolves when the terminal took them. */
  write(bytes: Uint8Array): Promise<void>;
  /** Writes at once, when the program fails; a port without it is given back by its owner. */
  writeNow?(bytes: Uint8Array): void;
  setRaw(raw: boolean): void;
  /** Calls back when the size changes. Returns what ends it. */
  onResize(callback: () => void): () => void;
}

/** The terminal has gone away, or a signal asked for the end; nothing more can be shown. */
export interface Cut {
  readonly kind: "cut";
  readonly by: string;
  /** The exit code of the program. */
  readonly code: number;
}

/** The end by a signal. */
export function cutBy(signal: EndSignal): Cut {
  return { kind: "cut", by: `ended by ${signal}`, code: END_CODES[signal] };
}

/** As if the signal of a terminal that goes away had come. */
export const TERMINAL_GONE: Cut = { kind: "cut", by: "the terminal is gone", code: END_CODES.SIGHUP };

const encoder = new TextEncoder();

/**
 * Input of one source for consecutive readers: the newest reader gets all further data, and earlier
 * ones end.
 */
export class SharedInput implements AsyncIterable<Uint8Array> {
  /** A read of the source whose data has not been taken. */
  #pending: Promise<IteratorResult<Uint8Array>> | undefined;
  #reader: object | undefined;

  constructor(readonly source: AsyncIterator<Uint8Array>) {}

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    const reader = this.#reader = {};
    const ended = { done: true, value: undefined } as const;
    return {
      next: async () => {
        if (this.#reader !== reader) return ended;
        const bytes = await (this.#pending ??= this.source.next());
        if (this.#reader !== reader) return ended;
        this.#pending = undefined;
        return bytes;
      },
    };
  }
}

/** Columns and rows of a terminal. */
interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Size of a terminal that does not know its own, and the largest one that is drawn on. */
const USUAL: TerminalSize = { columns: 80, rows: 24 }, LARGEST: TerminalSize = { columns: 1000, rows: 500 };

/**
 * The part of the process's terminal that is drawn on. Frames take memory by cells, and a
 * pseudo-terminal has any size that somebody gave it.
 */
export function terminalSize(system: () => TerminalSize = Deno.consoleSize): TerminalSize {
  const { columns, rows } = system();
  return {
    columns: Math.min(columns || USUAL.columns, LARGEST.columns),
    rows: Math.min(rows || USUAL.rows, LARGEST.rows),
  };
}

/** The process's own terminal on stdin and stdout. */
export class ProcessTerminal implements TerminalPort {
  readonly input: AsyncIterable<Uint8Array> = new SharedInput(Deno.stdin.readable.values());
  readonly #writer = Deno.stdout.writable.getWriter();

  size(): TerminalSize {
    return terminalSize();
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writer.write(bytes);
  }

  writeNow(bytes: Uint8Array): void {
    writeFully(Deno.stdout, bytes);
  }

  setRaw(raw: boolean): void {
    Deno.stdin.setRaw(raw);
  }

  onResize(callback: () => void): () => void {
    return onSignals(["SIGWINCH"], callback);
  }
}

/** Puts the terminal into the state that the TUI draws in, and back. */
export class TerminalMode {
  #entered = false;
  /** The terminal reports the mouse while it is in this state. */
  #mouse: boolean;

  /**
   * @param plain lines of text on the terminal as it is: no alternate screen, no mouse
   * @param watched the terminal reports its focus and its colors
   */
  constructor(readonly port: TerminalPort, mouse: boolean, readonly plain = false, readonly watched = false) {
    this.#mouse = mouse && !plain;
  }

  /**
   * The sequence that turns mouse reports on or off, also after the terminal was given away and
   * taken back.
   */
  setMouse(on: boolean): string {
    this.#mouse = on;
    return on ? MOUSE_ON : MOUSE_OFF;
  }

  get #reports(): string {
    return (this.#mouse ? MOUSE_ON : "") + (this.watched ? WATCH : "");
  }

  get #toLeave(): string {
    return (this.watched ? UNWATCH : "") + (!this.plain ? LEAVE : this.#mouse ? MOUSE_OFF : "");
  }

  /** @param opened the terminal is in this state already, except for its reports */
  async enter(opened = false): Promise<void> {
    this.port.setRaw(true);
    this.#entered = true;
    const bytes = (opened || this.plain ? "" : ENTER) + this.#reports;
    if (bytes) await this.port.write(encoder.encode(bytes));
  }

  async leave(): Promise<void> {
    if (!this.#entered) return;
    this.#entered = false;
    const bytes = this.#toLeave;
    if (bytes) await this.port.write(encoder.encode(bytes));
    this.port.setRaw(false);
  }

  /** For the moment of a crash or signal, when nothing asynchronous will run any more. */
  leaveNow(): void {
    if (!this.#entered) return;
    this.#entered = false;
    this.port.writeNow?.(encoder.encode(this.#toLeave));
    this.port.setRaw(false);
  }
}

/** The slowest write that still counts as a fast link, in ms. */
const SLOW_WRITE = 50;
const FAST_INTERVAL = 33;
const SLOW_INTERVAL = 100;

/**
 * Sends frames: one write in flight; a frame requested meanwhile is drawn when that write is done,
 * from the newest state. Slow links (ssh, a write over 50 ms) get 10 frames per second instead of
 * 30; `urgent` frames (answers to keys) never wait for the tick.
 */
export class FramePump {
  #busy = false;
  /** The request made while a frame was being written. */
  #wanted: "nothing" | "a frame" | "a frame at once" = "nothing";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = 0;
  #interval = FAST_INTERVAL;
  /**
   * No frame may leave before the terminal is in the mode that it is drawn for, nor after it has
   * left that.
   */
  #closed = true;

  /**
   * @param draw makes the next frame's bytes; empty when nothing changed
   * @param wrote is called after each frame with its bytes, and how long (ms) the terminal took to
   * take it
   */
  constructor(
    readonly port: TerminalPort,
    readonly draw: () => string,
    slowLink: boolean,
    readonly wrote: (bytes: number, took: number) => void = () => {},
  ) {
    if (slowLink) this.#interval = SLOW_INTERVAL;
  }

  /** Asks for a frame at the next tick, or at once. */
  request(urgent = false): void {
    if (this.#closed) return;
    if (this.#busy) {
      if (urgent || this.#wanted === "nothing") this.#wanted = urgent ? "a frame at once" : "a frame";
      return;
    }
    const wait = urgent ? 0 : Math.max(0, this.#last + this.#interval - performance.now());
    if (wait === 0) {
      this.#send();
    } else {
      this.#timer ??= setTimeout(() => this.#send(), wait);
    }
  }

  /** Frames leave from now on; the first one at once. */
  open(): void {
    this.#closed = false;
    this.request(true);
  }

  /** No frame leaves after this. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#closed) return;
    const frame = this.draw();
    this.#last = performance.now();
    if (frame === "") return;
    this.#busy = true;
    const start = performance.now();
    const bytes = encoder.encode(frame);
    this.port.write(bytes).then(() => {
      this.#busy = false;
      this.wrote(bytes.length, performance.now() - start);
      if (performance.now() - start > SLOW_WRITE) this.#interval = SLOW_INTERVAL;
      const wanted = this.#wanted;
      this.#wanted = "nothing";
      if (wanted !== "nothing") this.request(wanted === "a frame at once");
    }, () => this.close());
  }
}
