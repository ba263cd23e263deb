// The profile of the run as a flame graph, instead of the body: vi keys, arrows and clicks select a
// box, Enter zooms into it, Backspace and Esc zoom out, `v` shows the next view.

import type { OverlayAction } from "../../actions/actions.ts";
import { drawFrame } from "../../look/box.ts";
import { countText, durationText, shareText } from "../../look/numbers.ts";
import { keyPieces, type Piece } from "../../look/pieces.ts";
import { type SpokenLine, spokenPieces, type SpokenSize } from "../../look/speech.ts";
import type { Look } from "../../look/theme.ts";
import { type FlameBox, flameBoxes, type FlameFrame } from "../../panes/flame.ts";
import type { Line } from "../../panes/pane.ts";
import { drawLine } from "../../panes/text-pane.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import type { Key } from "../../terminal/keys.ts";
import type { Overlay } from "./overlay.ts";
import { fit, textWidth } from "../../../../kit/support/text/text-width.ts";

/** A profile, and what its boxes are. */
export interface ShownProfile {
  /** `function`, `line`, `process` or `wait`. */
  readonly by: string;
  /** The unit of weights: `samples`, `instructions`, or `ns` of virtual time. */
  readonly unit: string;
  readonly root: FlameFrame;
}

/** Effects of the keys. */
interface FlameWays {
  /** Counts for the next view. */
  readonly next: () => void;
  /** Cancels that; says whether it was being done. */
  readonly cancel: () => boolean;
}

/** Rows about the selected box, below the graph. */
const ABOUT = 2;

export class FlameOverlay implements Overlay {
  readonly context = "help";
  readonly whole = true;
  readonly cursor = undefined;
  /** How far the next view is. */
  progress: string | undefined;
  #profile: ShownProfile;
  /** From the root to the frame that has all columns. */
  #path: readonly FlameFrame[];
  /** From the root to the selected frame. */
  #selected: readonly FlameFrame[];
  #columns = 80;
  #top = 0;
  /** The cells of the first row that is shown, and how many rows are. */
  #first = { x: 0, y: 0, rows: 0 };

  constructor(profile: ShownProfile, readonly ways: FlameWays) {
    this.#profile = profile;
    this.#path = this.#selected = [profile.root];
  }

  get by(): string {
    return this.#profile.by;
  }

  get prompt(): Line {
    if (this.progress !== undefined) return { text: `${this.progress}; ctrl-c cancels`, role: "dim" };
    return { text: "h j k l select; v: by function, line, process, wait", role: "dim" };
  }

  /** Shows another profile. */
  show(profile: ShownProfile): void {
    this.#profile = profile;
    this.#path = this.#selected = [profile.root];
    this.#top = 0;
  }

  key(key: Key, action: OverlayAction | undefined): boolean {
    const { name } = key;
    if (action?.name === "cancel") return this.progress !== undefined && this.ways.cancel();
    if (name === "Backspace" || name === "Esc") return this.#out() || name === "Backspace";
    if (name === "Enter") this.#path = this.#selected;
    else if (name === "v") this.ways.next();
    else if (name === "j" || name === "Down") this.#down(true);
    else if (name === "k" || name === "Up") this.#down(false);
    else if (name === "h" || name === "Left") this.#aside(-1);
    else if (name === "l" || name === "Right") this.#aside(1);
    else if (name === "g" || name === "Home") this.#selected = this.#path;
    else if (action?.name === "help.leave") return false;
    return true;
  }

  /** Selects the box there; a click on the selected one zooms into it. */
  click(x: number, y: number): boolean {
    const { x: left, y: top, rows } = this.#first, row = y - top + this.#top, column = x - left;
    if (y < top || y >= top + rows) return true;
    const box = this.#boxes().find((one) => one.row === row && column >= one.x && column < one.x + one.width);
    if (box?.frame === this.#frame) this.#path = this.#selected;
    else this.#to(box);
    return true;
  }

  /** To callees, or back to callers. */
  scroll(rows: number): void {
    for (let left = Math.abs(rows); left > 0; left--) this.#down(rows > 0);
  }

  #down(isDown: boolean): void {
    if (isDown) this.#to(this.#boxes().find((box) => box.parent?.frame === this.#frame));
    else if (this.#selected.length > 1) this.#selected = this.#selected.slice(0, -1);
  }

  get #frame(): FlameFrame {
    return this.#selected.at(-1) ?? this.#profile.root;
  }

  /** Zooms out to the caller; says whether that was possible. */
  #out(): boolean {
    if (this.#path.length < 2) return false;
    this.#selected = this.#path;
    this.#path = this.#path.slice(0, -1);
    return true;
  }

  #boxes(): FlameBox[] {
    return flameBoxes(this.#path, this.#columns);
  }

  /** Selects a box below the selected one, or beside it in its row. */
  #to(box: FlameBox | undefined): void {
    if (!box) return;
    const path: FlameFrame[] = [];
    for (let next: FlameBox | undefined = box; next; next = next.parent) path.unshift(next.frame);
    this.#selected = path;
  }

  /** Selects the box at the left or the right of the selected one. */
  #aside(by: number): void {
    const boxes = this.#boxes(), here = boxes.find(({ frame }) => frame === this.#frame);
    if (!here) return;
    const row = boxes.filter((box) => box.row === here.row).sort((a, b) => a.x - b.x);
    this.#to(row[row.indexOf(here) + by]);
  }

  draw(screen: Screen, area: Rectangle, look: Look): void {
    const { by, unit, root } = this.#profile;
    screen.fill(area, "overlay");
    const keys = [
      ...keyPieces("Enter", "zoom  "),
      ...keyPieces("Backspace", "out  "),
      ...keyPieces("v", "view  "),
      ...keyPieces("Esc", "close"),
    ];
    const inside = drawFrame(screen, look, area, {
      text: "Flame graph",
      detail: `by ${by}`,
      count: amountText(root.weight, unit),
      bottom: keys,
    }, { boxed: true, kind: "focused", focus: true });
    if (root.callees.length === 0) return void screen.text(inside.x + 1, inside.y, nothingText(by), look.style("dim"));
    this.#columns = inside.width - 2;
    const rows = Math.max(inside.height - ABOUT - 1, 1), boxes = this.#boxes(), at = this.#selected.length - 1;
    // The selected row stays in sight.
    this.#top = Math.max(Math.min(this.#top, at), at - rows + 1, 0);
    this.#first = { x: inside.x + 1, y: inside.y, rows };
    for (const box of boxes) {
      const y = box.row - this.#top;
      if (y >= 0 && y < rows) this.#drawBox(screen, look, { x: inside.x + 1 + box.x, y: inside.y + y, width: box.width, height: 1 }, box);
    }
    this.#about(look).slice(0, ABOUT).forEach((line, row) =>
      drawLine(screen, look, { ...inside, y: inside.y + inside.height - ABOUT + row, height: 1 }, line)
    );
  }

  /** A box in the hue of its VM; its neighbors are lighter or darker, so that each has an edge. */
  #drawBox(screen: Screen, look: Look, area: Rectangle, { frame, vm, row, index }: FlameBox): void {
    const isSelected = frame === this.#frame, edge = look.letters ? "|" : "▏";
    const name = fit(frame.name, area.width - 1), text = `${edge}${name}${" ".repeat(Math.max(area.width - 1 - textWidth(name), 0))}`;
    const mark = vm === undefined ? undefined : look.vm(vm);
    const style = isSelected
      ? look.on("accent", "ink", true)
      : !mark
      ? look.on("raised", "strong", true)
      : (row + index) % 2 === 0
      ? look.on(mark.fill, "fink")
      : look.on("raised", mark.ink);
    screen.text(area.x, area.y, isSelected && look.letters ? `>${text.slice(1)}` : text, style);
  }

  /** The selected frame in words: its callers, and its shares. */
  #about(look: Look): Line[] {
    const { root, unit } = this.#profile, frame = this.#frame, names = this.#selected.slice(1).map(({ name }) => name);
    const own = frame.weight - frame.callees.reduce((sum, { weight }) => sum + weight, 0);
    const share = (weight: number) => shareText(weight / Math.max(root.weight, 1));
    const pieces: Piece[] = [
      { text: share(frame.weight), role: "strong", bold: true },
      { text: " of all  ", role: "dim" },
      { text: amountText(frame.weight, unit) },
      ...own > 0 && own < frame.weight ? [{ text: "  itself ", role: "dim" } as const, { text: share(own) }] : [],
    ];
    return [{ text: names.join(look.letters ? " > " : " › ") || "all VMs", role: "link" }, { text: "", pieces }];
  }

  spoken(_look: Look, { height }: SpokenSize): readonly SpokenLine[] {
    const { by, unit, root } = this.#profile, frame = this.#frame;
    const lines = [...frame.callees].slice(0, Math.max(height - 2, 0)).map(({ name, weight }) =>
      spokenPieces([{ text: `${name}  ${shareText(weight / Math.max(root.weight, 1))}` }])
    );
    return [{ parts: [`Flame graph by ${by}`, frame.name, amountText(frame.weight, unit)] }, ...lines];
  }
}

/** A weight with its unit. */
const amountText = (weight: number, unit: string): string => unit === "ns" ? durationText(weight) : `${countText(weight)} ${unit}`;

/** Why there is no box. */
function nothingText(by: string): string {
  if (by === "line") return "No VM has debug information, so no line is known: give an ELF file built with -g.";
  return by === "process" ? "No VM has a Linux whose processes are known." : "Nothing was executed.";
}
