// The part of @xterm/xterm that pages use. The package's own declarations are ambient, and need the
// types of a browser.

import type { PageElement } from "./browser.ts";

/** Colors of the terminal itself; programs have their own. */
export interface ITheme {
  readonly background: string;
  readonly foreground: string;
  readonly cursor: string;
}

interface ITerminalOptions {
  fontFamily: string;
  fontSize: number;
  lineHeight: number;
  scrollback: number;
  theme: ITheme;
  macOptionIsMeta: boolean;
}

/** A terminal emulator in an element of a page. */
export class Terminal {
  constructor(options: ITerminalOptions);
  readonly cols: number;
  readonly rows: number;
  readonly options: ITerminalOptions;
  readonly parser: { registerOscHandler(code: number, take: (data: string) => boolean): void };
  open(place: PageElement): void;
  focus(): void;
  write(data: Uint8Array | string, taken?: () => void): void;
  resize(columns: number, rows: number): void;
  onData(typed: (data: string) => void): void;
}
