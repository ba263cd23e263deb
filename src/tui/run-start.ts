// Shows the start screen on a terminal until the person has chosen.

import { Screen } from "./cells.ts";
import type { ColorDepth } from "./color.ts";
import { ESCAPE_WAIT, type Key, KeyParser } from "./keys.ts";
import { type StartChoice, type StartOffers, StartScreen } from "./start-screen.ts";
import { FramePump, TerminalMode, type TerminalPort } from "./terminal.ts";
import { Look } from "./theme.ts";
import { findTheme, type Theme, themeOf } from "./themes.ts";

/** How the screen looks. */
export interface StartLook {
  readonly depth: ColorDepth;
  readonly ascii?: boolean;
  readonly blocks?: boolean;
  readonly theme?: string;
  readonly themes?: readonly Theme[];
  readonly bright?: boolean;
  readonly painted?: boolean;
}

/** What the person has chosen; a terminal that goes away has chosen to leave. */
export async function runStart(port: TerminalPort, offers: StartOffers, options: StartLook): Promise<StartChoice> {
  const { depth, ascii, blocks, theme, themes, bright, painted } = options;
  const look = new Look({
    theme: findTheme(theme ?? "", themes) ?? themeOf(bright ? "light" : "dark"),
    depth,
    glyphs: ascii ? "ascii" : blocks ? "blocks" : "full",
    painted: painted ?? true,
  });
  const { columns, rows } = port.size();
  const screen = new Screen(columns, rows, depth), view = new StartScreen(offers), mode = new TerminalMode(port, false);
  const pump = new FramePump(port, () => {
    view.draw(screen, look);
    return screen.frame();
  }, false);
  const endResize = port.onResize(() => {
    const size = port.size();
    screen.resize(size.columns, size.rows);
    pump.request(true);
  });
  const chosen = Promise.withResolvers<StartChoice>();
  const take = ({ name }: Key) => {
    if (name === "ctrl-l") screen.invalidate();
    const choice = view.key(name);
    if (choice) chosen.resolve(choice);
    else pump.request(true);
  };
  try {
    await mode.enter();
    pump.open();
    return await Promise.race([chosen.promise, readKeys(port, take).then((): StartChoice => ({ kind: "leave" }))]);
  } finally {
    pump.close();
    endResize();
    await mode.leave();
  }
}

/** Feeds keys; ends with the input. */
async function readKeys(port: TerminalPort, take: (key: Key) => void): Promise<void> {
  const parser = new KeyParser();
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const bytes of port.input) {
    clearTimeout(timer);
    for (const key of parser.push(bytes)) take(key);
    // A lone Esc is one once nothing follows.
    if (parser.waiting) timer = setTimeout(() => parser.flush().forEach(take), ESCAPE_WAIT);
  }
}
