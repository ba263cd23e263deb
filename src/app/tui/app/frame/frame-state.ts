// The content of the frame around a screen.

import type { ShownSpeed } from "../../look/numbers.ts";
import type { MachineSample } from "../../../../model/protocol/protocol.ts";
import type { Pane } from "../../panes/pane.ts";
import type { GuideView } from "../guide/guide.ts";
import type { Hint } from "./hints.ts";
import type { Message } from "./messages.ts";
import type { Overlay } from "../overlays/overlay.ts";
import type { Timeline } from "./scrubber.ts";

/** A session whose connection is gone. */
export interface LostState {
  readonly message: string;
  readonly seconds: number;
  /** The next try to reach it: its number, and seconds until then. */
  readonly next: { readonly number: number; readonly seconds: number };
}

/** The machine's state, in a word. */
export type StateWord = "LIVE" | "REPLAY" | "PAUSED" | "PAST" | "ENDED" | "LOST";

/** The content of the frame. */
export interface FrameState {
  readonly title: string;
  /** Key of the screen that is shown. */
  readonly screen: string;
  readonly state: StateWord;
  readonly readOnly: boolean;
  /** How much came since the display was frozen. */
  readonly frozen: number | undefined;
  readonly lost: LostState | undefined;
  readonly sample: MachineSample | undefined;
  /** Virtual time over wall time. */
  readonly speed: number | undefined;
  /** Guest instructions per second. */
  readonly mips: ShownSpeed;
  readonly dropped: number;
  readonly newReasons: number;
  /** Virtual time (ns) from the place that is shown to the present, in the past. */
  readonly past: number | undefined;
  /** Instructions of all guests from there to the present, as far as they are known. */
  readonly instructionsSince: number;
  readonly timeline: Timeline | undefined;
  readonly focus: Pane;
  /** The terminal does not have the focus. */
  readonly away: boolean;
  /** Keys go to a guest. */
  readonly typing: boolean;
  readonly hints: readonly Hint[];
  readonly overlay: Overlay | undefined;
  readonly message: Message | undefined;
  /** The step of a tour. */
  readonly guide: GuideView | undefined;
}
