// Samples of a machine for the client: times, counts, activity of its VMs.

import type { Query } from "../../model/queries/query.ts";
import type { System } from "../assembly/system/system.ts";
import type { EnginePort } from "./loop.ts";
import type { Shown } from "./shown.ts";

/** Wall time (ms) between samples. */
const INTERVAL = 200;

/** The samples of one session. */
export class Sampler {
  /** The machine that was sampled last, and its counts then. */
  #last: { readonly system: System; readonly wall: number; readonly time: number; readonly instructions: number } | undefined;
  #next: ReturnType<typeof setTimeout> | undefined;

  /** @param answer answers a standing question */
  constructor(
    readonly shown: Shown,
    readonly port: Pick<EnginePort, "post" | "together" | "standing" | "guarded">,
    readonly answer: (id: number, query: Query) => void,
  ) {}

  /** Posts a sample where the last one is long enough ago. */
  sampleWhenDue(): void {
    if (performance.now() - (this.#last?.wall ?? 0) >= INTERVAL) this.sample();
  }

  /**
   * The machine waits for input and does not come here again: samples follow until one is of
   * waiting alone.
   */
  rest(): void {
    this.close();
    this.sampleWhenDue();
    this.#next = setTimeout(() =>
      this.port.guarded(() => {
        const before = this.#last?.instructions;
        this.sample();
        if (this.#last?.instructions !== before) this.rest();
      }), INTERVAL);
  }

  /** No sample follows. */
  close(): void {
    if (this.#next !== undefined) clearTimeout(this.#next);
  }

  /** Posts a sample, after the answers that go with it. */
  sample(): void {
    this.port.together(() => {
      for (const { id, query } of this.port.standing.due(performance.now())) this.answer(id, query);
      this.#sample();
    });
  }

  /** Rates are over the time since the last sample of the same machine. */
  #sample(): void {
    const { system } = this.shown;
    const { machine } = system;
    const wall = performance.now(), time = machine.time, instructions = system.instructions();
    const last = this.#last?.system === system ? this.#last : { wall, time, instructions };
    const seconds = (wall - last.wall) / 1000;
    this.#last = { system, wall, time, instructions };
    system.inspector.renew();
    this.port.post({
      kind: "sample",
      sample: {
        time,
        instructions,
        reasons: system.inspector.reasons,
        wall,
        mips: seconds > 0 ? (instructions - last.instructions) / seconds / 1e6 : 0,
        physicalCpus: machine.cpus.length,
        spared: system.core.counters.sparedInstructions,
        ...system.core.counters.exits && { exits: system.core.counters.exits },
        ...system.core.counters.translator && { translator: { ...system.core.counters.translator } },
        vms: system.samples.sample(time - last.time),
      },
    });
  }
}
