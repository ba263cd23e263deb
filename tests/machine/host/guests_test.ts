// Our own guests on the whole stack: real AArch64 code in VMs of the native host.

import assert from "node:assert/strict";
import { planDemo } from "../../../src/app/configuration/plan-run.ts";
import type { VmPlan } from "../../../src/machine/host/data/plan.ts";
import { nativeHostOf } from "./plans.ts";
import { Stack } from "./stack.ts";

/** The demo with other command lines. */
async function demo(cmdlines: Record<string, string>): Promise<{ stack: Stack }> {
  const result = await planDemo();
  assert.ok(result.ok);
  const { cpus, memory } = result.run;
  const host = nativeHostOf(result.run);
  const vms = host.vms.filter(({ name }) => name in cmdlines).map((vm): VmPlan => ({ ...vm, cmdline: cmdlines[vm.name] }));
  return { stack: new Stack({ ...host, vms }, { cpus, memory }) };
}

Deno.test("hello greets, names its VM, ticks by the virtual timer and powers off", async () => {
  const { stack } = await demo({ hello: "ticks=3 ms=10" });
  stack.run(1e9);
  assert.match(stack.console("hello"), /^hello from EL1\r\n/);
  assert.match(stack.console("hello"), /VM "hello", VMID 128, owner 3\r\ntick 1\r\ntick 2\r\ntick 3\r\n$/);
  assert.deepEqual(stack.log(), ["hello creating", "hello ready", "hello running", "hello exited system-off", "hello stopped", "finished"]);
});

Deno.test("hello answers what is typed into its console", async () => {
  const { stack } = await demo({ hello: "" });
  stack.run(0.1e9);
  stack.input.push("hello", new TextEncoder().encode("qo"));
  stack.run(0.2e9);
  assert.match(stack.console("hello"), /you typed 'q'; .*\r\nbye\r\n$/);
  assert.equal(stack.log().at(-1), "finished");
});

Deno.test("what is typed before the machine runs is not lost", async () => {
  const { stack } = await demo({ hello: "" });
  stack.input.push("hello", new TextEncoder().encode("o"));
  stack.run(0.1e9);
  assert.match(stack.console("hello"), /bye\r\n$/);
});

Deno.test("hello that reads where nothing is crashes alone, and the host says so", async () => {
  const { stack } = await demo({ hello: "", pong: "", ping: "" });
  stack.run(0.1e9);
  stack.input.push("hello", new TextEncoder().encode("f"));
  stack.run(1.5e9);
  assert.ok(stack.log().some((line) => /^hello exited (fault|system-reset)$/.test(line)), stack.log().join("\n"));
  assert.match(stack.console("ping"), /64 doorbell round trips/);
});

Deno.test("ping and pong play over a message queue pair and a doorbell with vIRQs", async () => {
  const { stack } = await demo({ ping: "sets=2 balls=8", pong: "balls=32" });
  stack.run(3e9);
  assert.match(
    stack.console("ping"),
    /16 message round trips: min \d+, avg \d+ ticks\r\n16 doorbell round trips: min \d+, avg \d+ ticks\r\n$/,
  );
  assert.match(stack.console("pong"), /pong: gave back 16 messages and 16 rings\r\n$/);
  assert.equal(stack.log().at(-1), "finished");
});

Deno.test("the demo runs twice the same, to the instruction", async () => {
  const runs = await Promise.all([0, 1].map(async () => {
    const { stack } = await demo({ hello: "ms=5", ping: "balls=4", pong: "" });
    stack.input.push("hello", new TextEncoder().encode("t"));
    stack.run(0.05e9);
    return stack;
  }));
  assert.ok(runs[0].events.length > 100);
  assert.deepEqual(runs[0].events, runs[1].events);
  const instructions = (stack: Stack) => [...stack.hypervisor.scheduler.vcpus].map(({ usage }) => usage.instructions);
  assert.deepEqual(instructions(runs[0]), instructions(runs[1]));
});
