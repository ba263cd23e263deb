// A screen without a session: drawn when its content changes, and when the terminal is resized.

import { Screen } from "../../terminal/cells.ts";
import type { ColorDepth } from "../../terminal/color.ts";
import { type Cut, cutBy, FramePump, TerminalMode, type TerminalPort } from "../../terminal/terminal.ts";
import { onEnd } from "../../../../kit/support/computer/launcher.ts";
import { END_SIGNALS } from "../../../../kit/support/computer/signals.ts";
import { type Look, lookFor, type LookWish } from "../../look/theme.ts";

/** Draws the content. */
export interface View {
  draw(screen: Screen, look: Look): void;
}

/** A view on a terminal; the terminal is as it was when this is disposed of. */
export class LoneScreen implements AsyncDisposable {
  readonly #screen: Screen;
  readonly #mode: TerminalMode;
  readonly #pump: FramePump;
  readonly #endResize: () => void;
  readonly #endSignals: () => void;
  readonly #cut = Promise.withResolvers<Cut>();

  constructor(port: TerminalPort, view: View, wish: LookWish & { readonly depth: ColorDepth }) {
    const { columns, rows } = port.size(), look = lookFor(wish, wish.depth);
    const screen = this.#screen = new Screen(columns, rows, wish.depth);
    this.#mode = new TerminalMode(port, false);
    let resized = false;
    this.#pump = new FramePump(port, () => {
      if (resized) {
        resized = false;
        const size = port.size();
        screen.resize(size.columns, size.rows);
      }
      view.draw(screen, look);
      return screen.frame();
    }, false);
    this.#endResize = port.onResize(() => {
      resized = true;
      this.#pump.request(true);
    });
    this.#endSignals = onEnd(END_SIGNALS, (signal) => this.#cut.resolve(cutBy(signal)));
  }

  /** The end by a signal. */
  get cut(): Promise<Cut> {
    return this.#cut.promise;
  }

  /** Takes the terminal, for the first time or after `hide`. */
  async show(): Promise<void> {
    await this.#mode.enter();
    this.#screen.invalidate();
    this.#pump.open();
  }

  /** Gives the terminal to another program. */
  async hide(): Promise<void> {
    this.#pump.close();
    await this.#mode.leave();
  }

  /** Draws what a key has changed. */
  request(): void {
    this.#pump.request(true);
  }

  /** Writes every cell anew with the next frame. */
  invalidate(): void {
    this.#screen.invalidate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#endResize();
    await this.hide();
    this.#endSignals();
  }
}
