// Users' actions on the machine's time: pausing it, showing another place of its run, and freezing
// the display.

import type { GroupHandlers } from "../actions/action-handlers.ts";
import type { AppState } from "./app-state.ts";
import type { Move } from "../../../model/protocol/protocol.ts";

export class MachineActions {
  readonly handlers = {
    "machine.pause": () => this.#pause(),
    "time.on": () => this.move({ kind: "step", by: 1 }),
    "time.back": () => this.move({ kind: "step", by: -1 }),
    "display.freeze": () => this.#freeze(),
    "cancel": () => this.#cancel(),
  } satisfies GroupHandlers;

  constructor(readonly state: AppState) {}

  /** Shows another place of the run. */
  move(to: Move): void {
    const { options, session, port } = this.state;
    if (options.readOnly) return this.state.say("read-only: cannot travel");
    session.beginMove();
    port.send({ kind: "move", id: 0, to });
  }

  #pause(): void {
    const { options, session, port } = this.state;
    if (options.readOnly) return this.state.say("read-only: cannot pause");
    port.send({ kind: session.paused ? "resume" : "pause" });
  }

  #freeze(): void {
    const { state } = this;
    state.frozen = state.frozen ? undefined : { missed: 0 };
    if (state.frozen) return;
    state.port.redraw();
    state.questions.all();
  }

  /** Cancels the move to another place of the run. */
  #cancel(): void {
    const { session, port } = this.state;
    if (!session.moving) return this.state.say("nothing to cancel; q quits");
    port.send({ kind: "move", id: 0, to: { kind: "here" } });
  }
}
