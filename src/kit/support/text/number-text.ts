// Numbers as text: binary sizes, durations and virtual seconds, counts with decimal units,
// hexadecimal.

/** A number of 64 bits or less as an address or register. */
export function hex(value: number | bigint, digits = 1): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}

/** A size in bytes with a binary unit: `64K`, `1.5M`. */
export function sizeText(bytes: number): string {
  let value = bytes, unit = "";
  for (const next of ["K", "M", "G"]) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)}${unit}`;
}

/** A duration in ns with a unit: `0.4ms`. */
export function durationText(ns: number): string {
  if (ns < 1000) return `${Math.round(ns)}ns`;
  if (ns < 1e5) return `${(ns / 1e3).toFixed(1)}us`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(1)}ms`;
  return `${(ns / 1e9).toFixed(1)}s`;
}

/** Virtual time in ns as seconds. */
export function timeText(ns: number): string {
  return (ns / 1e9).toFixed(6);
}

/** A count with at most four digits and a decimal unit. */
export function countText(value: number): string {
  if (value < 10000) return String(Math.round(value));
  for (const [unit, size] of [["K", 1e3], ["M", 1e6], ["G", 1e9]] as const) {
    const scaled = value / size;
    if (scaled < 9999.5) return `${scaled < 99.95 ? scaled.toFixed(1) : Math.round(scaled)}${unit}`;
  }
  return `${(value / 1e12).toFixed(1)}T`;
}
