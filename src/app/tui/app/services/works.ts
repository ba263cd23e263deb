// Work that a key has begun and that takes a while: searches, profiles, commands of the program.
// It says how far it is, ctrl-c cancels it, and its answer never opens over something that the user
// does by then.

import type { Hint } from "../frame/hints.ts";
import type { MessageKind } from "../frame/messages.ts";
import type { Overlay } from "../overlays/overlay.ts";
import { type Problem, problemText } from "../../../../kit/support/problem.ts";

/** The way of some work to its user. */
export interface WorkPort {
  /** Aborted once the work is canceled. */
  readonly signal: AbortSignal;
  /** Shows how much of it is done, or what it says. */
  tell(done: number | string, all?: number): void;
}

/** The end of some work: what it has found, or why not; nothing if it has said all by itself. */
export type WorkEnd = { readonly shown: Overlay } | { readonly problem: Problem } | { readonly said: string } | undefined;

/** Services that works use. */
interface WorkServices {
  readonly say: (text: string, kind?: MessageKind, keys?: readonly Hint[]) => void;
  readonly show: (overlay: Overlay) => void;
  readonly changed: () => void;
  /** How many keys the user has pressed, and whether a box is open. */
  readonly pressed: () => number;
  readonly isBusy: () => boolean;
}

/** An answer that has not been looked at. */
interface KeptAnswer {
  readonly name: string;
  readonly show: () => void;
}

/** The keys that show an answer: the first line of the palette. */
const SHOW: Hint = { key: ": Enter", word: "show it" };

/** The part of something that is done. */
const percentText = (done: number, all: number): string => `${Math.floor(100 * Math.min(done / Math.max(all, 1), 1))} %`;

/** Works of one application. */
export class Works {
  readonly #running: { readonly name: string; readonly cancel: AbortController }[] = [];
  #kept: KeptAnswer | undefined;

  constructor(readonly app: WorkServices) {}

  /** The last answer, while it waits to be looked at. */
  get kept(): KeptAnswer | undefined {
    return this.#kept;
  }

  /** Whether some work has neither ended nor been canceled. */
  get isRunning(): boolean {
    return this.#running.length > 0;
  }

  /** Begins some work. `name`: what it is, in words such as `profile` or `who pa:0x1000`. */
  async begin(name: string, work: (port: WorkPort) => Promise<WorkEnd>): Promise<void> {
    await this.#begin(name, (part) => this.app.say(`${name}: ${part}; ctrl-c cancels`), work);
  }

  /**
   * Begins some work for a box that is open. The box shows how much is done, and takes what is
   * found by itself. `doing`: what it shows, such as `counting by line`.
   */
  async beginIn(
    box: { progress: string | undefined },
    name: string,
    doing: string,
    work: (port: WorkPort) => Promise<Problem | undefined>,
  ): Promise<void> {
    box.progress = doing;
    const show = (part: string) => box.progress = part === "" ? doing : `${doing}: ${part}`;
    await this.#begin(name, show, async (port) => {
      const done = () => box.progress = undefined;
      port.signal.addEventListener("abort", done);
      const problem = await work(port);
      if (!port.signal.aborted) done();
      return problem && { problem };
    });
  }

  /** @param show shows how much is done */
  async #begin(name: string, show: (part: string) => void, work: (port: WorkPort) => Promise<WorkEnd>): Promise<void> {
    const { app } = this, one = { name, cancel: new AbortController() }, before = app.pressed();
    const { signal } = one.cancel;
    this.#running.push(one);
    const canceled = new Promise<undefined>((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
    const tell: WorkPort["tell"] = (done, all) => {
      if (signal.aborted) return;
      show(typeof done === "string" ? done : all === undefined ? "" : percentText(done, all));
      app.changed();
    };
    const end = await Promise.race([work({ signal, tell }), canceled]);
    this.#running.splice(this.#running.indexOf(one), 1);
    if (signal.aborted || !end) return app.changed();
    // The person who asked may be looking elsewhere by now: the reason stays until it is seen.
    if ("problem" in end) app.say(`${name}: ${problemText(end.problem)}`, "failed");
    else if ("said" in end) app.say(end.said, "ok");
    else if (app.pressed() === before && !app.isBusy()) {
      app.say("");
      app.show(end.shown);
    } else this.#keep(name, end.shown);
    app.changed();
  }

  /** Cancels what was begun last; says whether there was anything. */
  cancel(): boolean {
    const last = this.#running.at(-1);
    if (!last) return false;
    last.cancel.abort();
    this.app.say(`${last.name}: canceled`);
    return true;
  }

  #keep(name: string, overlay: Overlay): void {
    const { app } = this;
    this.#kept = {
      name,
      show: () => {
        this.#kept = undefined;
        app.show(overlay);
      },
    };
    app.say(`${name}: the answer is there`, "ok", [SHOW]);
  }
}
