// Users' actions on consoles: typing, scrolling, searching.

import type { AppServices } from "../services/app-services.ts";
import { TextOverlay } from "../overlays/overlay.ts";
import { CONSOLE } from "../../../../model/commands/consoles.ts";
import { vmId, vmIn, withKind } from "../../../../model/queries/ids.ts";
import type { GroupHandlers } from "../../actions/action-handlers.ts";
import { screenOf } from "../../actions/screen-table.ts";
import { problemText } from "../../../../kit/support/problem.ts";

/** The consoles' actions of an application. */
export class ConsoleActions {
  #search: { readonly text: string; readonly by: number } | undefined;

  readonly handlers = {
    "console.enter": () => this.#enter(),
    "console.all": () => this.#all(),
    "console.next": () => this.#next(1),
    "console.previous": () => this.#next(-1),
    "console.show-next": () => this.app.console.cycle(1),
    "console.show-previous": () => this.app.console.cycle(-1),
    "console.zoom": () => this.app.windows.zoom(),
    "console.leave": () => this.app.console.typing = false,
    "console.search": () => this.search(),
    "console.break": () => void this.#sendBreak(),
    "console.scroll": () => this.#scroll(),
  } satisfies GroupHandlers;

  constructor(readonly app: AppServices) {}

  /** The console pane shows that of the VM that is selected in the tree, if it has one. */
  preferSelected(): void {
    const { tree, console } = this.app;
    const name = tree.selectedVm?.console;
    if (name !== undefined) console.prefer(name);
  }

  /** Keys go to the console of what is selected. */
  #enter(): void {
    const { windows: { focus }, console, tree } = this.app;
    // Unless the user has chosen a VM, keys go to the visible console: early samples do not name
    // consoles yet.
    const unchosen = focus === console || focus === tree && !tree.chosen;
    const selected = unchosen ? undefined : focus.selection;
    const { id, vm: owner } = selected?.row ?? { id: "", vm: null };
    const vm = vmIn(id) ?? (typeof owner === "string" ? vmIn(owner) : undefined);
    this.typeInto(vm ?? console.shown);
  }

  /** Shows all consoles in one; or one of them again. */
  #all(): void {
    this.showAll(!this.app.console.all);
  }

  /** All consoles in one pane, or one. */
  showAll(all: boolean): void {
    const { windows, console } = this.app;
    windows.show(screenOf("con").key);
    console.showAll(all);
    windows.focusOn(console);
    this.#search = undefined;
  }

  /** Keys go to the console of a VM. */
  typeInto(vm: string): void {
    const { windows, console, readOnly, ended, say } = this.app;
    if (ended()) return say("the session has ended; q quits");
    if (readOnly) return say("read-only: cannot type");
    if (vm === "") return say("no VM is selected");
    const name = console.of(vm);
    if (name === undefined) return say(`${vmId(vm)} has no console`);
    windows.show(screenOf("con").key);
    console.show(name);
    windows.focusOn(console);
    console.typing = true;
    console.view?.follow();
  }

  /** A break on the line of the console that is shown; keys still go there. */
  async #sendBreak(): Promise<void> {
    const { steps, console: { shown }, say, changed } = this.app;
    const error = await steps.run(CONSOLE, { vm: shown, break: true });
    if (error === undefined) say(`a break was sent to ${withKind("con", shown)}`);
    else say(problemText(error), "refused");
    changed();
  }

  /** Takes the keys back and scrolls. */
  #scroll(): void {
    this.#leave();
    this.app.console.view?.scroll(1);
  }

  /** Searches the scrollback. */
  search(): void {
    this.#leave();
    this.app.show(
      new TextOverlay({
        sign: "search: ",
        accept: (text) => {
          this.#search = text ? { text, by: 0 } : undefined;
          this.#showMatch();
        },
      }),
    );
  }

  /** `n`, `N`: the next match of a search, else the next console. */
  #next(by: number): void {
    const { windows, console } = this.app;
    if (!this.#search || windows.focus !== console) return console.cycle(by);
    this.#search = { ...this.#search, by: this.#search.by + by };
    this.#showMatch();
  }

  /** Follows again, without a search. */
  follow(): void {
    this.app.console.view?.follow();
    this.#search = undefined;
  }

  #leave(): void {
    const { windows, console } = this.app;
    console.typing = false;
    windows.focusOn(console);
  }

  #showMatch(): void {
    if (!this.#search) return;
    const { text, by } = this.#search;
    const found = this.app.console.view?.search(text, by);
    this.app.say(
      found ? `"${text}" ${found.shown} of ${found.count}   n older  N newer  G follows` : `"${text}" is not in the scrollback`,
    );
  }
}
