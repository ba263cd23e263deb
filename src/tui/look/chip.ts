// Chips: a word on a fill; and states of VMs and vCPUs as a shape and a word.

import type { Screen } from "../terminal/cells.ts";
import type { Shape } from "../terminal/glyphs.ts";
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

const mark = (shape: Shape, word: string, ink: Role): StateMark => ({ shape, word, ink });

/** States of vCPUs, and of VMs, by the words of samples and tables. */
const STATES: Readonly<Record<string, StateMark>> = {
  run: mark("runs", "runs", "ok"),
  running: mark("runs", "running", "ok"),
  ready: mark("ready", "ready", "ok"),
  wfi: mark("waits", "waits", "dim"),
  wait: mark("waits", "waits", "dim"),
  suspend: mark("suspended", "suspended", "dim"),
  suspended: mark("suspended", "suspended", "dim"),
  off: mark("off", "off", "dim"),
  vmmio: mark("proxy", "its VMM", "warn"),
  proxy: mark("proxy", "no turn", "warn"),
  migrate: mark("ready", "migrates", "dim"),
  new: mark("new", "new", "dim"),
  init: mark("new", "new", "dim"),
  ready_to_run: mark("ready", "ready", "dim"),
  exited: mark("ended", "exited", "dim"),
  reset: mark("ended", "exited", "dim"),
  killed: mark("fault", "killed", "bad"),
  fault: mark("fault", "fault", "bad"),
  failed: mark("fault", "failed", "bad"),
  init_failed: mark("fault", "failed", "bad"),
};

/** Appearance of a state, by its name in samples and tables. */
export function stateMark(state: string): StateMark {
  return STATES[state.toLowerCase()] ?? mark("off", state.toLowerCase().replaceAll("_", " "), "dim");
}
