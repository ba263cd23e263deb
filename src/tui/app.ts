// The TUI without a terminal: keys and session events change plain state, `draw` shows it. What an action does is in its method; which key
// does it is in `actions.ts`; what a screen shows is in `screens.ts`.

import { type Action, type Context, Keymap, SCREEN_LIST } from "./actions.ts";
import type { Screen } from "./cells.ts";
import { ConsoleActions } from "./console-actions.ts";
import { ConsolePane } from "./console-pane.ts";
import type { Divider } from "./divider.ts";
import { markedLine } from "./event-filter.ts";
import { drawFrame, type FrameState, type LostState } from "./frame.ts";
import { LONGEST_COPY } from "./clipboard.ts";
import type { Key } from "./keys.ts";
import { LanesPane } from "./lanes-pane.ts";
import { linksOf, type Place, placeOf, vmOf } from "./links.ts";
import { MemoryPane } from "./memory-pane.ts";
import { type MenuHost, Menus } from "./menus.ts";
import { type Fork, TimeMenu } from "./time-menu.ts";
import { HelpOverlay, LinesOverlay, type MenuItem, MenuOverlay, type Overlay, TextOverlay } from "./overlay.ts";
import { OtherSessions, type Start } from "./other-sessions.ts";
import type { OwnProgram } from "./own-program.ts";
import { type FilteredPane, isFiltered, type Line, type Pane } from "./pane.ts";
import { comparedLines, plainText } from "./records.ts";
import { Questions } from "./questions.ts";
import { makeScreens, type Placed } from "./screens.ts";
import { TablePane } from "./table-pane.ts";
import { Look, type ThemeName } from "./theme.ts";
import { TreePane } from "./tree-pane.ts";
import { Windows } from "./windows.ts";
import type { UiState } from "./ui-state.ts";
import { Asker } from "../workstation/control/asker.ts";
import type { Row, Table } from "../workstation/inspect/table.ts";
import type { MachineSample, Move, Request, SessionEnd, SessionEvent } from "../workstation/protocol.ts";

/** Smallest terminal that shows the screen. */
export const MINIMUM = { columns: 60, rows: 16 } as const;

/** Two clicks at one place within so many ms are Enter. */
const DOUBLE_CLICK = 400;

/** Between two tries to reach a lost session, ms. */
export const RETRY = 3000;

/** From this width on all hints are shown. */
const WIDE_HINTS = 104;

/** What the application asks of its surroundings. */
export interface AppPort {
  send(request: Request): void;
  /** State changed: draw; `urgent` answers a key. */
  changed(urgent: boolean): void;
  /** The person wants to leave. */
  leave(): void;
  /** The whole screen must be drawn again. */
  redraw(): void;
  /** Puts a text on the person's clipboard. */
  copy(text: string): void;
  /** Writes a text to a file in the folder where el2 runs; says where, or why not. */
  save(name: string, text: string): Promise<{ readonly path: string } | { readonly error: string }>;
  /** Goes to the shell until the person comes back. */
  suspend(): void;
  /** Reports of the mouse, or not. */
  mouse(on: boolean): void;
  /** Tries to reach a lost session again, now. */
  reconnect(): void;
  /** Shows another session in the place of this one. */
  visit(name: string): void;
}

/** How the application behaves. */
export interface AppOptions {
  readonly title: string;
  readonly theme?: ThemeName;
  readonly ascii?: boolean;
  readonly readOnly?: boolean;
  /** Keys by action name, in place of the table's. */
  readonly keys?: Readonly<Record<string, string>>;
  /** Folder of the console logs. */
  readonly logs?: string;
  /** File in which the session's process says what it says last. */
  readonly log?: string;
  /** How the person left the screens the last time. */
  readonly state?: UiState;
  /** Which screens are shown at the start where there is no `state`, as `Windows.layout` says it. */
  readonly layout?: string;
  /** Timelines have finer steps, in dots. */
  readonly braille?: boolean;
  readonly fork?: Fork;
  readonly start?: Start;
  /** What the message row says first. */
  readonly greeting?: string;
  readonly program?: OwnProgram;
  /** A recording is run again. */
  readonly replay?: boolean;
  /** Wall time in ms; the process's where nothing is said. */
  readonly clock?: () => number;
}

/** A place to come back to. */
interface Visit {
  readonly screen: string;
  readonly pane: string;
  readonly id: string | undefined;
}

/** The application. */
export class App {
  readonly #asker: Asker;
  readonly #clock: () => number;
  readonly #keymap: Keymap;
  #look: Look;
  readonly #tree = new TreePane();
  readonly #console: ConsolePane;
  readonly #windows: Windows;
  readonly #questions: Questions;
  readonly #menus: Menus;
  readonly #consoles: ConsoleActions;
  readonly #time: TimeMenu;
  readonly #sessions: OtherSessions;
  #sample: MachineSample | undefined;
  #sampledAt = 0;
  #speed: number | undefined;
  #dropped = 0;
  #prefix = false;
  /** `ctrl-w` was pressed. */
  #windowPrefix = false;
  #frozen: { missed: number } | undefined;
  #paused = false;
  /** Ways to other places that have not ended. */
  #moving = 0;
  /** What is shown is an earlier place of the run. */
  #past = false;
  #overlay: Overlay | undefined;
  #end: SessionEnd | undefined;
  /** The machine is gone by a bug of ours: nobody answers. What has ended in order can still be looked at. */
  #failed = false;
  /** File of the last snapshot that was saved of this session. */
  #snapshot: string | undefined;
  #lost: { message: string; since: number } | undefined;
  #message: Line = { text: "" };
  /** Layouts that the person has saved, by digit. */
  readonly #layouts = new Map<string, string>();
  /** What the mouse drags. */
  #dragged: Divider | undefined;
  /** The last click: where, and when. */
  #clicked = { x: -1, y: -1, at: -Infinity };
  readonly #back: Visit[] = [];
  readonly #forward: Visit[] = [];
  readonly #filterHistory: string[] = [];

  constructor(readonly options: AppOptions, readonly port: AppPort) {
    this.#asker = new Asker(port);
    this.#clock = options.clock ?? (() => performance.now());
    this.#keymap = new Keymap(options.keys);
    this.#look = new Look(options.theme ?? "terminal", options.ascii ?? false, options.braille);
    this.#console = new ConsolePane(this.#keymap.keyOf("console.prefix"), () => port.changed(false), (console, bytes) => {
      if (!this.#end && !options.readOnly) port.send({ kind: "input", console, bytes });
    });
    this.#windows = new Windows(makeScreens(this.#tree, this.#console), () => this.#questions.all());
    this.#questions = new Questions(
      this.#asker,
      this.#windows,
      (request) => port.send(request),
      () => !this.#failed && !this.#lost && !this.#frozen && this.#sample !== undefined,
      () => port.changed(false),
    );
    const host: MenuHost = {
      ...{ asker: this.#asker, keymap: this.#keymap, windows: this.#windows, console: this.#console },
      readOnly: options.readOnly ?? false,
      ended: () => this.#end !== undefined,
      focus: () => this.#focus,
      selected: () => this.#onlySelected(),
      show: (overlay) => this.#overlay = overlay,
      say: (text, role) => this.#say(text, role),
      changed: () => port.changed(true),
      jump: (id) => this.#jump(id),
      typeInto: (vm) => this.#consoles.typeInto(vm),
      run: (action, key) => this.#run(action, key),
      copy: (text) => this.#copy(text),
      mouse: (on) => port.mouse(on),
      program: options.program,
      move: (to) => this.#timeTravel(to),
      theme: (theme) => this.setTheme(theme),
    };
    this.#consoles = new ConsoleActions({
      ...{ asker: this.#asker, windows: this.#windows, console: this.#console, tree: this.#tree, readOnly: options.readOnly ?? false },
      ended: () => this.#end !== undefined,
      show: (overlay) => this.#overlay = overlay,
      say: (text, role) => this.#say(text, role),
      changed: () => port.changed(true),
    });
    this.#sessions = new OtherSessions({
      ...{ title: options.title, readOnly: host.readOnly, start: options.start },
      width: () => this.#windows.width,
      show: host.show,
      say: host.say,
      changed: host.changed,
      visit: (name) => port.visit(name),
    });
    this.#menus = new Menus(host, this.#sessions);
    this.#time = new TimeMenu({ ...host, title: options.title, fork: options.fork });
    if (options.greeting) this.#say(options.greeting);
    if (options.state) this.#restore(options.state);
    else if (options.layout) this.#windows.load(options.layout);
  }

  /** What the person has made of the screens. */
  get state(): UiState {
    const filters = this.#filteredPanes().map(([name, pane]): [string, string] => [name, pane.filterText]);
    const { layout, screen } = this.#windows;
    const layouts = Object.fromEntries(this.#layouts);
    return {
      layout,
      layouts,
      screen: screen.key,
      sizes: this.#windows.sizes,
      filters: Object.fromEntries(filters),
      folded: this.#tree.folded,
      theme: this.#look.theme,
    };
  }

  #restore({ layout, layouts, screen, sizes, filters, folded, theme }: UiState): void {
    for (const [digit, saved] of Object.entries(layouts)) this.#layouts.set(digit, saved);
    this.#windows.load(layout);
    this.#windows.show(screen);
    this.#windows.sizes = sizes;
    this.#tree.foldAll(folded);
    for (const [name, pane] of this.#filteredPanes()) if (filters[name] !== undefined) pane.setFilter(filters[name]);
    // What the environment says beats what was kept.
    if (!this.options.theme) this.#look = this.#look.with(theme);
  }

  #filteredPanes(): [string, FilteredPane][] {
    return this.#windows.screens.flatMap(({ key, panes }) =>
      panes.flatMap((pane): [string, FilteredPane][] => isFiltered(pane) ? [[`${key}/${pane.name}`, pane]] : [])
    );
  }

  /** How the session ended, once it did. */
  get end(): SessionEnd | undefined {
    return this.#end;
  }

  /** The connection to the session is gone, for now. */
  lost(message: string): void {
    this.#lost = { message, since: this.#clock() };
    // What was asked is about a machine that may be another one once somebody answers again.
    this.#overlay = undefined;
    this.#console.typing = false;
    this.port.changed(true);
  }

  /** The connection is there again. */
  found(): void {
    this.#lost = undefined;
    this.#questions.forget();
    this.#message = { text: "connected again" };
    this.port.redraw();
    this.#questions.all();
  }

  /** Takes an event of the session. */
  apply(event: SessionEvent): void {
    if (this.#asker.take(event)) return;
    if (this.#frozen) this.#frozen.missed++;
    switch (event.kind) {
      case "console":
        this.#console.write(event.console, event.bytes, () => this.port.send({ kind: "taken", bytes: event.bytes.length }));
        return;
      case "sample":
        this.#takeSample(event.sample);
        break;
      case "events":
        this.#dropped += event.dropped;
        return;
      case "paused":
        this.#paused = event.paused;
        this.#past = event.past ?? false;
        // Steps and moves have no speed; what goes on has one from its second picture on.
        this.#speed = undefined;
        break;
      case "saved":
        this.#snapshot = event.path;
        return;
      case "stopped":
        this.#say(`${event.rule} stopped the machine: ${event.text}`, "warning");
        break;
      case "moved":
        this.#moving = Math.max(0, this.#moving - 1);
        this.#say(
          event.error ?? `at ${event.instructions} instructions${event.text ? `: ${event.text}` : ""}`,
          event.error === undefined ? "text" : "refused",
        );
        break;
      case "ended":
        this.#finish(event.end, { text: `ended: ${event.end.message}; q leaves`, role: event.end.code ? "refused" : "text" });
        break;
      case "failed":
        this.#failed = true;
        this.#finish({ code: 1, message: event.message }, {
          text: `the machine failed: ${event.message.split("\n", 1)[0]}`,
          role: "refused",
        });
        break;
      default:
        return;
    }
    this.port.changed(false);
  }

  #finish(end: SessionEnd, message: Line): void {
    this.#end ??= end;
    this.#console.typing = false;
    this.#message = message;
  }

  #takeSample(sample: MachineSample): void {
    const now = this.#clock();
    if (this.#sample && now > this.#sampledAt && !this.#paused) {
      this.#speed = (sample.time - this.#sample.time) / 1e6 / (now - this.#sampledAt);
    }
    this.#sample = sample;
    this.#sampledAt = now;
    this.#tree.update(sample);
    this.#console.settle();
    for (const vm of sample.vms) if (vm.console !== undefined) this.#console.open(vm.console);
    if (!this.#tree.chosen && this.#focus === this.#tree) this.#showSelectedConsole();
    this.#questions.all();
  }

  // ---- keys ----

  /** Takes a key. */
  key(key: Key): void {
    if (!this.#end) this.#message = { text: "" };
    if (this.#overlay) this.#overlayKey(this.#overlay, key);
    else if (this.#lost) this.#lostKey(key);
    else if (key.x !== undefined && key.y !== undefined) this.#mouse(key, key.x, key.y);
    else if (this.#console.typing && !this.#prefix) this.#typed(key);
    else this.#command(key);
    this.port.changed(true);
  }

  #lostKey(key: Key): void {
    if (key.name === "q") this.port.leave();
    else if (key.name === "r") this.port.reconnect();
    else if (key.name === "l") this.#say(this.options.log === undefined ? "this session has no log" : `its log: ${this.options.log}`);
    else if (key.name === "s") this.#sessions.openSnapshot(this.#snapshot);
    else if (key.name === "ctrl-z") this.port.suspend();
  }

  #overlayKey(overlay: Overlay, key: Key): void {
    if (key.x !== undefined) return;
    const action = this.#keymap.actionOf(overlay.context, key.name);
    if (action?.name === "screen.redraw") return this.port.redraw();
    if (action?.name === "suspend" && overlay.context !== "text") return this.port.suspend();
    if (!overlay.key(key, action) && this.#overlay === overlay) this.#overlay = undefined;
  }

  #context(): Context {
    if (this.#overlay) return this.#overlay.context;
    return this.#prefix ? "prefix" : this.#windowPrefix ? "window" : this.#console.typing ? "console" : "lists";
  }

  #typed(key: Key): void {
    if (this.#keymap.actionOf("console", key.name)?.name === "console.prefix") {
      this.#prefix = true;
      return;
    }
    this.#input(key.bytes);
  }

  #input(bytes: Uint8Array): void {
    if (this.options.replay) {
      return this.#say("a replay takes no input: what was typed then is typed again; ctrl-] d takes the keys back", "refused");
    }
    if (this.#past) return this.#say("this is the past, which takes no input; leave the console and press t to go to now", "refused");
    if (this.#console.shown) this.port.send({ kind: "input", console: this.#console.shown, bytes });
  }

  #command(key: Key): void {
    const action = this.#keymap.actionOf(this.#context(), key.name);
    this.#prefix = this.#windowPrefix = false;
    if (action) this.#run(action, key);
    else if (!this.#console.typing) this.#say(`${key.name} does nothing here; ? shows the keys`);
  }

  #say(text: string, role: Line["role"] = "text"): void {
    this.#message = { text, role };
  }

  get #focus(): Pane {
    return this.#windows.focus;
  }

  #run(action: Action, key: Key): void {
    if (action.name.startsWith("screen.") && action.name !== "screen.redraw") {
      const place = SCREEN_LIST.find(({ name }) => `screen.${name}` === action.name);
      if (place) return this.#windows.show(place.key);
    }
    const run = this.#runs[action.name];
    if (!run) throw new Error(`action ${action.name} has no code`);
    run(key);
  }

  /** What each action does, by its name. */
  readonly #runs: Readonly<Record<string, (key: Key) => void>> = {
    "list.down": () => this.#move(1),
    "list.up": () => this.#move(-1),
    "list.first": () => this.#move(-Infinity),
    "list.last": () => this.#move(Infinity),
    "list.page-down": () => this.#move(this.#focus.page),
    "list.page-up": () => this.#move(-this.#focus.page),
    "tree.fold": () => this.#fold(true),
    "tree.unfold": () => this.#fold(false),
    "object.go": () => this.#go(),
    "object.back": () => this.#travel(this.#back, this.#forward),
    "object.forward": () => this.#travel(this.#forward, this.#back),
    "object.references": () => this.#references(),
    "object.inspect": () => this.#inspect(),
    "object.why": () => this.#why(),
    "object.actions": () => this.#menus.actions(false),
    "danger.menu": () => this.#menus.actions(true),
    "copy.menu": () => this.#focus === this.#console ? this.#menus.copyConsole() : this.#menus.copy(),
    "machine.stop-rule": () => this.#menus.stopRule(),
    "filter.edit": () => this.#editFilter(),
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
    "list.sort": () => this.#onTable((pane) => pane.sortNext()),
    "list.sort-reverse": () => this.#onTable((pane) => pane.sortReverse()),
    "list.follow": () => this.#follow(),
    "list.mark": () => this.#onTable((pane) => pane.toggleMark()),
    "list.export": () => this.#exportRows(),
    "list.compare": () => this.#compare(),
    "list.view": () => this.#nextView(),
    "list.wider": () => this.#scale(1),
    "list.closer": () => this.#scale(-1),
    "window.prefix": () => this.#windowPrefix = true,
    "window.right": () => this.#windows.split(true),
    "window.below": () => this.#windows.split(false),
    "window.other": () => this.#windows.shown.length > 1 ? this.#windows.swap() : this.#say("there is one screen; ctrl-w v or s makes two"),
    "window.save": () => this.#saveLayout(),
    "window.load": (key) => this.#loadLayout(key.name),
    "window.close": () => this.#windows.close() || this.#say("there is one screen; q leaves"),
    "window.grow": (key) => this.#size(1, key),
    "window.shrink": (key) => this.#size(-1, key),
    "window.even": () => this.#windows.even(),
    "object.open": () => this.#openObject(),
    "machine.pause": () => this.#pause(),
    "time.on": () => this.#timeTravel({ kind: "step", by: 1 }),
    "time.back": () => this.#timeTravel({ kind: "step", by: -1 }),
    "time.event-back": () => this.#time.event(false),
    "time.event-on": () => this.#time.event(true),
    "time.travel": () => this.#time.show(),
    "display.freeze": () => this.#freeze(),
    "palette.show": () => this.#menus.palette(),
    "help.show": () => this.#overlay = new HelpOverlay(this.#keymap),
    "leave": () => this.port.leave(),
    "step.out": () => this.#stepOut(),
    "cancel": () => this.#cancel(),
    "screen.redraw": () => this.port.redraw(),
    "suspend": () => this.port.suspend(),
    "console.leave": () => this.#console.typing = false,
    "console.search": () => this.#consoles.search(),
    "console.break": () => void this.#consoles.sendBreak(),
    "console.scroll": () => this.#consoles.scroll(),
    "console.log": () =>
      this.#say(this.options.logs ? `log: ${this.options.logs}/${this.#console.shown}.log` : "this session keeps no log; el2 up does"),
    "console.send-prefix": (key) => this.#input(key.bytes),
  };

  // ---- moving ----

  /** Shows the object that the row names beside this screen. */
  #openObject(): void {
    const selected = this.#onlySelected();
    if (!selected) return;
    const { table, row } = selected;
    const links = this.#focus === this.#tree ? this.#treeLinks(row) : linksOf(table, row);
    const id = links.find((link) => placeOf(link)!.screen !== this.#windows.screen.key);
    if (id === undefined) return this.#say(`${row.id} names nothing that another screen shows`);
    const other = this.#windows.screens.find(({ key }) => key === placeOf(id)!.screen)!;
    this.#windows.split(this.#windows.width >= WIDE_HINTS, other);
    this.#windows.swap();
    this.#goTo(placeOf(id)!);
    this.#windows.swap();
  }

  #move(by: number): void {
    const pane = this.#focus;
    pane.move(by);
    if (pane === this.#tree) this.#showSelectedConsole();
    this.#questions.others(pane);
  }

  #showSelectedConsole(): void {
    const name = this.#tree.selectedVm?.console;
    if (name !== undefined) this.#console.prefer(name);
  }

  #fold(folded: boolean): void {
    const pane = this.#focus;
    if (pane === this.#tree) this.#tree.fold(folded);
    else if (pane instanceof TablePane) {
      pane.pan(folded ? -1 : 1) || this.#say(folded ? "this is the first column" : "this is the last column");
    } else this.#onLanes((lanes) => lanes.pan(folded ? -10 : 10));
  }

  #follow(): void {
    if (this.#focus === this.#console) return this.#consoles.follow();
    this.#onTable((pane) => {
      if (pane.options.stream) pane.follow(!pane.following);
      else this.#say("nothing comes in here: the list is what there is now");
    });
  }

  #stepOut(): void {
    const pane = this.#focus;
    if (isFiltered(pane) && pane.filterText) pane.setFilter("");
    else if (this.#windows.zoomed) this.#windows.zoom();
    else if (pane === this.#console) {
      this.#consoles.follow();
    } else this.#windows.focusOn(this.#windows.screen.panes[0]);
  }

  /** Panes with views of their own go through those first. */
  #nextView(): void {
    if (this.#focus.nextView?.()) return;
    if (!this.#windows.nextView()) this.#say("this pane has one view");
  }

  #onTable(act: (pane: TablePane) => void): void {
    const pane = this.#focus;
    if (pane instanceof TablePane) act(pane);
    else this.#say("this pane is no list");
  }

  #onLanes(act: (lanes: LanesPane) => void): void {
    const pane = this.#focus;
    if (pane instanceof LanesPane) act(pane);
    else this.#say("this pane is no timeline");
  }

  #scale(by: number): void {
    const pane = this.#focus;
    if (pane instanceof LanesPane || pane instanceof MemoryPane) pane.zoom(by);
    else this.#say("this pane has no scale");
  }

  #onlySelected(): { table: Table; row: Row } | undefined {
    const { selection } = this.#focus;
    if (!selection) this.#say("nothing is selected in this pane; Tab goes to the next");
    return selection;
  }

  // ---- objects ----

  #go(): void {
    const selected = this.#onlySelected();
    if (!selected) return;
    const { table, row } = selected;
    const links = this.#focus === this.#tree ? this.#treeLinks(row) : linksOf(table, row);
    if (links.length === 0) return this.#inspect();
    if (links.length === 1) return this.#jump(links[0]);
    this.#overlay = new MenuOverlay(`from ${row.id} to`, links.slice(0, 20).map((id) => ({ label: id, run: () => this.#jump(id) })));
  }

  /** From the tree: a vCPU to its screen, a VM to its first vCPU; a device is shown with its counters. */
  #treeLinks(row: Row): string[] {
    if (row.id.startsWith("dev:")) return [];
    return [row.id.startsWith("vm:") ? `vcpu:${row.id.slice(3)}/0` : row.id];
  }

  /** Goes to an object. */
  #jump(id: string): void {
    const place = placeOf(id);
    if (!place) return this.#say(`no screen shows ${id}`);
    this.#back.push(this.#here());
    this.#forward.length = 0;
    this.#goTo(place);
  }

  #here(): Visit {
    const pane = this.#focus;
    return { screen: this.#windows.screen.key, pane: pane.name, id: pane.selection?.row.id };
  }

  #goTo({ screen, pane, id }: Place | Visit): void {
    this.#windows.show(screen);
    const target = this.#windows.screen.panes.find(({ name }) => name === pane);
    if (!target) return;
    this.#windows.focusOn(target);
    if (id === undefined) return;
    if (target === this.#console) this.#console.show(vmOf(id) ?? "");
    else if (target instanceof TablePane || target instanceof TreePane || target instanceof MemoryPane) {
      if (isFiltered(target) && target.filterText && !target.shows(id)) target.setFilter("");
      target.select(id);
    }
    this.#questions.ask(target);
  }

  #travel(from: Visit[], to: Visit[]): void {
    const visit = from.pop();
    if (!visit) return this.#say("there is nothing to go to");
    to.push(this.#here());
    this.#goTo(visit);
  }

  #references(): void {
    const selected = this.#onlySelected();
    if (!selected) return;
    const { id } = selected.row;
    this.#back.push(this.#here());
    this.#windows.show("9");
    const events = this.#windows.screen.panes[0];
    if (events instanceof TablePane) {
      events.setFilter(`"${id}"`);
      this.#windows.focusOn(events);
    }
  }

  #inspect(): void {
    const fields = this.#windows.screen.panes.find(({ name }) => name === "fields");
    if (fields) return this.#windows.focusOn(fields);
    const selected = this.#onlySelected();
    if (!selected) return;
    const place = placeOf(selected.row.id);
    if (place && place.screen !== this.#windows.screen.key) return this.#jump(selected.row.id);
    this.#say(plainText(selected.row));
  }

  #why(): void {
    const selected = this.#onlySelected();
    if (!selected) return;
    const { row } = selected;
    if (typeof row.why === "string") return this.#jump(row.why);
    if (typeof row.finding === "string") return this.#say(`${row.id} ${row.finding}`, "warning");
    if (typeof row.waits === "string" && row.waits) return this.#say(`${row.id} waits for ${row.waits}`);
    this.#asker.ask({ table: "why", args: { filter: `"${row.id}"`, limit: 1 } }).then(({ rows }) => {
      if (rows[0]) this.#jump(rows[0].id);
      else this.#say(`nothing about ${row.id} was refused`);
      this.port.changed(true);
    });
  }

  #compare(): void {
    this.#onTable((pane) => {
      const [a, b] = pane.marked;
      if (pane.marked.length !== 2) return this.#say("mark two rows with m, then =");
      const differ = Object.keys(pane.table.columns).filter((name) => name !== "id" && plainText(a[name]) !== plainText(b[name]));
      if (differ.length === 0) return this.#say(`${a.id} and ${b.id} are equal`);
      const { width } = this.#windows;
      const lines = differ.flatMap((name) => comparedLines(name, plainText(a[name]), plainText(b[name]), width - 1));
      this.#overlay = new LinesOverlay(`${a.id} | ${b.id}  in what they differ`, lines);
    });
  }

  // ---- looks and filters ----

  /** Takes other colours. */
  setTheme(theme: ThemeName): void {
    this.#look = this.#look.with(theme);
    this.port.redraw();
  }

  /** To the clipboard; what is more than terminals take, to a file. */
  #copy(text: string): void {
    if (text.length > LONGEST_COPY) return this.#toFile("el2-copy.txt", text, "too long for a clipboard:");
    this.port.copy(text);
    this.#say(`copied: ${text}`);
  }

  #editFilter(): void {
    const pane = this.#focus;
    if (pane === this.#console) return this.#consoles.search();
    if (!isFiltered(pane)) return this.#say("this pane is no list: nothing to filter");
    const before = pane.filterText;
    this.#overlay = new TextOverlay({
      sign: "/",
      text: before,
      history: this.#filterHistory,
      changed: (text) => {
        pane.setFilter(text);
        this.#questions.ask(pane);
        const error = pane.filterError;
        return error && markedLine("/", text, error);
      },
      accept: (text) => {
        // The rows are still those of the last good one.
        if (pane.filterError) this.#say(`/${text}: ${pane.filterError.message}`, "refused");
      },
      leave: () => {
        pane.setFilter("");
        this.#questions.ask(pane);
      },
    });
  }

  // ---- the machine ----

  #pause(): void {
    if (this.options.readOnly) return this.#say("the machine goes on: --read-only");
    this.port.send({ kind: this.#paused ? "resume" : "pause" });
  }

  // ---- files and layouts ----

  /** Writes the rows of the list that are shown to a file. */
  #exportRows(): void {
    this.#onTable((pane) => {
      if (pane.rows.length === 0) return this.#say("there is no row to write");
      this.#toFile(`el2-${pane.name}.ndjson`, pane.rows.map((row) => `${JSON.stringify(row)}\n`).join(""), `${pane.rows.length} rows`);
    });
  }

  #toFile(name: string, text: string, what: string): void {
    this.port.save(name, text).then((saved) => {
      this.#say("path" in saved ? `${what} in ${saved.path}` : `${name}: ${saved.error}`, "path" in saved ? "text" : "refused");
      this.port.changed(true);
    });
  }

  #saveLayout(): void {
    const items = Array.from({ length: 9 }, (_, index): MenuItem => {
      const digit = String(index + 1), saved = this.#layouts.get(digit);
      return {
        key: digit,
        label: saved ? `now ${saved}` : "free",
        run: () => {
          this.#layouts.set(digit, this.#windows.layout);
          this.#say(`ctrl-w ${digit} shows ${this.#windows.layout} from now on`);
        },
      };
    });
    this.#overlay = new MenuOverlay(`save ${this.#windows.layout} under`, items);
  }

  #loadLayout(digit: string): void {
    const saved = this.#layouts.get(digit);
    if (saved === undefined) return this.#say(`nothing is saved under ${digit}; ctrl-w w saves what is shown`);
    this.#windows.load(saved);
  }

  /** More or less room for the first part of a divider: that of the halves, else of panes; Left and Right move one that stands upright. */
  #size(by: number, key: Key): void {
    const { dividers } = this.#windows;
    const upright = key.name === "Left" || key.name === "Right", level = key.name === "Up" || key.name === "Down";
    const suits = ({ sideBySide }: Divider) => sideBySide ? !level : !upright;
    const divider = dividers.find(suits) ?? dividers[0];
    if (!divider) return this.#say("there is one pane; nothing divides it");
    this.#windows.size(divider, (one) => one.step(by));
  }

  /** Ends the way to another place of the run. */
  #cancel(): void {
    if (!this.#moving) return this.#say("nothing is pending; q leaves");
    this.port.send({ kind: "move", id: 0, to: { kind: "here" } });
  }

  /** Another place of the run is shown. */
  #timeTravel(to: Move): void {
    if (this.options.readOnly) return this.#say("time stays as it is: --read-only");
    this.#moving++;
    this.port.send({ kind: "move", id: 0, to });
  }

  #freeze(): void {
    this.#frozen = this.#frozen ? undefined : { missed: 0 };
    if (!this.#frozen) {
      this.port.redraw();
      this.#questions.all();
    }
  }

  // ---- mouse ----

  #mouse(key: Key, x: number, y: number): void {
    if (key.name === "Drag") {
      if (this.#dragged) this.#windows.size(this.#dragged, (divider) => divider.moveTo(x, y));
      return;
    }
    this.#dragged = key.name === "Click" ? this.#windows.dividers.find((divider) => divider.isAt(x, y)) : undefined;
    const inside = ({ area }: Placed) => x >= area.x && y >= area.y && x < area.x + area.width && y < area.y + area.height;
    const placed = this.#windows.visible.find(inside);
    if (!placed) return;
    const { pane, area } = placed;
    if (key.name === "Click") {
      this.#console.typing = this.#console.typing && pane === this.#console;
      this.#windows.focusOn(pane);
      pane.click(y - area.y - 1);
      if (pane === this.#tree) this.#showSelectedConsole();
      const now = this.#clock(), last = this.#clicked;
      const again = last.x === x && last.y === y && now - last.at < DOUBLE_CLICK;
      this.#clicked = again ? { x: -1, y: -1, at: -Infinity } : { x, y, at: now };
      if (again && pane !== this.#console) this.#go();
    } else if (key.name === "WheelUp" || key.name === "WheelDown") pane.move(key.name === "WheelUp" ? -3 : 3);
  }

  // ---- drawing ----

  /** Draws everything. */
  draw(screen: Screen): void {
    if (screen.width < MINIMUM.columns || screen.height < MINIMUM.rows) {
      screen.clear();
      screen.text(0, 0, `el2 needs ${MINIMUM.columns}x${MINIMUM.rows}; this is ${screen.width}x${screen.height}`.slice(0, screen.width));
      return;
    }
    drawFrame(screen, this.#look, this.#frameState(screen), (body) => this.#windows.place(body));
  }

  #frameState(screen: Screen): FrameState {
    return {
      title: this.options.title,
      screen: this.#windows.screen.key,
      state: this.#lost
        ? "LOST"
        : this.#end
        ? "ENDED"
        : this.#past
        ? "PAST"
        : this.#paused
        ? "PAUSED"
        : this.options.replay
        ? "REPLAY"
        : "LIVE",
      readOnly: this.options.readOnly ?? false,
      frozen: this.#frozen?.missed,
      lost: this.#lost && lostState(this.#lost.message, this.#clock() - this.#lost.since),
      sample: this.#sample,
      speed: this.#speed,
      dropped: this.#dropped,
      newReasons: this.#questions.newReasons,
      focus: this.#focus,
      typing: this.#console.typing,
      hints: this.#hints(screen.width >= WIDE_HINTS),
      overlay: this.#overlay,
      message: this.#message,
    };
  }

  #hints(wide: boolean): string {
    if (this.#lost && !this.#overlay) return "r retry now  l log  s last snapshot  q leave";
    if (this.#console.typing && !this.#prefix) {
      return `keys go to the guest; ${this.#keymap.keyOf("console.prefix")} then d takes them back`;
    }
    const context = this.#context();
    const hints = this.#keymap.actions.filter((action) =>
      action.context === context && action.hint !== undefined && (wide || !action.wide)
    );
    if (context === "window" || context === "prefix") {
      const prefix = this.#keymap.keyOf(context === "window" ? "window.prefix" : "console.prefix");
      return `${prefix} then  ${hints.map(({ hint }) => hint).join("  ")}`;
    }
    return hints.map(({ keys, hint }) => `${keys[0]} ${hint}`).join("  ");
  }
}

/** A session that has been gone for so many milliseconds: it is tried again in equal steps. */
function lostState(message: string, gone: number): LostState {
  const tried = Math.floor(gone / RETRY);
  return {
    message,
    seconds: Math.floor(gone / 1000),
    next: { number: tried + 1, seconds: Math.ceil(((tried + 1) * RETRY - gone) / 1000) },
  };
}
