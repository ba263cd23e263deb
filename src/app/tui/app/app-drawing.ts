// Draws the application's state: as a frame of cells, or as lines for screen readers.

import type { AppState } from "./app-state.ts";
import { drawScreen } from "./frame/frame.ts";
import type { FrameState } from "./frame/frame-state.ts";
import type { Here } from "./help.ts";
import { type Hint, hintsOf, LOST_HINTS, typingHints, usedOn } from "./frame/hints.ts";
import { LINEAR, type Linear, linearOf } from "./linear.ts";
import type { Screen } from "../terminal/cells.ts";

export class AppDrawing {
  /** The time (`performance.now()`) for which a frame without a mark was requested. */
  #marksUntil = -Infinity;
  /** Where the last frame was drawn. */
  #screen: Screen | undefined;
  /** The last frame was drawn before its panes were known to need other rows. */
  #crowded = false;

  constructor(readonly state: AppState) {}

  draw(screen: Screen): void {
    const { state } = this, { looks, windows, port } = state;
    state.see();
    this.#screen = screen;
    state.size = { width: screen.width, height: screen.height };
    looks.look = looks.look.with({ depth: screen.depth });
    drawScreen(screen, looks.look, this.#frameState(), (body) => windows.place(body));
    this.#endMarks();
    // Only once more: with other rows, a pane may need other rows again.
    this.#crowded = windows.crowded && !this.#crowded;
    if (this.#crowded) queueMicrotask(() => port.changed(false));
  }

  /** Names of the keys that a click at a cell of the last frame presses. */
  pressedAt(at: { readonly x: number; readonly y: number }): string | undefined {
    return this.#screen?.pressedAt(at);
  }

  /** The screens as lines of text for screen readers. */
  linear(): Linear {
    const { looks, windows } = this.state;
    const look = looks.look.with({ depth: "none", glyphs: "ascii" });
    const body = { x: 0, y: 0, width: LINEAR.columns, height: LINEAR.rows, boxed: false };
    return linearOf(look, this.#frameState(), windows.place(body));
  }

  /** The focused screen and pane, for the help. */
  here(): Here {
    const { screen, focus } = this.state.windows;
    const { title } = screen.entry;
    const pane = focus.title().text;
    return { title: `here: ${title === pane ? title : `${title}, ${pane}`}`, actions: usedOn(screen.key) };
  }

  /** Asks for the frame without the oldest mark: a paused machine gives no other occasion. */
  #endMarks(): void {
    const until = this.state.windows.marksUntil, now = performance.now();
    // A timer may come a little early.
    const isAwaited = this.#marksUntil > now + 1 && this.#marksUntil <= until;
    if (until === Infinity || isAwaited) return;
    this.#marksUntil = until;
    this.state.port.later(Math.ceil(Math.max(until - now, 0)));
  }

  #frameState(): FrameState {
    const { state } = this, { options, windows, activity, console, overlay, timeline } = state;
    const { lost, sample, speed, dropped } = state.session;
    // A stopped machine has no speed; a machine that starts gets its first one at once.
    state.speed = speed === undefined ? undefined : state.speed ?? speed;
    return {
      title: options.title,
      screen: windows.screen.key,
      state: state.session.word(options.replay ?? false),
      readOnly: options.readOnly ?? false,
      frozen: state.frozen?.missed,
      lost,
      dropped,
      sample,
      speed: state.speed,
      mips: activity.speed,
      newReasons: state.questions.newReasons,
      past: timeline && sample ? Math.max(timeline.now - sample.time, 0) : undefined,
      instructionsSince: Math.max(state.session.instructions - (sample?.instructions ?? 0), 0),
      timeline,
      focus: windows.focus,
      away: state.away,
      typing: console.typing,
      hints: this.#hints,
      overlay,
      message: state.messages.current,
      guide: options.guide?.view(state.keymap),
    };
  }

  /** The row of hints. */
  get #hints(): readonly Hint[] {
    const { session, overlay, console, prefix, keymap, options, context, windows } = this.state;
    if (session.lost && !overlay) return LOST_HINTS;
    if (console.typing && prefix !== "prefix") return typingHints(keymap);
    const { readOnly } = options, { paused, past } = session;
    return hintsOf(keymap, overlay?.context ?? context, windows.screen.key, { readOnly, paused, past });
  }
}
