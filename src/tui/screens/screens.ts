// The screens (docs/design/workstation.md §4).

import type { Activity } from "../panes/activity.ts";
import { eventScreen } from "./event-screen.ts";
import { irqScreen } from "./irq-screen.ts";
import { linuxScreen } from "./linux-screen.ts";
import { memoryScreen } from "./memory-screen.ts";
import { queueScreen } from "./queue-screen.ts";
import { rightsScreen } from "./rights-screen.ts";
import { rpcScreen } from "./rpc-screen.ts";
import type { Books } from "./books.ts";
import { schedulerScreen } from "./scheduler-screen.ts";
import type { ScreenModel } from "./screen-model.ts";
import { vcpuScreen } from "./vcpu-screen.ts";
import { whyScreen } from "./why-screen.ts";

/** The screens of a session. */
export function makeScreens(overview: ScreenModel, activity: Activity, clock: () => number, books?: Books): ScreenModel[] {
  return [
    overview,
    vcpuScreen(activity),
    irqScreen(activity, clock),
    memoryScreen(),
    rightsScreen(),
    queueScreen(activity, clock),
    rpcScreen(),
    schedulerScreen(),
    eventScreen(),
    whyScreen(books),
    linuxScreen(),
  ];
}
