// All actions: those of the table, and one for each screen, which shows it.

import { ACTION_ROWS, type ActionRow, type Context, type NameIn, type OverlayContext } from "./action-table.ts";
import { type ScreenEntry, type ScreenName, SCREENS } from "./screen-table.ts";

export type { Context, OverlayContext } from "./action-table.ts";

/** Contexts whose actions the application performs. */
type AppContext = Exclude<Context, OverlayContext>;

/** An action of the table. */
interface ActionIn<C extends Context> extends ActionRow {
  readonly name: NameIn<C>;
  readonly context: C;
}

/** The action that shows a screen. */
interface ScreenAction extends ActionRow {
  readonly name: `screen.${ScreenName}`;
  readonly context: "lists";
  readonly screen: ScreenEntry;
}

/** The actions by their context. */
export type ActionsOf = { readonly [C in Context]: C extends "lists" ? ScreenAction | ActionIn<C> : ActionIn<C> };
export type Action = ActionsOf[Context];
export type ActionName = Action["name"];
/** An action that the application performs. */
export type AppAction = ActionsOf[AppContext];
/** An action that a key means while something lies over a screen. */
export type OverlayAction = ActionsOf[OverlayContext | "everywhere"];

/** One for each screen, which come first in the help, and those of the table. */
export const ACTIONS: readonly Action[] = [
  ...SCREENS.map((screen): ScreenAction => ({
    name: `screen.${screen.name}`,
    context: "lists",
    keys: [screen.key],
    help: screen.help,
    screen,
  })),
  ...ACTION_ROWS,
];

/** Titles of the contexts in the help. */
export const CONTEXT_TITLES: Readonly<Record<Context, string>> = {
  lists: "screens and lists",
  window: "sizes of panes, after ctrl-w",
  everywhere: "everywhere except in a console",
  console: "console: all keys go to the guest except",
  prefix: "console, after ctrl-]",
  help: "help",
  menu: "menus",
  text: "while typing",
};
