// Registers in columns, those that have changed since the last look marked.

import type { Line } from "./pane.ts";
import type { Piece } from "./pieces.ts";
import type { Row } from "../queries/table.ts";

const COLUMN = 31;
const NAME = 12;
const SHORT = 16;

/** Keeps the registers of one vCPU from look to look. */
export class RegisterLines {
  #vcpu = "";
  #before = new Map<string, string>();
  #rows: readonly Row[] = [];

  /** Takes the registers of a vCPU. */
  take(vcpu: string, rows: readonly Row[]): void {
    this.#before = vcpu === this.#vcpu ? new Map(this.#rows.map((row) => [row.id, String(row.value)])) : new Map();
    this.#vcpu = vcpu;
    this.#rows = rows;
  }

  /**
   * General registers first, then the others by group. Vector registers are left to
   * `el2 vcpu regs`.
   */
  lines(width: number): Line[] {
    const columns = Math.max(1, Math.floor(width / COLUMN));
    const lines: Line[] = [];
    for (const group of ["general", "system", "timer", "gic"]) {
      const rows = this.#rows.filter((row) => row.group === group);
      for (let at = 0; at < rows.length; at += columns) {
        lines.push({ text: "", pieces: rows.slice(at, at + columns).flatMap((row) => this.#pieces(row)) });
      }
    }
    return lines;
  }

  /** Name and value; leading zeros are faint, what has changed is marked. */
  #pieces(row: Row): Piece[] {
    const value = String(row.value), old = this.#before.get(row.id);
    const digits = value.slice(2), shown = digits.length <= SHORT ? digits : digits.slice(-SHORT);
    const changed = old !== undefined && old !== value;
    const zeros = /^0*(?=.)/.exec(shown)![0];
    const blank = " ".repeat(Math.max(COLUMN - NAME - 1 - shown.length, 0));
    const name: Piece = { text: String(row.name).padEnd(NAME), role: "dim" };
    if (changed) return [name, { text: `*${shown}`, role: "warn", fill: "warnbg" }, { text: blank }];
    return [name, { text: " " }, { text: zeros, role: "faint" }, { text: shown.slice(zeros.length) }, { text: blank }];
  }
}
