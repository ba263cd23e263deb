// The TUI without a terminal: keys and session events change plain state, `draw` shows it. Keys are
// in actions.ts, their handlers in the file of each group of actions, screens in screens.ts.

import type { Handlers } from "../actions/action-handlers.ts";
import { AppDrawing } from "./app-drawing.ts";
import type { AppOptions, AppPort } from "./app-port.ts";
import type { AppServices } from "./services/app-services.ts";
import { AppState } from "./app-state.ts";
import { ConsoleActions } from "./doing/console-actions.ts";
import { CommandRunner } from "./doing/command-runner.ts";
import { hasLinux, tabAt, TABS_ROW } from "./frame/header.ts";
import { HelpOverlay } from "./help.ts";
import { KeyInput } from "./key-input.ts";
import type { Linear } from "./linear.ts";
import { ListActions } from "./doing/list-actions.ts";
import { MachineActions } from "./machine-actions.ts";
import { Menus } from "./menus.ts";
import { Mouse, type MouseServices } from "./doing/mouse.ts";
import { Navigation } from "./doing/navigation.ts";
import { OtherSessions } from "./start/other-sessions.ts";
import { OwnCommands } from "./doing/own-commands.ts";
import { Profiles } from "./doing/profiles.ts";
import { readRule } from "./doing/rules.ts";
import { RunLinks } from "./doing/run-links.ts";
import { SCRUBBER_FROM_BELOW, timeAt } from "./frame/scrubber.ts";
import { SessionEvents } from "./session-events.ts";
import { TextsOut } from "./texts-out.ts";
import { TimeMenu } from "./doing/time-menu.ts";
import type { UiState } from "./services/ui-state.ts";
import { WindowActions } from "./doing/window-actions.ts";
import type { Screen } from "../terminal/cells.ts";
import type { Key } from "../terminal/keys.ts";
import { BACK } from "../../../model/commands/time.ts";
import type { SessionEnd, SessionEvent } from "../../../model/protocol/protocol.ts";

export class App {
  readonly #state: AppState;
  readonly #events: SessionEvents;
  readonly #keys: KeyInput;
  readonly #drawing: AppDrawing;
  readonly #links: RunLinks;

  constructor(options: AppOptions, readonly port: AppPort) {
    const state = this.#state = new AppState(options, port);
    const { asker, steps, works, windows, questions, tree, console, session, done } = state;
    const app: AppServices = {
      ...{ asker, steps, works, windows, questions, tree, console },
      readOnly: options.readOnly ?? false,
      ended: () => session.end !== undefined,
      past: () => session.past,
      show: (overlay) => state.overlay = overlay,
      say: (text, kind) => state.say(text, kind),
      changed: () => port.changed(true),
    };
    const drawing = this.#drawing = new AppDrawing(state);
    const texts = new TextsOut(state), machine = new MachineActions(state);
    const consoles = new ConsoleActions(app), navigation = new Navigation(app), sizes = new WindowActions(app);
    const travel: MachineActions["travel"] = (command, given) => machine.travel(command, given);
    const lists = new ListActions({ ...app, consoles, toFile: (name, text, what) => texts.toFile(name, text, what) });
    const mouse = new Mouse({ ...app, consoles, clock: state.clock, ...pointing(state, machine), enter: () => navigation.go() });
    const sessions = new OtherSessions({
      ...{ title: options.title, start: options.start, readOnly: app.readOnly, show: app.show, say: app.say, changed: app.changed },
      width: () => windows.width,
      visit: (name) => port.visit(name),
    });
    const commands = new OwnCommands(app, options.commands ?? [], options.runCommand);
    const keys = this.#keys = new KeyInput(
      state,
      () => ({ handlers, lists, mouse, sessions, commands, pressedAt: (at) => drawing.pressedAt(at) }),
    );
    const links = this.#links = new RunLinks({ ...app, state, texts, navigation, options, travel: (to) => travel(BACK, { to }) });
    const runner = new CommandRunner({
      ...app,
      typeInto: (vm) => consoles.typeInto(vm),
      showConsoles: () => consoles.showAll(true),
      program: options.program,
      start: (what, allowHost) => void sessions.run(what, allowHost),
      startOff: () => sessions.off,
      travel: (to) => travel(BACK, { to }),
      recorded: (path) => state.recording = path,
      link: (values) => void links.copy(values),
    });
    const menus = new Menus({
      ...app,
      runner,
      keymap: state.keymap,
      jump: (id) => navigation.jump(id),
      run: (action, key) => keys.run(action, key),
      copy: (text) => texts.copy(text),
      mouse: (on) => port.mouse(on),
      choose: () => port.choose(),
      ...{ commands, done, guide: options.guide, program: options.program, profiles: new Profiles(app, options.profiler) },
      themes: state.looks.names,
      theme: (name) => state.looks.choose(name),
    });
    const time = new TimeMenu({ ...app, title: options.title, fork: options.fork, travel, done });
    // A missing handler is a type error.
    const handlers: Handlers = {
      ...{ ...lists.handlers, ...navigation.handlers, ...consoles.handlers, ...sizes.handlers },
      ...{ ...machine.handlers, ...time.handlers, ...menus.handlers, ...links.handlers },
      "rule.read": () => void readRule(app, options.books),
      "help.show": () => {
        state.overlay = new HelpOverlay(state.keymap, drawing.here(), options.commands, options.program);
        options.program?.load().then(app.changed);
      },
      "leave": () => port.leave(),
      "screen.redraw": () => port.redraw(),
      "suspend": () => port.suspend(),
      "window.prefix": () => state.prefix = "window",
      "console.prefix": () => state.prefix = "prefix",
      "console.log": () =>
        state.say(
          options.logs ? `log: ${options.logs}/${console.shown}.log` : "this session has no log; only sessions in the background have one",
        ),
      "console.send-prefix": ({ bytes }) => keys.type(bytes),
    };
    this.#events = new SessionEvents(state, consoles);
    if (options.greeting) state.say(options.greeting);
    if (options.state) state.restore(options.state);
    else if (options.layout) windows.show(options.layout);
    if (options.linked) links.open(options.linked);
  }

  /** The user's settings of the screens. */
  get state(): UiState {
    return this.#state.kept;
  }

  /** How the session ended, once it did. */
  get end(): SessionEnd | undefined {
    return this.#state.session.end;
  }

  /** Whether work that a key has begun is not at its end. */
  get isWorking(): boolean {
    return this.#state.works.isRunning;
  }

  /** Goes to the place of a link to the run that is shown, by its part after `#`. */
  follow(fragment: string): void {
    this.#links.follow(fragment);
  }

  /** The connection to the session is gone, for now. */
  lost(message: string): void {
    this.#events.lost(message);
  }

  /** The connection is restored. */
  found(): void {
    this.#events.found();
  }

  /** Takes an event of the session. */
  apply(event: SessionEvent): void {
    this.#events.apply(event);
  }

  key(key: Key): void {
    this.#keys.press(key);
  }

  setTheme(name: string): void {
    this.#state.looks.set(name);
  }

  /** The terminal's background is bright, or dark: sets the theme unless one was chosen. */
  setBackground(bright: boolean): void {
    this.#state.looks.setBackground(bright);
  }

  /** Without the focus histories rest, and no pane looks as if it had the keys. */
  setFocus(has: boolean): void {
    this.#state.away = !has;
    this.#state.activity.rest(!has);
    this.#state.port.changed(true);
  }

  /** ctrl-z had no effect: el2 still has the terminal. */
  notSuspended(): void {
    this.#state.say("no shell can continue el2 here, so it was not suspended", "warn");
    this.#state.port.changed(true);
  }

  /** Notes that a frame was written, and how long (ms) the terminal took to take it. */
  wrote(bytes: number, took: number): void {
    this.#state.pace.wrote(this.#state.clock(), bytes, took);
  }

  /** Draws everything. */
  draw(screen: Screen): void {
    this.#drawing.draw(screen);
    this.#state.questions.drawn();
  }

  /** The screens as lines of text for screen readers. */
  linear(): Linear {
    return this.#drawing.linear();
  }
}

/** The mouse outside of panes. */
function pointing(state: AppState, machine: MachineActions): Pick<MouseServices, "tabAt" | "timeAt" | "point" | "goThere"> {
  const { windows, marks, session } = state;
  return {
    tabAt: (x, y) => y === TABS_ROW ? tabAt(state.size.width, windows.screen.key, hasLinux(session.sample), x) : undefined,
    timeAt: (x, y) => {
      const { timeline, size: { width, height } } = state;
      if (!timeline || y !== height - SCRUBBER_FROM_BELOW) return undefined;
      return timeAt({ x: 0, y, width, height: 1 }, timeline, x);
    },
    point: (time) => marks.point(time),
    goThere: () => {
      const at = marks.pointed;
      marks.point(undefined);
      if (at !== undefined) machine.travel(BACK, { to: { kind: "time", at } });
    },
  };
}
