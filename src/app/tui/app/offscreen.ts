// The screens of a session without a terminal: for pictures.

import { setTimeout as sleep } from "node:timers/promises";
import { App } from "./app.ts";
import type { AppOptions } from "./app-port.ts";
import type { Screen } from "../terminal/cells.ts";
import { KeyParser } from "../terminal/key-parser.ts";
import { textBytes } from "../terminal/keys.ts";
import type { Request, SessionEvent } from "../../../model/protocol/protocol.ts";

/** Wall time (ms) between two checks of the answers that have come. */
const LOOK = 20;
/** Looks without an open question after which a frame is complete: answers lead to questions. */
const QUIET = 3;
/**
 * Time (ms) after which the frame of screens that never stop asking is taken: with the answers to
 * what they had asked by then.
 */
const PATIENCE = 5000;
/** Content of the message row while it shows a message that a key dismisses. */
const DISMISS = "Esc dismiss";

/** Screens without a viewer, and keys from a script. */
export class Offscreen {
  readonly #app: App;
  readonly #parser = new KeyParser();
  /** Questions of the screens that have no answer yet. */
  readonly #asked = new Set<number>();
  readonly #clock: () => number;
  /** No more answers come. */
  #isOver = false;

  /**
   * @param send takes the requests of the screens
   * @param options `clock` also decides when messages disappear
   */
  constructor(send: (request: Request) => void, options: AppOptions) {
    this.#clock = options.clock ?? (() => performance.now());
    const nothing = () => {};
    this.#app = new App(options, {
      changed: nothing,
      later: nothing,
      leave: nothing,
      redraw: nothing,
      copy: nothing,
      notify: nothing,
      suspend: nothing,
      mouse: nothing,
      reconnect: nothing,
      visit: nothing,
      choose: nothing,
      send: (request) => {
        if (request.kind === "query") this.#asked.add(request.id);
        if (request.kind === "forget") this.#asked.delete(request.id);
        send(request);
      },
      save: () => Promise.resolve({ error: "files are saved only from screens on a terminal" }),
    });
  }

  /** Takes an event of the session. */
  apply(event: SessionEvent): void {
    if (event.kind === "answer") this.#asked.delete(event.id);
    this.#app.apply(event);
  }

  /** Draws the present state. */
  draw(screen: Screen): void {
    this.#app.draw(screen);
  }

  /** Takes the colors of another theme. */
  setTheme(name: string): void {
    this.#app.setTheme(name);
  }

  /** Presses keys, as the bytes that a terminal sends for them. */
  press(bytes: string): void {
    for (const key of [...this.#parser.push(textBytes(bytes)), ...this.#parser.flush()]) this.#app.key(key);
  }

  /** No more answers come: frames are taken as they are. */
  end(): void {
    this.#isOver = true;
  }

  /** Draws once the open questions are answered, and works that keys have begun have ended. */
  async settle(screen: Screen): Promise<void> {
    const limit = this.#clock() + PATIENCE;
    let last: ReadonlySet<number> | undefined;
    for (let quiet = 0; quiet < QUIET && !this.#isOver; quiet++) {
      this.draw(screen);
      await sleep(LOOK);
      if (this.#clock() > limit) last = (last ?? this.#asked).intersection(this.#asked);
      if (this.#app.isWorking || (last ?? this.#asked).size) quiet = 0;
    }
    this.draw(screen);
  }

  /** Draws without messages about what has led here. */
  async settleWithoutMessages(screen: Screen): Promise<void> {
    await this.settle(screen);
    while (screen.toLines().at(-1)?.includes(DISMISS)) {
      this.press("\x1b");
      await this.settle(screen);
    }
  }
}
