// How long vCPUs that could run waited for a physical CPU, in what the timeline has.

import { type Blank, drawBlank, spokenBlank } from "../blank.ts";
import { drawFrame, type Title } from "../../look/box.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import type { LanesPane } from "./lanes-pane.ts";
import { durationText } from "../../look/numbers.ts";
import type { Pane, PaneState } from "../pane.ts";
import { chipPiece, drawPieces } from "../../look/pieces.ts";
import { fit, fitName } from "../../../../kit/support/text/text-width.ts";
import { type SpokenLine, type SpokenSize } from "../../look/speech.ts";
import type { Look } from "../../look/theme.ts";
import { vmOfName } from "../../../../model/queries/ids.ts";

const NO_WAIT: Blank = {
  kind: "empty",
  what: "No vCPU waited for a CPU",
  how: "A vCPU waits while another one with its priority has the CPU.",
};
/** Columns of a name and of both times. */
const NAME = 13, TIME = 10;

/** The pane below the timeline. */
export class LaneWaitsPane implements Pane {
  readonly name = "waits";
  readonly bare = true;
  readonly selection = undefined;
  readonly page = 1;

  /** @param timeline whose lanes it sums up */
  constructor(readonly timeline: LanesPane) {}

  title(): Title {
    return { text: "Waits for a CPU", right: [[{ text: "longest p99 first", role: "dim" }]] };
  }

  queries(): undefined {}
  receive(): void {}
  move(): void {}
  click(): boolean {
    return true;
  }

  spoken(look: Look, { width, height }: SpokenSize): readonly SpokenLine[] {
    if (!this.timeline.recorded) return [];
    const times = this.timeline.waits;
    if (!times.length) return spokenBlank(look, width, NO_WAIT);
    return times.slice(0, height).map(({ vcpu, middle, p99 }) => ({
      parts: [vcpu, `median ${durationText(middle)}`, `p99 ${durationText(p99)}`],
    }));
  }

  draw(screen: Screen, area: Rectangle, look: Look, { boxed, past }: PaneState): void {
    const inside = drawFrame(screen, look, area, this.title(), { boxed, kind: past ? "past" : "plain" });
    // Without switches nobody knows who waited.
    if (!this.timeline.recorded) return;
    const times = this.timeline.waits, x = inside.x + 1, width = inside.width - 2;
    if (!times.length) return drawBlank(screen, look, inside, NO_WAIT);
    const bar = Math.max(width - NAME - 2 * TIME, 0), longest = times[0].p99 || 1;
    screen.text(x + NAME, inside.y, fit(`p99 of ${durationText(longest)}`, bar), look.style("dim"));
    screen.text(x + NAME + bar, inside.y, "median".padStart(TIME) + "p99".padStart(TIME), look.style("dim"));
    times.slice(0, inside.height - 1).forEach(({ vcpu, middle, p99 }, row) => {
      const y = inside.y + 1 + row, mark = look.vm(vmOfName(vcpu));
      drawPieces(screen, look, x, y, [chipPiece(mark), { text: ` ${fitName(vcpu, NAME - 3)}`, role: mark.ink }], NAME - 1);
      const cells = Math.max(Math.round(bar * p99 / longest), 1);
      screen.text(x + NAME, y, look.glyphs.histogram.repeat(Math.min(cells, bar)), look.style(mark.fill));
      drawPieces(screen, look, x + NAME + bar, y, [
        { text: durationText(middle).padStart(TIME), role: "dim" },
        { text: durationText(p99).padStart(TIME), role: "text" },
      ], 2 * TIME);
    });
  }
}
