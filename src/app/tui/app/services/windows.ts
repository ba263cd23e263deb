// The shown screen, the focused pane, and the zoomed pane.

import type { Divider } from "../../screens/divider.ts";
import type { Pane } from "../../panes/pane.ts";
import type { Body, Placed, ScreenModel } from "../../screens/screen-model.ts";

/** The screens, one of which is shown. */
export class Windows {
  #screen: ScreenModel;
  #zoomed = false;
  /** The rows that the visible panes needed when they were placed. */
  #placedFor = "";
  #visible: readonly Placed[] = [];
  #body: Body = { x: 0, y: 0, width: 0, height: 0 };
  readonly #focused = new Map<ScreenModel, Pane>();

  /** @param changed called when other panes are visible than before: they have to be asked for */
  constructor(readonly screens: readonly ScreenModel[], readonly changed: () => void) {
    this.#screen = screens[0];
  }

  get screen(): ScreenModel {
    return this.#screen;
  }

  /** The pane that has the keys. */
  get focus(): Pane {
    return this.#focused.get(this.#screen) ?? this.#screen.panes[0];
  }

  /** Panes with their places, as they were last placed. */
  get visible(): readonly Placed[] {
    return this.#visible;
  }

  get zoomed(): boolean {
    return this.#zoomed;
  }

  /** Panes have boxes; otherwise rules. */
  get boxed(): boolean {
    return this.#body.boxed ?? false;
  }

  /** Columns of the body. */
  get width(): number {
    return this.#body.width;
  }

  /** Shows a screen by its key. */
  show(key: string): void {
    const screen = this.screens.find((one) => one.key === key);
    if (!screen || screen === this.#screen) return;
    this.#screen = screen;
    this.#zoomed = false;
    this.#arrange();
    this.changed();
  }

  /** Gives the keys to a pane. */
  focusOn(pane: Pane): void {
    this.#focused.set(this.#screen, pane);
    this.#arrange();
    this.changed();
  }

  /** Focuses the next pane. In a low terminal some are hidden until then. */
  cycle(by: number): void {
    const panes = this.#screen.panes.filter((pane) => !this.#isOtherView(pane));
    const at = panes.indexOf(this.focus);
    this.focusOn(panes[(at + by + panes.length) % panes.length]);
  }

  /** Gives the focused pane the whole body, or takes it back. */
  zoom(): void {
    this.#zoomed = !this.#zoomed;
    this.#arrange();
    this.changed();
  }

  /**
   * Shows the next view of the focused pane, or of those next to it; false if there is only one.
   */
  nextView(): boolean {
    const { focus } = this;
    const views = this.#screen.views.find((one) => one.includes(focus)) ?? this.#screen.views[0];
    if (!views || views.length < 2) return false;
    const shown = views.includes(focus) ? focus : views.find((view) => this.#visible.some(({ pane }) => pane === view)) ?? views[0];
    this.focusOn(views[(views.indexOf(shown) + 1) % views.length]);
    // The focus stays; only the views next to it change.
    if (!views.includes(focus)) this.#focused.set(this.#screen, focus);
    return true;
  }

  /** Dividers that have a place. */
  get dividers(): readonly Divider[] {
    return this.#dividers().map(({ divider }) => divider).filter(({ placed }) => placed);
  }

  size(divider: Divider, move: (divider: Divider) => void): void {
    move(divider);
    this.#arrange();
  }

  /** All dividers of what is shown return to their default places. */
  even(): void {
    for (const { divider } of this.#dividers()) divider.share = undefined;
    this.#arrange();
  }

  /** The user's positions of dividers: shares of the first part, by `SCREEN/NAME`. */
  get sizes(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      this.#dividers(this.screens).flatMap(({ name, divider: { share } }): [string, number][] =>
        share === undefined ? [] : [[name, share]]
      ),
    );
  }

  set sizes(sizes: Readonly<Record<string, number>>) {
    for (const { name, divider } of this.#dividers(this.screens)) divider.share = sizes[name];
    this.#arrange();
  }

  /** Dividers of screens, with a place or not. */
  #dividers(screens: readonly ScreenModel[] = [this.#screen]): { readonly name: string; readonly divider: Divider }[] {
    return screens.flatMap(({ key, dividers }) => dividers.map((divider) => ({ name: `${key}/${divider.name}`, divider })));
  }

  /**
   * Whether panes need other rows than when they were placed: their needs are known once they are
   * drawn.
   */
  get crowded(): boolean {
    return this.#needs() !== this.#placedFor;
  }

  #needs(): string {
    return this.#visible.map(({ pane }) => pane.needs ?? "").join();
  }

  /** Places the panes in a body, which may have another size than before. */
  place(body: Body): readonly Placed[] {
    const before = this.#visible.map(({ pane }) => pane);
    this.#body = body;
    this.#arrange();
    this.#placedFor = this.#needs();
    if (this.#visible.length !== before.length || this.#visible.some(({ pane }, index) => pane !== before[index])) {
      queueMicrotask(this.changed);
    }
    return this.#visible;
  }

  /** Until when (`performance.now()`) the oldest mark shown stays; Infinity without marks. */
  get marksUntil(): number {
    return Math.min(...this.#visible.map(({ pane }) => pane.marksUntil ?? Infinity));
  }

  /** A pane of a group of views, another of which is shown. */
  #isOtherView(pane: Pane): boolean {
    const isVisible = (view: Pane) => this.#visible.some((placed) => placed.pane === view);
    return !isVisible(pane) && this.#screen.views.some((views) => views.includes(pane) && views.some(isVisible));
  }

  #arrange(): void {
    if (!this.#body.width) return;
    const { focus } = this;
    for (const { divider } of this.#dividers(this.screens)) divider.remove();
    this.#visible = this.#zoomed ? [{ pane: focus, area: this.#body }] : this.#screen.layout(this.#body, focus);
    if (!this.#visible.some(({ pane }) => pane === focus) && this.#visible[0]) this.#focused.set(this.#screen, this.#visible[0].pane);
  }
}
