// The application's surroundings, and its options.

import type { Guide } from "./guide/guide.ts";
import type { Start } from "./start/other-sessions.ts";
import type { RunCommand } from "./doing/own-commands.ts";
import type { OwnProgram } from "./services/own-program.ts";
import type { Profiler } from "./doing/profiles.ts";
import type { Fork } from "./doing/time-menu.ts";
import type { UiState } from "./services/ui-state.ts";
import type { LookWish } from "../look/theme.ts";
import type { Books } from "../screens/books.ts";
import type { FileCommand } from "../../configuration/keys/commands.ts";
import type { LinkedScreens } from "../../../model/commands/link.ts";
import type { Request } from "../../../model/protocol/protocol.ts";

/** The application's requests to its surroundings. */
export interface AppPort {
  send(request: Request): void;
  /** State changed: draw; `urgent` answers a key. */
  changed(urgent: boolean): void;
  /** Requests a frame after this many ms, when something disappears by itself. */
  later(ms: number): void;
  /** The user wants to quit. */
  leave(): void;
  /** The whole screen must be drawn again. */
  redraw(): void;
  /** Puts a text on the user's clipboard. */
  copy(text: string): void;
  /** Shows a notice of the desktop to a user whose terminal does not have the focus. */
  notify(text: string): void;
  /** Writes a text to a file in the folder where el2 runs; says where, or why not. */
  save(name: string, text: string): Promise<{ readonly path: string } | { readonly error: string }>;
  /** Goes to the shell until the user returns. */
  suspend(): void;
  /** Turns reports of the mouse on or off. */
  mouse(on: boolean): void;
  /** Tries to reach a lost session again, now. */
  reconnect(): void;
  /** Shows another session instead of this one. */
  visit(name: string): void;
  /** Shows the start screen, to choose what is shown. */
  choose(): void;
}

/** How the application behaves. */
export interface AppOptions extends LookWish {
  readonly title: string;
  readonly readOnly?: boolean;
  /** Keys by action name, instead of the table's. */
  readonly keys?: Readonly<Record<string, string>>;
  /** Columns of lists, in their order, by the name of their table; the table's own by default. */
  readonly columns?: Readonly<Record<string, readonly string[]>>;
  /** Folder of the console logs. */
  readonly logs?: string;
  /** File for the last messages of the session's process. */
  readonly log?: string;
  /** The state of the screens when the user quit last. */
  readonly state?: UiState;
  /** The key of the screen at the start when there is no `state`. */
  readonly layout?: string;
  /** Histories advance by themselves; otherwise only when a key is pressed. */
  readonly motion?: boolean;
  readonly fork?: Fork;
  readonly start?: Start;
  /** First message of the message row. */
  readonly greeting?: string;
  readonly program?: OwnProgram;
  readonly profiler?: Profiler;
  /** The user's programs, and how one is started. */
  readonly commands?: readonly FileCommand[];
  readonly runCommand?: RunCommand;
  readonly books?: Books;
  /** A recording is run again. */
  readonly replay?: boolean;
  /** Absolute path of the recording that the session replays or writes. */
  readonly recording?: string;
  /** The address of the page with these screens, in a browser: links lead there. */
  readonly address?: string;
  /** The screens of a link, shown first. */
  readonly linked?: LinkedScreens;
  /** A tour of the screens. */
  readonly guide?: Guide;
  /** Wall time in ms; the process's by default. */
  readonly clock?: () => number;
}
