// Numbers as the screens write them: virtual time with six decimals, counts with a unit, bars.

/** Virtual time in seconds, from ns. */
export function seconds(ns: number): string {
  return `${(ns / 1e9).toFixed(6)}s`;
}

/** A count with at most four digits and a decimal unit. */
export function count(value: number): string {
  if (value < 10000) return String(Math.round(value));
  for (const [unit, size] of [["K", 1e3], ["M", 1e6], ["G", 1e9]] as const) {
    const scaled = value / size;
    if (scaled < 9999.5) return `${scaled < 99.95 ? scaled.toFixed(1) : Math.round(scaled)}${unit}`;
  }
  return `${(value / 1e12).toFixed(1)}T`;
}

/** A share as a percentage of three columns and the sign. */
export function percent(share: number): string {
  return `${Math.round(Math.min(Math.max(share, 0), 1) * 100)}%`.padStart(4);
}
