import assert from "node:assert/strict";
import type { Past } from "../../../src/session/recordings/past/past.ts";
import { Sampler } from "../../../src/session/engine/sampler.ts";
import { Standing } from "../../../src/session/engine/standing.ts";
import { Shown } from "../../../src/session/engine/shown.ts";
import type { MachineSample, SessionEvent } from "../../../src/model/protocol/protocol.ts";
import type { Answer, Query } from "../../../src/model/queries/query.ts";
import type { System } from "../../../src/session/assembly/system/system.ts";

/** A paused machine, and the times over which its loads are asked for. */
function still(time: number, instructions: number): { readonly system: System; readonly elapsed: number[] } {
  const elapsed: number[] = [];
  const system = {
    machine: { time, cpus: [{}] },
    core: { counters: { exits: {}, translator: undefined, sparedInstructions: 0 } },
    inspector: { renew: () => {} },
    instructions: () => instructions,
    samples: {
      sample: (since: number) => {
        elapsed.push(since);
        return [];
      },
    },
  } as unknown as System;
  return { system, elapsed };
}

Deno.test("a sample comes behind the answers to what is asked with it, all in one message", () => {
  const messages: string[][] = [];
  const standing = new Standing();
  const port = {
    post: (event: SessionEvent) => void messages.at(-1)?.push(event.kind),
    together: (work: () => void) => {
      messages.push([]);
      work();
    },
    standing,
    guarded: (work: () => void) => work(),
  };
  const shown = new Shown(still(0, 0).system);
  let turn = 0;
  const machine = {
    answer: ({ table }: Query): Answer => ({ table, at: { ns: "0", insn: "0" }, rows: [{ id: String(turn++) }], dropped: 0 }),
  };
  const sampler = new Sampler(shown, port, (id, query) => {
    standing.answer(id, query, machine);
    messages.at(-1)?.push(`${id} ${query.table}`);
  });
  for (const [id, table, times] of [[3, "events", 1], [4, "vm.ls", 9]] as const) {
    const query: Query = { table, args: {} };
    standing.add(id, query, { times, every: 0 }, 0);
    standing.answer(id, query, machine);
  }
  sampler.sample();
  sampler.sample();
  assert.deepEqual(messages, [["3 events", "4 vm.ls", "sample"], ["4 vm.ls", "sample"]]);
});

Deno.test("rates are of one machine: another place of the run, and a session that begins with a state, has none in its first sample", () => {
  const present = still(9e9, 5_000_000_000), past = still(1e9, 1_000_000);
  const shown = new Shown(present.system);
  const samples: MachineSample[] = [];
  const port = {
    post: (event: SessionEvent) => void (event.kind === "sample" && samples.push(event.sample)),
    together: (work: () => void) => work(),
    standing: new Standing(),
    guarded: (work: () => void) => work(),
  };
  const sampler = new Sampler(shown, port, () => assert.fail("nobody asks"));
  sampler.sample();
  shown.past = { system: past.system } as Past;
  sampler.sample();
  shown.past = undefined;
  sampler.sample();
  assert.deepEqual(samples.map(({ mips }) => mips), [0, 0, 0]);
  assert.deepEqual([present.elapsed, past.elapsed], [[0, 0], [0]]);
});
