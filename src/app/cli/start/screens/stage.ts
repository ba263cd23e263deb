// A machine with its screens and without a terminal, for `el2 screenshot` and the pictures of the
// documentation: a session that runs, a recording, or a new machine.

import { setTimeout as sleep } from "node:timers/promises";
import { surroundings } from "../look/surroundings.ts";
import { ExitCode, failed, Failure } from "../../common/failure.ts";
import { giveUp, needsNetwork } from "../../common/rights.ts";
import { Asker } from "../../../../session/control/asker.ts";
import { DEFAULT_UI, type FileUi } from "../../../configuration/schema.ts";
import type { RemoteSession } from "../../../../session/control/remote.ts";
import type { Request, SessionEvent } from "../../../../model/protocol/protocol.ts";
import type { SessionPlan } from "../../../../model/plans/plan.ts";
import { connectEmbedded } from "../../../../session/worker/client.ts";
import { Screen } from "../../../tui/terminal/cells.ts";
import type { ColorDepth } from "../../../tui/terminal/color.ts";
import type { AppOptions } from "../../../tui/app/app-port.ts";
import { Offscreen } from "../../../tui/app/offscreen.ts";
import { wayOutText } from "../../../../kit/support/text/way-out.ts";
import { LIST_SESSIONS } from "../../common/session.ts";

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
  /** The screens of a link, shown first. */
  readonly linked?: AppOptions["linked"];
  /** Commands and profiles that the palette runs aside. */
  readonly aside?: Pick<AppOptions, "program" | "profiler">;
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
  /** Time (ms) by which the clock of the screens is ahead. */
  #skipped = 0;
  #exists = false;
  #ended = false;
  /** How often a rule has stopped the machine, or it has ended. */
  #stops = 0;
  /** Rejects once no more answers can come. */
  readonly #failed = Promise.withResolvers<never>();
  #failure: Failure | undefined;

  readonly title: string;
  /** Questions and requests beside those of the screens. */
  readonly asker: Asker;

  private constructor(client: Connected, { title, theme, ui = DEFAULT_UI, readOnly, replay, linked, aside }: StageOptions) {
    this.#client = client;
    this.title = title;
    // A picture is the same for every user.
    const looks = surroundings({ theme, ascii: false }, { ...ui, ascii: false }, "refuse", false);
    this.#screens = new Offscreen((request) => client.send(request), {
      ...looks,
      title,
      readOnly,
      replay,
      linked,
      ...aside,
      blocks: false,
      clock: () => performance.now() + this.#skipped,
    });
    // A failure between two waits is reported by the next.
    this.#failed.promise.catch(() => {});
    // Its questions have numbers that those of the screens do not reach.
    this.asker = new Asker(client, 1_000_000);
    client.onEvent = (event) => this.#receive(event);
  }

  /** A session of another process. */
  static ofSession(session: RemoteSession, options: StageOptions): Stage {
    const stage = new Stage(session, { ...options, readOnly: session.readOnly });
    session.onGone = (reason) => stage.#fail(reason ?? `the session has ended; ${wayOutText(LIST_SESSIONS)}`, ExitCode.NoSession);
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
    return stage;
  }

  #receive(event: SessionEvent): void {
    if (event.kind === "failed") this.#fail(event.message, ExitCode.Failed);
    if (event.kind === "sample" || event.kind === "ended") this.#exists = true;
    if (event.kind === "ended") this.#ended = true;
    if (event.kind === "stopped" || event.kind === "ended") this.#stops++;
    if (!this.asker.receive(event)) this.#screens.apply(event);
  }

  /** Waits until the machine exists. */
  async ready(): Promise<void> {
    await this.#until(() => this.#exists, "the machine");
  }

  /** Runs until the machine ends. */
  async runToEnd(): Promise<void> {
    this.send({ kind: "resume" });
    await this.#until(() => this.#ended, "the end of the run", Infinity);
  }

  /** Runs until a rule stops the machine. @throws Failure if it ends first */
  async runToStop(what: string): Promise<void> {
    const before = this.#stops;
    this.send({ kind: "resume" });
    await this.#until(() => this.#stops > before, what);
    if (this.#ended) throw failed(`the machine has ended before ${what}`);
  }

  send(request: Request): void {
    this.#client.send(request);
  }

  /** Presses keys, as the bytes that a terminal sends; each has its frame before the next. */
  async pressAll(keys: readonly string[], { columns, rows }: Size): Promise<void> {
    for (const key of keys) {
      this.#screens.press(key);
      await this.#screens.settle(new Screen(columns, rows, "direct"));
      this.#check();
    }
  }

  setTheme(name: string): void {
    this.#screens.setTheme(name);
  }

  /**
   * The frame of a picture: without marks of what the last stop has changed, and without messages
   * about it.
   */
  async frame({ columns, rows }: Size, depth: ColorDepth = "direct"): Promise<Screen> {
    this.#skipped += MARKED;
    const screen = new Screen(columns, rows, depth);
    await this.#screens.settleWithoutMessages(screen);
    this.#check();
    return screen;
  }

  async #until(isThere: () => boolean, what: string, patience = PATIENCE): Promise<void> {
    for (const limit = performance.now() + patience; !isThere();) {
      this.#check();
      if (performance.now() > limit) throw new Failure(`${what}: not reached in ${PATIENCE / 1000} s`, undefined, ExitCode.TimedOut);
      await sleep(LOOK);
    }
  }

  #check(): void {
    if (this.#failure) throw this.#failure;
  }

  #fail(message: string, code: number): void {
    this.#failure ??= new Failure(message, undefined, code);
    this.#failed.reject(this.#failure);
    this.#screens.end();
  }

  /** An answer of the asker. @throws Failure once none can come */
  async answered<T>(answer: Promise<T>): Promise<T> {
    return await Promise.race([answer, this.#failed.promise]);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** Gives up the network before a machine that does not need it runs in this process. */
export function withoutNetworkFor(plan: SessionPlan): void {
  if (!needsNetwork(plan)) giveUp("net");
}
