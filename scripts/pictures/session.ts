// A session with the screens of a person in front of it, for pictures: a real machine in a worker,
// stopped at events, so that each run shows the same.

import { setTimeout as sleep } from "node:timers/promises";
import { App } from "../../src/tui/app.ts";
import { Screen } from "../../src/tui/cells.ts";
import type { ColorDepth } from "../../src/tui/color.ts";
import { KeyParser, textBytes } from "../../src/tui/keys.ts";
import type { ThemeName } from "../../src/tui/themes.ts";
import { Asker } from "../../src/control/asker.ts";
import { planText } from "../../src/configuration/plan-run.ts";
import { connectEmbedded, type SessionClient } from "../../src/session/client.ts";
import type { Action } from "../../src/queries/action.ts";
import type { MachineSample, Move } from "../../src/protocol/protocol.ts";

/** Wall time (ms) after which a machine that has not come to its place is an error. */
const PATIENCE = 60_000;
/** Wall time (ms) between two looks at what has come. */
const STEP = 20;
/** Wall time (ms) for which screens mark what the last stop has changed. */
const MARKED = 1100;

/** A machine and its screens. */
export class PictureSession implements Disposable {
  readonly #client: SessionClient;
  readonly #app: App;
  readonly #asker: Asker;
  readonly #parser = new KeyParser();
  readonly #consoles = new Map<string, string>();
  /** Questions of the screens that have no answer yet. */
  readonly #asked = new Set<number>();
  /** Wall time (ms) when the machine came to where it is. */
  #here = performance.now();
  #sample: MachineSample | undefined;
  /** How often a rule has stopped the machine, or it has ended. */
  #stops = 0;

  private constructor(title: string) {
    const client = this.#client = connectEmbedded(new URL("../../main.ts", import.meta.url));
    const nothing = () => {};
    this.#app = new App({ title, ascii: false }, {
      ...{ later: nothing, leave: nothing, copy: nothing, suspend: nothing, mouse: nothing },
      ...{ reconnect: nothing, visit: nothing, choose: nothing },
      send: (request) => {
        if (request.kind === "query") this.#asked.add(request.id);
        if (request.kind === "forget") this.#asked.delete(request.id);
        client.send(request);
      },
      changed: nothing,
      redraw: nothing,
      save: () => Promise.resolve({ error: "a picture saves no files" }),
    });
    // Its questions have numbers that those of the screens do not reach.
    this.#asker = new Asker(client, 1_000_000);
    client.onEvent = (event) => {
      if (event.kind === "failed") throw new Error(event.message);
      if (event.kind === "sample") this.#sample = event.sample;
      if (event.kind === "stopped" || event.kind === "ended") this.#stops++;
      if (event.kind === "answer") this.#asked.delete(event.id);
      if (event.kind === "console") {
        this.#consoles.set(event.console, (this.#consoles.get(event.console) ?? "") + new TextDecoder().decode(event.bytes));
      }
      if (!this.#asker.take(event)) this.#app.apply(event);
    };
  }

  /** The machine of a configuration, paused at its beginning. */
  static async open(title: string, configuration: string): Promise<PictureSession> {
    const folder = new URL("../../assets", import.meta.url).pathname;
    const planned = await planText(configuration, undefined, folder);
    if (!planned.ok) throw new Error(planned.errors.join("\n"));
    const { ui: _, ...plan } = planned.run;
    const session = new PictureSession(title);
    session.#client.send({ kind: "start", plan: { ...plan, turbo: true, history: true, duration: undefined, hashAt: [] } });
    session.#client.send({ kind: "pause" });
    await session.#until(() => session.#sample !== undefined, "the machine");
    return session;
  }

  /** Runs to the first event that a filter lets through, and stays there. */
  async runTo(filter: string): Promise<void> {
    await this.#stopAt({ kind: "event", filter });
  }

  /** Runs until a vCPU is about to execute an instruction: `VM:SYMBOL`. */
  async runToPlace(at: string): Promise<void> {
    await this.#stopAt({ kind: "place", at });
  }

  async #stopAt(change: { kind: "event"; filter: string } | { kind: "place"; at: string }): Promise<void> {
    const before = this.#stops;
    done(await this.#asker.stopRule(change));
    this.#client.send({ kind: "resume" });
    await this.#until(() => this.#stops > before, JSON.stringify(change));
    done(await this.#asker.stopRule({ kind: "remove", rule: "all" }));
    this.#here = performance.now();
  }

  /** Does something to the machine. */
  async act(action: Action): Promise<void> {
    done(await this.#asker.act(action));
  }

  /** Goes to another place of the run. */
  async move(to: Move): Promise<void> {
    const moved = await this.#asker.move(to);
    if ("error" in moved) throw new Error(moved.error);
    this.#here = performance.now();
  }

  /** Types into a guest. */
  input(console: string, text: string): void {
    this.#client.send({ kind: "input", console, bytes: textBytes(text) });
  }

  /** Output of a guest. */
  written(console: string): string {
    return this.#consoles.get(console) ?? "";
  }

  /** Presses keys one after the other; each has its frame before the next. */
  async press(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      for (const one of this.#parser.push(textBytes(key))) this.#app.key(one);
      for (const one of this.#parser.flush()) this.#app.key(one);
      await this.#settle(new Screen(120, 36, "direct"));
    }
  }

  /** The frame, once no more answers come. */
  async frame(theme: ThemeName, columns: number, rows: number, depth: ColorDepth = "direct"): Promise<Screen> {
    this.#app.setTheme(theme);
    await sleep(Math.max(this.#here + MARKED - performance.now(), 0));
    const screen = new Screen(columns, rows, depth);
    await this.#settle(screen);
    return screen;
  }

  async #settle(screen: Screen): Promise<void> {
    // An answer may lead to further questions.
    for (let quiet = 0; quiet < 3; quiet++) {
      this.#app.draw(screen);
      await sleep(STEP);
      if (this.#asked.size) quiet = 0;
    }
    this.#app.draw(screen);
    // Toasts about the stops that lead here do not belong in a picture.
    if (!screen.toLines().at(-1)?.includes("Esc dismiss")) return;
    for (const key of this.#parser.push(textBytes("\x1b")).concat(this.#parser.flush())) this.#app.key(key);
    await this.#settle(screen);
  }

  async #until(isThere: () => boolean, what: string): Promise<void> {
    for (const limit = performance.now() + PATIENCE; !isThere();) {
      if (performance.now() > limit) throw new Error(`${what} has not come`);
      await sleep(STEP);
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function done(error: string | undefined): void {
  if (error !== undefined) throw new Error(error);
}
