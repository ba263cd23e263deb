// A machine whose host is driven by calls from outside: each call becomes an event of the host, so
// that it happens inside the machine at a point of virtual time, and the machine runs until it has
// happened.

import { CONSOLE_INPUT_INTID } from "../../machine/host/interface.ts";
import { type Visit, VisitedProgram } from "../../machine/host/boot.ts";
import type { Machine } from "../../machine/hardware/machine.ts";

/** Virtual time (ns) within which the host comes to a visit. */
const PATIENCE = 1e12;

/** The way into the host of a machine. */
export class VisitedHost {
  /** To be the host's program, before the first visit. */
  readonly program = new VisitedProgram();
  readonly #machine: () => Machine;

  /** @param machine gives the machine, which may be made after this */
  constructor(machine: () => Machine) {
    this.#machine = machine;
  }

  /**
   * Calls `act` inside the host, as an event of its last vCPU, and returns its result.
   * @throws what `act` throws
   */
  visit<T>(act: Visit<T>): T {
    const outcome = this.program.ask(act), machine = this.#machine();
    machine.interrupt(CONSOLE_INPUT_INTID, true);
    machine.interrupt(CONSOLE_INPUT_INTID, false);
    this.#runWhile(() => outcome() === undefined, PATIENCE);
    const result = outcome();
    if (result === undefined) throw new Error("the host does not answer");
    if ("error" in result) throw result.error;
    return result.value;
  }

  /**
   * The result of an ioctl that waits, or undefined when it has none within this virtual time (ns).
   */
  await(task: number, time: number): number | undefined {
    const { results } = this.program;
    this.#runWhile(() => !results.has(task), time);
    return results.get(task);
  }

  /** Lets virtual time (ns) pass. */
  pass(time: number): void {
    this.#runWhile(() => true, time);
  }

  #runWhile(goOn: () => boolean, time: number): void {
    const machine = this.#machine(), until = machine.time + time;
    while (goOn() && machine.time < until) {
      const result = machine.run(until, 1);
      if (result.kind === "stopped") return;
      if (result.kind === "idle") machine.skipTo(Math.min(result.next, until));
    }
  }
}
