// Units of what users write: sizes (binary) and durations, the same in files and on the command
// line (docs/design/workstation.md §3).

import { GiB, KiB, MiB } from "../values/sizes.ts";

/** Bytes of a unit: `K`, `KB` and `KiB` are the same. */
const SIZE_UNITS: Readonly<Record<string, number>> = { "": 1, K: KiB, M: MiB, G: GiB, T: KiB * GiB };
/** Nanoseconds of a unit. */
const DURATION_UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, min: 60e9, h: 3600e9 };

/** Input of `parseSize` and `parseDuration`, as regular expressions for schemas. */
export const SIZE_PATTERN = "^(0x[0-9a-fA-F]{1,13}|\\d+(\\.\\d+)? ?[KMGT]?(i?B)?)$";
export const DURATION_PATTERN = `^\\d+(\\.\\d+)? ?(${Object.keys(DURATION_UNITS).join("|")})$`;
const DURATION = new RegExp(DURATION_PATTERN);

/**
 * Bytes of a size such as `256MiB`, `1.5G`, `4096` or `0x1000`; undefined if it is not one, or no
 * whole number of bytes.
 */
export function parseSize(text: string): number | undefined {
  if (/^0x[0-9a-f]{1,13}$/i.test(text)) return Number(text);
  const match = /^(\d+(?:\.\d+)?) ?([KMGT]?)(?:i?B)?$/.exec(text);
  return match ? safe(Number(match[1]) * SIZE_UNITS[match[2]]) : undefined;
}

/** Nanoseconds of a duration such as `10s` or `1.5ms`, rounded; undefined if it is not one. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text);
  return match ? safe(Math.round(Number.parseFloat(text) * DURATION_UNITS[match[2]])) : undefined;
}

const safe = (value: number) => Number.isSafeInteger(value) ? value : undefined;

/** A size in the largest unit that shows it exactly: `256MiB`, `3GiB`, `17 bytes`. */
export function formatSize(bytes: number): string {
  for (const [unit, size] of [["GiB", GiB], ["MiB", MiB], ["KiB", KiB]] as const) {
    if (bytes !== 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes} bytes`;
}

/** A range of bytes: small ones are counted. */
export function sizeRangeText(minimum: number, maximum: number): string {
  return maximum < MiB ? `${minimum}..${maximum} bytes` : `${minimum === 0 ? 0 : formatSize(minimum)}..${formatSize(maximum)}`;
}
