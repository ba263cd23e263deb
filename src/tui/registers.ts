// Registers in columns, those that have changed since the last look marked.

import type { Line } from "./pane.ts";
import type { Row } from "../queries/table.ts";

const COLUMN = 31;
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
        lines.push({ text: rows.slice(at, at + columns).map((row) => this.#text(row).padEnd(COLUMN)).join("") });
      }
    }
    return lines;
  }

  #text(row: Row): string {
    const value = String(row.value), old = this.#before.get(row.id);
    const digits = value.slice(2);
    const shown = digits.length <= SHORT ? digits : digits.slice(-SHORT);
    return `${String(row.name).padEnd(12)}${old !== undefined && old !== value ? "*" : " "}${shown}`;
  }
}
