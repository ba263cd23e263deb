// The row of the past: where in the run the screens are, from its start to now.

import type { Rectangle, Screen } from "../../terminal/cells.ts";
import { secondsText } from "../../look/numbers.ts";
import type { Look } from "../../look/theme.ts";

/** A run as the scrubber shows it; times in ns. */
export interface Timeline {
  readonly here: number;
  readonly now: number;
  readonly snapshots: readonly number[];
  readonly refusals: readonly number[];
  readonly marks: readonly number[];
}

/** Position of a scrubber's line in its row. */
interface Track {
  readonly x: number;
  readonly width: number;
}

/** Rows from the scrubber to the lowest of the terminal: it, the hints and the message. */
export const SCRUBBER_FROM_BELOW = 3;

const START = " 0 s ";

function trackOf(area: Rectangle, { now }: Timeline): Track {
  const end = endText(now);
  return { x: area.x + START.length + 1, width: Math.max(area.width - START.length - end.length - 3, 1) };
}

const endText = (now: number) => `now ${secondsText(now)} s `;

export function drawScrubber(screen: Screen, look: Look, area: Rectangle, timeline: Timeline): void {
  const { here, now, snapshots, refusals, marks } = timeline;
  screen.tint(area, "pastbg");
  const { x, width } = trackOf(area, timeline);
  const [done, left] = look.glyphs.gauge;
  const at = (time: number) => x + Math.min(Math.floor(time / Math.max(now, 1) * width), width - 1);
  screen.text(area.x, area.y, START, look.style("past"));
  screen.text(x, area.y, done.repeat(at(here) - x), look.style("past"));
  screen.text(at(here), area.y, left.repeat(x + width - at(here)), look.style("faint"));
  for (const time of snapshots) screen.text(at(time), area.y, look.glyphs.marks.snapshot, look.style("strong"));
  for (const time of refusals) screen.text(at(time), area.y, "!", look.bold("bad"));
  for (const time of marks) screen.text(at(time), area.y, look.glyphs.marks.mark, look.bold("accent"));
  screen.text(at(here), area.y, look.glyphs.marks.past, look.bold("past"));
  screen.text(x + width + 2, area.y, endText(now), look.style("past"));
}

/** The time (ns) at a column of the scrubber; undefined outside of its line. */
export function timeAt(area: Rectangle, timeline: Timeline, column: number): number | undefined {
  const { x, width } = trackOf(area, timeline);
  if (column < x || column >= x + width) return undefined;
  return Math.floor((column - x) / width * timeline.now);
}
