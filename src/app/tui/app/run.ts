// Runs the TUI on a terminal until the user quits: wires keys, session events, frames and signals,
// and always restores the terminal.

import { App } from "./app.ts";
import type { AppOptions, AppPort } from "./app-port.ts";
import { Screen } from "../terminal/cells.ts";
import type { ColorDepth } from "../terminal/color.ts";
import { copySequence, noticeSequence } from "../terminal/clipboard.ts";
import { type Client, Connection } from "./connection.ts";
import { type Key, keyText } from "../terminal/keys.ts";
import { readKeys } from "../terminal/read-keys.ts";
import { saveFile } from "./services/save-file.ts";
import { Starts, type UnseenStart } from "./start/starts.ts";
import { Reader } from "./linear.ts";
import { type Cut, cutBy, FramePump, TERMINAL_GONE, TerminalMode, type TerminalPort } from "../terminal/terminal.ts";
import { ASK_BACKGROUND, ASK_SYNCHRONIZED, parseReport } from "../terminal/terminal-reports.ts";
import { stopUntilContinued } from "./suspend.ts";
import type { Start } from "./start/other-sessions.ts";
import type { Fork } from "./doing/time-menu.ts";
import type { UiState } from "./services/ui-state.ts";
import type { SessionEnd } from "../../../model/protocol/protocol.ts";
import { onEnd } from "../../../kit/support/computer/launcher.ts";
import { END_SIGNALS } from "../../../kit/support/computer/signals.ts";

/** Options of `runTui`. */
export interface TuiOptions extends Omit<AppOptions, "clock"> {
  readonly depth: ColorDepth;
  /** Nothing but ASCII outside of guests' text. */
  readonly ascii: boolean;
  readonly mouse: boolean;
  /** Over ssh: fewer frames. */
  readonly slowLink: boolean;
  /** How long an Esc waits for the rest of a sequence, ms. */
  readonly escapeWait?: number;
  /** Lines of text for screen readers, instead of screens. */
  readonly plain?: boolean;
  /** The terminal shows hyperlinks. */
  readonly links?: boolean;
  /** The terminal may be asked what it can do, and how bright it is. */
  readonly ask?: boolean;
  /** The terminal shows this already, in the mode of the screens. */
  readonly opened?: Screen;
  /** Stops the program until it is continued; false if nobody could (`stopUntilContinued`). */
  readonly stop?: () => Promise<boolean>;
  /** Writes a text to a file of this computer (`saveFile`). */
  readonly save?: AppPort["save"];
  /** Inside tmux: sequences for the terminal are passed through. */
  readonly tmux?: boolean;
  /** Its name, `TERM`. */
  readonly term?: string;
  /** Takes what follows links to other places of the run, each by its part after `#`. */
  readonly onLink?: (follow: (fragment: string) => void) => void;
  /** Reconnects to a session; it rejects where the session cannot be reached. */
  readonly reconnect?: () => Promise<Client>;
}

/**
 * How the user left the screens of a session:
 *
 * - `quit`: with the key
 * - `visit`: to another session
 * - `choose`: to the start screen
 * - `cut`: by something other than a key
 */
export type Leaving =
  | { readonly kind: "quit" }
  | { readonly kind: "choose" }
  | { readonly kind: "visit"; readonly session: string }
  | Cut;

/** How the user left, and the state of the session and of its screens then. */
interface TuiEnd {
  readonly left: Leaving;
  /** How the session ended, if it did. */
  readonly end: SessionEnd | undefined;
  /** The connection to the session was gone then. */
  readonly lost: boolean;
  /**
   * Sessions that were still being started: a fork needs the session that is shown until it has its
   * snapshot.
   */
  readonly unseen: readonly UnseenStart[];
  /** The user's settings of the screens. */
  readonly state: UiState;
}

/**
 * Shows a session until the user quits or the terminal goes away. Returns how the session ended, if
 * it did. The caller has set up and started the session; this takes over `client.onEvent`, and
 * `onGone` if it can reconnect.
 */
export async function runTui(client: Client, port: TerminalPort, options: TuiOptions): Promise<TuiEnd> {
  return await new TerminalSession(client, port, options).run();
}

class TerminalSession {
  readonly #screen: Screen;
  readonly #reader: Reader | undefined;
  readonly #mode: TerminalMode;
  readonly #starts = new Starts();
  /** Later results are ignored, but for a cut. */
  readonly #left = Promise.withResolvers<Leaving>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #pump: FramePump;
  readonly #connection: Connection;
  readonly #app: App;
  #cut: Cut | undefined;
  /** The terminal has another size since the last frame. */
  #resized = false;
  /** Ends when the terminal is taken back from the shell. */
  #suspension: Promise<void> | undefined;
  /** Sequences for the terminal other than cells, sent before the next frame. */
  #aside = "";

  constructor(client: Client, readonly port: TerminalPort, readonly options: TuiOptions) {
    const { columns, rows } = port.size();
    this.#screen = options.opened ?? new Screen(columns, rows, options.depth);
    if (this.#screen.width !== columns || this.#screen.height !== rows) this.#screen.resize(columns, rows);
    this.#screen.links = options.links ?? false;
    this.#reader = options.plain ? new Reader() : undefined;
    this.#mode = new TerminalMode(port, options.mouse, options.plain, options.ask && !options.plain);
    this.#pump = new FramePump(port, () => this.#frame(), options.slowLink, (bytes, took) => this.#app.wrote(bytes, took));
    this.#connection = new Connection(client, options.reconnect, {
      event: (event) => this.#app.apply(event),
      lost: () => this.#app.lost(`session ${options.title}: its socket is gone`),
      found: () => this.#app.found(),
      ticked: () => this.#pump.request(true),
    });
    this.#app = this.#makeApp();
    options.onLink?.((fragment) => this.#app.follow(fragment));
    this.#connection.open();
  }

  #makeApp(): App {
    const { start, fork } = this.options, starts = this.#starts;
    const started: Start | undefined = start && ((what, allowHost) => starts.follow(what, start(what, allowHost)));
    const forked: Fork | undefined = fork &&
      ((save) => starts.follow("a fork", fork((path) => Promise.race([save(path), this.#connection.gone]))));
    return new App({ ...this.options, start: started, fork: forked }, {
      send: (request) => this.#connection.send(request),
      changed: (urgent) => this.#pump.request(urgent),
      later: (ms) => this.#drawLater(ms),
      leave: () => this.#leave({ kind: "quit" }),
      redraw: () => this.#screen.invalidate(),
      copy: (text) => this.#say(copySequence(text, this.options.tmux ?? false)),
      notify: (text) => this.#say(noticeSequence(text, this.options.tmux ?? false, this.options.term)),
      save: this.options.save ?? saveFile,
      suspend: () => this.#suspension ??= this.#suspend().finally(() => this.#suspension = undefined),
      mouse: (on) => this.#say(this.#mode.setMouse(on)),
      reconnect: () => void this.#connection.tryAgain(),
      visit: (session) => this.#leave({ kind: "visit", session }),
      choose: () => this.#leave({ kind: "choose" }),
    });
  }

  /** Shows the session until the user leaves it. */
  async run(): Promise<TuiEnd> {
    const { port, options } = this;
    const endResize = port.onResize(() => {
      this.#resized = true;
      this.#pump.request(true);
    });
    const onCrash = () => this.#mode.leaveNow();
    const endSignals = onEnd(END_SIGNALS, (signal) => this.#cutOff(cutBy(signal)));
    globalThis.addEventListener("error", onCrash);
    globalThis.addEventListener("unhandledrejection", onCrash);
    let left: Leaving;
    try {
      await this.#mode.enter(options.opened !== undefined);
      if (options.ask && !this.#reader) this.#aside += ASK_SYNCHRONIZED + ASK_BACKGROUND;
      this.#pump.open();
      const closed = readKeys(port.input, (key) => this.#press(key), options).then(() => this.#cutOff(TERMINAL_GONE));
      left = await Promise.race([this.#left.promise, closed.then(() => this.#left.promise)]);
    } finally {
      await this.#suspension;
      this.#connection.close();
      for (const timer of this.#timers) clearTimeout(timer);
      this.#pump.close();
      endResize();
      endSignals();
      await this.#mode.leave();
      globalThis.removeEventListener("error", onCrash);
      globalThis.removeEventListener("unhandledrejection", onCrash);
    }
    return {
      left: this.#cut ?? left,
      end: this.#app.end,
      lost: this.#connection.lost,
      unseen: this.#starts.unseen,
      state: this.#app.state,
    };
  }

  #frame(): string {
    if (this.#resized) {
      // However many signals came while the last frame was on its way.
      this.#resized = false;
      const { columns, rows } = this.port.size();
      this.#screen.resize(columns, rows);
    }
    const beside = this.#aside;
    this.#aside = "";
    if (this.#reader) return beside + this.#reader.take(this.#app.linear(), performance.now()).map((line) => `${line}\r\n`).join("");
    this.#app.draw(this.#screen);
    return beside + this.#screen.frame();
  }

  #say(sequence: string): void {
    this.#aside += sequence;
    this.#pump.request(true);
  }

  #drawLater(ms: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#pump.request(true);
    }, ms);
    this.#timers.add(timer);
  }

  #press(key: Key): void {
    if (key.name !== "Report") return this.#app.key(key);
    // The terminal has said something of itself.
    const report = parseReport(keyText(key));
    if (report?.kind === "synchronized") this.#screen.synchronized = true;
    else if (report?.kind === "focus") this.#app.setFocus(report.has);
    else if (report) this.#app.setBackground(report.bright);
  }

  /** Gives the terminal to the shell and stops, until the user continues el2. */
  async #suspend(): Promise<void> {
    this.#pump.close();
    await this.#mode.leave();
    const suspended = await (this.options.stop ?? stopUntilContinued)();
    await this.#mode.enter();
    this.#screen.invalidate();
    this.#pump.open();
    if (!suspended) this.#app.notSuspended();
  }

  #leave(left: Leaving): void {
    this.#starts.leave();
    this.#left.resolve(left);
  }

  #cutOff(cut: Cut): void {
    this.#cut = cut;
    this.#leave(cut);
  }
}
