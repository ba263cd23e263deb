// Users' actions on the machine's time: pausing it, showing another place of its run, and freezing
// the display.

import type { GroupHandlers } from "../actions/action-handlers.ts";
import type { AppState } from "./app-state.ts";
import type { Arguments, GivenOf } from "../../../model/commands/argument.ts";
import type { Command } from "../../../model/commands/command.ts";
import { BACK, ON, PAUSE, RESUME } from "../../../model/commands/time.ts";

export class MachineActions {
  readonly handlers = {
    "machine.pause": () => this.#pause(),
    "time.on": () => this.travel(ON, { by: 1 }),
    "time.back": () => this.travel(BACK, { by: 1 }),
    "display.freeze": () => this.#freeze(),
    "cancel": () => this.#cancel(),
  } satisfies GroupHandlers;

  constructor(readonly state: AppState) {}

  /** Shows another place of the run. */
  travel<A extends Arguments>(command: Command<A>, given: GivenOf<A>): void {
    const { options, steps } = this.state;
    if (options.readOnly) return this.state.say("read-only: cannot travel");
    void steps.run(command, given);
  }

  #pause(): void {
    const { options, session, steps } = this.state;
    if (options.readOnly) return this.state.say("read-only: cannot pause");
    void steps.run(session.paused ? RESUME : PAUSE, {});
  }

  #freeze(): void {
    const { state } = this;
    state.frozen = state.frozen ? undefined : { missed: 0 };
    if (state.frozen) return;
    state.port.redraw();
    state.questions.all();
  }

  /** Cancels the move to another place of the run, or what was begun last. */
  #cancel(): void {
    const { session, works, port } = this.state;
    if (!session.moving) return works.cancel() ? undefined : this.state.say("nothing to cancel; q quits");
    port.send({ kind: "move", id: 0, to: { kind: "here" } });
  }
}
