// Instructions by process, by switches that are made up. Those of a Debian:
// tests/inside/linux/events/task-events_test.ts.

import assert from "node:assert/strict";
import type { TraceEvent } from "../../../../src/machine/abi/trace.ts";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import { processRows } from "../../../../src/app/cli/commands/runs/profile.ts";
import { ProcessCounts } from "../../../../src/session/inspection/execution/process-counts.ts";
import { Random } from "../../../support/random.ts";
import { demoPlan, runTo } from "../../snapshots/systems.ts";

const LENGTH = 150_000;

Deno.test("each instruction is of the process that its vCPU switched to last, to the instruction", async () => {
  const system = assemble(await demoPlan()), { hypervisor } = system, { scheduler, names, trace } = hypervisor;
  const counts = new ProcessCounts(), random = new Random(4), expected = new Map<string, number>();
  trace.listen(["sched"], (event) => counts.see(event));
  counts.begin(hypervisor);
  const ping = () => [...scheduler.vcpus].find((vcpu) => names.vcpu(vcpu) === "ping/0")!;
  let process = "?", before = 0, ahead = 0;
  const add = (executed: number) => {
    expected.set(process, (expected.get(process) ?? 0) + executed - before);
    before = executed;
  };
  for (let at = 20_000; at < LENGTH; at += 5_000 + random.below(5_000)) {
    runTo(system, at);
    // Some instructions of its vCPU are ahead of what the scheduler knows.
    const pid = 1 + random.below(3), comm = `p${pid}`, retired = scheduler.execution.retired + ahead;
    add(ping().usage.instructions + ahead);
    process = `${comm} ${pid}`;
    const fields = { pid: 9, tgid: 8, comm: "t", next: pid === 3 ? 33 : pid, next_tgid: pid, next_comm: comm };
    counts.see({ kind: "task", name: "switch", vcpu: "ping/0", fields, at: { retired } } as unknown as TraceEvent);
    ahead = random.below(2) * random.below(500);
  }
  runTo(system, LENGTH);
  add(ping().usage.instructions);
  counts.end();
  const rows = processRows(counts.all), found = rows.filter(({ vm }) => vm === "ping");
  assert.deepEqual(new Map(found.map(({ name, insn }) => [name, Number(insn)])), expected);
  assert.ok(expected.size === 4 && Math.min(...expected.values()) > 0);
  const executed = [...scheduler.vcpus].reduce((sum, { usage }) => sum + usage.instructions, 0);
  assert.equal(rows.reduce((sum, { insn }) => sum + Number(insn), 0), executed);
});
