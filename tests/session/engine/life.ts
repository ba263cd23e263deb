// A machine that runs while people do things to it at random, for tests of random states.

import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { System } from "../../../src/session/assembly/system/system.ts";
import { SessionRun } from "../../../src/session/engine/session-run.ts";
import { alone, type SessionPlan } from "../../../src/model/plans/plan.ts";
import type { Input } from "../../../src/model/plans/recorded-run.ts";
import { letIn } from "../../../src/session/recordings/past/input.ts";
import { loaded } from "../../../src/session/snapshots/begin.ts";
import type { Random } from "../../support/random.ts";

/** A machine that runs for people who do things to it. */
export class Life {
  readonly system: System;
  readonly run: SessionRun;

  constructor(readonly random: Random, plan: SessionPlan) {
    const past = alone(plan);
    this.system = assemble(plan);
    this.run = new SessionRun(this.system, (state) => state ? loaded(past, state) : assemble(past), undefined);
  }

  /** Every VM has ended. */
  get over(): boolean {
    return this.system.machine.stopReason !== undefined;
  }

  /** Lets it run to a random place, between two turns or in the middle of one. */
  goOn(): void {
    const { system, random } = this, { machine } = system;
    const target = system.instructions() + random.below(4000);
    if (random.below(2) === 0) system.stopAt(target);
    for (let turns = random.below(60) + 1; turns > 0 && system.instructions() < target; turns--) {
      const result = machine.run(Infinity, 1);
      system.consoles.drain();
      system.events.drain();
      if (result.kind === "stopped") break;
      if (result.kind === "idle") machine.skipTo(result.next === Infinity ? machine.time + 1e6 : result.next);
    }
    system.stopAt(Infinity);
  }

  enter(input: Input): void {
    const { machine } = this.system;
    // The inputs at a place are part of it.
    const { boundary } = machine;
    while (!this.over && (machine.inTurn || machine.boundary === boundary)) this.goOn();
    if (this.over) return;
    this.run.enter({ at: machine.boundary, settled: machine.settled }, input);
    letIn(this.system, input);
  }
}

/** Something that a person may do to the demo. */
export function randomInput(random: Random, vms: readonly string[] = ["hello", "ping", "pong"]): Input {
  const vm = vms[random.below(vms.length)];
  switch (random.below(6)) {
    case 0:
      return { kind: "act", action: { kind: "vm.stop", vm: `vm:${vm}`, force: true } };
    case 1:
      return { kind: "act", action: { kind: "vm.start", vm: `vm:${vm}` } };
    case 2:
      return { kind: "act", action: { kind: "vm.reset", vm: `vm:${vm}` } };
    case 3:
      return { kind: "act", action: { kind: "inject.add", rule: "rpc msg=MEM_LEND nth=1 -> NOMEM" } };
    case 4:
      return { kind: "act", action: { kind: "rpc.send", id: 0x56000004, payload: new Uint8Array(4) } };
    default:
      return { kind: "console", console: "hello", bytes: new TextEncoder().encode("tf") };
  }
}
