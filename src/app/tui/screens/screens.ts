// The panes of each screen of `screen-table.ts` (docs/design/workstation.md §4).

import { type ScreenName, SCREENS } from "../actions/screen-table.ts";
import type { Books } from "./books.ts";
import { eventScreen } from "./event-screen.ts";
import { irqScreen } from "./irq-screen.ts";
import { linuxScreen } from "./linux-screen.ts";
import { memoryScreen } from "./memory-screen.ts";
import { overview, type OverviewParts } from "./overview-screen.ts";
import { queueScreen } from "./queue-screen.ts";
import { rightsScreen } from "./rights-screen.ts";
import { rpcScreen } from "./rpc-screen.ts";
import { schedulerScreen } from "./scheduler-screen.ts";
import type { ScreenModel, ScreenPanes } from "./screen-model.ts";
import { vcpuScreen } from "./vcpu-screen.ts";
import { whyScreen } from "./why-screen.ts";

/** Parts of the application that screens show, or ask. */
interface ScreenParts extends OverviewParts {
  readonly clock: () => number;
  readonly books?: Books | undefined;
}

const PANES: { readonly [Name in ScreenName]: (parts: ScreenParts) => ScreenPanes } = {
  over: overview,
  vcpu: ({ activity }) => vcpuScreen(activity),
  irq: ({ activity, clock }) => irqScreen(activity, clock),
  mem: memoryScreen,
  caps: rightsScreen,
  queue: ({ activity, clock }) => queueScreen(activity, clock),
  rpc: rpcScreen,
  sched: schedulerScreen,
  event: eventScreen,
  why: ({ books }) => whyScreen(books),
  linux: linuxScreen,
};

/** The screens of a session, in the order of their tabs. */
export function makeScreens(parts: ScreenParts): ScreenModel[] {
  return SCREENS.map((entry) => Object.assign(PANES[entry.name](parts), { key: entry.key, entry }));
}
