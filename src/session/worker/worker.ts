// The machine's side of the protocol, in a worker: it runs the machine in slices, and returns to
// its event loop between them, so that input and requests are never far away.

import { equipCores } from "../../cpu/core/boot.ts";
import { keepCores, saveRegions } from "../assembly/code/core-cache.ts";
import { openStates } from "../recordings/past/state-file.ts";
import { PageFile } from "../state/page-file.ts";
import { DEFAULT_DISK_BUDGET } from "../../model/plans/memory-budget.ts";
import { unlessUnusable } from "../../kit/support/files/unusable.ts";
import { boundGarbage } from "../../kit/support/computer/garbage.ts";
import { allowHugePages } from "../../kit/support/computer/huge-pages.ts";
import { startsSystem } from "../../model/plans/plan.ts";
import type { Request, SessionEvent } from "../../model/protocol/protocol.ts";
import { writeBugReport } from "../engine/bug-report.ts";
import { Bell, BELL_WORDS } from "./bell.ts";
import type { Connection, SocketNotice } from "./client.ts";
import type { CompilerWish } from "./compiler-thread.ts";
import { openDumps } from "./dump-files.ts";
import { MachineServer } from "./machine-server.ts";
import { Outbox } from "./outbox.ts";
import { OwnDisks } from "./own-disks.ts";
import type { RemoteSockets } from "./remote-sockets.ts";
import { useSurroundings } from "./worker-surroundings.ts";
import { giveUpRights, giveUpServices, isConfined } from "./rights/given-up.ts";

/** Listens to requests. Call it once, in the worker. */
export function serveMachine(): void {
  // A worker with its process's rights can do more than that anyway.
  const confined = isConfined();
  if (confined) giveUpServices();
  let bell: Int32Array = new Int32Array(BELL_WORDS);
  let taken = 0;
  const outbox = new Outbox((events: readonly SessionEvent[]) => {
    // The worker may be gone as soon as its client knows.
    if (events.some(({ kind }) => kind === "ended")) saveRegions();
    globalThis.postMessage(events);
  }, () => Atomics.load(bell, Bell.Heard));
  const server = new MachineServer(outbox, () => Atomics.load(bell, Bell.Requests) !== taken, writeBugReport);
  let sockets: RemoteSockets | undefined;
  const disks = new OwnDisks();
  let states: string | undefined;
  globalThis.onmessage = ({ data }: MessageEvent<readonly Request[] | Connection | SocketNotice>) => {
    if (!("kind" in data)) {
      const start = data.find((request) => request.kind === "start");
      if (start && startsSystem(start.plan)) allowHugePages();
      if (start?.plan.history && states !== undefined) server.pages = openPages(states, start.plan.diskBudget);
      const kept = start?.plan.history ? start.plan.replay?.states : undefined;
      if (kept?.begins) server.states = openStates(kept.path);
      const open = data.find((request) => request.kind === "open");
      if (open) server.files = openDumps(open.files);
      if (start && confined) disks.openAll(start.plan);
      if ((start || open) && confined) giveUpRights();
      return server.receive(data, () => taken++);
    }
    if (data.kind === "connect") {
      bell = new Int32Array(data.bell);
      sockets = data.surroundings && useSurroundings(data.surroundings, disks);
      keepCores(data.surroundings?.folders);
      if (data.processors > 1) {
        equipCores({
          startCompiler: (setup) => globalThis.postMessage({ kind: "compiler", setup, lost: setup.lost } satisfies CompilerWish),
        });
      }
      states = data.surroundings?.folders.states;
    } else {
      taken++;
      server.outside(() => sockets?.receive(data.event));
    }
  };
  outbox.tell({ kind: "ready" });
  boundGarbage(() => server.busy);
}

/** The file for states; undefined if it cannot be used, and where none is wanted. */
function openPages(folder: string, limit = DEFAULT_DISK_BUDGET): PageFile | undefined {
  return limit === 0 ? undefined : unlessUnusable("fewer states are kept for going back", () => PageFile.inFolder(folder, limit));
}
