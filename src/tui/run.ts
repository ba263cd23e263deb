// Runs the TUI on a terminal until the person leaves: wires keys, session events, frames and signals, and gives the terminal back whatever happens.

import { App } from "./app.ts";
import { type ColourDepth, Screen } from "./cells.ts";
import { ESCAPE_WAIT, KeyParser } from "./keys.ts";
import { FramePump, TerminalMode, type TerminalPort } from "./terminal.ts";
import type { SessionClient } from "../workstation/client.ts";
import type { SessionEnd } from "../workstation/protocol.ts";

/** The colours that the environment promises. */
export function colourDepth(environment: (name: string) => string | undefined): ColourDepth {
  if (environment("NO_COLOR") || environment("TERM") === "dumb") return "none";
  if (/truecolor|24bit/.test(environment("COLORTERM") ?? "")) return "direct";
  return /256/.test(environment("TERM") ?? "") ? "256" : "16";
}

/** Options of `runTui`. */
export interface TuiOptions {
  readonly title: string;
  readonly depth: ColourDepth;
  readonly mouse: boolean;
  /** Over ssh: fewer frames. */
  readonly slowLink: boolean;
}

/**
 * Shows a session until the person leaves or the terminal goes away. Returns how the session ended, where it did.
 * The caller has set up and started the session; this takes over `client.onEvent`.
 */
export async function runTui(client: SessionClient, port: TerminalPort, options: TuiOptions): Promise<SessionEnd | undefined> {
  const { columns, rows } = port.size();
  const screen = new Screen(columns, rows, options.depth);
  const mode = new TerminalMode(port, options.mouse);
  const left = Promise.withResolvers<void>();

  const pump: FramePump = new FramePump(port, () => {
    app.draw(screen);
    return screen.frame();
  }, options.slowLink);
  const app = new App(options.title, {
    send: (request) => client.send(request),
    changed: (urgent) => pump.request(urgent),
    leave: () => left.resolve(),
    redraw: () => screen.invalidate(),
  });
  client.onEvent = (event) => app.apply(event);

  const endResize = port.onResize(() => {
    const size = port.size();
    screen.resize(size.columns, size.rows);
    pump.request(true);
  });
  const signals = ["SIGTERM", "SIGHUP", "SIGINT"] as const;
  const onSignal = () => left.resolve();
  const onCrash = () => mode.leaveNow();
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  globalThis.addEventListener("error", onCrash);
  globalThis.addEventListener("unhandledrejection", onCrash);
  try {
    await mode.enter();
    pump.open();
    await Promise.race([left.promise, readKeys(port, app)]);
  } finally {
    pump.close();
    endResize();
    for (const signal of signals) Deno.removeSignalListener(signal, onSignal);
    await mode.leave();
    globalThis.removeEventListener("error", onCrash);
    globalThis.removeEventListener("unhandledrejection", onCrash);
  }
  return app.end;
}

/** Feeds keys to the application; ends with the input. */
async function readKeys(port: TerminalPort, app: App): Promise<void> {
  const parser = new KeyParser();
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const bytes of port.input) {
    clearTimeout(timer);
    for (const key of parser.push(bytes)) app.key(key);
    if (parser.waiting) {
      timer = setTimeout(() => {
        for (const key of parser.flush()) app.key(key);
      }, ESCAPE_WAIT);
    }
  }
}
