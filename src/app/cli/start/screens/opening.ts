// The first frame on the process's terminal, until the screens take over or an error ends it.

import { terminalLook } from "../look/terminal-look.ts";
import { loadUiState } from "./ui-state-file.ts";
import { defaultName } from "../../../../session/control/session-names.ts";
import { onEnd } from "../../../../kit/support/computer/launcher.ts";
import { END_CODES, END_SIGNALS } from "../../../../kit/support/computer/signals.ts";
import { beforeNextLine } from "../../../../kit/support/warn.ts";
import { writeAll } from "../../../../kit/support/files/write-all.ts";
import type { Screen } from "../../../tui/terminal/cells.ts";
import type { StateWord } from "../../../tui/app/frame/frame-state.ts";
import { openingFrame } from "../../../tui/app/frame/opening.ts";
import { terminalSize } from "../../../tui/terminal/terminal.ts";
import { ENTER, LEAVE } from "../../../tui/terminal/terminal-modes.ts";
import { findTheme } from "../../../tui/look/themes.ts";
import type { LookWish } from "../../../tui/look/theme.ts";
import type { ColorDepth } from "../../../tui/terminal/color.ts";

/** How the frame looks. */
interface OpeningOptions extends LookWish {
  readonly depth: ColorDepth;
  /** Lines of text for screen readers: they have no frame. */
  readonly plain?: boolean;
  readonly keys?: Readonly<Record<string, string>>;
}

/** A frame on the terminal. Plain calls: it may be made by another copy of this module. */
export interface Opening {
  /** The content of the terminal. */
  readonly screen: Screen;
  /** Gives the terminal back. */
  readonly close: () => void;
  /** From now on others do that. */
  readonly release: () => void;
}

/** A session whose frame is drawn. */
interface OpeningSession {
  readonly title: string;
  /** Absolute path of its configuration. */
  readonly configuration: string | undefined;
  readonly awaited: string;
  readonly readOnly?: boolean;
  readonly state?: StateWord;
  /** Its screens begin with their defaults. */
  readonly fresh?: boolean;
}

/** The text of the frame while a machine starts. */
export const STARTING = "The machine is starting";

let shown: Opening | undefined;

/** Takes a frame that is shown: messages close it, and the next screens take it over. */
export function keepOpening(opening: Opening | undefined): void {
  shown = opening;
  beforeNextLine(
    opening && (() => {
      shown?.close();
      keepOpening(undefined);
    }),
  );
}

/** The screens take the terminal over as it is; undefined if there is no first frame. */
export function takeOpening(): Screen | undefined {
  const opening = shown;
  opening?.release();
  keepOpening(undefined);
  return opening?.screen;
}

/** Shows the first frame of a session, unless there is one. */
export async function showOpening(options: OpeningOptions, session: OpeningSession): Promise<void> {
  if (!shown && !options.plain) keepOpening(await openingOf(options, session));
}

/** Shows the first frame of the demo, before the command line is loaded. */
export async function openDemo(): Promise<Opening> {
  return await openingOf(terminalLook({}, [], undefined, "pass"), { title: "demo", configuration: undefined, awaited: STARTING });
}

async function openingOf(options: OpeningOptions, session: OpeningSession): Promise<Opening> {
  const { title, configuration, fresh } = session;
  const state = fresh ? undefined : await loadUiState(defaultName(title), configuration);
  const theme = options.theme ?? (state?.theme !== undefined && findTheme(state.theme, options.themes) ? state.theme : undefined);
  const { screen, frame } = openingFrame(terminalSize(), { ...options, theme }, {
    ...session,
    screen: state?.screen,
    keys: options.keys,
  });
  Deno.stdin.setRaw(true);
  write(ENTER + frame);
  const endSignals = onEnd(END_SIGNALS, (signal) => {
    close();
    Deno.exit(END_CODES[signal]);
  });
  const endings = ["error", "unhandledrejection", "unload"] as const;
  const release = () => {
    endSignals();
    for (const ending of endings) globalThis.removeEventListener(ending, close);
  };
  const close = () => {
    release();
    write(LEAVE);
    Deno.stdin.setRaw(false);
  };
  for (const ending of endings) globalThis.addEventListener(ending, close);
  return { screen, close, release };
}

function write(text: string): void {
  writeAll(Deno.stdout, new TextEncoder().encode(text), "stdout");
}
