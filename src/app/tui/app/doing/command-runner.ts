// Runs commands of a session from the screens: what changes the machine asks first where the entry
// has a question; an answer is shown in lines over the screen.

import { RECORD_SAVE, RUN } from "./palette-commands.ts";
import type { AppServices } from "../services/app-services.ts";
import type { OwnProgram, ProgramCommand } from "../services/own-program.ts";
import type { Steps } from "../services/steps.ts";
import type { WorkEnd, WorkPort } from "../services/works.ts";
import { DangerOverlay } from "../overlays/danger.ts";
import { LinesOverlay, type Overlay } from "../overlays/overlay.ts";
import { WhoOverlay } from "../overlays/who-overlay.ts";
import { screenOf, whereShown } from "../../actions/screen-table.ts";
import { isFiltered, type Line } from "../../panes/pane.ts";
import { fieldLines } from "../../panes/row-lines.ts";
import { ArgumentError, type Arguments, completed, type Typed, type ValuesOf } from "../../../../model/commands/argument.ts";
import type { Command, Question } from "../../../../model/commands/command.ts";
import { CONSOLE, consoleName, LOGS } from "../../../../model/commands/consoles.ts";
import { LINK } from "../../../../model/commands/link.ts";
import { narrowed } from "../../../../model/commands/lists.ts";
import { doneText, hintFor, lineFor, pathOf } from "../../../../model/commands/words.ts";
import { EVENTS_OF_A_SESSION, eventsOf } from "../../../../model/commands/questions.ts";
import { allOfEvents } from "../../../../model/queries/filters/temporal-filter.ts";
import { isOf, withKind } from "../../../../model/queries/ids.ts";
import { type Answer, problemIn, type Query, type QueryOf, rowsOf } from "../../../../model/queries/query.ts";
import type { PlaceOfRun } from "../../../../model/queries/move.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import { TABLES, WHO as ACCESSES } from "../../../../model/queries/tables.ts";
import { listText } from "../../../../model/queries/texts/list-text.ts";
import { type Hint, hint, hintText } from "../../../../kit/support/text/hint.ts";
import { type Problem, problemText } from "../../../../kit/support/problem.ts";
import { node } from "../../../../kit/support/node-modules.ts";

type AnyValues = ValuesOf<Arguments>;

/** Services that commands use. `program` is undefined if there is none. */
export interface RunnerServices extends AppServices {
  readonly steps: Steps;
  readonly typeInto: (vm: string) => void;
  /** All consoles in one pane. */
  readonly showConsoles: () => void;
  readonly program: OwnProgram | undefined;
  /** Starts another session, and why that is impossible. */
  readonly start: (what: string, allowHost: boolean) => void;
  readonly startOff: () => string | undefined;
  /** Shows another place of the run. */
  readonly travel: (to: PlaceOfRun) => void;
  /** The run is in a file, whose absolute path this is. */
  readonly recorded: (path: string) => void;
  /** Copies a link to a place of it. */
  readonly link: (values: ValuesOf<typeof LINK.args>) => void;
}

/** How a command is run. */
interface RunWay {
  /** Above its answer. */
  readonly heading: string;
  /** The question before it. */
  readonly asks?: Question;
}

/** A command that the screens do in their own way. */
interface OwnWay<A extends Arguments = Arguments> {
  run(values: ValuesOf<A>): void;
  /** With which values; by default with all for which it has no steps. */
  when?(values: ValuesOf<A>): boolean;
  /** Why it cannot be done now. */
  off?(values: ValuesOf<A>): string | undefined;
  /** The command line that does the same. */
  hint?(values: ValuesOf<A>): Hint | undefined;
}

const own = <A extends Arguments>({ name }: Command<A>, way: OwnWay<A>): readonly [name: string, OwnWay] => [name, way];

export class CommandRunner {
  readonly #own: ReadonlyMap<string, OwnWay> = new Map([
    own(CONSOLE, { run: (values) => this.#console(values) }),
    own(EVENTS_OF_A_SESSION, { run: (values) => this.#events(values), when: ({ follow }) => follow === true }),
    own(LINK, { run: (values) => this.app.link(values) }),
    own(LOGS, { run: () => this.app.showConsoles() }),
    own(RECORD_SAVE, { run: ({ file }) => void this.#record(file), hint: () => undefined, off: () => this.#readOnly }),
    own(RUN, {
      run: ({ what, "allow-host": allowHost }) => this.app.start(what.join(" "), allowHost !== undefined),
      off: () => this.app.startOff(),
      hint: ({ what, "allow-host": allowHost }) => hint("up", what.join(" "), { "allow-host": allowHost }),
    }),
  ]);

  constructor(readonly app: RunnerServices) {}

  /** Runs a command with the values that are given. */
  run(command: Command, values: AnyValues, way: RunWay): void {
    const problem = this.problem(command, values);
    if (problem) return this.app.say(firstLine(problem), "bad");
    const off = this.off(command, values);
    if (off !== undefined) return this.app.say(`${pathOf(command)}: ${off}`, this.app.readOnly ? "refused" : "bad");
    const perform = () => void this.#perform(command, values, way);
    if (!way.asks) return perform();
    const { asks } = way;
    const danger = {
      ...asks,
      stays: asks.stays ?? "consoles and events",
      command: lineFor(command, values),
    };
    this.app.show(new DangerOverlay(danger, perform));
  }

  /** The error in values of a command, as far as it is known without the session. */
  problem(command: Command, values: AnyValues): Problem | undefined {
    const isGiven = (value: unknown) => Array.isArray(value) ? value.length > 0 : value !== undefined;
    const [elsewhere] = Object.entries(command.args).filter(([name, { lineOnly }]) => lineOnly && isGiven(values[name]));
    if (elsewhere !== undefined) {
      const [name, { form }] = elsewhere, shown = form === "word" ? name : `--${name}`;
      return { what: `${pathOf(command)}: ${shown} is for the command line`, wayOut: lineFor(command, values) };
    }
    try {
      command.steps?.(values);
      command.ask?.(values);
      return undefined;
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      return error.problem;
    }
  }

  /** Why a command cannot be done now. */
  off(command: Command, values: AnyValues): string | undefined {
    const changes = (command.steps?.(values) ?? []).length > 0;
    return (changes ? this.#readOnly : undefined) ?? this.#own.get(command.name)?.off?.(values);
  }

  /** The command line that does the same. */
  hint(command: Command, values: AnyValues): Hint | undefined {
    const way = this.#own.get(command.name);
    return way?.hint ? way.hint(values) : hintFor(command, values);
  }

  /** The command line of a command without its arguments: those that it needs in capitals. */
  usage(command: Command): Hint | undefined {
    const needed = Object.entries(command.args).filter(([, { required }]) => required).map(([name]) => name.toUpperCase());
    if (needed.length === 0) return this.hint(command, completed(command.args, {}));
    return this.#own.get(command.name)?.hint ? undefined : hint(pathOf(command), ...needed);
  }

  get #readOnly(): string | undefined {
    return this.app.readOnly ? "off: read-only" : undefined;
  }

  async #perform(command: Command, values: AnyValues, { heading, asks }: RunWay): Promise<void> {
    const { app } = this, steps = command.steps?.(values) ?? [];
    const ownWay = this.#own.get(command.name);
    if (ownWay && steps.length === 0 && (ownWay.when?.(values) ?? true)) return ownWay.run(values);
    const query = command.ask?.(values);
    if (query) {
      return await app.works.begin(heading, async (port) => {
        const before = steps.length > 0 ? (await app.asker.ask(query)).rows : [];
        const problem = await app.steps.run(command, values);
        if (problem !== undefined) return { problem };
        const gone = before.length > 0 ? await this.#gone(before, query) : [];
        return gone.length > 0 ? { said: `removed ${gone.join(", ")}` } : await this.#answer(query, command, values, heading, port);
      });
    }
    const problem = await app.steps.run(command, values);
    if (problem !== undefined) app.say(problemText(problem), "refused");
    // Events of the session show the others.
    else if (steps.some(({ kind }) => kind === "act" || kind === "stop-rule" || kind === "mark")) {
      app.say(asks ? asks.taken ?? `${asks.act}: done` : doneText(command, values), "ok");
    }
    app.changed();
  }

  /** The rows that a list has lost: their ids, and the texts of rules. */
  async #gone(before: Answer["rows"], query: Query): Promise<string[]> {
    const after = new Set((await this.app.asker.ask(query)).rows.map(({ id }) => id));
    return before.filter(({ id }) => !after.has(id)).map(({ id, rule }) => typeof rule === "string" ? `${id} ${rule}` : id);
  }

  /** The answer of the machine. */
  async #answer(asked: Query, command: Command, values: AnyValues, heading: string, { signal, tell }: WorkPort): Promise<WorkEnd> {
    const { app } = this;
    if (asked.table === ACCESSES.name) tell("searching back in time");
    const answer = await app.asker.ask(narrowed(asked, values), { progress: tell, cancel: signal });
    const { rows } = answer, problem = problemIn(answer);
    if (problem !== undefined) return { problem: { ...problem, what: problem.what.split("\n", 1)[0] } };
    if (asked.table === ACCESSES.name && rows.length > 0) {
      return { shown: this.#accesses(asked, rowsOf(ACCESSES, answer), hintText(hintFor(command, values)), heading) };
    }
    const { text, full, none, fails } = command.printed?.(values) ?? {}, table = TABLES[asked.table];
    const width = app.windows.width - 1;
    if (rows.length === 0 && fails === "none") return { problem: { what: `no object called "${subjectOf(command, values)?.text}"` } };
    const empty = rows.length === 0 && values.filter === undefined ? none : undefined;
    const lines = rows.length > 0 && full
      ? rows.flatMap((row) => fieldLines({ table, row }, width))
      : (rows.length > 0 && text ? rows.map((row) => text(row).trimEnd()).join("\n") : empty ?? listText(table, rows, width)).trimEnd()
        .split("\n")
        .map((text): Line => ({ text }));
    return { shown: new LinesOverlay(heading, lines) };
  }

  /** Without text for it, keys go to the console; its output is there. */
  #console({ vm, log, follow }: ValuesOf<typeof CONSOLE.args>): void {
    const { console, windows, typeInto, say } = this.app, name = consoleName(vm), shown = console.of(name);
    if (!log && !follow) return typeInto(name);
    if (shown === undefined) return say(`${withKind("vm", name)} has no console`, "bad");
    windows.show(screenOf("con").key);
    console.show(shown);
    windows.focusOn(console);
  }

  /** The screen of events follows them. */
  #events({ filter, vm, kinds }: ValuesOf<typeof EVENTS_OF_A_SESSION.args>): void {
    const { windows } = this.app, { screen, pane: name } = whereEvents();
    windows.show(screen.key);
    const pane = windows.screen.panes.find((one) => one.name === name);
    if (!pane || !isFiltered(pane)) throw new Error(`no pane ${name}`);
    pane.setFilter(allOfEvents([filter, eventsOf(vm), kinds?.map((kind) => `kind=${kind}`).join(" | ")]));
    windows.focusOn(pane);
  }

  /** Accesses, each a place to go to; `o` asks for those before them. */
  #accesses(asked: QueryOf<"who">, rows: readonly RowOf<typeof ACCESSES>[], command: string, heading: string): Overlay {
    const { app } = this;
    const shown: WhoOverlay = new WhoOverlay({ heading, command, rows }, {
      go: (place) => app.travel(place),
      cancel: () => app.works.cancel(),
      // The origins of a value have none before them.
      older: asked.args.back === undefined ? (before) => this.#older(shown, { ...asked, args: { ...asked.args, before } }) : undefined,
    });
    return shown;
  }

  /** Adds the accesses before a place to those that are shown. */
  #older(shown: WhoOverlay, asked: QueryOf<"who">): void {
    const { app } = this;
    void app.works.beginIn(shown, "older", "searching back in time", async ({ signal, tell }) => {
      const answer = await app.asker.ask(asked, { progress: tell, cancel: signal }), problem = problemIn(answer);
      if (!problem) shown.add(rowsOf(ACCESSES, answer));
      return problem;
    });
  }

  /** Why a command of the program cannot run now. */
  programOff({ asks }: ProgramCommand): string | undefined {
    return asks && this.#readOnly;
  }

  /** Runs a command of the program aside, with words as a shell would give them. */
  runProgram(command: ProgramCommand, words: readonly string[]): void {
    const { path, asks } = command, off = this.programOff(command);
    const { app } = this, { program } = app, args = [...path.split(" "), ...words], line = args.join(" ");
    if (!program) return app.say(`${path}: commands cannot run here`, "bad");
    if (off !== undefined) return app.say(`${path}: ${off}`, "refused");
    const perform = () =>
      void app.works.begin(line, async ({ signal, tell }) => {
        tell("runs");
        const { answer, complaint, code } = await program.run(args, tell, signal), last = complaint.trimEnd().split("\n").at(-1) ?? "";
        if (answer.trim() !== "") return { shown: new LinesOverlay(line, answer.trimEnd().split("\n").map((text) => ({ text }))) };
        const told = last.replace(/^el2: /, "");
        return code === 0 ? { said: told || `${line}: done` } : { problem: { what: told || `exit code ${code}` } };
      });
    if (!asks) return perform();
    app.show(new DangerOverlay({ ...asks, stays: asks.stays ?? "files", command: `el2 ${line}` }, perform));
  }

  /** The session's process has another folder. */
  async #record(file: string): Promise<void> {
    const { app } = this, problem = await app.asker.saveRecording(node.path.resolve(file));
    if (problem) app.say(problemText(problem), "refused");
    else {
      app.recorded(node.path.resolve(file));
      app.say(`${file}: the run so far; ${hintText(hint("replay", file, { verify: true }))} repeats it`, "ok");
    }
    app.changed();
  }
}

/** Where events are shown. */
function whereEvents() {
  const shown = whereShown("ev");
  if (!shown) throw new Error("no screen shows events");
  return shown;
}

/** The first line of a problem: a mark below a text has no room. */
export const firstLine = (problem: Problem): string => problemText(problem).split("\n", 1)[0];

/** The first word of a command. */
function subjectOf({ args }: Command, values: AnyValues): { readonly name: string; readonly text: string } | undefined {
  const [name] = Object.keys(args).filter((one) => args[one].form === "word" && args[one].required);
  return name === undefined ? undefined : { name, text: args[name].kind.spell(values[name]) };
}

/** The question before a typed command: that of the menus, where it does the same to the object. */
export function questionOf(command: Command, values: AnyValues, typed: Typed): Question | undefined {
  const subject = subjectOf(command, values);
  if (!subject) return undefined;
  for (const { on, of, asks, prompt } of command.menus ?? []) {
    const { text } = subject, id = on.some((kind) => isOf(kind, text)) ? text : withKind(on[0], text);
    const given: Readonly<Record<string, unknown>> = of(id, { table: TABLES["vm.ls"], row: { id } });
    const isSame = given[subject.name] === id &&
      Object.entries(given).every(([name, value]) => name === subject.name || value === values[name]);
    if (asks && isSame) return asks(id, prompt ? String(typed[prompt.fills]) : "");
  }
  return undefined;
}
