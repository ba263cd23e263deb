// Services of the application for each group of actions: its parts, and messages to the user.

import type { ConsolePane } from "../../panes/consoles/console-pane.ts";
import type { Overlay } from "../overlays/overlay.ts";
import type { MessageKind } from "../frame/messages.ts";
import type { Steps } from "./steps.ts";
import type { Questions } from "./questions.ts";
import type { Works } from "./works.ts";
import type { TreePane } from "../../panes/overview/tree-pane.ts";
import type { Windows } from "./windows.ts";
import type { Asker } from "../../../../session/control/asker.ts";
import type { Selected } from "../../../../model/queries/table.ts";

/** Services that every group uses. */
export interface AppServices {
  readonly asker: Asker;
  readonly steps: Steps;
  readonly works: Works;
  readonly windows: Windows;
  readonly questions: Questions;
  readonly tree: TreePane;
  readonly console: ConsolePane;
  readonly readOnly: boolean;
  /** The machine has ended. */
  readonly ended: () => boolean;
  /** An earlier place of the run is shown. */
  readonly past: () => boolean;
  readonly show: (overlay: Overlay) => void;
  readonly say: (text: string, kind?: MessageKind) => void;
  /** Draws again, as an answer has come. */
  readonly changed: () => void;
}

/** The selected row of the focused pane, and its table; shows a message without one. */
export function selectedRow({ windows: { focus }, say }: AppServices): Selected | undefined {
  if (!focus.selection) say("nothing is selected in this pane; Tab focuses the next");
  return focus.selection;
}
