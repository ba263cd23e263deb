// Events of the session change the application's state.

import type { AppState } from "./app-state.ts";
import type { ConsoleActions } from "./doing/console-actions.ts";
import { screenOf } from "../actions/screen-table.ts";
import { withoutKind } from "../../../model/queries/ids.ts";
import { rowsOf } from "../../../model/queries/query.ts";
import { REASONS } from "../../../model/queries/tables.ts";
import type { MachineSample, SessionEvent } from "../../../model/protocol/protocol.ts";

export class SessionEvents {
  constructor(readonly state: AppState, readonly consoles: ConsoleActions) {}

  /** The connection to the session is gone, for now. */
  lost(message: string): void {
    const { session, console, port } = this.state;
    session.lose(message);
    // The question is about a machine that may be a different one after reconnecting.
    this.state.overlay = undefined;
    console.typing = false;
    port.changed(true);
  }

  /** The connection is restored. */
  found(): void {
    const { state } = this;
    state.session.find();
    state.questions.forget();
    state.say("connected again");
    state.port.redraw();
    state.questions.all();
  }

  apply(event: SessionEvent): void {
    const { asker, frozen, activity, console, session, questions, marks, port } = this.state;
    if (asker.receive(event)) return;
    if (frozen) frozen.missed++;
    if (event.kind === "console") {
      console.write(event.console, event.bytes, () => port.send({ kind: "taken", bytes: event.bytes.length }));
      return;
    }
    if (!session.apply(event)) return;
    activity.moves = session.moves;
    if (event.kind === "stopped") this.#notify(`${event.rule} stopped the machine: ${event.text}`);
    if (event.kind === "failed") this.#notify("the machine failed");
    if (event.kind === "ended" && event.end.code !== 0) this.#notify(`ended: ${event.end.message}`);
    if (event.kind === "sample") this.#takeSample(event.sample);
    // No more samples will come: shows the last state at once, and repeats questions that were open
    // when the machine ended.
    if (event.kind === "ended" || event.kind === "paused") questions.all();
    if (session.end) console.typing = false;
    console.past = session.past;
    if (event.kind === "paused") console.rewind(event.past ? event.consoles : undefined);
    if (event.kind === "paused" && event.past && session.answers) marks.ask();
    this.state.see();
    port.changed(false);
  }

  /** A user who looks elsewhere gets a notice. */
  #notify(text: string): void {
    const { away, options, port } = this.state;
    if (away) port.notify(`${options.title}: ${text}`);
  }

  #takeSample(sample: MachineSample): void {
    const { looks, clock, pace, session, activity, tree, console, windows, questions } = this.state;
    looks.look.vms.assign(sample.vms);
    // The first speed of a machine that starts or continues is shown at once.
    const now = clock(), shown = pace.takes(now, sample, session.moves) || !activity.measured;
    activity.stride = pace.slowness;
    activity.add(now, sample, shown ? "figures" : "histories");
    if (shown) {
      this.state.speed = session.speed;
      tree.update(sample);
    }
    console.settle();
    for (const vm of sample.vms) if (vm.console !== undefined) console.open(vm.console);
    if (!tree.chosen && windows.focus === tree) this.consoles.preferSelected();
    this.#noteRefusal(sample.reasons);
    questions.renew(sample.reasons);
  }

  /** Something new was refused: says what. */
  #noteRefusal(reasons: number): void {
    const { state } = this, { windows, session, asker, messages, keymap, port } = state;
    const before = state.reasons ?? reasons;
    state.reasons = reasons;
    if (reasons <= before || windows.screen.key === screenOf("why").key || session.past || !session.answers) return;
    asker.ask({ table: "why", args: { limit: 1 } }).then((answer) => {
      const row = rowsOf(REASONS, answer).toSorted((a, b) => Number(b.t) - Number(a.t))[0];
      if (!row) return;
      const { vm, call, object, err, rule } = row;
      const asked = `${withoutKind("vm", vm)} asked ${call}${object ? ` ${object}` : ""} → ${err}: ${rule}`;
      this.#notify(asked);
      messages.say(asked, "refused", [{ key: keymap.keyOf(`screen.${screenOf("why").name}`), word: "why" }], "refusal");
      port.changed(false);
    });
  }
}
