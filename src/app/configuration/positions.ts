// Positions of the keys and values of a TOML document, for messages that name line and column
// (docs/design/workstation.md §3). The parser (smol-toml) keeps no positions, so this walks the
// text again; it relies on the parser having accepted it. Grammar: TOML 1.0. A parser with
// positions (toml-eslint-parser 1.0.3, 66 KiB) would take some 25 ms of each start; this takes 4.

import { parse } from "smol-toml";

/** A place in a text; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Keys from the root of a document; numbers are indices of arrays. */
export type KeyPath = readonly (string | number)[];

/** Where values are that a change of the document brought: nowhere in its text. */
const NOWHERE: Position = { line: 0, column: 0 };

const begins = (path: KeyPath, start: KeyPath) => start.every((part, index) => path[index] === part);

/** Positions of a document's keys and values. */
export class TomlPositions {
  readonly #lineStarts: number[] = [0];
  readonly #keys = new Map<string, number>();
  readonly #values = new Map<string, number>();

  /**
   * @param text a document that the TOML parser accepts.
   * @param changed keys whose values are not those of the text
   */
  constructor(text: string, readonly changed: readonly KeyPath[] = []) {
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#lineStarts.push(at + 1);
    new Scanner(text, this.#keys, this.#values).document();
  }

  /** Position of the key at `path`: for a table, that of its header or its first mention. */
  key(path: KeyPath): Position | undefined {
    return this.#place(path, this.#keys, this.#values);
  }

  /** Where the value at `path` starts; for a table with a header, the header's name. */
  value(path: KeyPath): Position | undefined {
    return this.#place(path, this.#values, this.#keys);
  }

  #place(path: KeyPath, first: ReadonlyMap<string, number>, second: ReadonlyMap<string, number>): Position | undefined {
    if (this.changed.some((change) => begins(path, change))) return NOWHERE;
    const name = JSON.stringify(path), position = this.#position(first.get(name) ?? second.get(name));
    return position === undefined && this.changed.some((change) => begins(change, path)) ? NOWHERE : position;
  }

  #position(offset: number | undefined): Position | undefined {
    if (offset === undefined) return undefined;
    // The last line that starts at or before it, by halves: a file may have as many errors as
    // lines.
    let line = 0, end = this.#lineStarts.length;
    while (end - line > 1) {
      const middle = line + end >> 1;
      if (this.#lineStarts[middle] <= offset) line = middle;
      else end = middle;
    }
    return { line: line + 1, column: offset - this.#lineStarts[line] + 1 };
  }
}

/** One pass over the text that notes the offset of each key and value. */
class Scanner {
  #at = 0;
  /** Number of elements so far in each array of tables. */
  readonly #tables = new Map<string, number>();

  constructor(readonly text: string, readonly keys: Map<string, number>, readonly values: Map<string, number>) {}

  document(): void {
    let table: (string | number)[] = [];
    for (this.#blanks(); this.#at < this.text.length; this.#blanks()) {
      if (this.text[this.#at] !== "[") {
        this.#pair(table);
        continue;
      }
      const array = this.text.startsWith("[[", this.#at);
      this.#at += array ? 2 : 1;
      this.#spaces();
      table = this.#dottedKey([]);
      if (array) {
        const name = JSON.stringify(table);
        const index = this.#tables.get(name) ?? 0;
        this.#tables.set(name, index + 1);
        table = [...table, index];
      }
      this.#spaces();
      this.#at += array ? 2 : 1;
    }
  }

  /** A key, `=` and its value. */
  #pair(table: KeyPath): void {
    const path = this.#dottedKey(table);
    this.#spaces();
    this.#at++;
    this.#spaces();
    this.#value(path);
  }

  /** One or more keys with dots between; each is noted at its own offset. */
  #dottedKey(table: KeyPath): (string | number)[] {
    const path = [...table];
    for (;;) {
      const start = this.#at;
      path.push(this.#simpleKey());
      // `[vm.a]` after `[vm.b]` mentions vm again; inside an array of tables the last element is
      // meant.
      if (!this.keys.has(JSON.stringify(path))) this.keys.set(JSON.stringify(path), start);
      const elements = this.#tables.get(JSON.stringify(path));
      this.#spaces();
      if (this.text[this.#at] !== ".") return path;
      if (elements !== undefined) path.push(elements - 1);
      this.#at++;
      this.#spaces();
    }
  }

  #simpleKey(): string {
    const start = this.#at;
    if (this.text[start] === "'" || this.text[start] === '"') {
      this.#string();
      return parse(`key = ${this.text.slice(start, this.#at)}`).key as string;
    }
    while (/[A-Za-z0-9_-]/.test(this.text[this.#at] ?? "")) this.#at++;
    return this.text.slice(start, this.#at);
  }

  #value(path: KeyPath): void {
    this.values.set(JSON.stringify(path), this.#at);
    switch (this.text[this.#at]) {
      case "'":
      case '"':
        return this.#string();
      case "[":
        return this.#array(path);
      case "{":
        return this.#inlineTable(path);
      default:
        while (this.#at < this.text.length && !/[,\]}#\n\r]/.test(this.text[this.#at])) this.#at++;
    }
  }

  #array(path: KeyPath): void {
    this.#at++;
    for (let index = 0;; index++) {
      this.#blanks();
      if (this.text[this.#at] === ",") this.#at++, this.#blanks();
      if (this.text[this.#at] === "]") break;
      this.#value([...path, index]);
    }
    this.#at++;
  }

  #inlineTable(path: KeyPath): void {
    this.#at++;
    for (;;) {
      this.#blanks();
      if (this.text[this.#at] === ",") this.#at++, this.#blanks();
      if (this.text[this.#at] === "}") break;
      this.#pair(path);
    }
    this.#at++;
  }

  #string(): void {
    const quote = this.text[this.#at];
    const long = this.text.startsWith(quote.repeat(3), this.#at);
    const end = long ? quote.repeat(3) : quote;
    this.#at += end.length;
    while (!this.text.startsWith(end, this.#at)) this.#at += quote === '"' && this.text[this.#at] === "\\" ? 2 : 1;
    this.#at += end.length;
    // A long string may end with quotes before the closing ones.
    while (long && this.text[this.#at] === quote) this.#at++;
  }

  #spaces(): void {
    while (this.text[this.#at] === " " || this.text[this.#at] === "\t") this.#at++;
  }

  /** Spaces, line ends and comments. */
  #blanks(): void {
    for (;;) {
      while (/[ \t\r\n]/.test(this.text[this.#at] ?? "")) this.#at++;
      if (this.text[this.#at] !== "#") return;
      while (this.#at < this.text.length && this.text[this.#at] !== "\n") this.#at++;
    }
  }
}
