// Runs that are repeated for an answer, on machines whose CPUs are all busy: they are the run that
// was recorded, wherever the repetition looks at it.

import assert from "node:assert/strict";
import { job as instructions } from "../../../src/session/batch/instructions.ts";
import { repeatedRuns } from "../../../src/session/batch/repeated-runs.ts";
import { eventRow } from "../../../src/session/inspection/readers/objects/read-trace.ts";
import type { Recording } from "../../../src/session/recordings/file/recording.ts";
import { beginAgain } from "../../../src/session/recordings/runs/replay.ts";
import { featuresOf } from "../../../src/session/recordings/runs/run-features.ts";
import type { TraceEvent } from "../../../src/machine/abi/trace.ts";
import type { BootPlan } from "../../../src/model/plans/plan.ts";
import { planCpu } from "../../../src/cpu/isa/cpus/cpus.ts";
import { readElfSymbols } from "../../../src/inside/symbols/elf-symbols.ts";
import { readTarmac } from "../../../src/kit/formats/tarmac.ts";
import { hex } from "../../../src/kit/support/text/number-text.ts";
import { withGuest } from "../assembly/bare-metal.ts";
import { Session } from "../engine/session-in-thread.ts";
import { bootPlan } from "../snapshots/systems.ts";

/** The run of busy CPUs up to about a count of their instructions together. */
async function recorded(elf: string, cpus: number, length: number): Promise<Recording> {
  const what: BootPlan = { kind: "boot", image: await Deno.readFile(elf), initrd: undefined, dtb: undefined, append: undefined };
  const plan = await bootPlan({ cpus, cpu: planCpu("max"), memory: 64 << 20, what, history: false }), session = new Session(plan);
  session.engine.pause(true);
  await session.event("paused");
  assert.equal(await session.move({ kind: "step", by: length }), undefined);
  const { machine } = session.engine.present;
  // The end of a turn, at which all runs are compared.
  assert.ok(machine.boundary > 0);
  const end = { instructions: 0, registers: "", memory: "", console: "", code: 0, message: "" };
  session.engine.stop();
  return { plan, inputs: [], checks: [], end: { at: machine.boundary, end: { ...end, own: false } } };
}

/** The place of an event in the run. */
const placeOf = ({ time, end, vcpu }: TraceEvent) => `${time} ${end} ${vcpu}`;

/** A difference of long lists is told by its first place. */
function sameRun(actual: readonly string[], expected: readonly string[]): void {
  const at = expected.findIndex((one, index) => one !== actual[index]);
  assert.ok(
    at < 0 && actual.length === expected.length,
    `${actual.length} of ${expected.length}; ${at}: ${actual[at]}, not ${expected[at]}`,
  );
}

/** Events of the run as it was. */
function eventsOf(recording: Recording): { events: string[]; hash: string } {
  const past = beginAgain(recording), { system } = past, events: string[] = [];
  system.inspector.system.hypervisor.trace.listen(["mmio", "psci"], (event) => void events.push(placeOf(event)));
  while (!past.advance(Infinity, Infinity));
  return { events, hash: system.hashes.registers() };
}

const addressOf = (elf: Uint8Array, name: string) => readElfSymbols(elf).find((one) => one.name === name)?.address ?? assert.fail(name);

for (const cpus of [2, 4]) {
  Deno.test(`a run is the same one when it is counted, compared and traced, CPUs that are all busy: ${cpus}`, () =>
    withGuest("busy-cpus", ["-march=armv8.7-a+mops"], async (elf) => {
      const recording = await recorded(elf, cpus, 25_000_000 * cpus), { events, hash } = eventsOf(recording);
      assert.ok(events.length > 100, `${events.length} events`);
      const counted: string[] = [];
      // A reader of kernel events looks for kernels now and then.
      const [after] = repeatedRuns([recording], { say() {} }, true, ({ inspector, hashes }) => {
        inspector.system.hypervisor.trace.listen(["mmio", "psci", "syscall"], (event) => void counted.push(placeOf(event)));
        return () => hashes.registers();
      });
      sameRun(counted, events);
      assert.equal(after, hash);
      const seen: string[] = [];
      featuresOf(recording, (event) => {
        if (event.kind === "mmio" || event.kind === "psci") seen.push(placeOf(event));
        return eventRow(event);
      }, () => {});
      sameRun(seen, events);
    }));

  Deno.test(`a trace of instructions that begins later has the same ones, CPUs that are all busy: ${cpus}`, () =>
    withGuest("busy-cpus", ["-march=armv8.7-a+mops"], async (elf) => {
      const recording = await recorded(elf, cpus, 60_000 * cpus), filter = `pc=${hex(addressOf(await Deno.readFile(elf), "round") + 4n)}`;
      const trace = (from?: number, to?: number) => {
        let text = "";
        instructions({ recording, vm: undefined, from, to, filter }, { say: (said) => void (text += said.text) });
        return text.split("\n").flatMap((line) => {
          const { time, cpu, record } = readTarmac(line) ?? {};
          // Each CPU stores the number of its round.
          return record?.kind === "memory" ? [`${time} ${cpu} ${record.value}`] : [];
        });
      };
      const all = trace(), { at } = recording.end ?? assert.fail();
      for (const part of [0.53, 0.83]) {
        const from = Math.floor(part * at) + 7, later = trace(from, Math.floor((part + 0.15) * at) + 3), first = all.indexOf(later[0]);
        assert.ok(first > 0 && later.length > 0, `${later.length} instructions from ${first} on`);
        sameRun(later, all.slice(first, first + later.length));
      }
    }));
}
