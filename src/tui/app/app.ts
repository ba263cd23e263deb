// The TUI without a terminal: keys and session events change plain state, `draw` shows it. Keys are
// in `actions.ts`, handlers in the file of each group of actions, screens in `screens.ts`.

import { type AppAction, type Context, type OverlayContext, SCREEN_LIST } from "./actions.ts";
import type { Screen } from "../terminal/cells.ts";
import { LONGEST_COPY } from "../terminal/clipboard.ts";
import { ConsoleActions } from "./console-actions.ts";
import { ConsolePane } from "../panes/console-pane.ts";
import { drawScreen, type FrameState } from "./frame.ts";
import type { Guide } from "./guide.ts";
import type { Seen } from "./guide-chapters.ts";
import { tabAt, TABS_ROW } from "./header.ts";
import { HelpOverlay, type Here } from "./help.ts";
import { type Hint, hintsOf, LOST_HINTS, typingHints, usedOn } from "./hints.ts";
import type { AppServices } from "./app-services.ts";
import { Keymap } from "./keymap.ts";
import type { Key } from "../terminal/keys.ts";
import { ListActions } from "./list-actions.ts";
import { Menus } from "./menus.ts";
import { type MessageKind, Messages } from "./messages.ts";
import { overlayKind } from "./overlay-kind.ts";
import { Mouse, type MouseServices } from "./mouse.ts";
import { Navigation } from "./navigation.ts";
import { TimeMarks } from "./time-marks.ts";
import { type Fork, TimeMenu } from "./time-menu.ts";
import { type Overlay, TextOverlay } from "./overlay.ts";
import { Pace } from "./pace.ts";
import { OtherSessions, type Start } from "./other-sessions.ts";
import { OwnCommands, type RunCommand } from "./own-commands.ts";
import type { OwnProgram } from "./own-program.ts";
import { type FilteredPane, isFiltered, type Pane } from "../panes/pane.ts";
import { Questions } from "./questions.ts";
import { overview } from "../screens/overview-screen.ts";
import type { Books } from "../screens/books.ts";
import { readRule } from "./rules.ts";
import { SCRUBBER_FROM_BELOW, timeAt, type Timeline } from "./scrubber.ts";
import { makeScreens } from "../screens/screens.ts";
import { SessionState } from "./session-state.ts";
import { type Look, lookFor, type LookWish } from "../look/theme.ts";
import { LINEAR, type Linear, linearOf } from "./linear.ts";
import type { Theme } from "../terminal/color-scheme.ts";
import { findTheme, THEME_NAMES, themeOf } from "../look/themes.ts";
import { TreePane } from "../panes/tree-pane.ts";
import { WindowActions } from "./window-actions.ts";
import { Windows } from "./windows.ts";
import { Activity } from "../panes/activity.ts";
import type { UiState } from "./ui-state.ts";
import { Asker } from "../../control/asker.ts";
import { withoutKind } from "../../queries/ids.ts";
import { rowsOf } from "../../queries/query.ts";
import { REASONS } from "../../queries/tables.ts";
import type { FileCommand } from "../../configuration/program-keys.ts";
import type { MachineSample, Move, Request, SessionEnd, SessionEvent } from "../../protocol/protocol.ts";

/** The application's requests to its surroundings. */
interface AppPort {
  send(request: Request): void;
  /** State changed: draw; `urgent` answers a key. */
  changed(urgent: boolean): void;
  /** Requests a frame after this many ms, when something disappears by itself. */
  later(ms: number): void;
  /** The user wants to quit. */
  leave(): void;
  /** The whole screen must be drawn again. */
  redraw(): void;
  /** Puts a text on the user's clipboard. */
  copy(text: string): void;
  /** Writes a text to a file in the folder where el2 runs; says where, or why not. */
  save(name: string, text: string): Promise<{ readonly path: string } | { readonly error: string }>;
  /** Goes to the shell until the user returns. */
  suspend(): void;
  /** Reports of the mouse, or not. */
  mouse(on: boolean): void;
  /** Tries to reach a lost session again, now. */
  reconnect(): void;
  /** Shows another session instead of this one. */
  visit(name: string): void;
  /** Shows the start screen, to choose what is shown. */
  choose(): void;
}

/** How the application behaves. */
export interface AppOptions extends LookWish {
  readonly title: string;
  readonly readOnly?: boolean;
  /** Keys by action name, instead of the table's. */
  readonly keys?: Readonly<Record<string, string>>;
  /** Folder of the console logs. */
  readonly logs?: string;
  /** File for the last messages of the session's process. */
  readonly log?: string;
  /** The state of the screens when the user quit last. */
  readonly state?: UiState;
  /** The screens at the start when there is no `state`, in the form of `Windows.layout`. */
  readonly layout?: string;
  /** Histories advance by themselves; otherwise only when a key is pressed. */
  readonly motion?: boolean;
  readonly fork?: Fork;
  readonly start?: Start;
  /** First message of the message row. */
  readonly greeting?: string;
  readonly program?: OwnProgram;
  /** The user's programs, and how one is started. */
  readonly commands?: readonly FileCommand[];
  readonly runCommand?: RunCommand;
  readonly books?: Books;
  /** A recording is run again. */
  readonly replay?: boolean;
  /** A tour of the screens. */
  readonly guide?: Guide;
  /** Wall time in ms; the process's by default. */
  readonly clock?: () => number;
}

/** The application. */
export class App {
  readonly #asker: Asker;
  readonly #clock: () => number;
  /** The time (`performance.now()`) for which a frame without a mark was asked. */
  #marksUntil = -Infinity;
  readonly #keymap: Keymap;
  #look: Look;
  /**
   * Name of the theme that was asked for: by the command line, the environment or the configuration
   * for this run, or by the user on the screens.
   */
  #theme: string | undefined;
  /** The theme that the user has chosen on the screens, now or in an earlier run. */
  #chosenTheme: string | undefined;
  readonly #activity: Activity;
  readonly #tree: TreePane;
  readonly #pace = new Pace();
  /** Virtual time over wall time, as it is shown. */
  #speed: number | undefined;
  readonly #console: ConsolePane;
  readonly #windows: Windows;
  readonly #questions: Questions;
  readonly #session: SessionState;
  readonly #services: AppServices;
  readonly #consoles: ConsoleActions;
  readonly #lists: ListActions;
  readonly #navigation: Navigation;
  readonly #windowActions: WindowActions;
  readonly #mouse: Mouse;
  readonly #commands: OwnCommands;
  readonly #menus: Menus;
  readonly #time: TimeMenu;
  readonly #sessions: OtherSessions;
  #prefix = false;
  /** `ctrl-w` was pressed. */
  #windowPrefix = false;
  #frozen: { missed: number } | undefined;
  #overlay: Overlay | undefined;
  readonly #messages: Messages;
  readonly #marks: TimeMarks;
  /** The last frame was drawn before its panes were known to need other rows. */
  #crowded = false;
  /** Columns and rows of the terminal. */
  #size = { width: 0, height: 0 };
  /** Refusals so far; undefined before the first sample. */
  #reasons: number | undefined;
  /** Keys that guests got. */
  #typedKeys = 0;

  constructor(readonly options: AppOptions, readonly port: AppPort) {
    const clock = this.#clock = options.clock ?? (() => performance.now());
    this.#asker = new Asker(port);
    this.#marks = new TimeMarks(this.#asker, () => port.changed(false));
    this.#messages = new Messages(clock, (ms) => port.later(ms));
    this.#activity = new Activity(options.motion ?? true);
    this.#tree = new TreePane(this.#activity);
    this.#keymap = new Keymap(options.keys);
    this.#theme = options.theme;
    this.#look = lookFor(options, "direct");
    this.#session = new SessionState(clock, (text, kind) => this.#say(text, kind));
    this.#console = new ConsolePane(this.#keymap.keyOf("console.prefix"), () => port.changed(false), (console, bytes) => {
      if (!this.end && !options.readOnly) port.send({ kind: "input", console, bytes });
    });
    const first = overview({
      ...{ tree: this.#tree, console: this.#console, activity: this.#activity },
      unseen: () => this.#questions.newReasons,
      refusedLately: () => this.#activity.refusedLately(clock()),
    });
    this.#windows = new Windows(makeScreens(first, this.#activity, clock, options.books), () => this.#questions.all());
    this.#questions = new Questions(
      this.#asker,
      this.#windows,
      (request) => port.send(request),
      () => this.#session.answers && !this.#frozen && this.#session.sample !== undefined,
      () => port.changed(false),
      this.#pace,
    );
    const app: AppServices = this.#services = {
      ...{ asker: this.#asker, windows: this.#windows, questions: this.#questions, tree: this.#tree, console: this.#console },
      readOnly: options.readOnly ?? false,
      ended: () => this.end !== undefined,
      past: () => this.#session.past,
      show: (overlay) => this.#overlay = overlay,
      say: (text, kind) => this.#say(text, kind),
      changed: () => port.changed(true),
    };
    const consoles = this.#consoles = new ConsoleActions(app);
    this.#navigation = new Navigation(app);
    this.#windowActions = new WindowActions(app);
    this.#lists = new ListActions({ ...app, consoles, toFile: (name, text, what) => this.#toFile(name, text, what) });
    this.#mouse = new Mouse({ ...app, consoles, clock, ...this.#pointing(), enter: () => this.#navigation.go() });
    this.#sessions = new OtherSessions({
      ...{ title: options.title, start: options.start, readOnly: app.readOnly, show: app.show, say: app.say, changed: app.changed },
      width: () => this.#windows.width,
      visit: (name) => port.visit(name),
    });
    const move = (to: Move) => this.#timeTravel(to);
    this.#commands = new OwnCommands(app, options.commands ?? [], options.runCommand);
    this.#menus = new Menus({
      ...app,
      keymap: this.#keymap,
      jump: (id) => this.#navigation.jump(id),
      typeInto: (vm) => consoles.typeInto(vm),
      run: (action, key) => this.#run(action, key),
      copy: (text) => this.#copy(text),
      mouse: (on) => port.mouse(on),
      choose: () => port.choose(),
      program: options.program,
      commands: this.#commands,
      guide: options.guide,
      move,
      themes: [...THEME_NAMES, ...(options.themes ?? []).map(({ name }) => name)],
      theme: (name) => {
        this.#chosenTheme = name;
        this.setTheme(name);
      },
    }, this.#sessions);
    this.#time = new TimeMenu({ ...app, title: options.title, fork: options.fork, move });
    if (options.greeting) this.#say(options.greeting);
    if (options.state) this.#restore(options.state);
    else if (options.layout) this.#windows.load(options.layout);
  }

  /** The user's settings of the screens. */
  get state(): UiState {
    const filters = this.#filteredPanes().map(([name, pane]): [string, string] => [name, pane.filterText]);
    const { layout, screen, sizes } = this.#windows;
    return {
      ...{ layout, layouts: this.#windowActions.layouts, screen: screen.key, sizes },
      filters: Object.fromEntries(filters),
      folded: this.#tree.folded,
      theme: this.#chosenTheme,
      vms: this.#look.vms.kept,
    };
  }

  #restore({ layout, layouts, screen, sizes, filters, folded, theme, vms }: UiState): void {
    this.#look.vms.restore(vms);
    this.#windowActions.layouts = layouts;
    this.#windows.load(layout);
    this.#windows.show(screen);
    this.#windows.sizes = sizes;
    this.#tree.foldAll(folded);
    for (const [name, pane] of this.#filteredPanes()) if (filters[name] !== undefined) pane.setFilter(filters[name]);
    this.#chosenTheme = theme;
    // A theme from the environment takes precedence over a kept one.
    if (!this.options.theme && theme !== undefined) this.setTheme(theme);
  }

  #filteredPanes(): [string, FilteredPane][] {
    return this.#windows.screens.flatMap(({ key, panes }) =>
      panes.flatMap((pane): [string, FilteredPane][] => isFiltered(pane) ? [[`${key}/${pane.name}`, pane]] : [])
    );
  }

  // ---- the session ----

  /** How the session ended, once it did. */
  get end(): SessionEnd | undefined {
    return this.#session.end;
  }

  /** The connection to the session is gone, for now. */
  lost(message: string): void {
    this.#session.lose(message);
    // The question is about a machine that may be a different one after reconnecting.
    this.#overlay = undefined;
    this.#console.typing = false;
    this.port.changed(true);
  }

  /** The connection is restored. */
  found(): void {
    this.#session.find();
    this.#questions.forget();
    this.#say("connected again");
    this.port.redraw();
    this.#questions.all();
  }

  /** Takes an event of the session. */
  apply(event: SessionEvent): void {
    if (this.#asker.take(event)) return;
    if (this.#frozen) this.#frozen.missed++;
    if (event.kind === "console") {
      this.#console.write(event.console, event.bytes, () => this.port.send({ kind: "taken", bytes: event.bytes.length }));
      return;
    }
    if (!this.#session.apply(event)) return;
    if (event.kind === "sample") this.#takeSample(event.sample);
    // No more samples will come: shows the last state at once, and repeats questions that were open
    // when the machine ended.
    if (event.kind === "ended" || event.kind === "paused" && event.paused) this.#questions.all();
    if (this.end) this.#console.typing = false;
    this.#console.past = this.#session.past;
    if (event.kind === "paused") this.#console.rewind(event.past ? event.consoles : undefined);
    if (event.kind === "paused" && event.past && this.#session.answers) this.#marks.ask();
    this.#see();
    this.port.changed(false);
  }

  #takeSample(sample: MachineSample): void {
    this.#look.vms.take(sample.vms);
    const now = this.#clock(), shown = this.#pace.takes(now, sample, !this.#session.paused && !this.end);
    this.#activity.stride = this.#pace.slowness;
    this.#activity.take(now, sample, shown ? "figures" : "histories");
    if (shown) {
      this.#speed = this.#session.speed;
      this.#tree.update(sample);
    }
    this.#console.settle();
    for (const vm of sample.vms) if (vm.console !== undefined) this.#console.open(vm.console);
    if (!this.#tree.chosen && this.#focus === this.#tree) this.#consoles.preferSelected();
    this.#noteRefusal(sample.reasons);
    this.#questions.renew(sample.reasons);
  }

  /** Something new was refused: says what. */
  #noteRefusal(reasons: number): void {
    const before = this.#reasons ?? reasons;
    this.#reasons = reasons;
    const seen = this.#windows.shown.some(({ key }) => key === "0");
    if (reasons <= before || seen || this.#session.past || !this.#session.answers) return;
    this.#asker.ask({ table: "why", args: { limit: 1 } }).then((answer) => {
      const row = rowsOf(REASONS, answer).toSorted((a, b) => Number(b.t) - Number(a.t))[0];
      if (!row) return;
      const { vm, call, object, err, rule } = row;
      const asked = `${withoutKind("vm", vm)} asked ${call}${object ? ` ${object}` : ""} → ${err}: ${rule}`;
      this.#messages.say(asked, "refused", [{ key: this.#keymap.keyOf("screen.why"), word: "why" }], "refusal");
      this.port.changed(false);
    });
  }

  // ---- keys ----

  /** Takes a key. */
  key(key: Key): void {
    this.#activity.refresh();
    // A box that an answer has opened may be gone with this key.
    this.#see();
    const shown = this.#messages.current;
    const isCommand = !this.#overlay && !this.#session.lost && this.#context() === "lists";
    if (!this.end) this.#messages.pressed(isCommand ? key.name : undefined);
    if (key.refused !== undefined) this.#refuse(key.refused);
    else if (this.#overlay) this.#overlayKey(this.#overlay, key);
    else if (this.#session.lost) this.#lostKey(key);
    else if (key.name === "Esc" && shown?.keys.length && !this.#console.typing) this.#messages.dismiss();
    else if (key.name === "Esc" && this.#leavesGuide()) this.#leaveGuide();
    else if (key.x !== undefined && key.y !== undefined) this.#mouse.take(key.name, key.x, key.y);
    else if (this.#console.typing && !this.#prefix) this.#typed(key);
    else this.#command(key);
    this.#see();
    this.port.changed(true);
  }

  /** Says why a key was not taken; a prompt would hide the words. */
  #refuse(why: string): void {
    this.#overlay = undefined;
    this.#say(why, "bad");
  }

  /** Whether Esc has nothing else to leave than the tour. */
  #leavesGuide(): boolean {
    return (this.options.guide?.shown ?? false) && this.#context() === "lists" && !this.#lists.canStepOut;
  }

  #leaveGuide(): void {
    const { guide } = this.options;
    guide?.leave();
    this.#say(guide?.over ? "the tour is over; :tour begins it again" : "you have left the tour; :tour continues it");
  }

  /** Shows the state of the screens to the tour. */
  #see(): void {
    const { guide } = this.options;
    if (!guide) return;
    const { screen, focus } = this.#windows;
    const seen: Seen = {
      screen: screen.key,
      pane: focus.name,
      selected: focus.selection?.row.id ?? "",
      filter: isFiltered(focus) ? focus.filterText : "",
      overlay: overlayKind(this.#overlay),
      typing: this.#console.typing,
      typed: this.#typedKeys,
      paused: this.#session.paused,
      past: this.#session.past,
      refused: this.#reasons ?? 0,
    };
    guide.see(seen);
  }

  #lostKey(key: Key): void {
    if (key.name === "q") this.port.leave();
    else if (key.name === "r") this.port.reconnect();
    else if (key.name === "l") this.#say(this.options.log === undefined ? "this session has no log" : `its log: ${this.options.log}`);
    else if (key.name === "s") this.#sessions.openSnapshot(this.#session.snapshot);
    else if (key.name === "ctrl-z") this.port.suspend();
  }

  #overlayKey(overlay: Overlay, key: Key): void {
    if (key.x !== undefined) return;
    const action = this.#keymap.actionOf(overlay.context, key.name);
    if (action?.name === "screen.redraw") return this.port.redraw();
    if (action?.name === "suspend" && overlay.context !== "text") return this.port.suspend();
    if (!overlay.key(key, action) && this.#overlay === overlay) this.#overlay = undefined;
  }

  /** The mouse outside of panes. */
  #pointing(): Pick<MouseServices, "tabAt" | "timeAt" | "point" | "goThere"> {
    return {
      tabAt: (x, y) => y === TABS_ROW ? tabAt(this.#size.width, this.#windows.screen.key, x) : undefined,
      timeAt: (x, y) => {
        const timeline = this.#timeline();
        if (!timeline || y !== this.#size.height - SCRUBBER_FROM_BELOW) return undefined;
        return timeAt({ x: 0, y, width: this.#size.width, height: 1 }, timeline, x);
      },
      point: (time) => this.#marks.point(time),
      goThere: () => {
        const way = this.#marks.way, here = this.#session.sample?.time;
        this.#marks.point(undefined);
        if (way && here !== undefined) this.#timeTravel(way(here));
      },
    };
  }

  #timeline(): Timeline | undefined {
    const { past, sample, now } = this.#session;
    return past && sample ? this.#marks.timeline(sample.time, Math.max(now, sample.time)) : undefined;
  }

  /** Where keys mean actions of the application. */
  #context(): Exclude<Context, OverlayContext> {
    return this.#prefix ? "prefix" : this.#windowPrefix ? "window" : this.#console.typing ? "console" : "lists";
  }

  #typed(key: Key): void {
    const action = this.#keymap.actionOf("console", key.name);
    if (action) this.#run(action, key);
    else if (key.bytes.length) this.#input(key.bytes);
  }

  #input(bytes: Uint8Array): void {
    if (this.options.replay) {
      return this.#say("a replay takes no input; ctrl-] d stops typing", "warn");
    }
    if (this.#session.past) {
      return this.#say("You are viewing the past, which takes no input; press ctrl-] d, then t n to return to the present", "warn");
    }
    if (!this.#console.shown) return;
    this.#typedKeys++;
    this.port.send({ kind: "input", console: this.#console.shown, bytes });
  }

  #command(key: Key): void {
    const context = this.#context(), action = this.#keymap.actionOf(context, key.name);
    this.#prefix = this.#windowPrefix = false;
    if (action) this.#run(action, key);
    else if (context === "lists" && this.#commands.key(key.name)) return;
    else if (!this.#console.typing) this.#say(`${key.name} has no action here; ? lists the keys`);
  }

  #say(text: string, kind?: MessageKind): void {
    this.#messages.say(text, kind);
  }

  get #focus(): Pane {
    return this.#windows.focus;
  }

  #run(action: AppAction, key: Key): void {
    if ("screen" in action) this.#windows.show(action.screen);
    else this.#handlers[action.name](key);
  }

  /** Handlers of all actions except those that show screens; a missing handler is a type error. */
  readonly #handlers: Readonly<Record<Exclude<AppAction, { readonly screen: string }>["name"], (key: Key) => void>> = {
    "list.down": () => this.#lists.move(1),
    "list.up": () => this.#lists.move(-1),
    "list.first": () => this.#lists.move(-Infinity),
    "list.last": () => this.#lists.move(Infinity),
    "list.page-down": () => this.#lists.page(1),
    "list.page-up": () => this.#lists.page(-1),
    "tree.fold": () => this.#lists.fold(true),
    "tree.unfold": () => this.#lists.fold(false),
    "object.go": () => this.#navigation.go(),
    "object.back": () => this.#navigation.back(),
    "object.forward": () => this.#navigation.forward(),
    "object.references": () => this.#navigation.references(),
    "object.inspect": () => this.#navigation.inspect(),
    "object.why": () => this.#navigation.why(),
    "rule.read": () => void readRule(this.#services, this.options.books),
    "object.actions": () => this.#menus.actions(false),
    "danger.menu": () => this.#menus.actions(true),
    "copy.menu": () => this.#focus === this.#console ? this.#menus.copyConsole() : this.#menus.copy(),
    "machine.stop-rule": () => this.#menus.stopRule(),
    "filter.edit": () => this.#lists.editFilter(),
    "console.enter": () => this.#consoles.enter(),
    "console.all": () => this.#consoles.all(),
    "console.next": () => this.#consoles.next(1),
    "console.previous": () => this.#consoles.next(-1),
    "console.show-next": () => this.#console.cycle(1),
    "console.show-previous": () => this.#console.cycle(-1),
    "pane.next": () => this.#windows.cycle(1),
    "pane.previous": () => this.#windows.cycle(-1),
    "pane.zoom": () => this.#windows.zoom(),
    "console.zoom": () => this.#windows.zoom(),
    "list.sort": () => this.#lists.onTable((pane) => pane.sortNext()),
    "list.sort-reverse": () => this.#lists.onTable((pane) => pane.sortReverse()),
    "list.follow": () => this.#lists.follow(),
    "list.mark": () => this.#lists.onTable((pane) => pane.toggleMark()),
    "list.export": () => this.#lists.exportRows(),
    "list.compare": () => this.#lists.compare(),
    "list.view": () => this.#lists.nextView(),
    "list.wider": () => this.#lists.scale(1),
    "list.closer": () => this.#lists.scale(-1),
    "window.prefix": () => this.#windowPrefix = true,
    "window.right": () => this.#windows.split(true),
    "window.below": () => this.#windows.split(false),
    "window.other": () => this.#windowActions.other(),
    "window.save": () => this.#windowActions.save(),
    "window.load": (key) => this.#windowActions.load(key.name),
    "window.close": () => this.#windowActions.close(),
    "window.grow": (key) => this.#windowActions.size(1, key.name),
    "window.shrink": (key) => this.#windowActions.size(-1, key.name),
    "window.even": () => this.#windows.even(),
    "object.open": () => this.#navigation.openBeside(),
    "machine.pause": () => this.#pause(),
    "time.on": () => this.#timeTravel({ kind: "step", by: 1 }),
    "time.back": () => this.#timeTravel({ kind: "step", by: -1 }),
    "time.event-back": () => this.#time.event(false),
    "time.event-on": () => this.#time.event(true),
    "time.travel": () => this.#time.show(),
    "display.freeze": () => this.#freeze(),
    "palette.show": () => this.#menus.palette(),
    "help.show": () => this.#overlay = new HelpOverlay(this.#keymap, this.#here(), this.options.commands),
    "leave": () => this.port.leave(),
    "step.out": () => this.#lists.stepOut(),
    "cancel": () => this.#cancel(),
    "screen.redraw": () => this.port.redraw(),
    "suspend": () => this.port.suspend(),
    "console.prefix": () => this.#prefix = true,
    "console.leave": () => this.#console.typing = false,
    "console.search": () => this.#consoles.search(),
    "console.break": () => void this.#consoles.sendBreak(),
    "console.scroll": () => this.#consoles.scroll(),
    "console.log": () =>
      this.#say(
        this.options.logs
          ? `log: ${this.options.logs}/${this.#console.shown}.log`
          : "this session has no log; only sessions of el2 up have one",
      ),
    "console.send-prefix": (key) => this.#input(key.bytes),
  };

  // ---- looks and files ----

  /** Takes other colors. */
  setTheme(name: string): void {
    const theme = findTheme(name, this.options.themes);
    // A theme of a configuration that has another name now.
    if (!theme) return;
    this.#theme = name;
    this.#wear(theme);
  }

  /**
   * The terminal's background is bright, or dark: sets the theme unless the user has chosen one.
   */
  setBackground(bright: boolean): void {
    if (this.#theme === undefined) this.#wear(themeOf(bright ? "light" : "dark"));
  }

  /** ctrl-z had no effect: el2 still has the terminal. */
  notSuspended(): void {
    this.#say("no shell can continue el2 here, so it was not suspended", "warn");
    this.port.changed(true);
  }

  #wear(theme: Theme): void {
    this.#look = this.#look.with({ theme });
    this.port.changed(true);
  }

  #freeze(): void {
    this.#frozen = this.#frozen ? undefined : { missed: 0 };
    if (!this.#frozen) {
      this.port.redraw();
      this.#questions.all();
    }
  }

  /** To the clipboard; text too long for terminals, to a file. */
  #copy(text: string): void {
    if (text.length > LONGEST_COPY) {
      const accept = (name: string) => this.#toFile(name, text, "too long for the clipboard:");
      this.#overlay = new TextOverlay({ sign: "too long for the clipboard; write it to: ", text: "el2-copy.txt", accept });
      return;
    }
    this.port.copy(text);
    this.#say(`copied: ${text}`);
  }

  #toFile(name: string, text: string, what: string): void {
    if (name.trim() === "") return this.#say("no file name was typed; nothing is written", "bad");
    this.port.save(name, text).then((saved) => {
      this.#say("path" in saved ? `${what} in ${saved.path}` : `${name}: ${saved.error}`, "path" in saved ? "ok" : "bad");
      this.port.changed(true);
    });
  }

  // ---- the machine ----

  #pause(): void {
    if (this.options.readOnly) return this.#say("read-only: cannot pause");
    this.port.send({ kind: this.#session.paused ? "resume" : "pause" });
  }

  /** Another place of the run is shown. */
  #timeTravel(to: Move): void {
    if (this.options.readOnly) return this.#say("read-only: cannot travel");
    this.#session.beginMove();
    this.port.send({ kind: "move", id: 0, to });
  }

  /** Cancels the move to another place of the run. */
  #cancel(): void {
    if (!this.#session.moving) return this.#say("nothing to cancel; q quits");
    this.port.send({ kind: "move", id: 0, to: { kind: "here" } });
  }

  // ---- drawing ----

  /** Notes that a frame was written, and how long (ms) the terminal took to take it. */
  wrote(bytes: number, took: number): void {
    this.#pace.wrote(this.#clock(), bytes, took);
  }

  /** Draws everything. */
  draw(screen: Screen): void {
    this.#see();
    this.#size = { width: screen.width, height: screen.height };
    this.#look = this.#look.with({ depth: screen.depth });
    drawScreen(screen, this.#look, this.#frameState(), (body) => this.#windows.place(body));
    this.#endMarks();
    // Once more, and not for ever: a pane may need other rows in the rows that it has then.
    this.#crowded = this.#windows.crowded && !this.#crowded;
    if (this.#crowded) queueMicrotask(() => this.port.changed(false));
  }

  /** Asks for the frame without the oldest mark: a paused machine gives no other occasion. */
  #endMarks(): void {
    const until = this.#windows.marksUntil, now = performance.now();
    // A timer may come a little early.
    const isAwaited = this.#marksUntil > now + 1 && this.#marksUntil <= until;
    if (until === Infinity || isAwaited) return;
    this.#marksUntil = until;
    this.port.later(Math.ceil(Math.max(until - now, 0)));
  }

  /** The screens as lines of text for screen readers. */
  linear(): Linear {
    const look = this.#look.with({ depth: "none", glyphs: "ascii" });
    const body = { x: 0, y: 0, width: LINEAR.columns, height: LINEAR.rows, boxed: false };
    return linearOf(look, this.#frameState(), this.#windows.place(body));
  }

  #frameState(): FrameState {
    const { lost, sample, speed, dropped } = this.#session, timeline = this.#timeline();
    // A stopped machine has no speed; a machine that starts gets its first one at once.
    this.#speed = speed === undefined ? undefined : this.#speed ?? speed;
    return {
      title: this.options.title,
      screen: this.#windows.screen.key,
      state: this.#session.word(this.options.replay ?? false),
      readOnly: this.options.readOnly ?? false,
      frozen: this.#frozen?.missed,
      ...{ lost, dropped, sample: sample && { ...sample, mips: this.#activity.mips }, speed: this.#speed },
      newReasons: this.#questions.newReasons,
      past: timeline && sample ? Math.max(timeline.now - sample.time, 0) : undefined,
      timeline,
      focus: this.#focus,
      typing: this.#console.typing,
      hints: this.#hints(),
      overlay: this.#overlay,
      message: this.#messages.current,
      guide: this.options.guide?.view(this.#keymap),
    };
  }

  /** The focused screen and pane, for the help. */
  #here(): Here {
    const { screen } = this.#windows;
    const { title } = SCREEN_LIST.find(({ key }) => key === screen.key)!;
    const pane = this.#focus.title().text;
    return { title: `here: ${title === pane ? title : `${title}, ${pane}`}`, actions: usedOn(screen.key) };
  }

  #hints(): readonly Hint[] {
    if (this.#session.lost && !this.#overlay) return LOST_HINTS;
    if (this.#console.typing && !this.#prefix) return typingHints(this.#keymap);
    const { readOnly } = this.options, { paused, past } = this.#session;
    return hintsOf(this.#keymap, this.#overlay?.context ?? this.#context(), this.#windows.screen.key, { readOnly, paused, past });
  }
}
