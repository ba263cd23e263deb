// The palette's choice: what suits a few letters, best first.

import type { Choice } from "./overlay.ts";

/** The offers that suit a text, best first. */
export function suiting(text: string, offers: readonly Choice[]): Choice[] {
  const wanted = text.trim().toLowerCase();
  return offers.map((offer) => ({ offer, score: score(wanted, offer) })).filter((one) => one.score >= 0)
    .sort((a, b) => b.score - a.score).map(({ offer }) => offer);
}

/**
 * Letters in order, better where they stand together, best at the start; -1 where they do not
 * occur.
 */
function score(wanted: string, { text, detail }: Choice): number {
  if (wanted === "") return 0;
  const name = text.toLowerCase();
  if (name.startsWith(wanted)) return 3000 - name.length;
  if (name.includes(wanted)) return 2000 - name.length;
  let at = 0;
  for (const letter of wanted) {
    at = name.indexOf(letter, at) + 1;
    if (at === 0) return detail.toLowerCase().includes(wanted) ? 100 : -1;
  }
  return 1000 - name.length;
}
