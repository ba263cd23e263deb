// The end of a session's run: its recording is sealed, or its replay compared; states for the next
// replay are kept, and the client hears of the end.

import { SESSION } from "../../model/protocol/protocol.ts";
import { type KeptMilestone } from "../recordings/past/history.ts";
import { denserToEnd, NEAR, writableAtEnd, writeStates } from "../recordings/past/state-file.ts";
import { statesFile } from "../../kit/support/files/folder-names.ts";
import { problemText } from "../../kit/support/problem.ts";
import type { Debugging } from "./debugging.ts";
import { type Ending, outcomeOf } from "./ending.ts";
import type { EngineParts } from "./parts.ts";
import type { Saving } from "./saving.ts";
import type { KeptRun } from "./session-run.ts";
import type { Travel } from "./travel.ts";

export class Endings {
  /** @param kept states of the recorded run that a file has */
  constructor(
    readonly parts: EngineParts,
    readonly debugging: Debugging,
    readonly travel: Travel,
    readonly saving: Saving,
    readonly kept: KeptRun | undefined,
  ) {}

  /** The run is over. */
  end(ending: Ending): void {
    const { code, message, own } = outcomeOf(ending);
    if (ending.kind === "diverged") return this.#finish(code, message, true);
    const { output, recording, replaying, run, plan, shown: { present } } = this.parts;
    output.flush();
    const { machine } = present, { boundary } = machine;
    // When the end comes from outside, events of that very time may have happened or not: in the
    // recording and its replay they all have. A place in the run is before them.
    const isPlace = ending.kind === "replayed";
    if (!own && !isPlace && (recording.written || replaying)) machine.settle();
    const sealed = recording.end(boundary, code, message, own);
    const verified = plan.replay?.verify ? replaying : undefined;
    // A user may end a replay anywhere, and a place is before its events.
    const isEnd = ending.kind !== "stopped" && (!isPlace || verified !== undefined);
    const divergence = !isEnd ? undefined : replaying?.compareEnd(boundary, { code, message, own });
    if (divergence) return this.end({ kind: "diverged", divergence });
    const path = own || isPlace || sealed !== undefined || replaying?.replay.finished(boundary) ? this.#statesPath(sealed) : undefined;
    if (path !== undefined && !present.ended()) run.keepNow();
    const states = denserToEnd(run.milestones);
    // The session of a recording may be gone once its client knows of the end: its states are
    // written before.
    if (sealed !== undefined) this.#keepStates(path, writableAtEnd(states));
    const compared = verified && `; identical to the recording (state hashes compared: ${verified.replay.compared})`;
    this.#finish(code, `${message}${compared ?? ""}`);
    if (sealed === undefined) this.#keepStates(path, states);
  }

  /** Nothing runs any more. */
  halt(): void {
    const { slices, sampler, output, shown } = this.parts;
    slices.halt();
    sampler.close();
    output.close();
    shown.present.outside.close();
  }

  #finish(code: number, message: string, differs?: true): void {
    const { output, sampler, port, shown } = this.parts;
    this.travel.end(message);
    output.flush();
    sampler.sample();
    this.saving.finish();
    this.halt();
    const reset = shown.present.ended()?.reset;
    port.post({ kind: "ended", end: { code, message, ...reset && { reset }, ...differs && { differs } } });
  }

  /**
   * The file for states of a recorded run; undefined if none are kept.
   * @param sealed the SHA-256 of its recording, if that has been written now
   */
  #statesPath(sealed: string | undefined): string | undefined {
    const { history, record, replay, reboot } = this.parts.plan;
    if (!history || this.debugging.changed) return undefined;
    // The machine that starts again is recorded to the same file.
    if (reboot && this.parts.shown.present.ended()?.reset) return undefined;
    return sealed === undefined || record?.states === undefined ? replay?.states?.path : statesFile(record.states, sealed);
  }

  /** Keeps states of a recorded run for its next replay, unless a file has them. */
  #keepStates(path: string | undefined, states: readonly KeptMilestone[]): void {
    const last = states.at(-1), known = this.kept?.states.at(-1)?.instructions ?? 0;
    if (path === undefined || !last || last.spent < NEAR || last.instructions <= known) return;
    this.saving.write(() => writeStates(path, states), (_done, _whole, error) => {
      if (!error) return;
      const text = `no states are kept for the next replay: ${problemText(error)}`;
      const event = { time: last.at, pcpu: undefined, kind: "log", vcpu: SESSION, text, refused: true } as const;
      this.parts.port.post({ kind: "events", events: [event], dropped: 0 });
    });
  }
}
