// A machine with its screens and without a terminal, for `el2 screenshot`, `el2 cast` and the
// pictures of the documentation: a session that runs, a recording, or a new machine.

import { setTimeout as sleep } from "node:timers/promises";
import { surroundings } from "./surroundings.ts";
import { ExitCode, Failure } from "../common/failure.ts";
import { giveUp, needsNetwork } from "../common/rights.ts";
import { Asker } from "../../control/asker.ts";
import { DEFAULT_UI, type FileUi } from "../../configuration/schema.ts";
import type { RemoteSession } from "../../control/remote.ts";
import type { MachineSample, Move, Request, SessionEvent } from "../../protocol/protocol.ts";
import type { SessionPlan } from "../../plans/plan.ts";
import type { Action } from "../../queries/action.ts";
import { connectEmbedded } from "../../session/client.ts";
import { Screen } from "../../tui/terminal/cells.ts";
import type { ColorDepth } from "../../tui/terminal/color.ts";
import { textBytes } from "../../tui/terminal/keys.ts";
import { Offscreen } from "../../tui/app/offscreen.ts";

/** Wall time (ms) after which a machine that has not come to its place is an error. */
const PATIENCE = 60_000;
/** Wall time (ms) between two checks for output. */
const LOOK = 20;
/** Time (ms) for which screens mark what the last stop has changed. */
const MARKED = 1100;

/** Columns and rows of a terminal. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Content and look of a stage. */
export interface StageOptions {
  readonly title: string;
  /** Name of a theme, or `auto`. */
  readonly theme?: string;
  /** The configuration's settings of the screens. */
  readonly ui?: FileUi;
  readonly readOnly?: boolean;
  readonly replay?: boolean;
}

/** Requirements of a stage on a connection. */
interface Connected {
  send(request: Request): void;
  onEvent: (event: SessionEvent) => void;
  close(): void;
}

/** A machine and its screens. */
export class Stage implements Disposable {
  readonly #client: Connected;
  readonly #screens: Offscreen;
  readonly #asker: Asker;
  /** Time (ms) of the screens that passed without anything to wait for. */
  #skipped = 0;
  /** Time (ms) of the screens when the machine came to where it is. */
  #here = performance.now();
  #sample: MachineSample | undefined;
  #paused = false;
  #ended = false;
  /** Rejects once no more answers can come. */
  readonly #failed = Promise.withResolvers<never>();
  #failure: Failure | undefined;
  /** How often a rule has stopped the machine, or it has ended. */
  #stops = 0;

  readonly title: string;

  private constructor(client: Connected, { title, theme, ui = DEFAULT_UI, readOnly, replay }: StageOptions) {
    this.#client = client;
    this.title = title;
    const looks = surroundings({ theme, ascii: false }, { ...ui, ascii: false });
    this.#screens = new Offscreen((request) => client.send(request), {
      ...looks,
      ...{ title, readOnly, replay, blocks: false },
      clock: () => this.now,
    });
    // A failure between two waits is reported by the next.
    this.#failed.promise.catch(() => {});
    // Its questions have numbers that those of the screens do not reach.
    this.#asker = new Asker(client, 1_000_000);
    client.onEvent = (event) => this.#take(event);
  }

  /** A session of another process. */
  static ofSession(session: RemoteSession, options: StageOptions): Stage {
    const stage = new Stage(session, { ...options, readOnly: session.readOnly });
    stage.#paused = session.info.paused;
    session.onGone = (reason) => stage.#fail(reason ?? "the session has ended; list the sessions with el2 ls", ExitCode.NoSession);
    session.onRefused = (message) => stage.#fail(message, ExitCode.ReadOnly);
    return stage;
  }

  /**
   * The machine of a plan in a worker of this process, paused at its beginning.
   * @param entry the worker's module
   */
  static ofPlan(entry: URL, plan: SessionPlan, options: StageOptions): Stage {
    const client = connectEmbedded(entry);
    const stage = new Stage(client, options);
    client.send({ kind: "start", plan: { ...plan, turbo: true, history: true } });
    client.send({ kind: "pause" });
    stage.#paused = true;
    return stage;
  }

  #take(event: SessionEvent): void {
    if (event.kind === "failed") this.#fail(event.message, ExitCode.Failed);
    if (event.kind === "sample") this.#sample = event.sample;
    if (event.kind === "paused") this.#paused = event.paused;
    if (event.kind === "ended") this.#ended = true;
    if (event.kind === "stopped" || event.kind === "ended") this.#stops++;
    if (!this.#asker.take(event)) this.#screens.apply(event);
  }

  /** Time (ms) of the screens: wall time, and all that was skipped. */
  get now(): number {
    return performance.now() + this.#skipped;
  }

  /** The machine runs, so that screens change while time passes. */
  get runs(): boolean {
    return !this.#paused && !this.#ended;
  }

  /** Waits until the machine exists. */
  async ready(): Promise<void> {
    await this.#until(() => this.#sample !== undefined || this.#ended, "the machine");
  }

  /** Runs to the first event that a filter lets through, and stays there. */
  async runTo(filter: string): Promise<void> {
    await this.#stopAt({ kind: "event", filter }, filter);
  }

  /** Runs until a vCPU is about to execute an instruction: `VM:SYMBOL`. */
  async runToPlace(at: string): Promise<void> {
    await this.#stopAt({ kind: "place", at }, at);
  }

  /** Runs until the machine ends. */
  async runToEnd(): Promise<void> {
    this.#client.send({ kind: "resume" });
    await this.#until(() => this.#ended, "the end of the run", Infinity);
    this.#here = this.now;
  }

  async #stopAt(change: { kind: "event"; filter: string } | { kind: "place"; at: string }, what: string): Promise<void> {
    const before = this.#stops;
    await this.#done(this.#asker.stopRule(change));
    this.#client.send({ kind: "resume" });
    await this.#until(() => this.#stops > before, what);
    if (this.#ended) throw new Failure(`the machine has ended before ${what}`, ExitCode.Failed);
    await this.#done(this.#asker.stopRule({ kind: "remove", rule: "all" }));
    this.#here = this.now;
  }

  /** Performs an action on the machine. */
  async act(action: Action): Promise<void> {
    await this.#done(this.#asker.act(action));
  }

  /** Goes to another place of the run. */
  async move(to: Move): Promise<void> {
    const moved = await Promise.race([this.#asker.move(to), this.#failed.promise]);
    if ("error" in moved) throw new Failure(moved.error, ExitCode.Failed);
    this.#here = this.now;
  }

  /** Types into a guest. */
  input(console: string, text: string): void {
    this.#client.send({ kind: "input", console, bytes: textBytes(text) });
  }

  /** Presses a key, as the bytes that a terminal sends for it. */
  press(bytes: string): void {
    this.#screens.press(bytes);
  }

  /** Presses keys one after the other; each has its frame before the next. */
  async pressAll(keys: readonly string[], { columns, rows }: Size): Promise<void> {
    for (const key of keys) {
      this.press(key);
      await this.settle(new Screen(columns, rows, "direct"));
    }
  }

  /** Lets time pass: without waiting while the machine is paused. */
  async pass(ms: number): Promise<void> {
    if (this.runs) await sleep(ms);
    else this.#skipped += ms;
    this.#check();
  }

  /** Draws the present state. */
  draw(screen: Screen): void {
    this.#screens.draw(screen);
  }

  /** Draws once no more answers come. */
  async settle(screen: Screen): Promise<void> {
    await this.#screens.settle(screen);
    this.#check();
  }

  setTheme(name: string): void {
    this.#screens.setTheme(name);
  }

  /**
   * The frame of a picture: without marks of what the last stop has changed, and without messages
   * about it.
   */
  async frame({ columns, rows }: Size, depth: ColorDepth = "direct"): Promise<Screen> {
    this.#skipped += Math.max(this.#here + MARKED - this.now, 0);
    const screen = new Screen(columns, rows, depth);
    await this.#screens.settleWithoutMessages(screen);
    this.#check();
    return screen;
  }

  async #until(isThere: () => boolean, what: string, patience = PATIENCE): Promise<void> {
    for (const limit = performance.now() + patience; !isThere();) {
      this.#check();
      if (performance.now() > limit) throw new Failure(`${what}: not reached in ${PATIENCE / 1000} s`, ExitCode.TimedOut);
      await sleep(LOOK);
    }
  }

  #check(): void {
    if (this.#failure) throw this.#failure;
  }

  #fail(message: string, code: number): void {
    this.#failure ??= new Failure(message, code);
    this.#failed.reject(this.#failure);
  }

  /** @throws Failure with the error that an answer has */
  async #done(answer: Promise<string | undefined>): Promise<void> {
    const error = await Promise.race([answer, this.#failed.promise]);
    if (error !== undefined) throw new Failure(error, ExitCode.Failed);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** Gives up the network before a machine that does not need it runs in this process. */
export function withoutNetworkFor(plan: SessionPlan): void {
  if (!needsNetwork(plan)) giveUp("net");
}
