// The steps that commands have the session do, in order; `:done` lists them then.

import type { Done } from "./done.ts";
import type { SessionState } from "./session-state.ts";
import type { Asker } from "../../../../session/control/asker.ts";
import { actOn } from "../../../../model/commands/actions.ts";
import { ArgumentError, type Arguments, completed, type GivenOf } from "../../../../model/commands/argument.ts";
import type { Command, Step } from "../../../../model/commands/command.ts";
import { hintFor } from "../../../../model/commands/words.ts";
import type { Request } from "../../../../model/protocol/protocol.ts";
import type { Problem } from "../../../../kit/support/problem.ts";

/** Does commands. */
export class Steps {
  constructor(
    readonly asker: Asker,
    readonly session: Pick<SessionState, "beginMove">,
    readonly send: (request: Request) => void,
    readonly done: Done,
  ) {}

  /** Has the session do the steps of a command, the first at once. Resolves to a refusal. */
  async run<A extends Arguments>(command: Command<A>, given: GivenOf<A>): Promise<Problem | undefined> {
    try {
      const steps = command.steps?.(completed(command.args, given)) ?? [];
      if (steps.length > 0) this.done.note(hintFor(command, given));
      for (const step of steps) {
        const problem = await this.#perform(step);
        if (problem !== undefined) return problem;
      }
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      return error.problem;
    }
    return undefined;
  }

  /** Events of the session show the effect of a move, a pause or input. */
  async #perform(step: Step): Promise<Problem | undefined> {
    const { asker } = this;
    switch (step.kind) {
      case "trace":
        return await asker.trace(step.kinds);
      case "act":
        return await actOn(asker, step.action);
      case "stop-rule":
        return await asker.stopRule(step.change);
      case "mark": {
        const { kind: _, ...note } = step;
        return await asker.mark(note);
      }
      case "move":
        this.session.beginMove();
        return void this.send({ kind: "move", id: 0, to: step.to });
      case "pause":
      case "resume":
      case "input":
        return void this.send(step);
    }
  }
}
