// The pane that shows one of the guests' consoles.

import type { Rectangle, Screen } from "./cells.ts";
import { ConsoleView } from "./console-view.ts";
import type { Pane } from "./pane.ts";
import type { Look } from "./theme.ts";

/** All consoles, one of them shown. */
export class ConsolePane implements Pane {
  readonly name = "console";
  readonly selection = undefined;
  readonly #views = new Map<string, ConsoleView>();
  #shown = "";
  #height = 1;
  /** Keys go to the guest. */
  typing = false;

  /**
   * @param changed called when an emulator has taken in output
   * @param answer answers of an emulator to its guest
   */
  /** @param prefix the key that takes the keys back from a guest */
  constructor(readonly prefix: string, readonly changed: () => void, readonly answer: (console: string, bytes: Uint8Array) => void) {}

  /** Name of the console that is shown; empty while there is none. */
  get shown(): string {
    return this.#shown;
  }

  get view(): ConsoleView | undefined {
    return this.#views.get(this.#shown);
  }

  has(name: string): boolean {
    return this.#views.has(name);
  }

  /** Shows a console, if there is one of that name. */
  show(name: string): void {
    if (this.#views.has(name)) this.#shown = name;
  }

  /** Shows the console that stands `by` places on. */
  cycle(by: number): void {
    const names = [...this.#views.keys()];
    if (names.length) this.#shown = names[(names.indexOf(this.#shown) + by + names.length) % names.length];
  }

  /** The view of a console, made where it is new. */
  open(name: string): ConsoleView {
    let view = this.#views.get(name);
    if (!view) {
      view = new ConsoleView(name, this.changed, (bytes) => this.answer(name, bytes));
      this.#views.set(name, view);
      this.#shown ||= name;
    }
    return view;
  }

  title(): string {
    const { view } = this;
    if (!view) return "no console yet";
    return `con:${view.name}  ${this.typing ? `KEYS GO TO THE GUEST  ${this.prefix} then d takes them back` : view.position}`;
  }

  wants(): undefined {
    return undefined;
  }

  take(): void {}

  move(by: number): void {
    this.view?.scroll(-by);
  }

  click(): void {}

  get page(): number {
    return this.#height;
  }

  draw(screen: Screen, area: Rectangle, _look: Look): void {
    this.#height = area.height;
    this.view?.draw(screen, area, this.typing);
  }
}
