// Chips: a word on a fill; and states of VMs and vCPUs as a shape and a word.

import type { Screen } from "../terminal/cells.ts";
import type { Shape } from "../terminal/glyphs.ts";
import { VCPU_STATES, VM_STATES } from "../../../model/queries/state-words.ts";
import type { Look, Role } from "./theme.ts";

/** Draws ` TEXT ` on a fill; gives the columns used. */
export function drawChip(screen: Screen, look: Look, x: number, y: number, text: string, fill: Role): number {
  return screen.text(x, y, ` ${text} `, look.on(fill, "ink", true));
}

/** Appearance of a state. */
interface StateMark {
  readonly shape: Shape;
  readonly word: string;
  readonly ink: Role;
}

const WORDS: Readonly<Record<string, string>> = { ...VM_STATES, ...VCPU_STATES };

/** Shapes and inks of states of vCPUs, and of VMs, by the words of samples and tables. */
const MARKS: Readonly<Record<string, readonly [shape: Shape, ink: Role]>> = {
  run: ["runs", "ok"],
  running: ["runs", "ok"],
  ready: ["ready", "ok"],
  wfi: ["waits", "dim"],
  suspend: ["suspended", "dim"],
  off: ["off", "dim"],
  vmmio: ["proxy", "warn"],
  proxy: ["proxy", "warn"],
  migrate: ["ready", "dim"],
  new: ["new", "dim"],
  init: ["new", "dim"],
  exited: ["ended", "dim"],
  reset: ["ended", "dim"],
  killed: ["fault", "bad"],
  fault: ["fault", "bad"],
  failed: ["fault", "bad"],
  init_failed: ["fault", "bad"],
};

/** Appearance of a state, by its name in samples and tables. */
export function stateMark(state: string): StateMark {
  const name = state.toLowerCase(), [shape, ink] = MARKS[name] ?? ["off", "dim"];
  return { shape, word: WORDS[name] ?? name.replaceAll("_", " "), ink };
}
