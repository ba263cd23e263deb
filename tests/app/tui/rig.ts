// The application before the session of `phone.ts`: keys in, frames out.

import { SCREENS as TABLE } from "../../../src/app/tui/actions/screen-table.ts";
import { App } from "../../../src/app/tui/app/app.ts";
import type { AppOptions } from "../../../src/app/tui/app/app-port.ts";
import { Screen } from "../../../src/app/tui/terminal/cells.ts";
import type { ColorDepth } from "../../../src/app/tui/terminal/color.ts";
import { KeyParser } from "../../../src/app/tui/terminal/key-parser.ts";
import { textBytes } from "../../../src/app/tui/terminal/keys.ts";
import type { Action } from "../../../src/model/commands/actions.ts";
import type { Answer, Query } from "../../../src/model/queries/query.ts";
import { Standing } from "../../../src/session/engine/standing.ts";
import type { MachineSample, Request, SessionEvent } from "../../../src/model/protocol/protocol.ts";
import type { StopChange } from "../../../src/model/queries/stop-rule.ts";
import { PHONE_SAMPLE, phoneAnswer } from "./phone.ts";
import type { Shown } from "./real-machine.ts";

/** Content of the console of debian. */
const CONSOLE =
  "[    1.940418] EXT4-fs (vda): mounted filesystem 6b5a0f7e ro.\r\n\r\nDebian GNU/Linux 12 debian hvc0\r\n\r\ndebian login: ";

const PHONE: Shown = {
  title: "phone",
  samples: [PHONE_SAMPLE],
  consoles: [{ console: "debian", bytes: textBytes(CONSOLE) }, { console: "rt", bytes: textBytes("rt ready\r\n") }],
  answer: phoneAnswer,
};

/** Keys of all screens. */
export const SCREENS = TABLE.map(({ key }) => key);

/** An application under test. */
export class Rig {
  readonly requests: Request[] = [];
  readonly acted: Action[] = [];
  readonly stops: StopChange[] = [];
  readonly copied: string[] = [];
  readonly notices: string[] = [];
  readonly saved: [name: string, text: string][] = [];
  readonly mouse: boolean[] = [];
  readonly app: App;
  /** Wall time, ms. */
  time = 1000;
  left = false;
  suspended = 0;
  redrawn = 0;
  reconnects = 0;
  chosen = 0;
  readonly visited: string[] = [];
  /** After how many ms something is to be drawn. */
  readonly later: number[] = [];
  screen: Screen;
  /** The error of actions. */
  actError: string | undefined;
  answer: (query: Query) => Answer;
  readonly #sample: MachineSample;
  readonly #parser = new KeyParser();
  readonly #standing = new Standing();

  constructor(width = 120, height = 36, options: Partial<AppOptions> = {}, depth: ColorDepth = "16", shown: Shown = PHONE) {
    this.screen = new Screen(width, height, depth);
    this.screen.synchronized = true;
    this.answer = shown.answer;
    this.app = new App({ title: shown.title, ascii: true, clock: () => this.time, ...options }, {
      send: (request) => this.#send(request),
      changed() {},
      later: (ms) => this.later.push(ms),
      leave: () => this.left = true,
      redraw: () => {
        this.redrawn++;
        this.screen.invalidate();
      },
      copy: (text) => this.copied.push(text),
      notify: (text) => this.notices.push(text),
      save: (name, text) => {
        this.saved.push([name, text]);
        return Promise.resolve({ path: name });
      },
      suspend: () => this.suspended++,
      mouse: (on) => this.mouse.push(on),
      reconnect: () => this.reconnects++,
      visit: (name) => this.visited.push(name),
      choose: () => this.chosen++,
    });
    for (const { console, bytes } of shown.consoles) this.app.apply({ kind: "console", console, bytes });
    this.#sample = shown.samples.at(-1)!;
    for (const sample of shown.samples) {
      if (sample !== shown.samples[0]) this.time += 1000;
      this.apply({ kind: "sample", sample });
    }
  }

  apply(event: SessionEvent): void {
    if (event.kind === "sample") { for (const { id, query } of this.#standing.due(this.time)) this.#answer(id, query); }
    this.app.apply(event);
  }

  /** Queries that the test answers itself. */
  held: (query: Query) => boolean = () => false;
  /** Whether a state that stays is not sent again, as sessions have it. */
  sparing = false;

  /** A new picture of the machine, as it comes five times per second. */
  sample(changed: Partial<MachineSample> = {}): void {
    this.apply({ kind: "sample", sample: { ...this.#sample, ...changed } });
  }

  /** Types keys. */
  async type(text: string): Promise<void> {
    for (const key of this.#parser.push(textBytes(text))) this.app.key(key);
    await settle();
  }

  /** Types keys one by one, as people do: each has its picture. */
  async keys(text: string): Promise<void> {
    for (const key of text) {
      await this.type(key);
      await this.lines();
    }
  }

  /** Presses keys by what a terminal sends for them. */
  async press(...names: (keyof typeof KEYS)[]): Promise<void> {
    for (const name of names) await this.type(KEYS[name]);
    // A lone Esc is one once nothing follows.
    for (const key of this.#parser.flush()) this.app.key(key);
    await settle();
  }

  /** Draws until nothing more is asked, and gives the text. */
  async lines(width = this.screen.width, height = this.screen.height): Promise<string[]> {
    if (width !== this.screen.width || height !== this.screen.height) this.screen.resize(width, height);
    for (let round = 0; round < 3; round++) {
      this.app.draw(this.screen);
      await settle();
    }
    this.app.draw(this.screen);
    return this.screen.toLines();
  }

  /** The same as one text. */
  async text(): Promise<string> {
    return (await this.lines()).join("\n");
  }

  /** Content of boxes as wide as the screen, without their sides. */
  async inside(): Promise<string[]> {
    return (await this.lines()).map((line) => /^\|(.*)\|$/.exec(line)?.[1].trimEnd() ?? line);
  }

  /** The key of the screen that has the keys. */
  get shown(): string {
    return this.app.state.screen;
  }

  /** The bytes of the next frame. */
  frame(): string {
    this.app.draw(this.screen);
    return this.screen.frame();
  }

  /** Bytes typed into guests. */
  get typed(): number[] {
    return this.requests.flatMap((request) => request.kind === "input" ? [...request.bytes] : []);
  }

  #answer(id: number, query: Query): void {
    const found = this.answer(query), answer = this.sparing ? this.#standing.given(id, this, found) : found;
    if (answer) this.app.apply({ kind: "answer", id, answer });
  }

  #send(request: Request): void {
    this.requests.push(request);
    if (request.kind === "query") {
      const { id, query, repeat } = request;
      if (repeat) this.#standing.add(id, query, repeat, this.time);
      if (!this.held(query)) queueMicrotask(() => this.#answer(id, query));
    } else if (request.kind === "forget") {
      this.#standing.forget(request.id);
    } else if (request.kind === "stop-rule") {
      this.stops.push(request.change);
      queueMicrotask(() => this.app.apply({ kind: "acted", id: request.id, error: undefined }));
    } else if (request.kind === "act") {
      this.acted.push(request.action);
      queueMicrotask(() =>
        this.app.apply({ kind: "acted", id: request.id, error: this.actError === undefined ? undefined : { what: this.actError } })
      );
    }
  }
}

const KEYS = {
  enter: "\r",
  esc: "\x1b",
  tab: "\t",
  back: "\x7f",
  up: "\x1b[A",
  down: "\x1b[B",
  "ctrl-c": "\x03",
  "ctrl-z": "\x1a",
} as const;

/** Lets answers arrive, and emulators take in what was written to them. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
}

/**
 * Presses keys by what a terminal sends for each, faster than `Rig.type`: answers come, emulators
 * are not waited for.
 */
export async function press(rig: Rig, ...keys: string[]): Promise<void> {
  const parser = new KeyParser();
  for (const bytes of keys) {
    for (const key of [...parser.push(textBytes(bytes)), ...parser.flush()]) rig.app.key(key);
    await Promise.resolve();
  }
}
