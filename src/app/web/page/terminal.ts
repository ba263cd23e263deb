// The terminal of a page: el2's screens drawn by xterm.js, with keys, mouse, touch, the page's size
// and the user's wish for light or dark colors. A back end draws the screens, which takes and gives
// bytes as a program in a terminal does: a session behind a WebSocket, or a worker.

import { browser, element, type PageElement, type PageEvent } from "./browser.ts";
import { LARGEST } from "./messages.ts";
import { allowOwnStyles } from "./own-styles.ts";
import type { ITheme } from "./xterm-types.d.ts";
// @ts-types="./xterm-types.d.ts"
import { Terminal } from "@xterm/xterm";

/** The program that draws in the terminal. */
export interface Backend {
  /** The user has typed, clicked or pasted this. */
  typed(bytes: Uint8Array<ArrayBuffer>): void;
  /** The terminal has this size from now on. That is the first call of all. */
  resized(columns: number, rows: number): void;
}

/** The terminal as its back end sees it. */
export interface PageTerminal {
  /** Draws bytes; resolves when they are taken, so that no more is sent than can be drawn. */
  draw(bytes: Uint8Array): Promise<void>;
  /** Keeps another's size, such as that of a screen that several follow, as large as fits. */
  keepSize(columns: number, rows: number): void;
  /** Has the size of its page again. */
  takeSize(): void;
  /** Shows a line of text over the screen: why nothing is drawn any more. */
  say(text: string): void;
}

const FONTS = 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace';
/** Sizes of the font in CSS pixels: the usual one, and the least that a narrow page gets. */
const FONT_SIZE = 14, LEAST_FONT_SIZE = 7;
/** Height of a row, the font's being 1, which is rounded down: at 1 a row cuts off underscores. */
const LINE_HEIGHT = 1.1;
/** Columns for which a narrow page takes a smaller font: screens are made for 80. */
const WANTED_COLUMNS = 80;
/** Columns and rows of a terminal that has no room yet. */
const LEAST = { columns: 20, rows: 6 };
const DARK: ITheme = { background: "#11151c", foreground: "#d5dae3", cursor: "#d5dae3" };
const LIGHT: ITheme = { background: "#fbfbf9", foreground: "#24292f", cursor: "#24292f" };
/** Reports of a terminal whose colors become dark or light. */
const NOW_DARK = "\x1b[?997;1n", NOW_LIGHT = "\x1b[?997;2n";
/** Rows of a finger's way for a step of the wheel, with which screens move by as many. */
const SWIPED = 3;
/** The unit of a wheel's event: rows. */
const DELTA_LINE = 1;
/** The code of the sequence that puts a text on the clipboard. */
const OSC_CLIPBOARD = 52;

/** Opens a terminal in the page's `#terminal`, with the keys of `#keys`. */
export function openTerminal(backend: Backend): PageTerminal {
  allowOwnStyles();
  const place = element("#terminal"), dark = browser.matchMedia("(prefers-color-scheme: dark)");
  const theme = () => dark.matches ? DARK : LIGHT;
  const font = { fontFamily: FONTS, fontSize: FONT_SIZE, lineHeight: LINE_HEIGHT };
  const terminal = new Terminal({ ...font, scrollback: 0, theme: theme(), macOptionIsMeta: true });
  terminal.open(place);
  const type = (text: string) => backend.typed(new TextEncoder().encode(text));
  terminal.onData(type);
  dark.addEventListener("change", () => {
    terminal.options.theme = theme();
    type(dark.matches ? NOW_DARK : NOW_LIGHT);
  });
  const room = new Room(terminal, place, backend);
  // The clipboard of one who follows is not the leader's.
  terminal.parser.registerOscHandler(OSC_CLIPBOARD, (data) => room.isKept || copied(data));
  new browser.ResizeObserver(() => room.fit()).observe(place);
  listenToKeys(terminal, type);
  listenToSwipes(place, terminal);
  terminal.focus();
  return {
    draw: (bytes) => new Promise((taken) => terminal.write(bytes, taken)),
    keepSize: (columns, rows) => room.keep(columns, rows),
    takeSize: () => room.release(),
    say: (text) => {
      const message = element("#message");
      message.textContent = text;
      message.hidden = false;
    },
  };
}

/** The room that a page has for its terminal. */
class Room {
  readonly terminal: Terminal;
  readonly place: PageElement;
  readonly backend: Backend;
  #kept: { readonly columns: number; readonly rows: number } | undefined;
  #told = "";

  constructor(terminal: Terminal, place: PageElement, backend: Backend) {
    this.terminal = terminal;
    this.place = place;
    this.backend = backend;
  }

  get isKept(): boolean {
    return this.#kept !== undefined;
  }

  keep(columns: number, rows: number): void {
    this.#kept = { columns, rows };
    this.terminal.resize(columns, rows);
    this.fit();
  }

  release(): void {
    this.#kept = undefined;
    this.#told = "";
    this.fit();
  }

  /** Fills the room: with as many cells as it has, or with cells as large as a kept size allows. */
  fit(): void {
    const { terminal, place } = this, { clientWidth: width, clientHeight: height } = place;
    const kept = this.#kept, cell = this.#cellAt(FONT_SIZE);
    if (kept) {
      const share = Math.min(width / (cell.width * kept.columns), height / (cell.height * kept.rows));
      terminal.options.fontSize = Math.max(1, Math.floor(FONT_SIZE * share));
      return;
    }
    const share = Math.min(1, width / (cell.width * WANTED_COLUMNS));
    const { width: across, height: down } = this.#cellAt(Math.max(LEAST_FONT_SIZE, Math.floor(FONT_SIZE * share)));
    const columns = between(LEAST.columns, Math.floor(width / across), LARGEST.columns);
    const rows = between(LEAST.rows, Math.floor(height / down), LARGEST.rows);
    if (this.#told === `${columns} ${rows}`) return;
    this.#told = `${columns} ${rows}`;
    terminal.resize(columns, rows);
    this.backend.resized(columns, rows);
  }

  /** Takes a size of the font, and measures a cell. */
  #cellAt(size: number): { readonly width: number; readonly height: number } {
    const { terminal, place } = this;
    if (terminal.options.fontSize !== size) terminal.options.fontSize = size;
    const screen = place.querySelector(".xterm-screen")?.getBoundingClientRect();
    const width = (screen?.width ?? 0) / terminal.cols, height = (screen?.height ?? 0) / terminal.rows;
    return width > 0 && height > 0 ? { width, height } : { width: size * 0.6, height: size * 1.2 };
  }
}

const between = (least: number, value: number, most: number) => Math.max(least, Math.min(value, most));

/** Puts a text of the screens on the clipboard; nothing reads what is there. */
function copied(data: string): boolean {
  const text = /^[cps]*;([A-Za-z0-9+/=]*)$/.exec(data)?.[1];
  if (!text) return true;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  // A browser that asks its user, who refuses, has said so.
  void browser.navigator.clipboard?.writeText(new TextDecoder().decode(bytes)).catch(() => {});
  return true;
}

/** A finger that moves across the terminal scrolls what is below it, as a wheel does. */
function listenToSwipes(place: PageElement, terminal: Terminal): void {
  let last: number | undefined;
  const isFinger = ({ pointerType, isPrimary }: PageEvent) => pointerType === "touch" && isPrimary;
  place.addEventListener("pointerdown", (event) => {
    if (isFinger(event)) last = event.clientY;
  });
  place.addEventListener("pointermove", (event) => {
    if (last === undefined || !isFinger(event)) return;
    const step = SWIPED * place.clientHeight / terminal.rows, { clientX, clientY } = event;
    for (; Math.abs(clientY - last) >= step; last += Math.sign(clientY - last) * step) {
      const wheel = { deltaY: Math.sign(last - clientY), deltaMode: DELTA_LINE, clientX, clientY };
      place.querySelector(".xterm")?.dispatchEvent(new browser.WheelEvent("wheel", wheel));
    }
  });
  for (const end of ["pointerup", "pointercancel"]) place.addEventListener(end, () => last = undefined);
}

/** Keys that a touch screen lacks, as buttons of the page: each sends what its key would. */
function listenToKeys(terminal: Terminal, type: (text: string) => void): void {
  element("#keys").addEventListener("click", ({ target }) => {
    const sent = target?.dataset.key;
    if (sent === undefined) return;
    type(JSON.parse(`"${sent}"`));
    terminal.focus();
  });
}
