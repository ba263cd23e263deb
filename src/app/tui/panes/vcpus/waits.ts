// The wait of a vCPU in a line: of many interrupts the first ones.

import { dueText } from "../../look/numbers.ts";
import { type Wait, WAITS } from "../../../../model/queries/facts/wait.ts";

/** Names that are listed before they are counted. */
const LISTED = 3;

/**
 * `timer irq 27 at 12.482`, `irq 960, 961`, `irq 32 to 39`. Where that is wider than `width`, the
 * first wakeups whole, and how many more there are: `timer irq 27 at 12.482 +2`. Times are those of
 * the run, which stay right while the machine is paused.
 * @param now virtual time (ns) of the waits
 */
export function waitText(waits: readonly Wait[], now: number, width = Infinity): string {
  const timers: string[] = [], others: string[] = [], irqs: number[] = [];
  for (const wait of waits) {
    if (wait.code === "timer") timers.push(`timer irq ${wait.intid} ${dueText(now + wait.in_ns)}`);
    else if (wait.code === "irq") irqs.push(wait.intid);
    else others.push(WAITS.text(wait));
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

function irqText(sorted: readonly number[]): string {
  if (sorted.length > 2 && sorted.at(-1)! - sorted[0] === sorted.length - 1) return `irq ${sorted[0]} to ${sorted.at(-1)}`;
  if (sorted.length <= LISTED) return `irq ${sorted.join(", ")}`;
  return `irq ${sorted.slice(0, LISTED).join(", ")}, ${sorted.length - LISTED} more`;
}
