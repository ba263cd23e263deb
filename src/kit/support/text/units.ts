// Units in configuration files and on the command line: sizes (binary) and durations
// (docs/design/workstation.md §3).

import { GiB, KiB, MiB } from "../values/sizes.ts";

/** 1024 to the power that a unit stands for; K and KiB are the same. */
const SIZE_UNITS: Readonly<Record<string, number>> = { K: KiB, KiB, M: MiB, MiB, G: GiB, GiB, T: KiB * GiB, TiB: KiB * GiB };

const DURATION_UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, min: 60e9 };

/** Input of `parseSize` and `parseDuration`, as regular expressions for schemas. */
export const SIZE_PATTERN = unitPattern(SIZE_UNITS), DURATION_PATTERN = unitPattern(DURATION_UNITS);

function unitPattern(units: Readonly<Record<string, number>>): string {
  return `^\\d+(\\.\\d+)? ?(${Object.keys(units).join("|")})$`;
}

function parse(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/.exec(text);
  if (match === null || !Object.hasOwn(units, match[2])) return undefined;
  const value = Number(match[1]) * units[match[2]];
  return Number.isSafeInteger(value) ? value : undefined;
}

/**
 * Bytes of a size such as `256MiB` or `1.5G`; undefined if it is not one, or no whole number of
 * bytes.
 */
export function parseSize(text: string): number | undefined {
  return parse(text, SIZE_UNITS);
}

/** Nanoseconds of a duration such as `10s` or `1.5ms`; undefined if it is not one. */
export function parseDuration(text: string): number | undefined {
  return parse(text, DURATION_UNITS);
}

/** A size in the largest unit that shows it exactly: `256MiB`, `3GiB`, `17 bytes`. */
export function formatSize(bytes: number): string {
  for (const unit of ["GiB", "MiB", "KiB"]) {
    if (bytes !== 0 && bytes % SIZE_UNITS[unit] === 0) return `${bytes / SIZE_UNITS[unit]}${unit}`;
  }
  return `${bytes} bytes`;
}
