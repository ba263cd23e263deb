// The first frame of a session, drawn before its machine can answer and before most of the program
// is loaded: so this imports little.

import { drawBlank } from "../../panes/blank.ts";
import { Screen } from "../../terminal/cells.ts";
import type { ColorDepth } from "../../terminal/color.ts";
import { drawScreen } from "./frame.ts";
import type { StateWord } from "./frame-state.ts";
import { hintsOf } from "./hints.ts";
import { Keymap } from "../../actions/keymap.ts";
import { SCREENS } from "../../actions/screen-table.ts";
import type { Pane } from "../../panes/pane.ts";
import { lookFor, type LookWish } from "../../look/theme.ts";

/** Facts about a session before it answers. */
interface OpeningContent {
  readonly title: string;
  /** The awaited event, as a sentence. */
  readonly awaited: string;
  /** The key of the screen that will be shown. */
  readonly screen?: string;
  readonly readOnly?: boolean;
  readonly state?: StateWord;
  /** Keys by action name, instead of the table's. */
  readonly keys?: Readonly<Record<string, string>>;
}

/** Draws the frame; the returned screen knows it as what the terminal shows. */
export function openingFrame(
  { columns, rows }: { readonly columns: number; readonly rows: number },
  wish: LookWish & { readonly depth: ColorDepth },
  { title, awaited, screen: key = SCREENS[0].key, readOnly = false, state = "LIVE", keys }: OpeningContent,
): { readonly screen: Screen; readonly frame: string } {
  const screen = new Screen(columns, rows, wish.depth);
  const body: Pane = {
    name: "opening",
    bare: true,
    selection: undefined,
    page: 1,
    title: () => ({ text: title }),
    queries: () => undefined,
    receive() {},
    move() {},
    click: () => false,
    spoken: () => [{ parts: [awaited] }],
    draw: (screen, area, look) => drawBlank(screen, look, area, { kind: "empty", what: awaited }),
  };
  const nothing = {
    frozen: undefined,
    lost: undefined,
    sample: undefined,
    speed: undefined,
    mips: undefined,
    past: undefined,
    instructionsSince: 0,
    timeline: undefined,
  };
  drawScreen(screen, lookFor(wish, wish.depth), {
    ...nothing,
    title,
    screen: key,
    readOnly,
    dropped: 0,
    newReasons: 0,
    focus: body,
    away: false,
    typing: false,
    state,
    hints: hintsOf(new Keymap(keys), "lists", key, { readOnly }),
    overlay: undefined,
    message: undefined,
    guide: undefined,
  }, (area) => [{ pane: body, area }]);
  return { screen, frame: screen.frame() };
}
