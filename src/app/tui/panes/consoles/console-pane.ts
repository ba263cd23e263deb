// The pane that shows one of the guests' consoles.

import type { Rectangle, Screen } from "../../terminal/cells.ts";
import { ConsoleView } from "./console-view.ts";
import { MergedConsoles } from "./merged-consoles.ts";
import type { Title } from "../../look/box.ts";
import type { Pane, PaneState } from "../pane.ts";
import { consoleOf } from "../../../../model/queries/ids.ts";
import { keyPieces, type Piece } from "../../look/pieces.ts";
import { type SpokenLine, type SpokenSize } from "../../look/speech.ts";
import type { Look } from "../../look/theme.ts";

/** All consoles, one of them shown. */
export class ConsolePane implements Pane {
  readonly name = "console";
  readonly selection = undefined;
  readonly #views = new Map<string, ConsoleView>();
  readonly #merged: MergedConsoles;
  #shown = "";
  #height = 1;
  /** Keys go to the guest. */
  typing = false;
  /** An earlier place of the run is shown. */
  past = false;
  /** Consoles as they were at that place. */
  #then: ReadonlyMap<string, ConsoleView> = new Map();

  /**
   * @param prefix the key that takes the keys back from a guest
   * @param changed called when an emulator has taken in output
   * @param answer answers of an emulator to its guest
   */
  constructor(readonly prefix: string, readonly changed: () => void, readonly answer: (console: string, bytes: Uint8Array) => void) {
    this.#merged = new MergedConsoles(changed);
  }

  /** Name of the console that is shown; empty while there is none. */
  get shown(): string {
    return this.#shown;
  }

  /** The shown console; undefined without one. */
  get view(): ConsoleView | undefined {
    return this.#merged.view ?? this.#then.get(this.#shown) ?? this.#views.get(this.#shown);
  }

  /** Whether all consoles are shown in one. */
  get all(): boolean {
    return this.#merged.view !== undefined;
  }

  /** Shows all consoles in one, or one of them. */
  showAll(all: boolean): void {
    this.#merged.look(all);
  }

  /** The console of that name, or of the VM of that name; undefined if there is none. */
  of(name: string): string | undefined {
    return consoleOf(name, [...this.#views.keys()]);
  }

  /** Shows the console of that name, if it exists. */
  show(name: string): void {
    if (!this.#views.has(name)) return;
    this.#shown = name;
    this.showAll(false);
  }

  /** Shows a console where one is shown and not all. */
  prefer(name: string): void {
    if (this.#views.has(name)) this.#shown = name;
  }

  /** Output of a console; `taken` is called when its emulator is done with it. */
  write(name: string, bytes: Uint8Array, taken: () => void): void {
    this.open(name).write(bytes, taken);
    this.#merged.write(name, bytes);
  }

  /** Shows consoles as they were at an earlier place of the run; as they are without one. */
  rewind(tails: readonly { readonly console: string; readonly bytes: Uint8Array }[] | undefined): void {
    const shown = new Map(tails?.map(({ console, bytes }) => [console, bytes]));
    // A console that had shown nothing yet is empty.
    const names = tails ? [...this.#views.keys()] : [];
    this.#then = new Map(names.map((name) => {
      const view = new ConsoleView(name, this.changed, () => {});
      view.write(shown.get(name) ?? new Uint8Array(0));
      return [name, view];
    }));
  }

  /** Some time has passed. */
  settle(): void {
    this.#merged.settle();
  }

  /** Shows the console that is `by` places further on. */
  cycle(by: number): void {
    this.showAll(false);
    const names = [...this.#views.keys()];
    if (names.length) this.#shown = names[(names.indexOf(this.#shown) + by + names.length) % names.length];
  }

  /** The view of a console, made where it is new. */
  open(name: string): ConsoleView {
    let view = this.#views.get(name);
    if (!view) {
      view = new ConsoleView(name, this.changed, (bytes) => this.answer(name, bytes));
      this.#views.set(name, view);
      this.#merged.add(name);
      this.#shown ||= name;
    }
    return view;
  }

  /** The console's name, and the position of its view or the receiver of the keys. */
  title(): Title {
    const { view } = this;
    if (!view) return { text: "Console", right: [[{ text: "no console yet" }]] };
    const about: Title = this.all ? { text: "Consoles", count: "all" } : { text: "Console", vm: view.name };
    if (this.typing) return { ...about, right: [[{ text: " KEYS GO TO THE GUEST ", role: "ink", fill: "ok", bold: true }]] };
    const { back, unseen } = view.position;
    if (this.past && back === 0) {
      const text = this.#then.size && !this.all ? "as it was then" : "output up to now, not only until then";
      return { ...about, right: [[{ text, role: "dim" }]] };
    }
    if (back === 0) return { ...about, right: [[{ text: "● ", role: "ok" }, { text: "follows", role: "dim" }]] };
    const away: Piece[] = [{ text: `${back} rows back`, role: "dim" }];
    const follow: Piece[] = [{ text: `${unseen} new, `, role: "dim" }, ...keyPieces("G", "follows")];
    return { ...about, right: [away, follow] };
  }

  /** It asks nothing of the session: output comes by itself. */
  queries(): undefined {
    return undefined;
  }

  /** No answers come, as it asks nothing. */
  receive(): void {}

  /** Scrolls by this many lines, down where positive. */
  move(by: number): void {
    this.view?.scroll(-by);
  }

  /** Nothing of a console can be chosen. */
  click(): boolean {
    return false;
  }

  /** Lines that a page has: as many as were drawn last. */
  get page(): number {
    return this.#height;
  }

  /** Draws the console that is shown, with its cursor where the keys go to the guest. */
  draw(screen: Screen, area: Rectangle, _look: Look, { boxed, past }: PaneState): void {
    this.#height = area.height;
    const inside = boxed ? { ...area, x: area.x + 1, width: Math.max(area.width - 2, 1) } : area;
    this.view?.draw(screen, inside, this.typing);
    if (past) screen.stain(inside, "dim");
  }

  /** The guest's text, as it is. */
  spoken(_look: Look, { width, height }: SpokenSize): readonly SpokenLine[] {
    this.#height = height;
    this.view?.resize(width, height);
    const lines = this.view?.text(true).split("\n").map((line) => line.trim().replaceAll(/\s+/g, " ")) ?? [];
    return lines.filter((line) => line !== "").map((line) => ({ parts: [line] }));
  }
}
