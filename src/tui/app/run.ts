// Runs the TUI on a terminal until the user quits: wires keys, session events, frames and signals,
// and always restores the terminal.

import { App, type AppOptions } from "./app.ts";
import { Screen } from "../terminal/cells.ts";
import type { ColorDepth } from "../terminal/color.ts";
import { copySequence } from "../terminal/clipboard.ts";
import { type Client, Connection } from "./connection.ts";
import { type Key, keyText, readKeys } from "../terminal/keys.ts";
import { saveFile } from "./save-file.ts";
import { Starts, type UnseenStart } from "./starts.ts";
import { Reader } from "./linear.ts";
import { FramePump, TerminalMode, type TerminalPort } from "../terminal/terminal.ts";
import { ASK_BACKGROUND, ASK_SYNCHRONIZED, parseReport } from "../terminal/terminal-reports.ts";
import type { Start } from "./other-sessions.ts";
import type { Fork } from "./time-menu.ts";
import type { UiState } from "./ui-state.ts";
import type { SessionEnd } from "../../protocol/protocol.ts";
import { onSignals } from "../../support/signals.ts";

/** Options of `runTui`. */
export interface TuiOptions extends Omit<AppOptions, "clock"> {
  readonly depth: ColorDepth;
  /** Nothing but ASCII outside of guests' text. */
  readonly ascii: boolean;
  readonly mouse: boolean;
  /** Over ssh: fewer frames. */
  readonly slowLink: boolean;
  /** Lines of text for screen readers, instead of screens. */
  readonly plain?: boolean;
  /** The terminal shows hyperlinks. */
  readonly links?: boolean;
  /** The terminal may be asked what it can do, and how bright it is. */
  readonly ask?: boolean;
  /** The terminal shows this already, in the mode of the screens. */
  readonly opened?: Screen;
  /** Inside tmux: sequences for the terminal are passed through. */
  readonly tmux?: boolean;
  /** Reconnects to a session; it rejects where the session cannot be reached. */
  readonly reconnect?: () => Promise<Client>;
}

/** How a TUI was left. */
interface TuiEnd {
  /** How the session ended, if it did. */
  readonly end: SessionEnd | undefined;
  /** The connection was gone when the user quit. */
  readonly lost: boolean;
  /** Another session that the user wants to see. */
  readonly next: string | undefined;
  /** The user wants to choose what to see. */
  readonly elsewhere: boolean;
  /**
   * Why nothing more can be shown: the terminal has gone away, or the signal that asked for the
   * end.
   */
  readonly over: string | undefined;
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
  const { columns, rows } = port.size();
  const screen = options.opened ?? new Screen(columns, rows, options.depth);
  if (screen.width !== columns || screen.height !== rows) screen.resize(columns, rows);
  screen.links = options.links ?? false;
  const reader = options.plain ? new Reader() : undefined;
  const mode = new TerminalMode(port, options.mouse, options.plain);
  const starts = new Starts();
  /** Resolves with the session to show next, if any; later results are ignored. */
  const left = Promise.withResolvers<string | undefined>();
  let elsewhere = false;
  const leave = (next?: string) => {
    starts.leave();
    left.resolve(next);
  };
  const timers = new Set<ReturnType<typeof setTimeout>>();
  let over: string | undefined;
  /** Sequences for the terminal other than cells, sent before the next frame. */
  let aside = "";

  const pump: FramePump = new FramePump(
    port,
    () => {
      const beside = aside;
      aside = "";
      if (reader) return beside + reader.take(app.linear(), performance.now()).map((line) => `${line}\r\n`).join("");
      app.draw(screen);
      return beside + screen.frame();
    },
    options.slowLink,
    (bytes, took) => app.wrote(bytes, took),
  );
  const connection: Connection = new Connection(client, options.reconnect, {
    event: (event) => app.apply(event),
    lost: () => app.lost(`session ${options.title}: its socket is gone`),
    found: () => app.found(),
    ticked: () => pump.request(true),
  });
  const { start, fork } = options;
  const started: Start | undefined = start && ((what, allowHost) => starts.follow(what, start(what, allowHost)));
  const forked: Fork | undefined = fork &&
    ((save) => starts.follow("a fork", fork((path) => Promise.race([save(path), connection.gone]))));
  const app = new App({ ...options, start: started, fork: forked }, {
    send: (request) => connection.send(request),
    changed: (urgent) => pump.request(urgent),
    later: (ms) => {
      const timer = setTimeout(() => {
        timers.delete(timer);
        pump.request(true);
      }, ms);
      timers.add(timer);
    },
    leave: () => leave(),
    redraw: () => screen.invalidate(),
    copy(text) {
      aside += copySequence(text, options.tmux ?? false);
      pump.request(true);
    },
    save: saveFile,
    suspend: () => suspend(mode, pump, screen),
    mouse(on) {
      aside += mode.setMouse(on);
      pump.request(true);
    },
    reconnect: () => void connection.tryAgain(),
    visit: leave,
    choose() {
      elsewhere = true;
      leave();
    },
  });
  connection.open();
  const take = (key: Key) => {
    if (key.name !== "Report") return app.key(key);
    // The terminal has said something of itself.
    const report = parseReport(keyText(key));
    if (report?.kind === "synchronized") screen.synchronized = true;
    else if (report) app.setBackground(report.bright);
  };

  const endResize = port.onResize(() => {
    const size = port.size();
    screen.resize(size.columns, size.rows);
    pump.request(true);
  });
  const end = (by: string) => {
    over = by;
    leave();
  };
  const onCrash = () => mode.leaveNow();
  const endSignals = onSignals(["SIGTERM", "SIGHUP", "SIGINT"], (signal) => end(`ended by ${signal}`));
  globalThis.addEventListener("error", onCrash);
  globalThis.addEventListener("unhandledrejection", onCrash);
  let next: string | undefined;
  try {
    await mode.enter(options.opened !== undefined);
    if (options.ask && !reader) aside += ASK_SYNCHRONIZED + ASK_BACKGROUND;
    pump.open();
    next = await Promise.race([left.promise, readKeys(port.input, take).then(() => end("the terminal is gone")).then(() => undefined)]);
  } finally {
    connection.close();
    for (const timer of timers) clearTimeout(timer);
    pump.close();
    endResize();
    endSignals();
    await mode.leave();
    globalThis.removeEventListener("error", onCrash);
    globalThis.removeEventListener("unhandledrejection", onCrash);
  }
  return {
    end: app.end,
    lost: connection.lost,
    next,
    elsewhere: elsewhere && over === undefined,
    over,
    unseen: starts.unseen,
    state: app.state,
  };
}

/** Gives the terminal to the shell and stops, until SIGCONT. */
async function suspend(mode: TerminalMode, pump: FramePump, screen: Screen): Promise<void> {
  // There is nothing to go to without jobs of a shell.
  if (Deno.build.os === "windows") return;
  pump.close();
  await mode.leave();
  const continued = Promise.withResolvers<void>();
  const onContinue = () => continued.resolve();
  Deno.addSignalListener("SIGCONT", onContinue);
  // Its whole process group, as the terminal would.
  Deno.kill(Deno.pid, "SIGSTOP");
  await continued.promise;
  Deno.removeSignalListener("SIGCONT", onContinue);
  await mode.enter();
  screen.invalidate();
  pump.open();
}
