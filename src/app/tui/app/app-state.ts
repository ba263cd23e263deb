// The state of an application: what is known of the session, what is shown of it, and what the next
// key means. Session events (session-events.ts) and keys (key-input.ts) change it; app-drawing.ts
// draws it.

import type { Context, OverlayContext } from "../actions/actions.ts";
import type { AppOptions, AppPort } from "./app-port.ts";
import { Keymap } from "../actions/keymap.ts";
import { Looks } from "./frame/looks.ts";
import { type MessageKind, Messages } from "./frame/messages.ts";
import type { Overlay } from "./overlays/overlay.ts";
import { overlayKind } from "./overlay-kind.ts";
import { Pace } from "./services/pace.ts";
import { Questions } from "./services/questions.ts";
import type { Timeline } from "./frame/scrubber.ts";
import { Done } from "./services/done.ts";
import { SessionState } from "./services/session-state.ts";
import { Steps } from "./services/steps.ts";
import { TimeMarks } from "./frame/time-marks.ts";
import type { UiState } from "./services/ui-state.ts";
import { Windows } from "./services/windows.ts";
import { Works } from "./services/works.ts";
import { Activity } from "../panes/overview/activity.ts";
import { ConsolePane } from "../panes/consoles/console-pane.ts";
import { type FilteredPane, isFiltered } from "../panes/pane.ts";
import { TablePane } from "../panes/table-pane.ts";
import { TreePane } from "../panes/overview/tree-pane.ts";
import { makeScreens } from "../screens/screens.ts";
import { CONSOLE } from "../../../model/commands/consoles.ts";
import { Asker } from "../../../session/control/asker.ts";

export class AppState {
  readonly clock: () => number;
  readonly asker: Asker;
  readonly keymap: Keymap;
  readonly looks: Looks;
  readonly activity: Activity;
  readonly tree: TreePane;
  readonly console: ConsolePane;
  readonly pace = new Pace();
  readonly windows: Windows;
  readonly questions: Questions;
  readonly session: SessionState;
  readonly done = new Done();
  readonly steps: Steps;
  readonly works: Works;
  readonly messages: Messages;
  readonly marks: TimeMarks;
  /** A box over the screen. */
  overlay: Overlay | undefined;
  /** Virtual time over wall time, as it is shown. */
  speed: number | undefined;
  /** The display is frozen, and has missed this many events. */
  frozen: { missed: number } | undefined;
  /** The terminal does not have the focus. */
  away = false;
  /** The key that was pressed before gives the next one another meaning. */
  prefix: "prefix" | "window" | undefined;
  /** Refusals so far; undefined before the first sample. */
  reasons: number | undefined;
  /** Keys that were pressed. */
  pressedKeys = 0;
  /** Keys that guests got. */
  typedKeys = 0;
  /** Absolute path of the file that the run is in, if it is in one. */
  recording: string | undefined;
  /** Columns and rows of the terminal. */
  size = { width: 0, height: 0 };

  constructor(readonly options: AppOptions, readonly port: AppPort) {
    this.recording = options.recording;
    const clock = this.clock = options.clock ?? (() => performance.now());
    const changed = () => port.changed(false);
    this.asker = new Asker(port);
    this.marks = new TimeMarks(this.asker, changed);
    this.messages = new Messages(clock, (ms) => port.later(ms));
    this.activity = new Activity(options.motion ?? true);
    this.tree = new TreePane(this.activity);
    this.keymap = new Keymap(options.keys);
    this.looks = new Looks(options, () => port.changed(true));
    this.session = new SessionState(clock, (text, kind) => this.say(text, kind));
    this.steps = new Steps(this.asker, this.session, (request) => port.send(request), this.done);
    this.works = new Works({
      say: (text, kind, keys) => this.messages.say(text, kind, keys),
      show: (overlay) => this.overlay = overlay,
      changed: () => port.changed(true),
      pressed: () => this.pressedKeys,
      isBusy: () => this.overlay !== undefined,
    });
    this.console = new ConsolePane(this.keymap.keyOf("console.prefix"), changed, (console, bytes) => {
      if (!this.session.end && !options.readOnly) void this.steps.run(CONSOLE, { vm: console, send: bytes });
    });
    const screens = makeScreens({
      tree: this.tree,
      console: this.console,
      activity: this.activity,
      clock,
      books: options.books,
      unseen: () => this.questions.newReasons,
      refusedLately: () => this.activity.refusedLately(clock()),
    });
    this.windows = new Windows(screens, () => this.questions.all());
    for (const pane of this.windows.screens.flatMap(({ panes }) => panes).filter((pane) => pane instanceof TablePane)) {
      const columns = options.columns?.[pane.table.name];
      if (columns) pane.choose(columns);
    }
    this.questions = new Questions(
      this.asker,
      this.windows,
      (request) => port.send(request),
      () => this.session.answers && !this.frozen && this.session.sample !== undefined,
      changed,
      this.pace,
    );
  }

  say(text: string, kind?: MessageKind): void {
    this.messages.say(text, kind);
  }

  /** Where keys mean actions of the application. */
  get context(): Exclude<Context, OverlayContext> {
    return this.prefix ?? (this.console.typing ? "console" : "lists");
  }

  /** The run, while an earlier place of it is shown. */
  get timeline(): Timeline | undefined {
    const { past, sample, now } = this.session;
    return past && sample ? this.marks.timeline(sample.time, Math.max(now, sample.time)) : undefined;
  }

  /** The user's settings of the screens. */
  get kept(): UiState {
    const filters = this.#filteredPanes().map(([name, pane]): [string, string] => [name, pane.filterText]);
    const { screen, sizes } = this.windows;
    return {
      screen: screen.key,
      sizes,
      filters: Object.fromEntries(filters),
      folded: this.tree.folded,
      theme: this.looks.chosen,
      vms: this.looks.look.vms.kept,
    };
  }

  restore({ screen, sizes, filters, folded, theme, vms }: UiState): void {
    this.looks.look.vms.restore(vms);
    this.windows.show(screen);
    this.windows.sizes = sizes;
    this.tree.foldAll(folded);
    for (const [name, pane] of this.#filteredPanes()) if (filters[name] !== undefined) pane.setFilter(filters[name]);
    this.looks.restore(theme);
  }

  #filteredPanes(): [string, FilteredPane][] {
    return this.windows.screens.flatMap(({ key, panes }) =>
      panes.flatMap((pane): [string, FilteredPane][] => isFiltered(pane) ? [[`${key}/${pane.name}`, pane]] : [])
    );
  }

  /** Shows the state of the screens to the tour. */
  see(): void {
    const { screen, focus } = this.windows, { paused, past } = this.session;
    this.options.guide?.see({
      screen: screen.key,
      pane: focus.name,
      selected: focus.selection?.row.id ?? "",
      filter: isFiltered(focus) ? focus.filterText : "",
      overlay: overlayKind(this.overlay),
      typing: this.console.typing,
      typed: this.typedKeys,
      paused,
      past,
      refused: this.reasons ?? 0,
    });
  }
}
