// `t`: travel to other places of the run, and saving the place that is shown as a file or as a new
// session.

import { resolve } from "node:path";
import { filterPrompt, stopFilter, targetOf } from "./event-filter.ts";
import type { Host } from "./host.ts";
import { type MenuItem, MenuOverlay, TextOverlay } from "./overlay.ts";
import { TablePane } from "./table-pane.ts";
import { cellText } from "../queries/format.ts";
import { EVENTS, PLACES } from "../queries/tables.ts";
import type { Move } from "../protocol/protocol.ts";

/**
 * Starts a session that continues from a snapshot, and resolves to its name. `save` writes the
 * snapshot, or resolves to an error.
 */
export type Fork = (save: (path: string) => Promise<string | undefined>) => Promise<string>;

/** Requirements of the menu on the application. */
export interface TimeHost extends Host {
  /** The session's guest: a name for files. */
  readonly title: string;
  /** Undefined where forks are impossible. */
  readonly fork: Fork | undefined;
  readonly move: (to: Move) => void;
}

/** The menu of `t`. */
export class TimeMenu {
  readonly #places: string[] = [];
  readonly #events: string[] = [];
  /** The events that were gone to the last time. */
  #filter = "";

  constructor(readonly host: TimeHost) {}

  /** Shows it. */
  show(): void {
    const { host } = this;
    const readOnly = host.readOnly ? "off: read-only" : undefined;
    const ended = host.ended() ? "off: the machine has ended" : undefined;
    const item = (key: string, label: string, run: () => void, reason = readOnly ?? ended): MenuItem => ({ key, label, reason, run });
    const nobody = host.fork ? undefined : "off: sessions cannot be started here";
    host.show(
      new MenuOverlay("time", [
        item("g", "go to an instruction count", () => this.#goTo()),
        item("b", "back to an event or an instruction", () => this.#back()),
        item("n", "now: return to the present", () => host.move({ kind: "now" })),
        item("l", "list: the start, snapshots, the place shown, now", () => void this.#list(), readOnly),
        item("s", "snapshot of this place, to a file", () => this.#snapshot()),
        item("f", "fork: another session continues from here", () => this.#fork(), readOnly ?? ended ?? nobody),
      ]),
    );
  }

  /**
   * `<` and `>`: the event before, or the next one, that passes the filter of a list of events,
   * else the filter of the last time.
   */
  event(forward: boolean): void {
    const { host } = this;
    if (host.readOnly) return host.say("read-only: cannot travel");
    const focus = host.windows.focus;
    const filter = (focus instanceof TablePane && focus.table === EVENTS ? focus.filterText : "") || this.#filter;
    if (filter !== "") return this.#goToEvent(filter, forward);
    const sign = forward ? "forward to: " : "back to: ";
    host.show(
      filterPrompt(sign, stopFilter(focus), this.#events, (text) => {
        if (targetOf(text).kind === "place") return host.say(`"${text}" is not a filter of events; t b goes back to an instruction`, "bad");
        if (text === "") return host.say("a filter of events, such as kind=state vm=debian");
        this.#goToEvent(text, forward);
      }, (message) => host.say(message, "bad")),
    );
  }

  #goToEvent(filter: string, forward: boolean): void {
    this.#filter = filter;
    this.host.say(`${forward ? "forward" : "back"} to ${filter} …`);
    this.host.move({ kind: forward ? "next-event" : "event", filter });
  }

  /** The places of the run, to go to. */
  async #list(): Promise<void> {
    const { host } = this;
    const { rows, error } = await host.asker.ask({ table: "time.ls", args: {} });
    if (error !== undefined || rows.length === 0) return this.#tell(error ?? PLACES.empty, "bad");
    const items = rows.map((row): MenuItem => {
      const [kind, t, file] = ["kind", "t", "file"].map((name) => cellText(PLACES.columns[name as keyof typeof PLACES.columns], row[name]));
      return {
        label: `${kind.padEnd(8)} t=${t}s  ${String(row.insn).padStart(12)} instructions  ${file === "-" ? "" : file}`.trimEnd(),
        reason: row.kind === "shown" ? "here" : undefined,
        run: () => host.move(row.kind === "now" ? { kind: "now" } : { kind: "instructions", count: Number(row.insn) }),
      };
    });
    host.show(new MenuOverlay("places of the run; Enter goes there", items));
    host.changed();
  }

  #goTo(): void {
    const { host } = this;
    host.show(
      new TextOverlay({
        sign: "go to instruction: ",
        history: this.#places,
        accept: (text) => {
          const count = Number(text.replaceAll(/[_, ]/g, "") || NaN);
          if (!Number.isSafeInteger(count) || count < 0) {
            return host.say(`"${text}" is not an instruction count; use for example 120000`, "bad");
          }
          host.move({ kind: "instructions", count });
        },
      }),
    );
  }

  #back(): void {
    const { host } = this;
    host.show(
      filterPrompt("back to: ", stopFilter(host.windows.focus), this.#events, (filter) => {
        if (filter === "") return host.say("a filter of events, such as kind=state vm=debian, or at debian:vfs_open");
        const target = targetOf(filter);
        if (target.kind === "event") this.#filter = filter;
        host.say("going back …");
        host.move(target);
      }, (message) => host.say(message, "bad")),
    );
  }

  #snapshot(): void {
    const { host } = this;
    const name = host.title.replaceAll(/[^\w.-]+/g, "-");
    host.show(new TextOverlay({ sign: "snapshot to: ", text: `${name}.snap`, accept: (path) => void this.#save(path) }));
  }

  async #save(path: string): Promise<void> {
    if (path.trim() === "") return this.#tell("a snapshot needs a file", "bad");
    const error = await this.#written(path);
    this.#tell(error === undefined ? `${path}: snapshot written` : `${path}: ${error}`, error === undefined ? "ok" : "bad");
  }

  /**
   * Has a snapshot written, relative to this program's folder, as the session's process has another
   * one. Resolves to an error, if any.
   */
  #written(path: string, passing = false): Promise<string | undefined> {
    const progress = (done: number, total: number) => this.#tell(`${path}: ${done} of ${total} pages`);
    return this.host.asker.snapshot(resolve(path), this.host.title, progress, passing);
  }

  async #fork(): Promise<void> {
    try {
      const name = await this.host.fork!((path) => this.#written(path, true));
      this.#tell(`session ${name} continues from here; el2 attach ${name} shows it`);
    } catch (error) {
      this.#tell(error instanceof Error ? error.message : String(error), "bad");
    }
  }

  #tell(text: string, role?: "ok" | "text" | "bad"): void {
    this.host.say(text, role);
    this.host.changed();
  }
}
