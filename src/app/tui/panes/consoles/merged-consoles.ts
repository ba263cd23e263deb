// All consoles in one: their lines in order of arrival, each after its console's name.

import { ConsoleView } from "./console-view.ts";
import { MiB } from "../../../../kit/support/values/sizes.ts";

/** Bytes of output kept for later views, and pieces in which they came. */
const KEPT = MiB;
const PIECES = 1 << 14;
/** Maximum length of an escape sequence; a longer one is text. */
const LONGEST_SEQUENCE = 256;

/**
 * Control sequences, strings (OSC, DCS, APC, PM, SOS), other escapes, and C0 and C1 characters.
 * Colors are let through, and what stays within a line: the rest would write over lines of others.
 */
// deno-lint-ignore no-control-regex
const CONTROLS = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]|[\x00-\x1f\x7f-\x9f]/g;
// deno-lint-ignore no-control-regex
const COLOR = /^\x1b\[[0-9;:]*m$/;
/** The beginning of a sequence at the end of a text. */
// deno-lint-ignore no-control-regex
const UNFINISHED = /\x1b(?:\[[0-?]*[ -/]*|[\]P_^X][^\x07\x1b]*\x1b?|[ -/]*)$/;

/** One console's output on its way into lines. */
class Source {
  readonly #decoder = new TextDecoder();
  /** The output so far of an unfinished line, and the part of it that the view has. */
  line = "";
  shown = 0;
  /** It was there at the last update already. */
  old = false;
  /** The beginning of an escape sequence. */
  #rest = "";

  constructor(readonly name: string) {}

  /** Lines that have ended; the rest stays in `line`. */
  append(bytes: Uint8Array): string[] {
    const text = this.#rest + this.#decoder.decode(bytes, { stream: true });
    const cut = UNFINISHED.exec(text);
    const whole = cut && text.length - cut.index <= LONGEST_SEQUENCE ? text.slice(0, cut.index) : text;
    this.#rest = text.slice(whole.length);
    const kept = whole.replaceAll("\r\n", "\n").replaceAll(
      CONTROLS,
      (found) => found === "\n" || found === "\t" || COLOR.test(found) ? found : found === "\r" ? "\n" : "",
    );
    const lines = (this.line + kept).split("\n");
    this.line = lines.pop()!;
    this.old = false;
    return lines;
  }
}

/** The consoles of a session as one. It is bounded; its emulator exists only while it is shown. */
export class MergedConsoles {
  readonly #kept: { readonly name: string; readonly bytes: Uint8Array }[] = [];
  #size = 0;
  #width = 0;
  #view: ConsoleView | undefined;
  #sources = new Map<string, Source>();
  /** The console of the last line, which has not ended. */
  #open: Source | undefined;

  /** @param changed called when there is something new to draw */
  constructor(readonly changed: () => void) {}

  /** The merged console; undefined while it is not shown. */
  get view(): ConsoleView | undefined {
    return this.#view;
  }

  /** Shows it from now on, or no longer. */
  look(looking: boolean): void {
    if (looking === (this.#view !== undefined)) return;
    this.#view = undefined;
    if (!looking) return;
    this.#sources.clear();
    this.#open = undefined;
    this.#view = new ConsoleView("all", this.changed, () => {});
    for (const { name, bytes } of this.#kept) this.#show(this.#view, name, bytes);
    this.settle();
    this.settle();
  }

  /** Adds a console of this name: names are in a column. */
  add(name: string): void {
    this.#width = Math.max(this.#width, name.length);
  }

  /** Output of a console. */
  write(name: string, bytes: Uint8Array): void {
    this.#kept.push({ name, bytes });
    this.#size += bytes.length;
    while (this.#size - this.#kept[0].bytes.length >= KEPT || this.#kept.length > PIECES) this.#size -= this.#kept.shift()!.bytes.length;
    if (this.#view) this.#show(this.#view, name, bytes);
  }

  /** Some time has passed: an unfinished line, such as a prompt, is shown. */
  settle(): void {
    if (!this.#view) return;
    for (const source of this.#sources.values()) {
      if (source.old && source.shown < source.line.length) this.#part(this.#view, source);
      source.old = true;
    }
  }

  #show(view: ConsoleView, name: string, bytes: Uint8Array): void {
    let source = this.#sources.get(name);
    if (!source) this.#sources.set(name, source = new Source(name));
    for (const line of source.append(bytes)) this.#whole(view, source, line);
  }

  /** A line to its end. */
  #whole(view: ConsoleView, source: Source, line: string): void {
    this.#put(view, `${this.#lead(source)}${line.slice(source.shown)}\x1b[0m\r\n`);
    source.shown = 0;
    this.#open = undefined;
  }

  /** An unfinished line. */
  #part(view: ConsoleView, source: Source): void {
    this.#put(view, `${this.#lead(source)}${source.line.slice(source.shown)}`);
    source.shown = source.line.length;
    this.#open = source;
  }

  /** The prefix of further output of a line: nothing if it continues in place. */
  #lead(source: Source): string {
    if (this.#open === source) return "";
    return `${this.#open ? "\x1b[0m\r\n" : ""}${source.name.padEnd(this.#width)}| `;
  }

  #put(view: ConsoleView, text: string): void {
    view.write(new TextEncoder().encode(text));
  }
}
