// Menus and prompts over a screen: actions on objects, copies, the palette, stop rules.

import { resolve } from "node:path";
import type { ActionName, AppAction } from "../actions/actions.ts";
import { type AppServices, selectedRow } from "./services/app-services.ts";
import type { Keymap } from "../actions/keymap.ts";
import type { Key } from "../terminal/keys.ts";
import { DangerOverlay } from "./overlays/danger.ts";
import type { DoneCommands } from "./done-commands.ts";
import { filterPrompt, stopFilter, targetOf } from "./doing/event-filter.ts";
import type { Guide } from "./guide/guide.ts";
import { placeOf } from "../look/links.ts";
import { actionsFor, type Circumstances, type ObjectAction, WHO_WROTE } from "./doing/object-actions.ts";
import { LinesOverlay, type MenuItem, MenuOverlay, TextOverlay } from "./overlays/overlay.ts";
import type { OtherSessions } from "./start/other-sessions.ts";
import { type Choice, PaletteOverlay, suiting } from "./overlays/palette.ts";
import type { OwnCommands } from "./doing/own-commands.ts";
import type { OwnProgram } from "./services/own-program.ts";
import { TablePane } from "../panes/table-pane.ts";
import { FaultRuleError, readFaultRule } from "../../../model/queries/fault-rule.ts";
import { nameOf, withKind } from "../../../model/queries/ids.ts";
import type { Action as MachineAction } from "../../../model/queries/action.ts";
import { isExactly } from "../../../model/queries/filters/filter.ts";
import { cellText } from "../../../model/queries/texts/format.ts";
import { listText } from "../../../model/queries/texts/list-text.ts";
import type { Query } from "../../../model/queries/query.ts";
import type { Selected } from "../../../model/queries/table.ts";
import { TABLES } from "../../../model/queries/tables.ts";
import { whoText } from "../../../model/queries/texts/who-text.ts";
import type { Move } from "../../../model/protocol/protocol.ts";
import type { StopChange } from "../../../model/queries/stop-rule.ts";
import type { GroupHandlers } from "../actions/action-handlers.ts";
import { type Problem, problemText } from "../../../kit/support/problem.ts";

/** Objects of a palette's list. */
const OFFERED_ROWS = 200;
/** Lists whose objects the palette finds, on whatever screen it is. */
const FOUND = ["vm.ls", "vcpu.ls", "queue.ls", "mem.parcels", "irq.ls", "rpc.ls"] as const;

/** Services that the menus use. `program` is undefined if there is none. */
interface MenuServices extends AppServices {
  readonly keymap: Keymap;
  readonly jump: (id: string) => void;
  readonly typeInto: (vm: string) => void;
  readonly run: (action: AppAction, key: Key) => void;
  readonly copy: (text: string) => void;
  readonly mouse: (on: boolean) => void;
  /** Shows the start screen. */
  readonly choose: () => void;
  readonly program: OwnProgram | undefined;
  readonly commands: OwnCommands;
  readonly done: DoneCommands;
  /** The tour of the session, if it is one. */
  readonly guide: Guide | undefined;
  readonly move: (to: Move) => void;
  /** Names of the themes, and how one is chosen. */
  readonly themes: readonly string[];
  readonly theme: (name: string) => void;
}

/** Words that other programs have for an action. */
const ALIASES: Readonly<Partial<Record<ActionName, readonly string[]>>> = {
  "leave": ["q", "quit", "exit", "q!", "qa"],
  "help.show": ["h", "help"],
  "filter.edit": ["search", "find"],
  "console.enter": ["console", "shell", "attach"],
  "machine.pause": ["stop", "resume", "continue", "unpause"],
  "time.travel": ["back", "goto", "snapshot"],
};

/** Commands that show or do the same, without `el2`. */
const COMMANDS: Readonly<Partial<Record<ActionName, string>>> = {
  "machine.pause": "pause",
  "machine.stop-rule": "break FILTER",
  "time.back": "back --by 1",
  "time.event-back": "back --event FILTER",
  "time.travel": "back --list",
  "help.show": "--help",
};

const NO_KEY: Key = { name: "", bytes: new Uint8Array() };

/** The menus of an application. */
export class Menus {
  readonly #paletteHistory: string[] = [];
  readonly #stopHistory: string[] = [];
  /** Ids of the session's objects, by list, as they were when the palette was last opened. */
  readonly #objects = new Map<string, readonly string[]>();

  readonly handlers = {
    "object.actions": () => this.#actions(false),
    "danger.menu": () => this.#actions(true),
    "object.who": () => this.#who(),
    "copy.menu": () => this.app.windows.focus === this.app.console ? this.#copyConsole() : this.#copy(),
    "machine.stop-rule": () => this.#stopRule(),
    "palette.show": () => this.#palette(),
  } satisfies GroupHandlers;

  constructor(readonly app: MenuServices, readonly sessions: OtherSessions) {}

  /** Actions on the selected object; with `danger` only those that change the machine. */
  #actions(danger: boolean): void {
    const { app } = this;
    const selected = selectedRow(app);
    if (!selected) return;
    const { id } = selected.row;
    const found = actionsFor(id, this.#circumstances()).filter(({ action }) => !danger || action.danger);
    const own = app.commands.items(danger);
    if (!found.length && !own.length) {
      return app.say(danger ? `no dangerous actions on ${id}` : `no actions on ${id}; i shows its fields`);
    }
    const items = found.map(({ action, reason }): MenuItem => ({
      key: action.key,
      label: action.label,
      detail: action.command(id),
      reason,
      danger: action.danger,
      run: () => this.#do(action, selected),
    }));
    app.show(new MenuOverlay(`${danger ? "! " : ""}${id}`, [...items, ...own]));
  }

  /** The last writer of what is selected. */
  #who(): void {
    const selected = selectedRow(this.app);
    if (!selected) return;
    const found = actionsFor(selected.row.id, this.#circumstances()).find(({ action }) => action.name === WHO_WROTE);
    if (!found) return this.app.say(`${selected.row.id} has no history of writes or changes`);
    this.app.say("searching back in time");
    this.#do(found.action, selected);
  }

  /** The row as text, id, JSON or command, for the clipboard. */
  #copy(): void {
    const { app } = this;
    const selected = selectedRow(app);
    if (!selected) return;
    const { table, row } = selected;
    const copy = (key: string, label: string, text: string): MenuItem => ({
      key,
      label,
      detail: text,
      run: () => app.copy(text),
    });
    // A row of the tree has few of its table's columns.
    const cells = Object.entries(table.columns).filter(([name, { width }]) => width !== undefined && row[name] !== undefined);
    const focus = app.windows.focus;
    // A list is copied as it is shown (W19); elsewhere the command shows this row.
    const filter = focus instanceof TablePane ? focus.filterText : isExactly("id", row.id);
    app.show(
      new MenuOverlay(`copy ${row.id}`, [
        copy("y", "row", cells.map(([name, column]) => cellText(column, row[name])).join("  ")),
        copy("i", "id", row.id),
        copy("j", "JSON", JSON.stringify(row)),
        copy("c", "command", `el2 ${table.command}${filter && ` --filter '${filter}'`}`),
      ]),
    );
  }

  /** The console's text, for the clipboard; a long one goes to a file. */
  #copyConsole(): void {
    const { app } = this;
    const { view } = app.console;
    if (!view) return app.say("there is no console yet");
    app.show(
      new MenuOverlay(`copy ${withKind("con", view.name)}`, [
        { key: "y", label: "the visible part", run: () => app.copy(view.text(true)) },
        { key: "a", label: "everything, with the scrollback", run: () => app.copy(view.text(false)) },
      ]),
    );
  }

  /** Finds any action, screen or object by its name. */
  #palette(): void {
    const { asker, changed } = this.app;
    for (const table of FOUND) {
      asker.ask({ table, args: { limit: OFFERED_ROWS } }).then(({ rows }) => {
        this.#objects.set(table, rows.map(({ id }) => id));
        changed();
      });
    }
    this.app.show(
      new PaletteOverlay({
        history: this.#paletteHistory,
        choices: (text) => this.#choices(text),
        count: () => this.#offers().length,
        unknown: (text) => this.app.say(`no action or object called ${JSON.stringify(text)}; ? lists the actions`),
      }),
    );
  }

  /** Adds a stop rule, from the selection. */
  #stopRule(): void {
    const { app } = this;
    if (app.readOnly) return app.say("read-only: cannot stop the machine");
    const prompt = filterPrompt(
      "stop at: ",
      stopFilter(app.windows.focus),
      this.#stopHistory,
      (filter) => this.#stopAt(filter),
      (message) => app.say(message, "bad"),
    );
    app.show(prompt);
  }

  #stopAt(filter: string): void {
    const { app } = this;
    if (filter === "") {
      return app.say("a filter of events, such as kind=rpc refused=yes, or at debian:vfs_open; :stop off removes all rules");
    }
    this.#changeStops(targetOf(filter), `the machine stops at ${filter}; p continues, :stop off removes all rules`);
  }

  #changeStops(change: StopChange, done: string): void {
    this.#answered(this.app.asker.stopRule(change), done);
  }

  #answered(answer: Promise<Problem | undefined>, done: string): void {
    answer.then((error) => {
      this.app.say(error === undefined ? done : problemText(error), error === undefined ? "ok" : "refused");
      this.app.changed();
    });
  }

  #circumstances(): Circumstances {
    const { readOnly, ended, past, console } = this.app;
    return { readOnly, ended: ended(), past: past(), hasConsole: (vm) => console.has(vm) };
  }

  #do(action: ObjectAction, selected: Selected): void {
    const { app } = this;
    const { id } = selected.row;
    if ("console" in action) return app.typeInto(action.console(id));
    if ("say" in action) return app.say(action.say(id));
    if ("query" in action) return void this.#answer(`${id}  ${action.label}`, action.query(id, selected));
    if ("place" in action) return [{ kind: "now" } as const, action.place(selected)].forEach((to) => app.move(to));
    const { act, asks, prompt, taken } = action;
    const ask = (text: string) => {
      const done = act(id, text);
      if (done === undefined) return app.say(`${JSON.stringify(text)} ${prompt?.wrong}`, "bad");
      const danger = { ...asks(id, text), command: action.command(id) };
      app.show(new DangerOverlay(danger, () => this.#perform(done, taken?.(id) ?? `${danger.act}: done`)));
    };
    if (prompt) app.show(new TextOverlay({ sign: `${prompt.sign(id)}: `, accept: ask }));
    else ask("");
  }

  /** Shows what the machine answers. */
  async #answer(heading: string, query: Query): Promise<void> {
    const { app } = this;
    const { rows, error } = await app.asker.ask(query);
    const text = error ??
      (query.table === "who" ? rows.map(whoText).join("") : listText(TABLES[query.table], rows, app.windows.width - 1));
    if (error !== undefined) app.say(text.split("\n", 1)[0], "bad");
    else app.show(new LinesOverlay(heading, text.trimEnd().split("\n").map((text) => ({ text }))));
    app.changed();
  }

  /** Sends an action to the machine, and shows its result. */
  #perform(action: MachineAction, done: string): void {
    this.#answered(this.app.asker.act(action), done);
  }

  /** The palette's choice for `inject RULE`: a fault from now on, once the rule is valid. */
  #injection(rule: string): Choice {
    const { app } = this;
    const text = `inject ${rule}`, detail = "inject this fault from now on", command = `inject '${rule}'`;
    if (app.readOnly) return { text, detail, off: "off: read-only", run: () => app.say("read-only: cannot inject", "refused") };
    try {
      const { text: checked } = readFaultRule(rule);
      return { text, detail, command, run: () => this.#perform({ kind: "inject.add", rule: checked }, `${checked}: from now on`) };
    } catch (error) {
      if (!(error instanceof FaultRuleError)) throw error;
      const { message } = error;
      return { text, detail, off: message, run: () => app.say(message, "bad") };
    }
  }

  /** The palette's choice for `diff A B`. */
  #difference(a: string, b: string): Choice {
    const text = `diff ${a} ${b}`;
    return { text, detail: "the first difference of two runs", command: text, run: () => void this.#showDifference(a, b) };
  }

  async #showDifference(a: string, b: string): Promise<void> {
    const { app } = this;
    if (!app.program) return app.say("el2 diff cannot run here", "bad");
    app.say(`comparing ${a} and ${b} …`);
    const { answer, complaint } = await app.program(["diff", a, b]);
    if (answer === "") app.say(complaint.trim().split("\n").at(-1) ?? "", "bad");
    else app.show(new LinesOverlay(`diff ${a} ${b}`, answer.trimEnd().split("\n").map((text) => ({ text }))));
    app.changed();
  }

  /** The palette's choice for `record save FILE`. */
  #recording(file: string): Choice {
    const { app } = this;
    const text = `record save ${file}`, detail = "record the run so far";
    if (app.readOnly) {
      return {
        text,
        detail,
        off: "off: read-only",
        run: () => app.say("read-only: cannot write a recording", "refused"),
      };
    }
    const done = `${file}: the run so far; el2 replay ${file} --verify repeats it`;
    return { text, detail, run: () => this.#answered(app.asker.saveRecording(resolve(file)), done) };
  }

  /** The user's changes of the machine, as commands to copy. */
  #done(): void {
    const { app } = this, items = app.done.items((text) => app.copy(text));
    if (items.length === 0) return app.say("you have not changed the machine here");
    app.show(new MenuOverlay("done here; Enter copies", items));
  }

  /** Actions on the selected object, as lines of the palette. Unavailable ones give the reason. */
  #objectOffers(): Choice[] {
    const { app } = this;
    const { selection } = app.windows.focus;
    if (!selection) return [];
    const { id } = selection.row;
    return actionsFor(id, this.#circumstances()).map(({ action, reason }) => ({
      text: `${action.name} ${id}`,
      detail: `${action.danger ? "! " : ""}${action.label}${action.danger ? "   asks" : ""}`,
      off: reason,
      command: action.command(id).replace(/^el2 /, ""),
      run: () => reason === undefined ? this.#do(action, selection) : app.say(`${action.name} ${id}: ${reason}`),
    }));
  }

  /** The palette's choice for a text that names an object. */
  #named(text: string): Choice | undefined {
    const { app } = this;
    const typed = text.trim(), wanted = typed.toLowerCase();
    if (placeOf(wanted) && nameOf(wanted)) return { text: typed, detail: "go to it", run: () => app.jump(typed) };
    if (/^inject\s+\S/.test(wanted)) return this.#injection(typed.replace(/^inject\s+/i, ""));
    const [, a, b] = /^diff\s+(\S+)\s+(\S+)$/i.exec(typed) ?? [];
    if (a !== undefined) return this.#difference(a, b);
    const [, recording] = /^record\s+save\s+(\S+)$/i.exec(typed) ?? [];
    if (recording !== undefined) return this.#recording(recording);
    return this.sessions.choice(text);
  }

  /** All that the palette offers. */
  #offers(): Choice[] {
    const { app } = this;
    const offers = app.keymap.actions.flatMap((action): Choice[] => {
      if (action.context !== "lists" && action.context !== "everywhere") return [];
      const { name, help, keys } = action;
      const run = () => app.run(action, NO_KEY);
      const { aliases, command } = "screen" in action ? action.screen : { aliases: ALIASES[name], command: COMMANDS[name] };
      return [{ text: name, detail: help, key: keys[0], aliases, command, run }];
    });
    for (const on of [true, false]) {
      offers.push({
        text: `mouse ${on ? "on" : "off"}`,
        detail: `${on ? "use the mouse" : "leave the mouse to the terminal"}`,
        run: () => app.mouse(on),
      });
    }
    offers.push({
      text: "inject",
      detail: "RULE: inject faults, such as rpc msg=MEM_LEND nth=1 -> NOMEM",
      command: "inject --list",
      run: () => app.say("inject KIND FIELD=VALUE … -> EFFECT; el2 inject --help explains rules, el2 inject --remove all removes them"),
    });
    offers.push(this.sessions.offer);
    offers.push({
      text: "start",
      detail: "the start screen: sessions, configurations, guests, recordings",
      aliases: ["sessions", "ls", "home"],
      command: "ls",
      run: () => app.choose(),
    });
    offers.push({
      text: "tour",
      detail: "the tour of the screens: continue it",
      command: "tour",
      off: app.guide ? undefined : "el2 tour shows it, with its own machine",
      run: () => app.guide ? app.guide.resume() : app.say("el2 tour shows the tour, with its own machine"),
    });
    offers.push({
      text: "diff",
      detail: "A B: the first difference of two recordings, snapshots or traces",
      run: () => app.say("diff A B compares two recordings, snapshots or traces; for example diff good.rec bad.rec"),
    });
    offers.push({
      text: "record save",
      detail: "FILE: record the run so far",
      run: () => app.say("record save FILE writes the run so far; for example record save bug.rec"),
    });
    offers.push({
      text: "done",
      detail: "what you did to the machine here, as commands; Enter copies one, or all",
      aliases: ["history", "log"],
      run: () => this.#done(),
    });
    offers.push({
      text: "stop off",
      detail: "remove all stop rules",
      command: "break --remove all",
      run: () => this.#changeStops({ kind: "remove", rule: "all" }, "all stop rules removed"),
    });
    offers.push(...this.#objectOffers(), ...app.commands.choices());
    for (const theme of app.themes) {
      offers.push({ text: `theme ${theme}`, detail: "colors", command: `attach --theme ${theme}`, run: () => app.theme(theme) });
    }
    const shown = app.windows.visible.flatMap(({ pane }) => pane instanceof TablePane ? pane.rows.slice(0, OFFERED_ROWS) : []);
    for (const id of new Set([...[...this.#objects.values()].flat(), ...shown.map((row) => row.id)])) {
      offers.push({ text: id, detail: "go to it", aliases: [nameOf(id)], run: () => app.jump(id) });
    }
    return offers;
  }

  /** The palette's choices for a text, best first. */
  #choices(text: string): readonly Choice[] {
    const named = this.#named(text);
    return named ? [named] : suiting(text, this.#offers());
  }
}
