// A real, paused machine, for screens: the demo after its first balls, whose host was
// refused its memory back. Screens drawn from it show what a session would.

import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { encodeRequest } from "../../../src/machine/abi/rpc/message.ts";
import { MEM_RECLAIM } from "../../../src/machine/abi/rpc/messages/memory.ts";
import { type Answer, listQuery, type ListTable, type Query } from "../../../src/model/queries/query.ts";
import type { MachineSample } from "../../../src/model/protocol/protocol.ts";
import { demoSystem, runUntil } from "../../session/inspection/system.ts";
import { UserError } from "../../../src/kit/support/problem.ts";

/** A session for screens. */
export interface Shown {
  readonly title: string;
  /** Samples of the machine, a second of wall time apart; the last is of its present state. */
  readonly samples: readonly MachineSample[];
  readonly consoles: readonly { readonly console: string; readonly bytes: Uint8Array }[];
  readonly answer: (query: Query) => Answer;
}

/** Virtual time (ns) between two samples, and how many there are. */
const STEP = 1.6704e8, SAMPLES = 6;
/** Virtual time (ns) before the end from which on every kind of event is recorded. */
const WATCHED = 2e6;
/** Tables with rates, which are over the time since they were read before. */
const RATED: readonly ListTable[] = ["irq.ls", "vcpu.ls", "queue.ls", "vm.ls"];
/** The parcel that ping has of the host. */
const RECLAIM = { handle: 1, flags: 0 };

/** The machine; equal in every run. */
export async function realMachine(): Promise<Shown> {
  const system = await demoSystem(), samples: MachineSample[] = [];
  for (let step = 1; step <= SAMPLES; step++) {
    const end = step * STEP;
    if (step === SAMPLES) {
      runUntil(system, end - WATCHED);
      system.inspector.watch(["hvc", "virq", "sched", "mmio", "trap", "mem", "msg"]);
      const error = system.inspector.act({ kind: "rpc.send", id: MEM_RECLAIM.id, payload: encodeRequest(MEM_RECLAIM, RECLAIM) });
      if (error !== undefined) throw new UserError(error);
    }
    runUntil(system, end);
    for (const table of RATED) system.inspector.answer(listQuery(table, {}));
    samples.push(sampleOf(system, samples.at(-1)));
  }
  // An answer stays as it is: rates depend on who asked before.
  const known = new Map<string, Answer>();
  const answer = (query: Query): Answer => {
    const key = JSON.stringify(query), before = known.get(key) ?? system.inspector.answer(query);
    known.set(key, before);
    return before;
  };
  return { title: "demo", samples, consoles: system.consoles.drain(), answer };
}

function sampleOf(system: GuestSystem, before: MachineSample | undefined): MachineSample {
  const { time } = system.machine, instructions = system.instructions(), since = time - (before?.time ?? 0);
  system.inspector.renew();
  return {
    time,
    instructions,
    reasons: system.inspector.reasons,
    mips: (instructions - (before?.instructions ?? 0)) / since * 1000,
    physicalCpus: system.machine.cpus.length,
    vms: system.samples.sample(since),
  };
}
