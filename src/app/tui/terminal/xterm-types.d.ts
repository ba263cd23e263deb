// The part of @xterm/headless that el2 uses. The package's own declarations are ambient and cannot
// be mapped to its module file.

/** One cell of the emulated screen. */
export interface IBufferCell {
  getWidth(): number;
  getChars(): string;
  getFgColor(): number;
  getBgColor(): number;
  isFgRGB(): boolean;
  isBgRGB(): boolean;
  isFgDefault(): boolean;
  isBgDefault(): boolean;
  isBold(): number;
  isDim(): number;
  isItalic(): number;
  isUnderline(): number;
  isInverse(): number;
  isStrikethrough(): number;
}

/** One row. */
interface IBufferLine {
  /** It continues the row before. */
  readonly isWrapped: boolean;
  getCell(column: number, cell?: IBufferCell): IBufferCell | undefined;
  translateToString(trimRight?: boolean): string;
}

/** Screen and scrollback. */
interface IBuffer {
  readonly baseY: number;
  readonly cursorX: number;
  readonly cursorY: number;
  readonly length: number;
  getLine(row: number): IBufferLine | undefined;
}

/** A table of widths. */
export interface IUnicodeVersionProvider {
  readonly version: string;
  wcwidth(code: number): 0 | 1 | 2;
  /** Of a character after another, as a number: width, whether they share a cell, and a state. */
  charProperties(code: number, before: number): number;
}

/** A terminal emulator without a screen. */
export class Terminal {
  constructor(
    options: { cols: number; rows: number; scrollback: number; allowProposedApi: boolean; convertEol: boolean; logLevel?: "off" },
  );
  readonly cols: number;
  readonly rows: number;
  readonly buffer: { readonly active: IBuffer };
  readonly unicode: { register(provider: IUnicodeVersionProvider): void; activeVersion: string };
  write(data: Uint8Array | string, callback?: () => void): void;
  resize(columns: number, rows: number): void;
  onWriteParsed(callback: () => void): void;
  onData(callback: (data: string) => void): void;
}
