// Latencies: percentiles against a sorted list, the demo's against pairs of its events.

import assert from "node:assert/strict";
import type { TraceEvent } from "../../../../src/machine/abi/trace.ts";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import { latencyRows } from "../../../../src/app/cli/commands/runs/profile.ts";
import { Latencies } from "../../../../src/session/inspection/execution/latencies.ts";
import { pendingIn, timersDueIn } from "../../../../src/session/inspection/execution/latency-sources.ts";
import { Random } from "../../../support/random.ts";
import { demoPlan, runTo } from "../../snapshots/systems.ts";

const LENGTH = 150_000;

type Fields = TraceEvent["fields"];

const eventOf = (kind: TraceEvent["kind"], name: string, vcpu: string, end: number, fields: Fields): TraceEvent => ({
  ...{ id: 0, number: 0, kind, name, vcpu, time: end, end, fields, pcpu: 0, operation: false },
  ...{ at: { boundary: 0, stage: "turn", retired: end, steps: 0 }, result: undefined, parent: undefined, why: undefined },
});

Deno.test("percentiles are those of the sorted times to 1 %, and the worst are the longest, the first of equal ones first", () => {
  const random = new Random(3);
  for (const largest of [1, 60, 5000, 1e9]) {
    const latencies = new Latencies(), times: { took: number; at: number }[] = [];
    latencies.begin(() => false);
    for (let count = 1 + random.below(300), now = 0; count > 0; count--) {
      const took = random.below(largest + 1);
      latencies.see(eventOf("msg", "send", "a/0", now, { queue: "mq:1" }));
      now += took;
      latencies.see(eventOf("msg", "receive", "b/0", now, { queue: "mq:1" }));
      times.push({ took, at: now });
    }
    const [one, ...more] = latencies.all, sorted = times.toSorted((a, b) => a.took - b.took);
    assert.deepEqual([more.length, one.vm, one.of, one.name, one.count], [0, "b", "message", "mq:1", times.length]);
    for (const [share, found] of [[0.5, one.p50], [0.9, one.p90], [0.99, one.p99]]) {
      const exact = sorted[Math.ceil(share * sorted.length) - 1].took;
      assert.ok(found >= exact && found <= exact * 1.01, `${share}: ${found} for ${exact}`);
    }
    const longest = times.toSorted((a, b) => b.took - a.took).slice(0, 5);
    assert.deepEqual(one.worst.map(({ took, time }) => ({ took, at: time })), longest);
    let below = -1;
    for (const [most, count] of one.buckets) {
      assert.equal(count, times.filter(({ took }) => took > below && took <= most).length, `up to ${most}`);
      below = most;
    }
    assert.equal(one.buckets.reduce((sum, [, count]) => sum + count, 0), times.length);
  }
});

Deno.test("an interrupt counts from when it became pending: again if its line had fallen, not again while it is", () => {
  for (const isPending of [true, false]) {
    const latencies = new Latencies();
    latencies.begin(() => isPending);
    for (const time of [100, 250]) latencies.see(eventOf("virq", "raise", "", time, { irq: "irq:a/40", source: "mq:1" }));
    // A private one of another vCPU is another one.
    latencies.see(eventOf("virq", "pulse", "", 200, { irq: "irq:a/20", vcpu: 1, source: "db:1" }));
    for (const [vcpu, irq] of [["a/0", "irq:a/20"], ["a/0", "irq:a/40"], ["a/1", "irq:a/20"], ["a/0", "irq:a/40"]]) {
      latencies.see(eventOf("virq", "acknowledge", vcpu, 300, { irq }));
    }
    assert.deepEqual(
      latencies.all.map(({ name, count, worst }) => [name, count, worst[0].took]),
      [["irq:a/40 (mq:1)", 1, isPending ? 200 : 50], ["irq:a/20 (db:1)", 1, 100]],
    );
  }
});

Deno.test("a timer counts from when it was due, unless it was due already when its line rose before", () => {
  const latencies = new Latencies(), dues = [90, 90, 250];
  latencies.begin(() => false, (irq) => irq === "irq:a/27" ? dues.shift() : undefined);
  for (const [raised, taken] of [[100, 120], [200, 230], [250, 300]]) {
    latencies.see(eventOf("virq", "raise", "", raised, { irq: "irq:a/27", vcpu: 0, source: "vtimer" }));
    latencies.see(eventOf("virq", "acknowledge", "a/0", taken, { irq: "irq:a/27" }));
  }
  const [{ of, worst }] = latencies.all;
  assert.deepEqual([of, worst.map(({ took }) => took)], ["timer", [50, 30, 30]]);
});

Deno.test("the demo's timers are due at the tick that their registers name, no later than their lines rise", async () => {
  const system = assemble(await demoPlan()), { hypervisor } = system, due = timersDueIn(hypervisor), found: number[] = [];
  hypervisor.trace.listen(["virq"], ({ name, end, fields: { irq, vcpu } }) => {
    if (name !== "raise" || typeof vcpu !== "number" || !/\/(27|30)$/.test(String(irq))) return;
    found.push(end - due(String(irq), vcpu)!);
  });
  runTo(system, LENGTH);
  assert.ok(found.length > 3 && found.every((late) => late >= 0 && late < 1e6), found.join());
  assert.equal(due("irq:pong/962", undefined), undefined);
  assert.equal(due("irq:nobody/27", 0), undefined);
});

Deno.test("the demo's messages and interrupts are all there, and its places of the worst are those where they ended", async () => {
  const system = assemble(await demoPlan()), { hypervisor } = system, latencies = new Latencies(), log: TraceEvent[] = [];
  latencies.begin(pendingIn(hypervisor));
  hypervisor.trace.listen(latencies.kinds, (event) => {
    latencies.see(event);
    log.push(event);
  });
  runTo(system, LENGTH);
  const all = latencies.all;
  const queues = new Set(log.filter(({ kind }) => kind === "msg").map(({ fields }) => String(fields.queue)));
  for (const queue of queues) {
    const ends = (name: string) => log.filter((event) => event.kind === "msg" && event.name === name && event.fields.queue === queue);
    const received = ends("receive"), sent = ends("send"), found = all.find(({ name }) => name === queue);
    const longest = Math.max(...received.map(({ end }, index) => end - sent[index].end));
    assert.deepEqual([found?.count, found?.worst[0].took], [received.length, longest], queue);
  }
  assert.ok(queues.size > 2);
  const [worst] = all.find(({ name }) => name === "irq:pong/962 (mq:289)")!.worst;
  const taken = log.find(({ kind, name, end, fields }) =>
    kind === "virq" && name === "acknowledge" && end === worst.time && fields.irq === "irq:pong/962"
  );
  assert.equal(taken?.at.retired, worst.at);
  const raised = log.filter(({ name, fields }) => name === "raise" && fields.irq === "irq:pong/962").map(({ end }) => end);
  assert.ok(raised.includes(worst.time - worst.took));
  const rows = latencyRows(all);
  assert.ok(rows.every(({ p50, p99, most }) => Number(p50) <= Number(p99) && Number(p99) <= Number(most)));
});
