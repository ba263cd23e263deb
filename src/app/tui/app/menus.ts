// Menus and prompts over a screen: actions on objects, copies, the palette, stop rules.

import type { AppAction } from "../actions/actions.ts";
import { type AppServices, selectedRow } from "./services/app-services.ts";
import type { Keymap } from "../actions/keymap.ts";
import type { Key } from "../terminal/keys.ts";
import { type CommandRunner, firstLine, questionOf } from "./doing/command-runner.ts";
import type { Done } from "./services/done.ts";
import type { OwnProgram } from "./services/own-program.ts";
import { filterPrompt, stopFilter, targetOf } from "./doing/event-filter.ts";
import type { Guide } from "./guide/guide.ts";
import { placeOf } from "../look/links.ts";
import { hintOf, linesFor, type ObjectLine, WHO_WROTE } from "./doing/object-menus.ts";
import { type MenuItem, MenuOverlay, TextOverlay } from "./overlays/overlay.ts";
import { type Choice, PaletteOverlay, suiting } from "./overlays/palette.ts";
import type { OwnCommands } from "./doing/own-commands.ts";
import type { Profiles } from "./doing/profiles.ts";
import { PALETTE_COMMANDS } from "./doing/palette-commands.ts";
import type { Steps } from "./services/steps.ts";
import { listHint } from "../../../model/commands/all.ts";
import { TablePane } from "../panes/table-pane.ts";
import { ArgumentError, type Arguments, checkedValues, completed, type GivenOf, type ValuesOf } from "../../../model/commands/argument.ts";
import type { Circumstances, Command } from "../../../model/commands/command.ts";
import { readLine } from "../../../model/commands/line.ts";
import { BACK, BREAK } from "../../../model/commands/time.ts";
import { EVENTS_OF_A_SESSION } from "../../../model/commands/questions.ts";
import { hintFor, pathOf, usageOf } from "../../../model/commands/words.ts";
import { nameOf, withKind } from "../../../model/queries/ids.ts";
import { isExactly } from "../../../model/queries/filters/filter.ts";
import { cellText } from "../../../model/queries/texts/format.ts";
import type { Selected } from "../../../model/queries/table.ts";
import type { GroupHandlers } from "../actions/action-handlers.ts";
import { hint, hintText } from "../../../kit/support/text/hint.ts";
import { problemText } from "../../../kit/support/problem.ts";
import { shellWords } from "../../../kit/support/text/shell.ts";

/** Objects of a palette's list. */
const OFFERED_ROWS = 200;
/** Lists whose objects the palette finds, on whatever screen it is. */
const FOUND = ["vm.ls", "vcpu.ls", "queue.ls", "mem.parcels", "irq.ls", "rpc.ls"] as const;

/** Services that the menus use. */
interface MenuServices extends AppServices {
  readonly keymap: Keymap;
  readonly steps: Steps;
  readonly runner: CommandRunner;
  readonly jump: (id: string) => void;
  readonly run: (action: AppAction, key: Key) => void;
  readonly copy: (text: string) => void;
  readonly mouse: (on: boolean) => void;
  /** Shows the start screen. */
  readonly choose: () => void;
  readonly commands: OwnCommands;
  readonly done: Done;
  readonly program: OwnProgram | undefined;
  readonly profiles: Profiles;
  /** The tour of the session, if it is one. */
  readonly guide: Guide | undefined;
  /** Names of the themes, and how one is chosen. */
  readonly themes: readonly string[];
  readonly theme: (name: string) => void;
}

/** `events` for system calls. */
const SYSTEM_CALLS: GivenOf<typeof EVENTS_OF_A_SESSION.args> = { follow: true, kinds: ["syscall"] };

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

  constructor(readonly app: MenuServices) {}

  /** Actions on the selected object; with `danger` only those that change the machine. */
  #actions(danger: boolean): void {
    const { app } = this;
    const selected = selectedRow(app);
    if (!selected) return;
    const { id } = selected.row;
    const found = linesFor(id, this.#circumstances()).filter(({ line }) => !danger || line.danger);
    const own = app.commands.items(danger);
    if (!found.length && !own.length) {
      return app.say(danger ? `no dangerous actions on ${id}` : `no actions on ${id}; i shows its fields`);
    }
    const items = found.map(({ line, reason }): MenuItem => ({
      key: line.key,
      label: line.label,
      detail: hintText(hintOf(line, selected)),
      reason,
      danger: line.danger,
      run: () => this.#do(line, selected),
    }));
    app.show(new MenuOverlay(`${danger ? "! " : ""}${id}`, [...items, ...own]));
  }

  /** The last writer of what is selected. */
  #who(): void {
    const selected = selectedRow(this.app);
    if (!selected) return;
    const found = linesFor(selected.row.id, this.#circumstances()).find(({ line }) => line.name === WHO_WROTE);
    if (!found) return this.app.say(`${selected.row.id} has no history of writes or changes`);
    this.#do(found.line, selected);
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
        copy("c", "command", hintText(listHint(table, filter))),
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
    this.app.program?.load().then(changed);
    this.app.show(
      new PaletteOverlay({
        history: this.#paletteHistory,
        choices: (text) => this.#choices(text),
        count: () => this.#offers().length,
        unknown: (text) => void this.#unknown(text),
      }),
    );
  }

  /** Runs what a text means once the commands of the program are loaded. */
  async #unknown(text: string): Promise<void> {
    const { program, say } = this.app;
    await program?.load();
    const [choice] = this.#choices(text);
    if (choice) choice.run();
    else say(`no action or object called ${JSON.stringify(text)}; ? lists the actions`);
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
    const target = targetOf(filter), given = target.kind === "place" ? { at: [target.at] } : { rule: [target.filter] };
    this.#changeStops(given, `the machine stops at ${filter}; p continues, :stop off removes all rules`);
  }

  async #changeStops(given: GivenOf<typeof BREAK.args>, done: string): Promise<void> {
    const { app } = this, problem = await app.steps.run(BREAK, given);
    app.say(problem ? problemText(problem) : done, problem ? "refused" : "ok");
    app.changed();
  }

  #circumstances(): Circumstances {
    const { readOnly, ended, past, console } = this.app;
    return { readOnly, ended: ended(), past: past(), hasConsole: (vm) => console.of(vm) !== undefined };
  }

  /** Does a line of an object's menus; a prompt for an argument is first, then the question. */
  #do(line: ObjectLine, selected: Selected): void {
    const { app } = this, { id } = selected.row;
    if ("outward" in line) {
      const { hint, where, does } = line.outward(id);
      return app.say(`${where}: ${hintText(hint)} ${does}`);
    }
    const { command, menu } = line, { prompt } = menu;
    const run = (more: Readonly<Record<string, unknown>>, typed: string) => {
      const values = completed(command.args, { ...menu.of(id, selected), ...more });
      if (menu.fromNow) void app.steps.run(BACK, { now: true });
      app.runner.run(command, values, { heading: `${id}  ${menu.label}`, asks: menu.asks?.(id, typed) });
    };
    if (!prompt) return run({}, "");
    const accept = (text: string) => {
      try {
        run({ [prompt.fills]: command.args[prompt.fills].kind.parse(text) }, text);
      } catch (error) {
        if (!(error instanceof ArgumentError)) throw error;
        app.say(firstLine(error.problem), "bad");
      }
    };
    app.show(new TextOverlay({ sign: `${prompt.sign(id)}: `, accept }));
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
    return linesFor(id, this.#circumstances()).map(({ line, reason }) => ({
      text: `${line.name} ${id}`,
      detail: `${line.danger ? "! " : ""}${line.label}${line.danger ? "   asks" : ""}`,
      off: reason,
      command: hintOf(line, selection),
      run: () => reason === undefined ? this.#do(line, selection) : app.say(`${line.name} ${id}: ${reason}`),
    }));
  }

  /** The commands, with what they take: one that needs nothing runs at once. */
  #commandOffers(): Choice[] {
    const { app } = this;
    return PALETTE_COMMANDS.map((command) => ({
      text: usageOf(command),
      detail: command.doc,
      path: pathOf(command),
      command: app.runner.usage(command),
      run: () => this.#runChecked(command),
    }));
  }

  /** The commands of the program, which run aside. */
  #programOffers(): Choice[] {
    const { app } = this;
    return (app.program?.commands() ?? []).map((command) => ({
      text: command.usage,
      detail: command.help,
      path: command.path,
      command: hint(command.path),
      off: app.runner.programOff(command),
      run: () => app.runner.runProgram(command, []),
    }));
  }

  /** Runs a command without arguments, or says which it needs. */
  #runChecked(command: Command): void {
    try {
      this.app.runner.run(command, checkedValues(pathOf(command), command, {}), { heading: pathOf(command) });
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      this.app.say(firstLine(error.problem), "bad");
    }
  }

  /** The palette's choice for a text that names an object, or a command and its arguments. */
  #named(text: string): Choice | undefined {
    const { app } = this;
    const typed = text.trim(), wanted = typed.toLowerCase();
    if (placeOf(wanted) && nameOf(wanted)) return { text: typed, detail: "go to it", run: () => app.jump(typed) };
    const line = readLine(text, PALETTE_COMMANDS);
    if (!line) return this.#programLine(typed);
    const { command, values } = line, { runner } = app;
    const problem = line.problem ?? (values && runner.problem(command, values));
    if (!values || problem) {
      const wrong = problem ? firstLine(problem) : "";
      return { text: typed, detail: command.doc, off: wrong, run: () => app.say(wrong, "bad") };
    }
    return {
      text: typed,
      detail: command.doc,
      off: runner.off(command, values),
      command: runner.hint(command, values),
      run: () => this.#runTyped(command, values, typed, questionOf(command, values, line.typed)),
    };
  }

  /** The choice for a text that names a command of the program and says more. */
  #programLine(typed: string): Choice | undefined {
    const { app } = this, words = shellWords(typed).map(({ text }) => text);
    if (words[0] === "el2") words.shift();
    const found = app.program?.commands().find(({ path }) => words.join(" ").startsWith(`${path} `));
    if (!found) return undefined;
    const { path, help } = found, given = words.slice(path.split(" ").length);
    return {
      text: typed,
      detail: help,
      off: app.runner.programOff(found),
      command: hint(path, ...given),
      run: () => app.runner.runProgram(found, given),
    };
  }

  #runTyped(command: Command, values: ValuesOf<Arguments>, heading: string, asks: ReturnType<typeof questionOf>): void {
    this.app.runner.run(command, values, { heading, asks });
  }

  /** All that the palette offers. */
  #offers(): Choice[] {
    const { app } = this;
    const { kept } = app.works;
    const offers: Choice[] = kept ? [{ text: `answer of ${kept.name}`, detail: "show it", aliases: ["answer"], run: kept.show }] : [];
    offers.push(...app.keymap.actions.flatMap((action): Choice[] => {
      if (action.context !== "lists" && action.context !== "everywhere") return [];
      const { name, help, keys } = action;
      const run = () => app.run(action, NO_KEY);
      if (!("screen" in action)) return [{ text: name, detail: help, key: keys[0], aliases: action.aliases, command: action.command, run }];
      const { screen: { aliases = [], command } } = action;
      // The screen shows more than its command.
      const words = command && Object.keys(command.options).length === 0 ? [...aliases, command.command] : aliases;
      return [{ text: name, detail: help, key: keys[0], aliases: words, command, run }];
    }));
    for (const on of [true, false]) {
      offers.push({
        text: `mouse ${on ? "on" : "off"}`,
        detail: `${on ? "use the mouse" : "leave the mouse to the terminal"}`,
        run: () => app.mouse(on),
      });
    }
    offers.push({
      text: "flame graph",
      detail: "the profile of the run so far: where instructions were executed, by function, line and process; and waits",
      aliases: ["flame", "flamegraph", "profile", "perf"],
      command: hint("profile", { stacks: "FILE.svg" }),
      off: app.profiles.off,
      run: () => app.profiles.show(),
    });
    offers.push({
      text: "system calls",
      detail: "follow the system calls of Linux in VMs, on the screen of events",
      aliases: ["syscall", "syscalls", "strace"],
      command: hintFor(EVENTS_OF_A_SESSION, SYSTEM_CALLS),
      run: () => app.runner.run(EVENTS_OF_A_SESSION, completed(EVENTS_OF_A_SESSION.args, SYSTEM_CALLS), { heading: "system calls" }),
    });
    offers.push({
      text: "start",
      detail: "the start screen: sessions, configurations, guests, recordings",
      aliases: ["sessions", "ls", "home"],
      command: hint("ls"),
      run: () => app.choose(),
    });
    offers.push({
      text: "tour",
      detail: "the tour of the screens: continue it",
      command: hint("tour"),
      off: app.guide ? undefined : `${hintText(hint("tour"))} shows it, with its own machine`,
      run: () => app.guide ? app.guide.resume() : app.say(`${hintText(hint("tour"))} shows the tour, with its own machine`),
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
      command: hint("break", { remove: "all" }),
      run: () => this.#changeStops({ remove: "all" }, "all stop rules removed"),
    });
    offers.push(...this.#objectOffers(), ...app.commands.choices(), ...this.#commandOffers(), ...this.#programOffers());
    for (const theme of app.themes) {
      offers.push({ text: `theme ${theme}`, detail: "colors", command: hint("attach", { theme }), run: () => app.theme(theme) });
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
    if (named) return [named];
    const offers = this.#offers(), found = suiting(text, offers), words = text.trim().split(/\s+/);
    // As `el2 help WORD` does: commands that have the words anywhere in their help.
    const about = text.trim() === "" ? [] : this.app.program?.about(words) ?? [];
    const more = about.flatMap(({ path }) => offers.filter((offer) => offer.path === path && !found.includes(offer)));
    return [...found, ...more];
  }
}
