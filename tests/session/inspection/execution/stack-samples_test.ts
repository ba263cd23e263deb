// Sampled call stacks: the run stays the same, and shares are those of exact counts.

import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import { planDemo } from "../../../../src/app/configuration/plan-run.ts";
import { flameGraph } from "../../../../src/session/export/stacks/flame-graph.ts";
import { folded } from "../../../../src/session/export/stacks/folded.ts";
import { pprof } from "../../../../src/session/export/stacks/pprof.ts";
import { speedscope } from "../../../../src/session/export/stacks/speedscope.ts";
import { namesOf } from "../../../../src/session/inspection/execution/code-names.ts";
import { readExecuted } from "../../../../src/session/inspection/execution/read-executed.ts";
import { StackSamples } from "../../../../src/session/inspection/execution/stack-samples.ts";
import { inner, numberOf, readMessage } from "../../../kit/formats/read-protobuf.ts";
import { hashesOf, runTo } from "../../snapshots/systems.ts";

const END = 110_000, EVERY = 37;

Deno.test("samples of call stacks change nothing in the run, are the same each time, and have the shares of exact counts", async () => {
  const planned = await planDemo();
  assert.ok(planned.ok);
  const plan = { ...planned.run, turbo: true };
  const sampled = () => {
    const system = assemble(plan), samples = new StackSamples();
    let taken = 0;
    for (let count = EVERY; count <= END; count += EVERY) {
      runTo(system, count);
      taken += Number(samples.sample(system.inspector.system));
    }
    runTo(system, END);
    return { system, taken, stacks: samples.stacks((vm) => namesOf(system.symbols, vm)) };
  };
  const { system, taken, stacks } = sampled();
  assert.ok(taken > 0.95 * END / EVERY, `${taken} samples`);
  assert.deepEqual(sampled().stacks, stacks);
  const counted = assemble(plan, undefined, true);
  runTo(counted, END);
  assert.equal(hashesOf(counted), hashesOf(system));
  const plain = assemble(plan);
  runTo(plain, END);
  assert.equal(hashesOf(system), hashesOf(plain));

  const sum = new Map<string, number>();
  for (const { frames, samples } of stacks) {
    const key = `${frames[0]} ${frames.at(-1)}`;
    sum.set(key, (sum.get(key) ?? 0) + samples);
  }
  let compared = 0;
  for (const { vm, functions } of readExecuted(counted.core.counters.executedPages(), (vm) => namesOf(counted.symbols, vm))) {
    for (const { name, instructions } of functions.values()) {
      const exact = instructions / END, share = (sum.get(`${vm} ${name}`) ?? 0) / taken;
      if (exact < 0.01) continue;
      compared++;
      assert.ok(Math.abs(exact - share) < 0.02, `${vm} ${name}: ${exact} of the instructions, ${share} of the samples`);
    }
  }
  assert.ok(compared > 10, `${compared} functions`);
  assert.ok(stacks.some(({ frames }) => frames.join(" ").startsWith("ping entry guest_start guest_main play")), "a stack from the entry");

  const lines = [...folded(stacks)];
  assert.equal(lines.reduce((all, line) => all + Number(/ (\d+)\n$/.exec(line)![1]), 0), taken);
  const { shared, profiles } = JSON.parse(speedscope(stacks, EVERY));
  assert.deepEqual(profiles.map(({ name }: { name: string }) => name).sort(), ["hello", "ping", "pong"]);
  assert.equal(profiles.reduce((all: number, { endValue }: { endValue: number }) => all + endValue, 0), taken * EVERY);
  assert.ok(profiles[0].samples.flat().every((index: number) => typeof shared.frames[index].name === "string"));
});

Deno.test("pprof's profile has each stack from its innermost function, with its samples, time and VM", () => {
  const stacks = [{ frames: ["vm", "main", "hot"], samples: 300 }, { frames: ["vm", "main"], samples: 1 }];
  const profile = readMessage(gunzipSync(pprof(stacks, 1000))), text = new TextDecoder();
  const all = (field: number) => (profile.get(field) ?? []).map((bytes) => readMessage(bytes as Uint8Array));
  const texts = (profile.get(6) ?? []).map((bytes) => text.decode(bytes as Uint8Array));
  assert.equal(texts[0], "");
  const functions = new Map(all(5).map((one) => [numberOf(one, 1), texts[Number(numberOf(one, 2))]]));
  const locations = new Map(all(4).map((one) => [numberOf(one, 1), functions.get(numberOf(inner(one, 4)!, 1))]));
  assert.deepEqual(all(1).map((one) => [texts[Number(numberOf(one, 1))], texts[Number(numberOf(one, 2))]]), [
    ["samples", "count"],
    ["execution", "nanoseconds"],
  ]);
  const samples = all(2).map((one) => [
    (one.get(1) ?? []).map((id) => locations.get(Number(id))),
    (one.get(2) ?? []).map(Number),
    texts[Number(numberOf(inner(one, 3)!, 2))],
  ]);
  assert.deepEqual(samples, [[["hot", "main", "vm"], [300, 300_000], "vm"], [["main", "vm"], [1, 1000], "vm"]]);
  assert.equal(numberOf(profile, 12), 1000);
});

Deno.test("a flame graph has a box per function as wide as its samples, and escapes names", () => {
  const stacks = [{ frames: ["vm", "main", "<hot>"], samples: 3 }, { frames: ["vm", "main"], samples: 1 }];
  const svg = [...flameGraph(stacks)].join("");
  const boxes = [...svg.matchAll(/<title>(.*?)<\/title><rect x="(\S+)" y="(\d+)" width="(\S+)"/g)].map(([, ...parts]) => parts);
  assert.deepEqual(boxes, [
    ["all: 4 samples, 100.00 %", "0.0", "51", "1200.0"],
    ["vm: 4 samples, 100.00 %", "0.0", "34", "1200.0"],
    ["main: 4 samples, 100.00 %", "0.0", "17", "1200.0"],
    ["&lt;hot&gt;: 3 samples, 75.00 %", "0.0", "0", "900.0"],
  ]);
});
