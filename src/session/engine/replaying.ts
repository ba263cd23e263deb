// A recording that is run again: what entered enters at its place, and the run is compared with it.

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

  /** Lets in what was recorded for now, and compares; the end where this is one. */
  enter(): Ending | undefined {
    const { replay, present } = this, { machine } = present;
    const now = machine.boundary;
    for (let input = replay.takeInput(now); input; input = replay.takeInput(now)) {
      if (input.settled) machine.settle();
      this.run.enter({ at: now, settled: machine.settled }, input.input);
      letIn(present, input.input);
    }
    const divergence = replay.compare(now, () => this.recording.state());
    if (divergence) return { kind: "diverged", divergence };
    if (!replay.finished(now) || present.ended()) return undefined;
    const { recording, to } = replay.plan;
    if (to !== undefined && now >= to) return { kind: "replayed", to };
    if (!recording.end) return { kind: "cut-off" };
    const { code, message, own } = recording.end.end;
    if (!own) return { kind: "recorded", code, message };
    return { kind: "diverged", divergence: { at: now, what: "end", recorded: message, now: "still running" } };
  }

  /** How the end of the run differs from that of the recording. */
  compareEnd(boundary: number, { code, message, own }: { code: number; message: string; own: boolean }): Divergence | undefined {
    return this.replay.compareEnd(boundary, this.recording.endState(code, message, own));
  }
}
