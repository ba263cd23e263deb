// `t`: travel to other places of the run, and saving the place that is shown as a file or as a new
// session.

import { filterPrompt, stopFilter, targetOf } from "./event-filter.ts";
import type { AppServices } from "../services/app-services.ts";
import { type MenuItem, MenuOverlay, TextOverlay } from "../overlays/overlay.ts";
import type { Done } from "../services/done.ts";
import { TablePane } from "../../panes/table-pane.ts";
import { ArgumentError, type Arguments, type GivenOf } from "../../../../model/commands/argument.ts";
import { placeOfRun } from "../../../../model/commands/kinds.ts";
import type { Command } from "../../../../model/commands/command.ts";
import { BACK, ON } from "../../../../model/commands/time.ts";
import { cellText } from "../../../../model/queries/texts/format.ts";
import { EVENTS, PLACES } from "../../../../model/queries/tables.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import type { GroupHandlers } from "../../actions/action-handlers.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";
import { type Problem, problemText } from "../../../../kit/support/problem.ts";
import { node } from "../../../../kit/support/node-modules.ts";

/**
 * Starts a session that continues from a snapshot, and resolves to its name. `save` writes the
 * snapshot, or resolves to an error.
 */
export type Fork = (save: (path: string) => Promise<Problem | undefined>) => Promise<string>;

/** Services that the menu uses. */
interface TimeServices extends AppServices {
  /** The session's guest: a name for files. */
  readonly title: string;
  /** Undefined if forks are impossible. */
  readonly fork: Fork | undefined;
  /** Shows another place of the run. */
  readonly travel: <A extends Arguments>(command: Command<A>, given: GivenOf<A>) => void;
  readonly done: Done;
}

/** The menu of `t`. */
export class TimeMenu {
  readonly #places: string[] = [];
  readonly #events: string[] = [];
  /** The events that were gone to the last time. */
  #filter = "";

  readonly handlers = {
    "time.event-back": () => this.#event(false),
    "time.event-on": () => this.#event(true),
    "time.travel": () => this.#show(),
  } satisfies GroupHandlers;

  constructor(readonly app: TimeServices) {}

  #show(): void {
    const { app } = this;
    const readOnly = app.readOnly ? "off: read-only" : undefined;
    const ended = app.ended() && !app.past() ? "off: the machine has ended; go back first" : undefined;
    const item = (key: string, label: string, run: () => void, reason = readOnly): MenuItem => ({ key, label, reason, run });
    const nobody = app.fork ? undefined : "off: sessions cannot be started here";
    app.show(
      new MenuOverlay("time", [
        item("g", "go to an instruction count", () => this.#goTo()),
        item("b", "back to an event or an instruction", () => this.#back()),
        item("n", "now: return to the present", () => app.travel(BACK, { now: true })),
        item("l", "list: the start, snapshots, the place shown, now", () => void this.#list(), readOnly),
        item("s", "snapshot of this place, to a file", () => this.#snapshot(), readOnly ?? ended),
        item("f", "fork: another session continues from here", () => this.#fork(), readOnly ?? ended ?? nobody),
      ]),
    );
  }

  /**
   * `<` and `>`: the event before, or the next one, that passes the filter of a list of events,
   * else the filter of the last time.
   */
  #event(forward: boolean): void {
    const { app } = this;
    if (app.readOnly) return app.say("read-only: cannot travel");
    const focus = app.windows.focus;
    const filter = (focus instanceof TablePane && focus.table === EVENTS ? focus.filterText : "") || this.#filter;
    if (filter !== "") return this.#goToEvent(filter, forward);
    const begun = stopFilter(focus);
    app.show(
      filterPrompt(signOf(forward ? "forward to" : "back to", "kind=rpc", begun), begun, this.#events, (text) => {
        if (targetOf(text).kind === "place") return app.say(`"${text}" is not a filter of events; t b goes back to an instruction`, "bad");
        if (text === "") return app.say("a filter of events, such as kind=state vm=debian");
        this.#goToEvent(text, forward);
      }, (message) => app.say(message, "bad")),
    );
  }

  #goToEvent(filter: string, forward: boolean): void {
    this.#filter = filter;
    this.app.say(`${forward ? "forward" : "back"} to ${filter} …`);
    if (forward) this.app.travel(ON, { event: filter });
    else this.app.travel(BACK, { event: filter });
  }

  /** The places of the run, to go to. */
  async #list(): Promise<void> {
    const { app } = this;
    const answer = await app.asker.ask({ table: "time.ls", args: {} }), rows = rowsOf(PLACES, answer), { error } = answer;
    if (error !== undefined || rows.length === 0) return this.#tell(error ?? PLACES.empty, "bad");
    const items = rows.map((row): MenuItem => {
      const text = (name: "kind" | "t" | "name" | "text" | "by" | "file") =>
        row[name] === null ? "" : cellText(PLACES.columns[name], row[name]);
      // Of a mark and a file, a place has one at most.
      const mark = [text("name"), text("text"), row.by === null ? "" : `(${text("by")})`].filter((one) => one !== "").join("  ");
      const label = `${text("kind").padEnd(8)} t=${text("t")}s  ${row.insn.padStart(12)} instructions  ${mark}${text("file")}`;
      return {
        label: label.trimEnd(),
        reason: row.kind === "shown" ? "here" : undefined,
        run: () => app.travel(BACK, row.kind === "now" ? { now: true } : { to: { kind: "instructions", count: Number(row.insn) } }),
      };
    });
    app.show(new MenuOverlay("places of the run; Enter goes there", items));
    app.changed();
  }

  #goTo(): void {
    const { app } = this;
    app.show(
      new TextOverlay({
        sign: "go to (120000, 12ms or a mark): ",
        history: this.#places,
        accept: (text) => {
          try {
            app.travel(BACK, { to: placeOfRun.parse(/^[\d_, ]+$/.test(text) ? text.replaceAll(/[_, ]/g, "") : text) });
          } catch (error) {
            if (!(error instanceof ArgumentError)) throw error;
            app.say(problemText(error.problem), "bad");
          }
        },
      }),
    );
  }

  #back(): void {
    const { app } = this;
    const begun = stopFilter(app.windows.focus);
    app.show(
      filterPrompt(signOf("back to", "kind=rpc, or at ping:0x80000000", begun), begun, this.#events, (filter) => {
        if (filter === "") return app.say("a filter of events, such as kind=state vm=debian, or at debian:vfs_open");
        const target = targetOf(filter);
        if (target.kind === "event") this.#filter = filter;
        app.say("going back …");
        app.travel(BACK, target.kind === "event" ? { event: target.filter } : { at: target.at });
      }, (message) => app.say(message, "bad")),
    );
  }

  #snapshot(): void {
    const { app } = this;
    const name = app.title.replaceAll(/[^\w.-]+/g, "-");
    app.show(new TextOverlay({ sign: "snapshot to: ", text: `${name}.snap`, accept: (path) => void this.#save(path) }));
  }

  async #save(path: string): Promise<void> {
    if (path.trim() === "") return this.#tell("a snapshot needs a file", "bad");
    const error = await this.#written(path);
    this.#tell(error === undefined ? `${path}: snapshot written` : `${path}: ${problemText(error)}`, error === undefined ? "ok" : "bad");
  }

  /**
   * Has a snapshot written, relative to this program's folder, as the session's process has another
   * one. Resolves to an error, if any.
   */
  #written(path: string, passing = false): Promise<Problem | undefined> {
    const file = node.path.resolve(path);
    if (!passing) this.app.done.note(hint("snapshot save", file));
    const progress = (done: number, total: number) => this.#tell(`${path}: ${done} of ${total} pages`);
    return this.app.asker.snapshot(file, this.app.title, progress, { passing });
  }

  async #fork(): Promise<void> {
    try {
      const name = await this.app.fork!((path) => this.#written(path, true));
      this.#tell(`session ${name} continues from here; ${hintText(hint("attach", name))} shows it`);
    } catch (error) {
      this.#tell(error instanceof Error ? error.message : String(error), "bad");
    }
  }

  #tell(text: string, role?: "ok" | "text" | "bad"): void {
    this.app.say(text, role);
    this.app.changed();
  }
}

/** The beginning of a prompt: with an example while nothing is typed. */
const signOf = (what: string, example: string, begun: string) => begun === "" ? `${what} (such as ${example}): ` : `${what}: `;
