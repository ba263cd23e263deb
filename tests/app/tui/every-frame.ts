// Every state of every screen, drawn: what checks of all frames run over.

import type { AppOptions } from "../../../src/app/tui/app/app-port.ts";
import type { ColorDepth } from "../../../src/app/tui/terminal/color.ts";
import type { Shown } from "./real-machine.ts";
import { Rig, SCREENS } from "./rig.ts";
import { STATES } from "./states.ts";

/** Names of the states, and applications that are in them. */
export async function* everyFrame(
  width: number,
  height: number,
  depth: ColorDepth,
  options: Partial<AppOptions> = {},
  shown?: Shown,
): AsyncGenerator<readonly [name: string, rig: Rig]> {
  for (const key of SCREENS) {
    const rig = new Rig(width, height, options, depth, shown);
    await rig.type(key);
    await rig.lines();
    yield [`screen ${key}`, rig];
  }
  for (const [name, begin] of STATES) {
    const rig = new Rig(width, height, options, depth, shown);
    await rig.lines();
    rig.frame();
    await begin(rig);
    await rig.lines();
    yield [name, rig];
  }
}
