// How soon a guest that goes wrong is reported: within 100 ms of virtual time, a fault loop within
// 1,000 of its exceptions and 1 s of this process's CPU, and a kernel's panic at its first
// instruction.

import assert from "node:assert/strict";
import process from "node:process";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { runUntil } from "../session/inspection/system.ts";
import { verdictOn } from "./class-guests.ts";

/** Virtual time (ns) in which guests start and go wrong, and within which that is reported then. */
const STARTED = 15e6, SAID = 100e6;
/** Virtual time (ns) between two questions, and between two that follow a fault loop closely. */
const ASKED = 10e6, CLOSELY = 5e3;
/** Exceptions of a fault loop within which it is reported. */
const EXCEPTIONS = 1000;
/** CPU time (ms) from its first exception on: other processes do not count. */
const COMPUTED = 1000;

/** CPU time of this process (ms). */
function computed(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

/**
 * Asks until a VM has a verdict that is not healthy, and asserts that it is soon.
 * @param make makes the system, again for a fault loop
 */
export async function saidSoon(make: () => Promise<GuestSystem>, vm: string): Promise<GuestSystem> {
  const system = await make();
  for (let time = ASKED;; time += ASKED) {
    assert.ok(time <= STARTED + SAID + ASKED, `nothing is said by ${time / 1e6} ms: ${JSON.stringify(verdictOn(system, vm))}`);
    runUntil(system, time);
    const row = verdictOn(system, vm);
    if (row === undefined || row.healthy) continue;
    if (row.fact.code === "fault-loop") assertWithin(await make(), vm, time - ASKED);
    return system;
  }
}

/** A fault loop is reported before it has taken that many exceptions, and so much CPU time. */
function assertWithin(system: GuestSystem, vm: string, before: number): void {
  const { execution } = system.hypervisor.scheduler;
  let first: number | undefined, began = computed();
  for (let time = before;; time += CLOSELY) {
    const now = computed();
    runUntil(system, time);
    if (first === undefined) began = now;
    if (verdictOn(system, vm)?.healthy === false) {
      const took = computed() - began;
      return assert.ok(took <= COMPUTED, `a fault loop is reported after ${took} ms`);
    }
    const vcpus = system.symbols.vcpus(vm).map(({ registers }) => registers);
    if (vcpus.some((one) => one.getRegister("ESR_EL1") !== 0n)) first ??= execution.retired;
    // Those that were not returned from are counted; each other one is raised by an instruction.
    const same = Math.max(0, ...vcpus.map(({ chain }) => chain.same));
    const count = same > 0 ? same : execution.retired - (first ?? execution.retired);
    assert.ok(count <= EXCEPTIONS, `a fault loop of ${count} exceptions is not reported at ${time / 1e6} ms`);
  }
}

/** The kernel's function of a panic. */
const PANIC = "panic";

/**
 * Runs a VM with a kernel to the first instruction of its panic, at which the verdict has it.
 * @param patience virtual time (ns) in which it panics
 * @param asked virtual time (ns) between two questions until its symbols are known
 */
export function panicsAtOnce(system: GuestSystem, vm: string, patience: number, asked = ASKED): void {
  const { symbols, machine } = system, { core } = symbols, last = machine.time + patience;
  // A question makes the kernel's symbols known.
  const find = () => verdictOn(system, vm) && symbols.all(vm).map((table) => table.find(PANIC)?.address).find((one) => one !== undefined);
  let place = find();
  for (; place === undefined; place = find()) {
    assert.ok(machine.time < last && !system.ended(), "its symbols are not known");
    runUntil(system, machine.time + asked);
  }
  const { stage2 } = symbols.vcpus(vm)[0].registers;
  let isThere = false;
  core.stops.observe(stage2, place);
  core.stops.observer = ({ pc }) => {
    if (pc !== place) return undefined;
    isThere = true;
    system.hypervisor.scheduler.disturb();
    machine.suspend();
    return true;
  };
  try {
    while (!isThere) {
      assert.ok(machine.time < last && !system.ended(), `no panic: ${verdictOn(system, vm)?.text}`);
      const result = machine.run(last);
      if (result.kind === "idle") machine.skipTo(Math.min(result.next, last));
    }
  } finally {
    core.stops.observer = undefined;
    core.stops.ignore(stage2, place);
  }
  assert.ok(symbols.vcpus(vm).some(({ registers }) => registers.pc === place + 4n));
  const { fact, text } = verdictOn(system, vm);
  assert.equal(fact.code, "panicked", `at the instruction of its panic: ${text}`);
}
