// Users' actions on the focused pane: moving, folding, sorting, filtering, comparing and saving its
// rows.

import type { ConsoleActions } from "./console-actions.ts";
import { markedLine } from "./event-filter.ts";
import type { AppServices } from "../services/app-services.ts";
import { LanesPane } from "../../panes/vcpus/lanes-pane.ts";
import { MemoryPane } from "../../panes/memory/memory-pane.ts";
import { LinesOverlay, TextOverlay } from "../overlays/overlay.ts";
import { isFiltered, type Pane } from "../../panes/pane.ts";
import { plainText } from "../../../../model/queries/texts/format.ts";
import { comparedLines } from "../../panes/row-lines.ts";
import { TablePane } from "../../panes/table-pane.ts";
import type { GroupHandlers } from "../../actions/action-handlers.ts";

/** Services that these actions use. */
interface ListServices extends AppServices {
  readonly consoles: ConsoleActions;
  /** Writes a text to a file, and shows a message with `what` and the path. */
  readonly toFile: (name: string, text: string, what: string) => void;
}

/** The actions on an application's panes. */
export class ListActions {
  readonly #filterHistory: string[] = [];

  readonly handlers = {
    "list.down": () => this.#move(1),
    "list.up": () => this.#move(-1),
    "list.first": () => this.#move(-Infinity),
    "list.last": () => this.#move(Infinity),
    "list.page-down": () => this.#move(this.#focus.page),
    "list.page-up": () => this.#move(-this.#focus.page),
    "tree.fold": () => this.#fold(true),
    "tree.unfold": () => this.#fold(false),
    "filter.edit": () => this.#editFilter(),
    "pane.next": () => this.app.windows.cycle(1),
    "pane.previous": () => this.app.windows.cycle(-1),
    "pane.zoom": () => this.app.windows.zoom(),
    "list.sort": () => this.#onTable((pane) => pane.sortNext()),
    "list.sort-reverse": () => this.#onTable((pane) => pane.sortReverse()),
    "list.follow": () => this.#follow(),
    "list.mark": () => this.#onTable((pane) => pane.toggleMark()),
    "list.export": () => this.#exportRows(),
    "list.compare": () => this.#compare(),
    "list.view": () => this.#nextView(),
    "list.wider": () => this.#scale(1),
    "list.closer": () => this.#scale(-1),
    "step.out": () => this.#stepOut(),
  } satisfies GroupHandlers;

  constructor(readonly app: ListServices) {}

  get #focus(): Pane {
    return this.app.windows.focus;
  }

  /** Moves the selection; Infinity is the end. */
  #move(by: number): void {
    const { tree, consoles, questions } = this.app;
    const pane = this.#focus;
    pane.move(by);
    if (pane === tree) consoles.preferSelected();
    questions.others(pane);
  }

  /** Folds or unfolds the tree's row; other panes go left or right. */
  #fold(folded: boolean): void {
    const { tree, say } = this.app;
    const pane = this.#focus;
    if (pane === tree) tree.fold(folded);
    else if (pane instanceof TablePane) {
      pane.pan(folded ? -1 : 1) || say(folded ? "this is the first column" : "this is the last column");
    } else if (pane instanceof LanesPane) pane.pan(folded ? -10 : 10);
    else say("nothing to scroll sideways here");
  }

  /** Shows what comes in, or no longer. */
  #follow(): void {
    const { console, consoles, say } = this.app;
    if (this.#focus === console) return consoles.follow();
    this.#onTable((pane) => {
      if (pane.options.stream) pane.follow(!pane.following);
      else say("this list shows the present state; there is nothing to follow");
    });
  }

  /** Out of a filter, of a zoomed pane, of a pane. */
  #stepOut(): void {
    const { windows, console, consoles } = this.app;
    const pane = this.#focus;
    if (isFiltered(pane) && pane.filterText) pane.setFilter("");
    else if (windows.zoomed) windows.zoom();
    else if (pane === console) consoles.follow();
    else windows.focusOn(windows.screen.panes[0]);
  }

  /** Whether a filter or a zoom is there to step out of. */
  get canStepOut(): boolean {
    const pane = this.#focus;
    return this.app.windows.zoomed || isFiltered(pane) && pane.filterText !== "";
  }

  /** The next view. Panes with several views go through those first. */
  #nextView(): void {
    const { windows, say } = this.app;
    if (this.#focus.nextView?.()) return;
    if (!windows.nextView()) say("this pane has one view");
  }

  /** Does something with the focused list; says if the pane is not a list. */
  #onTable(act: (pane: TablePane) => void): void {
    const pane = this.#focus;
    if (pane instanceof TablePane) act(pane);
    else this.app.say("nothing to select here");
  }

  /** More (1) or less (-1) of time or memory in the pane. */
  #scale(by: number): void {
    const pane = this.#focus;
    if (pane instanceof LanesPane || pane instanceof MemoryPane) pane.zoom(by);
    else this.app.say("nothing to zoom here");
  }

  /** Shows in what two marked rows differ. */
  #compare(): void {
    const { windows: { width }, show, say } = this.app;
    this.#onTable((pane) => {
      const [a, b] = pane.marked;
      if (pane.marked.length !== 2) return say("mark two rows with m, then =");
      const differ = Object.keys(pane.table.columns).filter((name) => name !== "id" && plainText(a[name]) !== plainText(b[name]));
      if (differ.length === 0) return say(`${a.id} and ${b.id} are equal`);
      const lines = differ.flatMap((name) => comparedLines(name, plainText(a[name]), plainText(b[name]), width - 1));
      show(new LinesOverlay(`${a.id} | ${b.id}  differences`, lines));
    });
  }

  /** `/`: filters the list; searches the console. */
  #editFilter(): void {
    const { console, consoles, questions, show, say } = this.app;
    const pane = this.#focus;
    if (pane === console) return consoles.search();
    if (!isFiltered(pane)) return say("nothing to filter here");
    show(
      new TextOverlay({
        sign: "/",
        text: pane.filterText,
        history: this.#filterHistory,
        changed: (text) => {
          pane.setFilter(text);
          questions.ask(pane);
          const error = pane.filterError;
          return error && markedLine("/", text, error);
        },
        accept: (text) => {
          // The rows are still those of the last good one.
          if (pane.filterError) say(`/${text}: ${pane.filterError.message}`, "bad");
        },
        leave: () => {
          pane.setFilter("");
          questions.ask(pane);
        },
      }),
    );
  }

  /** Asks for a file, and writes the rows of the list that are shown to it. */
  #exportRows(): void {
    const { say, show, toFile } = this.app;
    this.#onTable((pane) => {
      const { rows } = pane;
      if (rows.length === 0) return say("the list is empty");
      const accept = (name: string) => toFile(name, rows.map((row) => `${JSON.stringify(row)}\n`).join(""), `${rows.length} rows`);
      show(new TextOverlay({ sign: "write the rows to: ", text: `el2-${pane.name}.ndjson`, accept }));
    });
  }
}
