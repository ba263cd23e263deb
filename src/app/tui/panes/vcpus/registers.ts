// Registers in columns, those that have changed since the last look marked.

import type { Line } from "../pane.ts";
import { digitPieces, type Piece } from "../../look/pieces.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { REGISTERS } from "../../../../model/queries/tables.ts";

type RegisterRow = RowOf<typeof REGISTERS>;

/** Registers that say where a vCPU is, and why: before all others. */
const FIRST: readonly string[] = ["pc", "pstate", "sp_el0", "sp_el1", "esr_el1", "elr_el1", "far_el1"];
/** Digits that are shown of a value. */
const SHORT = 16;
/** Columns of a name at the least. */
const NAME = 6;
/** Blanks between columns: one, where that makes room for one more. */
const GAP = 2, NARROW_GAP = 1;

/** Keeps the registers of one vCPU from look to look. */
export class RegisterLines {
  #vcpu = "";
  #before = new Map<string, string>();
  #rows: readonly RegisterRow[] = [];

  /** Takes the registers of a vCPU. */
  update(vcpu: string, rows: readonly RegisterRow[]): void {
    this.#before = vcpu === this.#vcpu ? new Map(this.#rows.map((row) => [row.id, row.value])) : new Map();
    this.#vcpu = vcpu;
    this.#rows = rows;
  }

  /**
   * The first ones, then general registers, then the others by group. Vector registers are left to
   * `el2 vcpu regs`.
   */
  lines(width: number): Line[] {
    const lines: Line[] = [], isFirst = ({ name }: RegisterRow) => FIRST.includes(name);
    const first = this.#rows.filter(isFirst).sort((a, b) => FIRST.indexOf(a.name) - FIRST.indexOf(b.name));
    const groups = ["general", "system", "timer", "gic"].map((group) => this.#rows.filter((row) => row.group === group && !isFirst(row)));
    for (const rows of [first, ...groups]) {
      const names = Math.max(...rows.map((row) => row.name.length), NAME);
      const columnsBy = (gap: number) => Math.max(1, Math.floor((width - 1 + gap) / (names + 1 + SHORT + gap)));
      const columns = columnsBy(NARROW_GAP), gap = columnsBy(GAP) < columns ? NARROW_GAP : GAP;
      for (let at = 0; at < rows.length; at += columns) {
        lines.push({ text: "", pieces: rows.slice(at, at + columns).flatMap((row) => this.#pieces(row, names, gap)) });
      }
      for (const row of rows) {
        if (row.words === null) continue;
        lines.push(row.parts ? { text: "", pieces: pstatePieces(row.parts, names) } : wordsLine(row.name, row.words, names));
      }
    }
    return lines;
  }

  /** Name and value; leading zeros are faint, changes are marked. */
  #pieces(row: RegisterRow, names: number, gap: number): Piece[] {
    const value = row.value, old = this.#before.get(row.id);
    const digits = value.slice(2), shown = digits.length <= SHORT ? digits : digits.slice(-SHORT);
    const changed = old !== undefined && old !== value;
    const blank = " ".repeat(SHORT - shown.length + gap);
    const name: Piece = { text: row.name.padEnd(names), role: "dim" };
    if (changed) return [name, { text: `*${shown}`, role: "warn", fill: "warnbg" }, { text: blank }];
    return [name, { text: " " }, ...digitPieces(shown, "text"), { text: blank }];
  }
}

/** A value in words. */
function wordsLine(name: string, words: string, names: number): Line {
  return { text: "", pieces: [{ text: `${name.padEnd(names)} `, role: "dim" }, { text: words, role: "text" }] };
}

/** PSTATE in letters: flags that are set and exceptions that are masked are capitals. */
function pstatePieces([flags, level, masks]: readonly string[], names: number): Piece[] {
  const letters = (text: string): Piece[] =>
    [...text].map((letter) =>
      letter === letter.toUpperCase() ? { text: letter, role: "strong", bold: true } : { text: letter, role: "dim" }
    );
  return [
    { text: "".padEnd(names + 1) },
    ...letters(flags),
    { text: ` ${level} ` },
    ...letters(masks),
    { text: "  set, masked: capitals", role: "dim" },
  ];
}
