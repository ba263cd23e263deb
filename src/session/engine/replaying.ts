// A recording that is run again: what entered enters at its place, and the run is compared with it.

import { approach } from "../recordings/past/past.ts";
import { letIn } from "../recordings/past/input.ts";
import type { Divergence, Replay } from "../recordings/runs/replay.ts";
import type { System } from "../assembly/system/system.ts";
import type { Ending } from "./ending.ts";
import type { RunRecording } from "./run-recording.ts";
import type { SessionRun } from "./session-run.ts";

export class Replaying {
  constructor(
    readonly replay: Replay,
    readonly present: System,
    readonly run: SessionRun,
    readonly recording: RunRecording,
  ) {}

  /** Virtual time (ns) past which no wait leads. */
  get until(): number {
    const { to } = this.replay.plan;
    return to?.kind === "time" ? to.at : Infinity;
  }

  /**
   * Stops the machine at the place that was asked for, or on the way there, unless it stops
   * earlier: no turn ends for it, as that would be another run. Returns the turns that it may take
   * of these.
   */
  bound(turns: number, earlier = Infinity): number {
    const { present, replay: { plan: { to } } } = this;
    if (to === undefined) return turns;
    const next = to.kind === "time" ? approach(present, to.at) : { instructions: to.count, turns };
    present.stopAt(Math.min(next.instructions, earlier));
    return Math.min(turns, next.turns);
  }

  /** Whether the machine is at the place that was asked for. */
  get #isThere(): boolean {
    const { present, replay: { plan: { to } } } = this;
    if (to === undefined) return false;
    return to.kind === "time" ? present.machine.time >= to.at : present.instructions() >= to.count;
  }

  /** Lets in what was recorded for now, and compares; the end where this is one. */
  enter(): Ending | undefined {
    const { replay, present } = this, { machine } = present;
    const now = machine.boundary;
    for (let input = replay.takeInput(now); input; input = replay.takeInput(now)) {
      if (input.settled) machine.settle();
      this.run.enter({ at: now, settled: machine.settled }, input.input);
      letIn(present, input.input);
    }
    // A step may have left the machine within a turn, where nothing was recorded.
    const divergence = machine.inTurn ? undefined : replay.compare(now, () => this.recording.state());
    if (divergence) return { kind: "diverged", divergence };
    if (present.ended()) return undefined;
    const { recording, to } = replay.plan;
    if (to !== undefined && this.#isThere) return { kind: "replayed", to };
    if (!replay.finished(now)) return undefined;
    if (!recording.end) return { kind: "cut-off" };
    const { code, message, own } = recording.end.end;
    if (!own) return { kind: "recorded", code, message };
    const instructions = present.instructions();
    return { kind: "diverged", divergence: { at: now, instructions, what: "end", recorded: message, now: "still running" } };
  }

  /**
   * How the end of the run differs from that of the recording. Memory and consoles cost more, and
   * are compared on request.
   */
  compareEnd(boundary: number, { code, message, own }: { code: number; message: string; own: boolean }): Divergence | undefined {
    const { replay, recording } = this;
    const state = replay.plan.verify ? recording.endState(code, message, own) : { ...recording.state(), code, message, own };
    return replay.compareEnd(boundary, state);
  }
}
