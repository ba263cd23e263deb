// Plays a script on a stage, for a picture or into a cast.

import type { CastFile } from "./cast-file.ts";
import type { Size, Stage } from "./stage.ts";
import type { TourStep } from "./tour-script.ts";
import { Screen } from "../../tui/terminal/cells.ts";

/** Time (ms) of a cast between two keys, two letters of a text, and two frames. */
const KEY_TIME = 350, LETTER_TIME = 70, FRAME_TIME = 100;

/** The terminal that is cast: the alternate screen, without wrapping. */
const BEGIN = "\x1b[?1049h\x1b[?7l";

/** A stage, a script, and the cast that its frames go into, if any. */
export class Tour {
  readonly #began: number;
  readonly #screen: Screen;

  constructor(readonly stage: Stage, readonly size: Size, readonly cast?: CastFile) {
    this.#began = stage.now;
    this.#screen = new Screen(size.columns, size.rows, "direct");
    cast?.add(0, "o", BEGIN);
  }

  /** Plays all steps. */
  async play(steps: readonly TourStep[]): Promise<void> {
    await this.#frame();
    for (const step of steps) await this.#step(step);
  }

  async #step(step: TourStep): Promise<void> {
    const { stage } = this;
    switch (step.kind) {
      case "keys":
        for (const key of step.keys) await this.#press(key, KEY_TIME);
        return;
      case "type":
        for (const letter of step.text) await this.#press(letter, LETTER_TIME);
        return;
      case "wait":
        return await this.#wait(step.ms);
      case "until":
        await stage.runTo(step.filter);
        return await this.#frame();
      case "reach":
        await stage.runToPlace(step.at);
        return await this.#frame();
      case "input":
        stage.input(step.console, `${step.text}\n`);
        return;
      case "rpc":
        return await stage.act({ kind: "rpc.send", id: step.id, payload: step.payload });
      case "theme":
        stage.setTheme(step.name);
        return await this.#frame();
      case "mark":
        this.cast?.add(this.#time, "m", step.text);
    }
  }

  async #press(key: string, time: number): Promise<void> {
    this.stage.press(key);
    await this.#frame();
    if (this.cast) await this.#wait(time);
  }

  /** Frames at the pace of a terminal: messages disappear, a running machine continues. */
  async #wait(ms: number): Promise<void> {
    for (const end = this.stage.now + ms; this.stage.now < end;) {
      await this.stage.pass(Math.min(FRAME_TIME, end - this.stage.now));
      this.stage.draw(this.#screen);
      this.#put();
    }
  }

  async #frame(): Promise<void> {
    await this.stage.settle(this.#screen);
    this.#put();
  }

  #put(): void {
    if (!this.cast) return;
    const bytes = this.#screen.frame();
    if (bytes !== "") this.cast.add(this.#time, "o", bytes);
  }

  get #time(): number {
    return this.stage.now - this.#began;
  }
}
