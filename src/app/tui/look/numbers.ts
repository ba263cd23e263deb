// Numbers and values as screens show them: thousands separated by a
// blank, and so are units. Commands print them without (`model/queries/texts/format.ts`).

import type { Piece } from "./pieces.ts";
import { cellText } from "../../../model/queries/texts/format.ts";
import type { Column, Json } from "../../../model/queries/table.ts";
import { sizeText } from "../../../kit/support/text/number-text.ts";

const DIGITS = 6;

/** A count: `1 204`; from a million on with a unit, `2.6M`. */
export function countText(value: number): string {
  const whole = Math.round(value);
  if (value > 0 && value < 9.95 && !Number.isInteger(value)) return value.toFixed(1);
  if (String(Math.abs(whole)).length <= DIGITS) return grouped(String(whole));
  for (const [unit, size] of [["M", 1e6], ["G", 1e9], ["T", 1e12]] as const) {
    const scaled = value / size;
    if (scaled < 999.5 || unit === "T") return `${scaled < 99.95 ? scaled.toFixed(1) : Math.round(scaled)}${unit}`;
  }
  return String(whole);
}

/** Digits in groups of three from the right. */
export function grouped(digits: string): string {
  return digits.replaceAll(/\B(?=(\d{3})+(?!\d))/g, " ");
}

/** Virtual time in ns as seconds, `12.481 306`: without the unit. */
export function secondsText(ns: number): string {
  const [seconds, rest] = (ns / 1e9).toFixed(6).split(".");
  return `${grouped(seconds)}.${rest.slice(0, 3)} ${rest.slice(3)}`;
}

/** A time (ns) at which something is due, to the millisecond: `at 253.000`. */
export function dueText(ns: number): string {
  return `at ${(ns / 1e9).toFixed(3)}`;
}

/** A duration in ns: `0.4 ms`. */
export function durationText(ns: number): string {
  if (ns < 1) return "0";
  if (ns < 1000) return `${Math.round(ns)} ns`;
  if (ns < 1e5) return `${(ns / 1e3).toFixed(ns < 1e4 ? 1 : 0)} us`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(ns < 1e8 ? 1 : 0)} ms`;
  return `${(ns / 1e9).toFixed(1)} s`;
}

/**
 * Millions of instructions per second: `1 204`; below ten with decimals, so that little is not
 * nothing.
 */
export function mipsText(mips: number): string {
  if (mips <= 0) return "0";
  if (mips < LEAST_MIPS / 2) return `<${LEAST_MIPS}`;
  if (mips < 9.95) return mips.toFixed(mips < 0.995 ? 2 : 1);
  return grouped(String(Math.round(mips)));
}

/** The least that two decimals show. */
export const LEAST_MIPS = 0.01;

/** How quickly a machine runs. */
export interface Speed {
  readonly mips: number;
  /** Mean load of the physical CPUs, 0 to 1. */
  readonly load: number;
  /** Some vCPU can run at this moment. */
  readonly runs: boolean;
}

/** The same for display. A machine that starts, or is stopped, has none. */
export type ShownSpeed = Speed | "starting" | undefined;

/**
 * Speed (MIPS) and load of the physical CPUs (0 to 1) below which a machine is idle: only timers
 * and waits are served. A machine that works can be slow, as before its code is translated.
 */
const IDLE_BELOW = { mips: 0.05, load: 0.01 } as const;

/** A speed with its unit, or in a word why there is none. */
export function speedPieces(speed: ShownSpeed, bold = false): Piece[] {
  if (speed === undefined) return [];
  if (speed === "starting") return [{ text: speed, role: "dim" }];
  const { mips, load, runs } = speed;
  if (!runs && mips < IDLE_BELOW.mips && load < IDLE_BELOW.load) return [{ text: "idle", role: "dim" }];
  // A machine can work without guests' instructions, in el2's own programs.
  return [{ text: mipsText(mips || Number.MIN_VALUE), role: bold ? "strong" : "text", bold }, { text: " MIPS", role: "dim" }];
}

/** A share from 0 to 1: `66 %`. Any share above zero is shown as more than zero. */
export function shareText(share: number): string {
  if (share > 0 && share < 0.005) return "<1 %";
  return `${Math.round(share * 100)} %`;
}

/** From which share on an amount is marked, and how. */
const MARKED = { from: 0.75, alarm: 0.9, bad: 0.95 } as const;

/** The ink of a share, and whether `!` follows it. */
export function shareMark(share: number): { readonly role: "text" | "warn" | "bad" | "dim"; readonly alarm: boolean } {
  const percent = Math.round(share * 100) / 100;
  const role = percent >= MARKED.bad ? "bad" : percent >= MARKED.from ? "warn" : percent === 0 ? "dim" : "text";
  return { role, alarm: percent >= MARKED.alarm };
}

/** A value of a column as a list shows it. */
export function valueText(column: Column, value: Json | undefined): string {
  if (value === null || value === undefined || value === "") return "-";
  switch (column.kind) {
    case "share":
      return shareText(Number(value));
    case "size":
      return sizeText(Number(value));
    case "rate":
    case "count":
      return countText(Number(value));
    case "duration":
      return durationText(Number(value));
    default:
      return cellText(column, value);
  }
}

/** Whether a value says nothing: zero, or none. */
export function isQuiet(text: string): boolean {
  return text === "-" || text === "0" || text === "0 %";
}
