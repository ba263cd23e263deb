// Output of a machine: consoles to the client and to logs, and events. A client that does not take
// it holds the machine back.

import { computer, type OpenLog } from "../outside/computer.ts";
import type { InstantSnapshot } from "../snapshots/instant.ts";
import type { SessionPlan } from "../../model/plans/plan.ts";
import type { SessionEvent } from "../../model/protocol/protocol.ts";
import type { Shown } from "./shown.ts";
import { ConsoleHash } from "./console-hash.ts";
import { MiB } from "../../kit/support/values/sizes.ts";
import { vmId } from "../../model/queries/ids.ts";

/**
 * Bytes of console output that may be under way to the client; a guest that floods its console
 * waits here and takes no memory.
 */
const LIMIT = MiB;

/** The output of one session. */
export class Output {
  readonly #console = new ConsoleHash();
  readonly #logs: Map<string, OpenLog>;
  #underWay = 0;

  /** @param instant looks for a prompt in what consoles show */
  constructor(
    readonly shown: Shown,
    plan: SessionPlan,
    readonly post: (event: SessionEvent) => void,
    readonly instant: InstantSnapshot | undefined,
  ) {
    const logs = plan.replay ? [] : Object.entries(plan.logs ?? {});
    this.#logs = new Map(logs.map(([console, path]) => [console, computer().log(path)]));
  }

  /** Whether there is so much that the client has not taken that the machine waits. */
  get full(): boolean {
    return this.#underWay + this.shown.system.consoles.waiting > LIMIT;
  }

  /** SHA-256 of all console output, in hexadecimal digits. */
  get digest(): string {
    return this.#console.digest;
  }

  /** The client has taken this many bytes. */
  taken(bytes: number): void {
    // Some may be of a machine before this one.
    this.#underWay = Math.max(0, this.#underWay - bytes);
  }

  /** Sends the output since the last call. */
  flush(): void {
    const { system } = this.shown;
    for (const { console, bytes } of system.consoles.drain()) {
      this.instant?.see(bytes);
      this.#console.update(bytes);
      this.#underWay += bytes.length;
      this.#logs.get(console)?.write(bytes);
      this.post({ kind: "console", console, bytes });
    }
    this.#lookAtLogs();
    const { events, dropped } = system.events.drain();
    if (events.length || dropped) this.post({ kind: "events", events, dropped });
  }

  /** No output follows. */
  close(): void {
    for (const log of this.#logs.values()) log.close();
  }

  /** A log that cannot be written ends with a message; the machine continues. */
  #lookAtLogs(): void {
    for (const [console, { failed }] of this.#logs) {
      if (failed === undefined) continue;
      this.#logs.delete(console);
      this.shown.present.events.sessionProblem(`log of console ${vmId(console)}: ${failed}; the console continues without it`);
    }
  }
}
