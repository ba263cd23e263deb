// The wait of a vCPU in words, from the ids of its wakeups.

import { durationText } from "../look/numbers.ts";

/** Names that are listed before they are counted. */
const LISTED = 3;
const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

/**
 * `timer irq 27 in 0.6 ms`, `irq 960, 961`, `irq 32 to 39`. Where that is wider than `width`, the
 * first wakeups whole, and how many more there are: `timer irq 27 in 0.6 ms +2`.
 */
export function waitText(wakes: readonly string[], width = Infinity): string {
  const timers: string[] = [], others: string[] = [], irqs: number[] = [];
  for (const wake of wakes) {
    const match = /^irq:[^/]+\/(\d+)(?:@\d+)?(?: \+([\d.]+)([a-z]+))?$/.exec(wake);
    if (!match) others.push(OTHER_WORDS[wake] ?? wake);
    else if (match[2] === undefined) irqs.push(Number(match[1]));
    else timers.push(`timer irq ${match[1]} ${whenText(Number(match[2]) * (UNITS[match[3]] ?? 1))}`);
  }
  irqs.sort((a, b) => a - b);
  const whole = [...timers, ...irqs.length ? [irqText(irqs)] : [], ...others].join(", ");
  if (whole.length <= width) return whole;
  const each = [...timers, ...irqs.map((irq, index) => index ? String(irq) : `irq ${irq}`), ...others];
  for (let shown = each.length - 1; shown > 0; shown--) {
    const text = `${each.slice(0, shown).join(", ")} +${each.length - shown}`;
    if (text.length <= width || shown === 1) return text;
  }
  return whole;
}

/** When a timer fires, `delay` ns from now. */
function whenText(delay: number): string {
  return delay > 0 ? `in ${durationText(delay)}` : "is due";
}

const OTHER_WORDS: Readonly<Record<string, string>> = {
  "its VMM answers the device access": "its VMM (MMIO)",
  "its VMM (device access)": "its VMM (MMIO)",
  vcpu_run: "its VMM calls vcpu_run",
  "an interrupt (WFI)": "an interrupt",
};

function irqText(sorted: readonly number[]): string {
  if (sorted.length > 2 && sorted.at(-1)! - sorted[0] === sorted.length - 1) return `irq ${sorted[0]} to ${sorted.at(-1)}`;
  if (sorted.length <= LISTED) return `irq ${sorted.join(", ")}`;
  return `irq ${sorted.slice(0, LISTED).join(", ")}, ${sorted.length - LISTED} more`;
}
